import { describe, expect, it } from "vitest";
import { formatBytes, formatDuration, formatRelative, formatShare, plural, safeUrl, shortCommit, shortened, shortPath, ticketName } from "./format.ts";

describe("formatDuration", () => {
  it.each([
    [0, "0 ms"],
    [999, "999 ms"],
    [999.6, "1.0 s"],
    [1000, "1.0 s"],
    [59_949, "59.9 s"],
    [59_960, "1 m 00 s"],
    [125_000, "2 m 05 s"],
    [3_599_600, "1 h 00 m"],
    [3_600_000, "1 h 00 m"],
    [7_260_000, "2 h 01 m"],
    [-1, "–"],
    [Number.NaN, "–"],
  ])("writes %d ms as %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe("formatRelative", () => {
  const now = Date.parse("2026-03-10T12:00:00Z");
  it.each([
    ["2026-03-10T11:59:30Z", "just now"],
    ["2026-03-10T12:00:20Z", "just now"],
    ["2026-03-10T11:55:00Z", "5 minutes ago"],
    ["2026-03-10T10:01:00Z", "1 hour ago"],
    ["2026-03-09T11:00:00Z", "yesterday"],
    ["2026-02-20T12:00:00Z", "2 weeks ago"],
    ["2027-03-11T12:00:00Z", "next year"],
    ["nonsense", "–"],
  ])("writes %s as %s", (iso, text) => {
    expect(formatRelative(iso, now)).toBe(text);
  });
});

it("never rounds a share to all or nothing", () => {
  expect([formatShare(0, 0), formatShare(0, 5), formatShare(5, 5), formatShare(99_999, 100_000), formatShare(1, 100_000), formatShare(1, 3)])
    .toEqual(["–", "0 %", "100 %", "99.9 %", "0.1 %", "33.3 %"]);
});

it("counts in words and bytes", () => {
  expect([plural(1, "test"), plural(2000, "test"), formatBytes(999), formatBytes(1500), formatBytes(2_500_000)])
    .toEqual(["1 test", "2,000 tests", "999 B", "1.5 kB", "2.5 MB"]);
});

it("shortens a hash and nothing else", () => {
  expect([shortCommit("5b1f0d7c2a4e4f0d9d3c6f1f7f6a2f0f3f6f9a11"), shortCommit("release-2026-03-10")])
    .toEqual(["5b1f0d7", "release-2026-03-10"]);
});

it("shows the end of a long path", () => {
  expect([shortPath("/home/ci/project/cart.spec.js"), shortPath("src/cart.spec.js")]).toEqual(["…/project/cart.spec.js", "src/cart.spec.js"]);
});

it("links only to web addresses", () => {
  expect(["https://ci.test/1", "javascript:alert(1)", "data:text/html,x", "ci.test/1", "", null].map(safeUrl))
    .toEqual(["https://ci.test/1", undefined, undefined, undefined, undefined, undefined]);
});

it("calls a ticket by the end of its address", () => {
  expect(["https://tracker.test/browse/SHOP-7", "https://forge.test/acme/shop/issues/7/", "https://forge.test"].map(ticketName)).toEqual(["SHOP-7", "#7", "forge.test"]);
});

it("shortens an error to the beginning of its first line", () => {
  expect([shortened("  Error: no\n  at x"), shortened("abcdef", 4), shortened("")]).toEqual(["Error: no", "abc…", ""]);
});
