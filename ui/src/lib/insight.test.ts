import type { HistoryChange, TestSeries } from "@scaledtest/sdk";
import { describe, expect, it } from "vitest";
import {
  attemptWords, changeSentence, describeOutcomes, durationSentence, findSeries, formatInterval, formatPercent, readStrip, sentence, signalWords, startOfSpan, variantLabel,
} from "./insight.ts";

describe("a history strip", () => {
  it("is read letter by letter, without what is not known", () => {
    expect(readStrip("PfF?S")).toEqual(["passed", "flaked", "failed", "not_run"]);
    expect(readStrip("")).toEqual([]);
  });

  it("is told in words", () => {
    expect(describeOutcomes(readStrip("PPPfPF"))).toBe("Last 6 runs: 4 passed, 1 passed on retry, 1 failed; the newest failed");
    expect(describeOutcomes(readStrip("S"))).toBe("Last 1 run: 1 not run; the newest was not run");
    expect(describeOutcomes([])).toBe("No runs");
  });
});

it("never rounds a rate to all or nothing", () => {
  expect([0, 100, 99.99, 0.01, 33.333, null, undefined, Number.NaN].map(formatPercent))
    .toEqual(["0 %", "100 %", "99.9 %", "< 0.1 %", "33.3 %", "–", "–", "–"]);
  expect(formatInterval(0.012, 0.0837)).toBe("1.2–8.4 %");
});

it("names a variant by what it has", () => {
  expect([variantLabel({}), variantLabel({ browser: "webkit", device: null, os: "macOS" })]).toEqual(["", "webkit, macOS"]);
});

describe("a change", () => {
  const point = (report: string, commit?: string) => ({ report_id: report, run_id: report, at: "2026-03-01T00:00:00Z", commit });
  const change = (earliest: ReturnType<typeof point>, latest: ReturnType<typeof point>): HistoryChange =>
    ({ shift: "started_failing", at: latest, earliest, latest, before: 0, after: 1 });

  it("lies between two commits", () => {
    expect(changeSentence(change(point("1", "5b1f0d7c2a4e4f0d"), point("2", "aaaaaaa")))).toBe("Started failing between commit 5b1f0d7 and aaaaaaa");
  });

  it("came with one commit when the interval is one run, or reruns of it", () => {
    expect(changeSentence(change(point("1", "abc"), point("1", "abc")))).toBe("Started failing with commit abc");
    expect(changeSentence(change(point("1", "abc"), point("2", "abc")))).toBe("Started failing with commit abc");
  });

  it("of a duration says in which direction", () => {
    const of = (before_ms: number, after_ms: number) => ({ ...change(point("1", "abc"), point("1", "abc")), before_ms, after_ms });
    expect(durationSentence(of(120, 480))).toBe("Slower with commit abc");
    expect(durationSentence(of(480, 120))).toBe("Faster with commit abc");
  });

  it("is told without commits when there are none", () => {
    expect(changeSentence({ ...change(point("1"), point("2")), shift: "fixed" })).toBe("Fixed");
  });
});

it("finds the series that is asked for, else the nearest", () => {
  const series = [["main", "a"], ["main", "b"], ["x", "b"]].map(([branch, variant_id]) => ({ branch, variant_id }) as TestSeries);
  const found = (branch?: string, variant?: string) => findSeries(series, branch, variant);
  expect([found("main", "b"), found("x"), found(undefined, "b"), found("x", "a"), found("gone", "a"), found()])
    .toEqual([series[1], series[2], series[1], series[2], series[0], series[0]]);
  expect(findSeries([], "main", "a")).toBeUndefined();
});

it("makes sentences", () => {
  expect([sentence("6 of 10 failed"), sentence("no rule applies"), sentence("Done."), sentence(" ")]).toEqual(["6 of 10 failed.", "No rule applies.", "Done.", ""]);
  expect([attemptWords({ fails: 0, passes: 1 }), attemptWords({ fails: 2, passes: 1 }), attemptWords({ fails: 1, passes: 0 }), attemptWords({ fails: 0, passes: 0 })])
    .toEqual(["1 attempt", "3 attempts, 2 failed", "1 attempt", "–"]);
  expect(signalWords("attempt")).toBe("Failed and passed within one run");
  expect(signalWords("constructor")).toBe("constructor");
});

it("counts today as the first day of a span", () => {
  const now = new Date(2026, 2, 10, 15, 30).getTime();
  expect(startOfSpan(1, now)).toBe(new Date(2026, 2, 10).toISOString());
  expect(startOfSpan(30, now)).toBe(new Date(2026, 1, 9).toISOString());
});
