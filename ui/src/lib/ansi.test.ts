import { describe, expect, it } from "vitest";
import { parseAnsi, stripAnsi } from "./ansi.ts";

const E = "\u001b[";

describe("parseAnsi", () => {
  it("leaves plain text alone", () => {
    expect(parseAnsi("expected <b>1</b>\n\tgot 2")).toEqual([{ text: "expected <b>1</b>\n\tgot 2" }]);
  });

  it("reads colours and styles and ends each with its own code", () => {
    expect(parseAnsi(`a${E}31mred${E}1mbold${E}39mplain bold${E}22mend`)).toEqual([
      { text: "a" },
      { text: "red", color: 1 },
      { text: "bold", color: 1, bold: true },
      { text: "plain bold", color: undefined, bold: true },
      { text: "end", color: undefined, bold: undefined, dim: undefined },
    ]);
  });

  it("reads a matcher's output as a reporter writes it", () => {
    const spans = parseAnsi(`Error: ${E}2mexpect(${E}22m${E}31mreceived${E}39m${E}2m).${E}22mtoBe`);
    expect(spans.map(({ text, color, dim }) => [text, color, dim])).toEqual([
      ["Error: ", undefined, undefined],
      ["expect(", undefined, true],
      ["received", 1, undefined],
      [").", undefined, true],
      ["toBe", undefined, undefined],
    ]);
  });

  it("takes an empty code for a reset and joins neighbours of one style", () => {
    expect(parseAnsi(`${E}32mok${E}32m!${E}m done`)).toEqual([{ text: "ok!", color: 2 }, { text: " done" }]);
  });

  it.each([
    ["38;5;1", 1],
    ["38;5;9", 1],
    ["38;5;196", 1],
    ["38;5;46", 2],
    ["38;5;240", 8],
    ["38;2;250;10;10", 1],
    ["38;2;20;220;230", 6],
    ["48;5;196", undefined],
    ["90", 8],
    ["94", 4],
  ])("finds one of our colours for %s", (code, color) => {
    expect(parseAnsi(`${E}${code}mx`)).toEqual([color === undefined ? { text: "x" } : { text: "x", color }]);
  });

  it("drops movements, titles and links, but not the text of a link", () => {
    const link = "\u001b]8;;https://example.test\u0007here\u001b]8;;\u0007";
    expect(stripAnsi(`${E}2K${E}1Gdone \u001b]0;title\u0007${link}\u0008\u0000`)).toBe("done here");
  });

  it("keeps line ends and drops carriage returns", () => {
    expect(stripAnsi("a\r\nb\rc")).toBe("a\nb\nc");
  });

  it("reads a long text without escapes getting lost at any place", () => {
    const text = Array.from({ length: 5000 }, (_, n) => `${E}3${String(n % 8)}mline ${String(n)}${E}0m`).join("\n");
    expect(stripAnsi(text)).toBe(Array.from({ length: 5000 }, (_, n) => `line ${String(n)}`).join("\n"));
  });
});
