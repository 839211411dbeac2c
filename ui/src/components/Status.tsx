import type { Run, Status, Summary } from "@scaledtest/sdk";
import { CircleAlert, CircleCheck, CircleDashed, CircleHelp, CircleX, SkipForward, Zap, type LucideIcon } from "lucide-react";
import { cx } from "../lib/cx.ts";
import { formatCount, plural } from "../lib/format.ts";

const LOOKS: Record<Status | "flaky", { icon: LucideIcon; text: string; label: string }> = {
  passed: { icon: CircleCheck, text: "text-passed", label: "Passed" },
  failed: { icon: CircleX, text: "text-failed", label: "Failed" },
  skipped: { icon: SkipForward, text: "text-skipped", label: "Skipped" },
  pending: { icon: CircleDashed, text: "text-skipped", label: "Pending" },
  other: { icon: CircleHelp, text: "text-other", label: "Other" },
  flaky: { icon: Zap, text: "text-flaky", label: "Flaky" },
};

export const statusLabel = (status: Status | "flaky") => LOOKS[status].label;

/** An icon of its own shape and colour for every status. Says its name unless `silent`. */
export function StatusIcon({ status, size = 16, silent }: { status: Status | "flaky"; size?: number; silent?: boolean }) {
  const { icon: Icon, text, label } = LOOKS[status];
  return (
    <span className={cx("inline-flex shrink-0", text)}>
      <Icon aria-hidden size={size} strokeWidth={2.25} />
      {!silent && <span className="sr-only">{label}</span>}
    </span>
  );
}

export function StatusText({ status, raw }: { status: Status; raw?: string | null }) {
  return (
    <span className={cx("inline-flex items-center gap-1.5 font-medium", LOOKS[status].text)}>
      <StatusIcon status={status} silent />
      {LOOKS[status].label}
      {raw && <span className="font-normal text-muted-foreground">({raw})</span>}
    </span>
  );
}

export function FlakyBadge() {
  return (
    <span className="inline-flex items-center gap-1 rounded bg-flaky-soft px-1.5 py-px text-xs font-medium text-flaky">
      <Zap aria-hidden size={11} />
      Flaky
    </span>
  );
}

/** One word for a whole run. */
export function runStatus(summary: Summary): Status {
  if (summary.failed > 0) return "failed";
  if (summary.passed > 0) return "passed";
  if (summary.tests === 0) return "other";
  return summary.skipped + summary.pending === summary.tests ? "skipped" : "other";
}

export function RunStatusIcon({ run, size = 18 }: { run: Pick<Run, "summary">; size?: number }) {
  return <StatusIcon status={runStatus(run.summary)} size={size} />;
}

export function PartialBadge() {
  return (
    <span
      className="inline-flex items-center gap-1 rounded bg-muted px-1.5 py-px text-xs text-muted-foreground"
      title="The report names more tests than it contains"
    >
      <CircleAlert aria-hidden size={11} />
      Partial
    </span>
  );
}

const PARTS = ["failed", "other", "passed", "skipped"] as const;
const FILLS: Record<(typeof PARTS)[number], string> = {
  failed: "bg-failed-fill",
  other: "bg-other-fill",
  passed: "bg-passed-fill",
  skipped: "bg-skipped-fill",
};

/** Proportions of the statuses. A small share is never narrower than it can be seen. */
export function StatusBar({ summary, className }: { summary: Summary; className?: string }) {
  const shares = {
    failed: summary.failed,
    other: summary.other,
    passed: summary.passed,
    skipped: summary.skipped + summary.pending,
  };
  return (
    <div role="img" aria-label={describe(summary)} className={cx("flex h-2 gap-px overflow-hidden rounded-full bg-muted", className)}>
      {PARTS.filter((part) => shares[part] > 0).map((part) => (
        <span key={part} className={cx("min-w-1 basis-0", FILLS[part])} style={{ flexGrow: shares[part] }} />
      ))}
    </div>
  );
}

export function describe(summary: Summary): string {
  const parts = [`${formatCount(summary.passed)} passed`, `${formatCount(summary.failed)} failed`];
  if (summary.skipped) parts.push(`${formatCount(summary.skipped)} skipped`);
  if (summary.pending) parts.push(`${formatCount(summary.pending)} pending`);
  if (summary.other) parts.push(`${formatCount(summary.other)} other`);
  if (summary.flaky) parts.push(`${formatCount(summary.flaky)} flaky`);
  return `${plural(summary.tests, "test")}: ${parts.join(", ")}`;
}

/** The counts that matter, each with its icon. */
export function Counts({ summary, className }: { summary: Summary; className?: string }) {
  const left = summary.skipped + summary.pending;
  const shown: [Status | "flaky", number, string][] = [
    ["failed", summary.failed, "failed"],
    ["passed", summary.passed, "passed"],
    ["skipped", left, "skipped or pending"],
    ["other", summary.other, "other"],
    ["flaky", summary.flaky, "flaky"],
  ];
  return (
    <span className={cx("flex flex-wrap items-center gap-x-3 gap-y-0.5 text-[13px]", className)} aria-hidden>
      {shown
        .filter(([, count]) => count > 0)
        .map(([status, count, word]) => (
          <span key={status} className={cx("inline-flex items-center gap-1", LOOKS[status].text)} title={`${formatCount(count)} ${word}`}>
            <StatusIcon status={status} size={13} silent />
            {formatCount(count)}
          </span>
        ))}
    </span>
  );
}
