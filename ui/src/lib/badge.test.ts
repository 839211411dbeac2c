import { expect, it } from "vitest";
import { badgeAddress, badgeMarkdown } from "./badge.ts";

it("addresses the default branch or another one", () => {
  expect(badgeAddress("https://t.example", "p1", "")).toBe("https://t.example/badges/p1.svg");
  expect(badgeAddress("https://t.example", "p1", "feature/a&b")).toBe("https://t.example/badges/p1.svg?branch=feature%2Fa%26b");
});

it("writes Markdown that names and branches cannot break", () => {
  expect(badgeMarkdown("https://t.example", { id: "p1", name: "a](x)<b>" }, "fix(1)")).toBe(
    "[![Tests of a (x) b](https://t.example/badges/p1.svg?branch=fix%281%29)](https://t.example/reports?project=a%5D%28x%29%3Cb%3E&branch=fix%281%29)",
  );
});
