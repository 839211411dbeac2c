import { afterEach, expect, it } from "vitest";
import { ScaledTest } from "../src/index.ts";
import { json, serve } from "./server.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

it("manages links with the credential, and reads through them without", async () => {
  const server = await serve((_request, response) => { json(response, 200, { shares: [] }); });
  stops.push(server.stop);
  const { shares } = new ScaledTest({ baseUrl: server.url, token: "sct_1", teamId: "team-1" });
  await shares.list("r/1");
  await shares.create("r1");
  await shares.create("r1", { expiresInDays: 7 });
  await shares.revoke("s/1");
  await shares.run("shr_1/x");
  await shares.results("shr_1", { status: ["failed", "flaky"], text: "a b", limit: 10 });
  await shares.result("shr_1", "report", "0");
  expect(server.seen.map(({ method, url, body }) => `${method} ${url} ${body}`.trim())).toEqual([
    "GET /api/v1/runs/r%2F1/shares",
    "POST /api/v1/runs/r1/shares {}",
    'POST /api/v1/runs/r1/shares {"expires_in_days":7}',
    "DELETE /api/v1/shares/s%2F1",
    "GET /api/v1/shared/shr_1%2Fx",
    "GET /api/v1/shared/shr_1/results?text=a+b&limit=10&status=failed%2Cflaky",
    "GET /api/v1/shared/shr_1/results/report/0",
  ]);
  const credentials = server.seen.map(({ headers }) => headers.authorization);
  expect(credentials).toEqual([...Array<string>(4).fill("Bearer sct_1"), undefined, undefined, undefined]);
});
