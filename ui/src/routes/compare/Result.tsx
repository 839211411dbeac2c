import type { ComparedReport, ReportComparison } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";
import { CircleCheck, Download } from "lucide-react";
import { Button } from "../../components/Button.tsx";
import { Counts, RunStatusIcon, StatusBar } from "../../components/Status.tsx";
import { Time } from "../../components/Time.tsx";
import { cx } from "../../lib/cx.ts";
import { formatCount, plural } from "../../lib/format.ts";
import { Origin } from "../reports/RunRow.tsx";
import { Differences, type Kind } from "./Differences.tsx";

const KINDS: Kind[] = [
  { list: "new_failures", title: "New failures", tone: "text-failed", note: "Failed in head, and did not in base." },
  { list: "fixed", title: "Fixed", tone: "text-passed", note: "Failed in base, passed in head." },
  { list: "duration_regressions", title: "Duration regressions", tone: "text-flaky", note: "Slower by at least 100 ms and 20 %." },
  { list: "added", title: "Added", note: "Not in base." },
  { list: "removed", title: "Removed", note: "Not in head." },
];

/** One of the two that are compared. */
function Side({ label, side }: { label: string; side: ComparedReport }) {
  return (
    <div className="panel min-w-0 px-4 py-3">
      <p className="text-xs font-medium text-muted-foreground">{label}</p>
      <p className="mt-0.5 flex min-w-0 items-center gap-2">
        <RunStatusIcon run={side} />
        <Link to="/runs/$runId" params={{ runId: side.run_id }} className="truncate font-medium underline-offset-2 hover:underline" title={side.name}>
          {side.name}
        </Link>
      </p>
      <p className="mt-1 flex flex-wrap items-center gap-x-3 gap-y-0.5 text-[13px] text-muted-foreground">
        {side.project !== side.name && <span>{side.project}</span>}
        <Origin run={side} />
        <Time iso={side.run_at} />
      </p>
      <StatusBar summary={side.summary} className="mt-2.5 mb-1.5" />
      <Counts summary={side.summary} />
    </div>
  );
}

/** The comparison as a file, as the server answers it. */
function exportJson(comparison: ReportComparison): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(comparison, null, 2)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `compare-${comparison.base.id}-${comparison.head.id}.json`;
  link.click();
  // The download has taken hold of the data by the next task.
  setTimeout(() => { URL.revokeObjectURL(url); }, 0);
}

export function Result({ comparison }: { comparison: ReportComparison }) {
  const { base, head, diff } = comparison;
  const { summary } = diff;
  const unchanged = `${plural(summary.passed_unchanged, "test")} passed in both, ${formatCount(summary.failed_unchanged)} failed in both.`;
  return (
    <>
      <div className="mb-3 grid gap-3 md:grid-cols-2">
        <Side label="Base" side={base} />
        <Side label="Head" side={head} />
      </div>
      <nav aria-label="Differences" className="mb-3 grid grid-cols-2 gap-2 sm:grid-cols-5">
        {KINDS.map(({ list, title, tone }) => (
          <a key={list} href={`#${list}`} className="panel px-3 py-2 hover:bg-muted/60 max-sm:last:col-span-2">
            <span className="block text-xs text-muted-foreground">{title}</span>
            <span className={cx("font-semibold sm:text-lg", summary[list] > 0 && tone)}>{formatCount(summary[list])}</span>
          </a>
        ))}
      </nav>
      <div className="mb-5 flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <p className="text-muted-foreground">
          {plural(summary.base_tests, "test")} in base, {formatCount(summary.head_tests)} in head. {unchanged}
        </p>
        <Button small onClick={() => { exportJson(comparison); }}>
          <Download aria-hidden size={14} />
          Export JSON
        </Button>
      </div>
      {summary.new_failures + summary.duration_regressions === 0 && (
        <p className="panel mb-5 flex items-center gap-2 bg-passed-soft px-4 py-3 font-medium">
          <CircleCheck aria-hidden size={18} className="shrink-0 text-passed" />
          No regressions: nothing fails that did not, and nothing became slower.
        </p>
      )}
      {KINDS.map((kind) => (
        <Differences key={kind.list} kind={kind} tests={diff[kind.list]} total={summary[kind.list]} runs={[base.run_id, head.run_id]} />
      ))}
    </>
  );
}
