import { afterEach, expect, it } from "vitest";
import { ScaledTest } from "../src/index.ts";
import { json, serve, type Handler } from "./server.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function start(handler: Handler) {
  const server = await serve(handler);
  stops.push(server.stop);
  const client = new ScaledTest({ baseUrl: server.url, token: "sct_1", teamId: "team-1" });
  return { insight: client.insight, seen: server.seen };
}

const answering = (body: unknown): Handler => (_request, response) => { json(response, 200, body); };

it("lists tests with the filters that are set", async () => {
  const { insight, seen } = await start(answering({ tests: [], total: 0, next_cursor: null }));
  await insight.listTests({ project: "shop", branch: "*", state: ["flaky", "broken"], status: "failed", text: "a b", tag: undefined, sort: "-score", limit: 50, cursor: "c1" });
  await insight.listTests({ state: [] });
  const query = new URL(seen[0]?.url ?? "", "http://x").searchParams;
  expect(Object.fromEntries(query)).toEqual({
    project: "shop", branch: "*", state: "flaky,broken", status: "failed", text: "a b", sort: "-score", limit: "50", cursor: "c1",
  });
  expect(seen[1]?.url).toBe("/api/v1/tests");
  expect(seen[0]?.headers).toMatchObject({ authorization: "Bearer sct_1", "x-team-id": "team-1" });
});

it("asks for one series of a test and its runs", async () => {
  const { insight, seen } = await start(answering({ runs: [{ outcome: "passed" }] }));
  await insight.getTest("t/1", { branch: "feature/x", variant_id: "chromium" });
  const runs = await insight.getTestHistory("t1", { branch: "main", limit: 400 });
  await insight.getTestHistory("t1");
  expect(runs).toEqual([{ outcome: "passed" }]);
  expect(seen.map(({ url }) => url)).toEqual([
    "/api/v1/tests/t%2F1?branch=feature%2Fx&variant_id=chromium",
    "/api/v1/tests/t1/history?branch=main&limit=400",
    "/api/v1/tests/t1/history",
  ]);
});

it("asks for each of the analytics", async () => {
  const { insight, seen } = await start(answering({}));
  const filter = { project: "shop", environment: "staging", tag: "@slow" };
  await insight.getTrends({ ...filter, start: "2026-03-01T00:00:00Z", group_by: "week", time_zone: "Europe/Berlin", fill: true });
  await insight.getFlakyTests({ window_days: 30, min_runs: 1, limit: 5, state: "all" });
  await insight.getErrorAnalysis({ end: "2026-03-02T00:00:00Z", limit: 20 });
  await insight.getDurationDistribution({ branch: "main" });
  await insight.getSlowestTests({ limit: 10 });
  await insight.getRunVerdict("r1");
  expect(seen.map(({ url }) => url)).toEqual([
    "/api/v1/analytics/trends?project=shop&environment=staging&tag=%40slow&start=2026-03-01T00%3A00%3A00Z&group_by=week&time_zone=Europe%2FBerlin&fill=true",
    "/api/v1/analytics/flaky-tests?window_days=30&min_runs=1&limit=5&state=all",
    "/api/v1/analytics/error-analysis?end=2026-03-02T00%3A00%3A00Z&limit=20",
    "/api/v1/analytics/duration-distribution?branch=main",
    "/api/v1/analytics/slowest-tests?limit=10",
    "/api/v1/runs/r1/verdict",
  ]);
});

it("tells a run without a verdict from a failure", async () => {
  const { insight } = await start((_request, response) => {
    json(response, 404, { error: "no verdict", code: "verdict_not_found", request_id: "r" });
  });
  await expect(insight.getRunVerdict("r1")).rejects.toMatchObject({ status: 404, code: "verdict_not_found", temporary: false });
});

it("can be given up", async () => {
  const { insight } = await start(() => undefined);
  const abort = new AbortController();
  const answer = insight.getTrends({}, abort.signal);
  abort.abort();
  await expect(answer).rejects.toMatchObject({ name: "AbortError" });
});
