import type { TestResult } from "@scaledtest/sdk";
import { expect, it } from "vitest";
import { pagesOf, placeOf } from "./useResults.ts";

it.each([
  [{ first: 0, last: 20 }, 20_000, []],
  [{ first: 330, last: 351 }, 20_000, [1]],
  [{ first: 600, last: 620 }, 20_000, [1]],
  [{ first: 990, last: 1010 }, 20_000, [1, 2]],
  [{ first: 19_980, last: 19_999 }, 20_000, [39]],
  [{ first: 480, last: 499 }, 500, []],
  [{ first: 0, last: 0 }, 0, []],
  [{ first: 19_980, last: 19_999 }, 15, []],
])("the rows %o of %i need the pages %o", (range, total, pages) => {
  expect(pagesOf(range, total)).toEqual(pages);
});

it("finds a test in any page that is here", () => {
  const result = (id: string) => ({ id }) as TestResult;
  const pages = new Map([[0, [result("a")]], [3, [result("b"), result("c")]]]);
  expect(placeOf(pages, ({ id }) => id === "c")).toBe(1501);
  expect(placeOf(pages, ({ id }) => id === "d")).toBe(-1);
});
