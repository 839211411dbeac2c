import { expect, it } from "vitest";
import { countWords, resultRef } from "./verdict.ts";

it("counts the failures of a run in words, the weightiest first", () => {
  expect(countWords({ flaky_in_run: 1, regression: 2, broken_on_base: 1200, quarantined: 0 })).toBe("2 regressions, 1,200 broken on base, 1 flake in this run");
  expect(countWords({})).toBe("");
});

it("finds the result of a verdict when there is no doubt which report it is of", () => {
  expect([resultRef("7", "r2", [{ id: "r1" }, { id: "r2" }]), resultRef("7", null, [{ id: "r1" }]), resultRef("7", undefined, [{ id: "r1" }, { id: "r2" }])])
    .toEqual(["r2.7", "r1.7", undefined]);
});
