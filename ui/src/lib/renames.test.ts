import { expect, test } from "vitest";
import { placeOf, reasonWords } from "./renames.ts";

const named = (name: string, file?: string) => ({ id: name, name, suite: ["cart", "items"], file_path: file });

test("says why two tests are taken for one", () => {
  const [from, to] = [named("adds item", "cart.ts"), named("adds an item", "cart.ts")];
  expect(reasonWords({ reason: "similar", similarity: 0.925, from, to })).toBe("same file, similarity 0.93");
  expect(reasonWords({ reason: "similar", similarity: 0.9, from: named("a"), to: named("b") })).toBe("same suite, similarity 0.90");
  expect(reasonWords({ reason: "only_one", similarity: 0.5, from, to })).toBe("the only change in the same file, similarity 0.50");
  expect(reasonWords({ reason: "moved", similarity: 1, from, to })).toBe("same name in another place");
  expect(reasonWords({ reason: "by_hand", similarity: 0.1, from, to })).toBe("joined by hand");
});

test("says where a test is", () => {
  expect(placeOf(named("a", "cart.ts"))).toBe("cart › items · cart.ts");
  expect(placeOf(named("a"))).toBe("cart › items");
});
