import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "../lib/cx.ts";

export type Tone = "plain" | "accent" | "good" | "warn" | "bad";

const TONES: Record<Tone, string> = {
  plain: "bg-muted text-muted-foreground",
  accent: "bg-accent text-foreground",
  good: "bg-passed-soft text-passed",
  warn: "bg-flaky-soft text-flaky",
  bad: "bg-failed-soft text-failed",
};

/** A state in a word or two. */
export function Badge({ tone = "plain", icon: Icon, title, children }: { tone?: Tone; icon?: LucideIcon; title?: string; children: ReactNode }) {
  return (
    <span title={title} className={cx("inline-flex items-center gap-1 rounded px-1.5 py-px text-xs font-medium whitespace-nowrap", TONES[tone])}>
      {Icon && <Icon aria-hidden size={11} />}
      {children}
    </span>
  );
}
