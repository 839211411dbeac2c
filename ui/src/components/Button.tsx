import { Check, Copy } from "lucide-react";
import { useEffect, useState, type ComponentProps } from "react";
import { cx } from "../lib/cx.ts";

type Look = "primary" | "plain" | "ghost" | "danger";

const LOOKS: Record<Look, string> = {
  primary: "bg-primary text-primary-foreground border-transparent hover:opacity-90",
  plain: "bg-card border-input hover:bg-muted",
  ghost: "border-transparent hover:bg-muted",
  danger: "bg-card border-failed text-failed hover:bg-failed-soft",
};

export const buttonClass = (look: Look = "plain", small = false) =>
  cx(
    "inline-flex items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap transition-colors disabled:opacity-55",
    small ? "h-7.5 px-2 text-[13px]" : "h-8.5 px-3",
    LOOKS[look],
  );

export function Button({ look, small, className, ...rest }: ComponentProps<"button"> & { look?: Look; small?: boolean }) {
  return <button type="button" {...rest} className={cx(buttonClass(look, small), className)} />;
}

/** Copies a text and says so. */
export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [copied, setCopied] = useState<"no" | "yes" | "failed">("no");
  useEffect(() => {
    if (copied === "no") return;
    const timer = setTimeout(() => { setCopied("no"); }, 2000);
    return () => { clearTimeout(timer); };
  }, [copied]);
  const copy = () => {
    // The clipboard exists only on secure origins; plain http on another host has none.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    if (!clipboard) {
      setCopied("failed");
      return;
    }
    clipboard.writeText(text).then(
      () => { setCopied("yes"); },
      () => { setCopied("failed"); },
    );
  };
  const words = { no: label, yes: "Copied", failed: "Select and copy by hand" };
  return (
    <Button small onClick={copy}>
      {copied === "yes" ? <Check aria-hidden size={14} /> : <Copy aria-hidden size={14} />}
      <span aria-live="polite">{words[copied]}</span>
    </Button>
  );
}
