import { afterEach, expect, it } from "vitest";
import { ScaledTest } from "../src/index.ts";
import { serve } from "./server.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

it("asks for files with the filters of the list, as the team's member", async () => {
  const server = await serve((_request, response) => {
    response.writeHead(200, { "content-type": "text/csv" });
    response.end("id,name\r\n1,a\r\n");
  });
  stops.push(server.stop);
  const client = new ScaledTest({ baseUrl: server.url, token: "sct_1", teamId: "team-1" });
  const file = await client.exports.runs("csv", { project: "shop", branch: "a b" });
  await client.exports.runResults("r/1", "ndjson", { status: ["failed", "skipped"] });
  await client.exports.tests("csv", { state: [] });
  await client.exports.runCtrf("r1");
  await client.exports.reportCtrf("p1");
  expect(await file.text()).toBe("id,name\r\n1,a\r\n");
  expect(server.seen.map(({ url }) => url)).toEqual([
    "/api/v1/runs?project=shop&branch=a+b&format=csv",
    "/api/v1/runs/r%2F1/results?status=failed%2Cskipped&format=ndjson",
    "/api/v1/tests?format=csv",
    "/api/v1/runs/r1/ctrf",
    "/api/v1/reports/p1/ctrf",
  ]);
  expect(server.seen[0]?.headers).toMatchObject({ authorization: "Bearer sct_1", "x-team-id": "team-1" });
});
