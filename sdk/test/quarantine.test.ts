import { afterEach, expect, it } from "vitest";
import { ScaledTest } from "../src/index.ts";
import { json, serve } from "./server.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

it("asks for each of the operations at its path", async () => {
  const server = await serve((_request, response) => { json(response, 200, {}); });
  stops.push(server.stop);
  const { quarantine } = new ScaledTest({ baseUrl: server.url, token: "sct_1", teamId: "team-1" });
  await quarantine.list({ project: "shop", state: "expired", mode: undefined, text: "a b" });
  await quarantine.get("q/1");
  await quarantine.enter("t1", { reason: "slow" });
  await quarantine.change("q1", { owner: "" });
  await quarantine.release("q1");
  await quarantine.summary({ days: 7 });
  await quarantine.listForCi("acme/shop");
  await quarantine.policy("shop");
  await quarantine.setPolicy("shop", { enabled: true });
  expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
    "GET /api/v1/quarantine?project=shop&state=expired&text=a+b",
    "GET /api/v1/quarantine/q%2F1",
    "POST /api/v1/quarantine",
    "PATCH /api/v1/quarantine/q1",
    "POST /api/v1/quarantine/q1/release",
    "GET /api/v1/quarantine/summary?days=7",
    "GET /api/v1/projects/acme%2Fshop/quarantine",
    "GET /api/v1/projects/shop/quarantine-policy",
    "PUT /api/v1/projects/shop/quarantine-policy",
  ]);
});
