import { WrapText } from "lucide-react";
import { useState } from "react";
import { cx } from "../lib/cx.ts";
import { stripAnsi } from "../lib/ansi.ts";
import { Ansi } from "./Ansi.tsx";
import { Button, CopyButton } from "./Button.tsx";

/** Monospaced text with its name, a copy button and a choice of wrapping. */
export function CodeBlock({ title, text, wrapped = true, tall }: { title: string; text: string; wrapped?: boolean; tall?: boolean }) {
  const [wrap, setWrap] = useState(wrapped);
  return (
    <div className="panel min-w-0 overflow-hidden">
      <div className="flex items-center gap-2 border-b px-3 py-1.5">
        <h3 className="mr-auto text-[13px] font-medium">{title}</h3>
        <Button small look="ghost" aria-pressed={wrap} onClick={() => { setWrap(!wrap); }}>
          <WrapText aria-hidden size={14} />
          Wrap
        </Button>
        <CopyButton text={stripAnsi(text)} />
      </div>
      <pre
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrollable region must be reachable by keyboard
        tabIndex={0}
        aria-label={title}
        role="region"
        className={cx(
          "overflow-auto bg-code px-3 py-2.5 font-mono text-[12.5px] leading-[1.55]",
          !tall && "max-h-96",
          wrap ? "whitespace-pre-wrap break-words [overflow-wrap:anywhere]" : "whitespace-pre",
        )}
      >
        <Ansi text={text} />
      </pre>
    </div>
  );
}
