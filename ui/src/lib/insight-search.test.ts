import { describe, expect, it } from "vitest";
import { readAnalyticsSearch, readIssuesSearch, readTestSearch, readTestsSearch, spanOf, toInsightFilter, toIssueFilter, toTestFilter } from "./insight-search.ts";
import { parseSearch, stringifySearch } from "./search.ts";

describe("the filters of the test explorer", () => {
  const roundTrip = (query: string) => stringifySearch({ ...readTestsSearch(parseSearch(query)) });

  it("come back from the URL as they went in", () => {
    const query = "?q=pay+now&project=shop&branch=*&state=flaky&status=failed&tag=%40slow&sort=-score";
    expect(roundTrip(query)).toBe(query);
  });

  it("lose what is unknown", () => {
    expect(roundTrip("?state=odd&status=flaky&sort=score&x=1&branch=")).toBe("");
  });

  it("become the API's", () => {
    expect(toTestFilter({ q: "pay", state: "broken", branch: "main", sort: "name" })).toEqual({ text: "pay", state: ["broken"], branch: "main", sort: "name" });
    expect(toTestFilter({})).toEqual({});
  });
});

it("the page of a test knows its series by branch and variant", () => {
  expect(readTestSearch({ branch: "main", variant: "v1", other: "x" })).toEqual({ branch: "main", variant: "v1" });
});

it("the analytics page keeps its defaults out of the address", () => {
  expect(readAnalyticsSearch({ days: "30", group: "day", tag: "@slow", environment: "staging" })).toEqual({ tag: "@slow", environment: "staging" });
  expect([{}, { days: "7" }, { days: "90" }, { days: "5" }].map((values) => spanOf(readAnalyticsSearch(values)))).toEqual([30, 7, 90, 30]);
  expect(toInsightFilter({ project: "shop", days: "7", group: "week" })).toEqual({ project: "shop" });
});

it("the known issues are open ones unless the address says otherwise", () => {
  expect(readIssuesSearch({ q: "cart", state: "open", project: "shop" })).toEqual({ q: "cart", project: "shop" });
  expect(toIssueFilter(readIssuesSearch({ q: "cart", state: "closed" }))).toEqual({ text: "cart", state: "closed" });
});
