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
  const { issues } = new ScaledTest({ baseUrl: server.url, token: "sct_1", teamId: "team-1" });
  await issues.list({ project: "shop", state: "closed", text: "a b" });
  await issues.get("i/1");
  await issues.link({ project: "shop", fingerprint: "f1" }, { ticket: "SHOP-7" });
  await issues.change("i1", { expires_at: null });
  await issues.close("i1");
  expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
    "GET /api/v1/issues?project=shop&state=closed&text=a+b",
    "GET /api/v1/issues/i%2F1",
    "POST /api/v1/issues",
    "PATCH /api/v1/issues/i1",
    "POST /api/v1/issues/i1/close",
  ]);
});
