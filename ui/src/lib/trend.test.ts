import type { TrendPoint } from "@scaledtest/sdk";
import { expect, it } from "vitest";
import { describeTrend, formatBucket } from "./trend.ts";

const point = (date: string, passed: number, failed: number): TrendPoint => ({
  date, passed, failed, skipped: 0, total: passed + failed, pass_rate: passed + failed === 0 ? 0 : (passed / (passed + failed)) * 100, flaky: 0, reports: 1, duration_ms: 1,
});

it("names a bucket by its day, week or month, whatever the zone", () => {
  expect([formatBucket("2026-03-03", "day"), formatBucket("2026-03-02", "week"), formatBucket("2026-03-01", "month")])
    .toEqual(["Tue, 3 Mar 2026", "Week of 2 Mar 2026", "March 2026"]);
  expect([formatBucket("2026-03-03", "day", true), formatBucket("2026-03-01", "month", true), formatBucket("x", "day")]).toEqual(["3 Mar", "Mar 2026", "x"]);
});

it("tells a trend in a sentence, without what did not run", () => {
  expect(describeTrend([point("2026-03-01", 9, 1), point("2026-03-02", 0, 0), point("2026-03-03", 1, 1), point("2026-03-04", 4, 0)], "day"))
    .toBe("Pass rate of 3 days: from 90.0 % to 100 %, lowest 50.0 % on 3 Mar.");
  expect(describeTrend([point("2026-03-02", 0, 0)], "day")).toBe("No results.");
});
