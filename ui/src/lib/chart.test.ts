import { describe, expect, it } from "vitest";
import { areaPath, labelled, linePath, nearest, percentFloor } from "./chart.ts";

describe("a line", () => {
  const places = [{ x: 0, y: 1 }, { x: 10.123, y: 2 }, undefined, { x: 30, y: 4 }, undefined, { x: 50, y: 5 }, { x: 60, y: 6 }];

  it("breaks where there is nothing, and shows a place alone", () => {
    expect(linePath(places)).toBe("M0 1L10.12 2M30 4h0M50 5L60 6");
    expect(linePath([])).toBe("");
  });

  it("has an area below each of its stretches", () => {
    expect(areaPath(places, 9)).toBe("M0 1L10.12 2L10.12 9L0 9ZM50 5L60 6L60 9L50 9Z");
    expect(areaPath([undefined], 9)).toBe("");
  });
});

it.each([[[99, 100], 90], [[85], 80], [[90.5], 80], [[60], 50], [[12, 100], 0], [[], 90]])("the axis of %o begins at %i", (values, floor) => {
  expect(percentFloor(values)).toBe(floor);
});

it("finds what is under the pointer", () => {
  expect([nearest(5, 0), nearest(5, 0.4), nearest(5, 1.2), nearest(5, -1), nearest(1, 0.7), nearest(0, 0.5)]).toEqual([0, 2, 4, 0, 0, -1]);
});

it("thins labels out, and keeps the last", () => {
  expect([...labelled(7, 10)].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect([...labelled(30, 6)].sort((a, b) => a - b)).toEqual([4, 9, 14, 19, 24, 29]);
});
