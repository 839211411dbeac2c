import { afterEach, expect, it } from "vitest";
import { ScaledTest } from "../src/index.ts";
import { json, serve } from "./server.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

it("speaks to every path of the gates", async () => {
  const server = await serve((_request, response) => { json(response, 200, { evaluations: [], waivers: [] }); });
  stops.push(server.stop);
  const { gates } = new ScaledTest({ baseUrl: server.url, token: "sct_1" });
  const rules = [{ type: "zero_failures" as const }];
  await gates.getQualityGates("t/1");
  await gates.getQualityGate("t", "g");
  await gates.createQualityGate("t", { name: "Main", rules });
  await gates.updateQualityGate("t", "g", { name: "Main", rules, enabled: false });
  await gates.deleteQualityGate("t", "g");
  await gates.evaluateQualityGate("t", "g");
  await gates.evaluateQualityGate("t", "g", "r");
  await gates.listEvaluations("t", "g", 5);
  await gates.previewQualityGate("t", { rules, runs: 25 });
  expect(await gates.getRunGates("run")).toEqual([]);
  expect(await gates.listWaivers("t", "g")).toEqual([]);
  await gates.waiveRule("t", "g", { rule: { type: "zero_failures" }, branch: "main", reason: "known" });
  await gates.revokeWaiver("t", "g", "w");
  expect(server.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
    "GET /api/v1/teams/t%2F1/quality-gates",
    "GET /api/v1/teams/t/quality-gates/g",
    "POST /api/v1/teams/t/quality-gates",
    "PUT /api/v1/teams/t/quality-gates/g",
    "DELETE /api/v1/teams/t/quality-gates/g",
    "POST /api/v1/teams/t/quality-gates/g/evaluate",
    "POST /api/v1/teams/t/quality-gates/g/evaluate",
    "GET /api/v1/teams/t/quality-gates/g/evaluations?limit=5",
    "POST /api/v1/teams/t/quality-gates/preview",
    "GET /api/v1/runs/run/quality-gates",
    "GET /api/v1/teams/t/quality-gates/g/waivers",
    "POST /api/v1/teams/t/quality-gates/g/waivers",
    "DELETE /api/v1/teams/t/quality-gates/g/waivers/w",
  ]);
  expect(server.seen.map(({ body }) => body).slice(5, 7)).toEqual(["{}", '{"report_id":"r"}']);
});
