import { describe, expect, it } from "vitest";
import {
  overlaying, parseSearch, readAdminSearch, readAuthSearch, readCompareSearch, readResultSearch, readReturnTo, readRunSearch, readTestRef, stringifySearch, toAuditFilter, toResultFilter, toRunFilter,
} from "./search.ts";

const roundTrip = (query: string) => stringifySearch({ ...readRunSearch(parseSearch(query)) });

describe("the filters of the reports page", () => {
  it("come back from the URL as they went in", () => {
    const query = "?q=login+%26+pay&status=failed&project=shop&branch=feature%2Fx&from=2026-03-01&to=2026-03-10";
    expect(roundTrip(query)).toBe(query);
  });

  it("stay text when they look like numbers or JSON", () => {
    expect(readRunSearch(parseSearch("?q=123&branch=true&project=%7B%22a%22%3A1%7D"))).toEqual({ q: "123", branch: "true", project: '{"a":1}' });
    expect(roundTrip("?q=123")).toBe("?q=123");
  });

  it("lose what is unknown, empty or malformed", () => {
    expect(roundTrip("?status=green&from=yesterday&to=2026-99-99&q=&branch=%20&other=1")).toBe("");
  });

  it("ask the API for whole local days", () => {
    const filter = toRunFilter({ q: "x", from: "2026-03-10", to: "2026-03-10" });
    expect(filter).toEqual({
      text: "x",
      since: new Date(2026, 2, 10).toISOString(),
      until: new Date(2026, 2, 11).toISOString(),
    });
  });

  it("ask for nothing when there are none", () => {
    expect(toRunFilter({})).toEqual({});
  });
});

describe("the filters of a run's tests", () => {
  it("become the API's", () => {
    const search = readResultSearch(parseSearch("?status=flaky&sort=-duration&suite=a+%3E+b&tag=%40slow&q=pay&test=r.1"));
    expect(toResultFilter(search)).toEqual({ status: ["flaky"], sort: "-duration", suite: "a > b", tag: "@slow", text: "pay" });
    expect(readTestRef(search.test)).toEqual({ reportId: "r", resultId: "1" });
  });

  it("refuse other statuses and orders", () => {
    expect(readResultSearch({ status: "error", sort: "random", test: 5 })).toEqual({});
  });

  it.each([undefined, "", "abc", ".1", "abc."])("know that %s is no test", (ref) => {
    expect(readTestRef(ref)).toBeUndefined();
  });
});

it("what is compared stands in the address", () => {
  expect(readCompareSearch(parseSearch("?base=a&head=b&other=1"))).toEqual({ base: "a", head: "b" });
  expect(readCompareSearch(parseSearch("?base=&head=%20"))).toEqual({});
});

describe("the way back after sign-in", () => {
  it.each(["/", "/reports?status=failed", "/runs/1?test=a.b", "/invitations/inv_1", "/loginless"])("leads to %s", (path) => {
    expect(readReturnTo(path)).toBe(path);
  });

  it.each([
    "https://evil.test", "//evil.test", "/\\evil.test", "/a\\b", "/\t/evil.test", "/\n/evil.test", "reports", "javascript:alert(1)", "",
    "/login", "/login?error=x", "/register?x=1", "/reset-password/rst_1", "/verify-email/v", "/forgot-password#a", `/${"a".repeat(2000)}`, 5, undefined,
  ])("never leads to %s", (path) => {
    expect(readReturnTo(path)).toBeUndefined();
  });
});

it("the sign-in pages read where to return to and what went wrong", () => {
  expect(readAuthSearch(parseSearch("?return_to=%2Freports&error=oauth_denied&x=1"))).toEqual({ return_to: "/reports", error: "oauth_denied" });
  expect(readAuthSearch(parseSearch("?return_to=%2F%2Fevil.test&error="))).toEqual({});
});

it("what a reader refuses is gone, not left as it stood in the address", () => {
  const read = overlaying(readAuthSearch);
  expect(Object.entries({ return_to: "https://evil.test", x: "1", ...read({ return_to: "https://evil.test", x: "1", error: "e" }) })).toEqual([
    ["return_to", undefined], ["x", undefined], ["error", "e"],
  ]);
});

it("the filters of the audit log become the API's, without the search for people", () => {
  const search = readAdminSearch(parseSearch("?user=ada&action=team.created&type=team&actor=u1&team=t1&from=2026-03-10&to=never"));
  expect(search.user).toBe("ada");
  expect(toAuditFilter(search)).toEqual({
    action: "team.created", resource_type: "team", actor_id: "u1", team_id: "t1", since: new Date(2026, 2, 10).toISOString(),
  });
});
