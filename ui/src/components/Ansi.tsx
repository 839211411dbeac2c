import { memo, useMemo } from "react";
import { parseAnsi, type Span } from "../lib/ansi.ts";
import { cx } from "../lib/cx.ts";

function classOf(span: Span): string {
  return cx(
    span.color !== undefined && `ansi-fg-${String(span.color)}`,
    span.bold && "ansi-bold",
    span.dim && "ansi-dim",
    span.italic && "ansi-italic",
    span.underline && "ansi-underline",
    span.strike && "ansi-strike",
    span.inverse && "ansi-inverse",
  );
}

/** Terminal text as coloured spans. Everything is text to React, so nothing in it can become markup. */
export const Ansi = memo(function Ansi({ text }: { text: string }) {
  const spans = useMemo(() => parseAnsi(text), [text]);
  return spans.map((span, index) => {
    const className = classOf(span);
    return className === "" ? span.text : <span key={index} className={className}>{span.text}</span>;
  });
});
