import type { GateRule } from "@scaledtest/sdk";
import { expect, it } from "vitest";
import { actually, draftOf, expected, newDraft, ruleOf, ruleWords, RULE_TYPES } from "./gates.ts";

const RULES: GateRule[] = [
  { type: "pass_rate", params: { threshold: 99.5 }, level: "warn", scope: { tag: "smoke", path: "e2e/**", owner: "payments" } },
  { type: "zero_failures" },
  { type: "required_tests", params: { globs: ["**/login.ts", "Checkout > *"] } },
  { type: "duration_regression", params: { ratio: 1.5, min_ms: 200 } },
  { type: "new_tests_stable", params: { runs: 3 } },
];

it("edits a rule and gives it back as it was", () => {
  expect(RULES.map((rule, key) => ruleOf(draftOf(key, rule)))).toEqual(RULES);
});

it("drops empty lines and blanks around a scope", () => {
  const draft = { ...newDraft(1, "required_tests"), params: { globs: " a \n\n b" }, tag: " ", path: " x/** " };
  expect(ruleOf(draft)).toEqual({ type: "required_tests", params: { globs: ["a", "b"] }, scope: { path: "x/**" } });
});

it("begins every type with what the server takes, apart from what only people know", () => {
  const rules = RULE_TYPES.map((type, key) => ruleOf(newDraft(key, type)));
  expect(rules.filter(({ params }) => Object.values(params ?? {}).some((value) => Array.isArray(value) && value.length === 0)).map(({ type }) => type)).toEqual(["required_tests"]);
});

it("says a rule, what it asks and what there was in few words", () => {
  expect(RULES.map(ruleWords)).toEqual([
    "Pass Rate ≥ 99.5 % (warning; tag smoke, path e2e/**, owner payments)",
    "Zero Failures",
    "Required Tests **/login.ts, Checkout > *",
    "Duration Regression over 1.5×",
    "New Tests Stable 3×",
  ]);
  expect([expected("max_duration", null, 60_000), actually("max_duration", 1_500)]).toEqual(["≤ 1 m 00 s", "1.5 s"]);
  expect([expected("flaky_budget", null, 0.9), actually("flaky_budget", 0.8123)]).toEqual(["≥ 90 %", "81.23 %"]);
});
