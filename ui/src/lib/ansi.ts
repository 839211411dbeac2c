/** A stretch of text in one style. `color` 0–7 are the eight terminal colours, 8 is grey. */
export interface Span {
  text: string;
  color?: number;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  strike?: boolean;
  inverse?: boolean;
}

type Style = Omit<Span, "text">;

// CSI sequences, OSC strings (titles, hyperlinks) ended by BEL or ST, and two-character escapes.
// eslint-disable-next-line no-control-regex
const ESCAPE = /(?:\u001b\[|\u009b)([0-?]*)[ -/]*([@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[@-Z\\-_]|\u001b[()][0-9A-B]/g;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** Splits text with terminal escapes into styled spans. Whatever is no colour or style is dropped; nothing is ever markup. */
export function parseAnsi(text: string): Span[] {
  const spans: Span[] = [];
  let style: Style = {};
  let from = 0;
  const push = (raw: string) => {
    const clean = raw.replace(/\r\n?/g, "\n").replace(CONTROL, "");
    const last = spans.at(-1);
    if (clean === "") return;
    if (last && sameStyle(last, style)) last.text += clean;
    else spans.push({ text: clean, ...style });
  };
  for (const match of text.matchAll(ESCAPE)) {
    push(text.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m") style = applySgr(style, match[1] ?? "");
  }
  push(text.slice(from));
  return spans;
}

/** The text without any escapes, for copying and for one-line previews. */
export function stripAnsi(text: string): string {
  return parseAnsi(text).map((span) => span.text).join("");
}

function sameStyle(a: Style, b: Style): boolean {
  return (
    a.color === b.color && a.bold === b.bold && a.dim === b.dim && a.italic === b.italic &&
    a.underline === b.underline && a.strike === b.strike && a.inverse === b.inverse
  );
}

function applySgr(before: Style, parameters: string): Style {
  const codes = parameters === "" ? [0] : parameters.split(/[;:]/).map(Number);
  let style = { ...before };
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 38 || code === 48) {
      const extended = extendedColor(codes, index);
      if (code === 38) style.color = extended.color;
      index += extended.length;
    } else {
      style = applyCode(style, code);
    }
  }
  return style;
}

function applyCode(style: Style, code: number): Style {
  if (code >= 30 && code <= 37) return { ...style, color: code - 30 };
  if (code >= 90 && code <= 97) return { ...style, color: code === 90 ? 8 : code - 90 };
  switch (code) {
    case 0: return {};
    case 1: return { ...style, bold: true };
    case 2: return { ...style, dim: true };
    case 3: return { ...style, italic: true };
    case 4: return { ...style, underline: true };
    case 7: return { ...style, inverse: true };
    case 9: return { ...style, strike: true };
    case 22: return { ...style, bold: undefined, dim: undefined };
    case 23: return { ...style, italic: undefined };
    case 24: return { ...style, underline: undefined };
    case 27: return { ...style, inverse: undefined };
    case 29: return { ...style, strike: undefined };
    case 39: return { ...style, color: undefined };
    default: return style;
  }
}

/** Reads `5;n` or `2;r;g;b` after a 38 or 48 and finds the nearest of our colours. */
function extendedColor(codes: number[], at: number): { color: number | undefined; length: number } {
  if (codes[at + 1] === 5) return { color: fromPalette(codes[at + 2] ?? 7), length: 2 };
  if (codes[at + 1] === 2) {
    return { color: nearest(codes[at + 2] ?? 0, codes[at + 3] ?? 0, codes[at + 4] ?? 0), length: 4 };
  }
  return { color: undefined, length: 0 };
}

function fromPalette(index: number): number {
  if (index < 8) return index;
  if (index < 16) return index === 8 ? 8 : index - 8;
  if (index >= 232) return 8;
  const cube = index - 16;
  const level = (value: number) => (value % 6) * 51;
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6)), level(cube));
}

function nearest(red: number, green: number, blue: number): number {
  const high = Math.max(red, green, blue);
  if (high - Math.min(red, green, blue) < 40) return high > 200 ? 7 : 8;
  const bit = (value: number) => (value > high * 0.6 ? 1 : 0);
  return bit(red) + bit(green) * 2 + bit(blue) * 4;
}
