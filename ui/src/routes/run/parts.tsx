import type { Report, Run, Summary } from "@scaledtest/sdk";
import { ChevronRight } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Counts, PartialBadge, RunStatusIcon, runStatus, StatusBar, statusLabel } from "../../components/Status.tsx";
import { Time } from "../../components/Time.tsx";
import { formatCount, formatDuration, formatShare, plural } from "../../lib/format.ts";
import { Origin } from "../reports/RunRow.tsx";

// What the page of a run and that of a link to it have in common.

export function RunTitle({ run }: { run: Pick<Run, "name" | "summary" | "partial"> }) {
  return (
    <h1 className="flex min-w-0 items-center gap-2 text-xl font-semibold tracking-tight">
      <RunStatusIcon run={run} size={20} />
      <span className="break-words">{run.name}</span>
      {run.partial && <PartialBadge />}
    </h1>
  );
}

/** Where the run came from, on a line of its own. */
export function RunOrigin({ run }: { run: Pick<Run, "branch" | "commit" | "pr" | "build" | "build_url" | "tools" | "run_at"> }) {
  return (
    <p className="flex w-full flex-wrap items-center gap-x-4 gap-y-1 text-[13px] text-muted-foreground">
      <Origin run={run} />
      <span>{run.tools.join(", ")}</span>
      <Time iso={run.run_at} />
    </p>
  );
}

function Tile({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="panel px-3 py-2">
      <dt className="text-xs text-muted-foreground">{label}</dt>
      <dd className="font-semibold whitespace-nowrap sm:text-lg">{children}</dd>
    </div>
  );
}

/** The run in numbers. */
export function Figures({ summary }: { summary: Summary }) {
  return (
    <>
      <dl className="mb-3 grid grid-cols-3 gap-2 sm:grid-cols-6">
        <Tile label="Outcome">{statusLabel(runStatus(summary))}</Tile>
        <Tile label="Tests">{formatCount(summary.tests)}</Tile>
        <Tile label="Failed"><span className={summary.failed > 0 ? "text-failed" : undefined}>{formatCount(summary.failed)}</span></Tile>
        <Tile label="Flaky"><span className={summary.flaky > 0 ? "text-flaky" : undefined}>{formatCount(summary.flaky)}</span></Tile>
        <Tile label="Pass rate">{formatShare(summary.passed, summary.passed + summary.failed)}</Tile>
        <Tile label="Duration">{formatDuration(summary.duration_ms)}</Tile>
      </dl>
      <StatusBar summary={summary} className="mb-3" />
    </>
  );
}

/** A part that most readers do not need; it is not made before it is opened. */
export function Disclosure({ title, children }: { title: string; children: ReactNode }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="panel group min-w-0" onToggle={(event) => { setOpen(event.currentTarget.open); }}>
      <summary className="flex items-center gap-1.5 rounded-lg px-3 py-2 font-medium">
        <ChevronRight aria-hidden size={15} className="transition-transform group-open:rotate-90" />
        {title}
      </summary>
      {open && <div className="border-t px-3 py-2.5">{children}</div>}
    </details>
  );
}

type ListedReport = Pick<Report, "id" | "tool_name" | "tool_version" | "shard_id" | "shards" | "partial" | "summary" | "received_at">;

export function ReportList<R extends ListedReport>({ reports, action }: { reports: R[]; action?: (report: R) => ReactNode }) {
  return (
    <ul className="divide-y">
      {reports.map((report) => (
        <li key={report.id} className="flex flex-wrap items-center gap-x-4 gap-y-1.5 py-2 first:pt-0 last:pb-0">
          <span className="font-medium">
            {report.tool_name} {report.tool_version}
            {report.shard_id && <span className="ml-2 font-normal text-muted-foreground">shard {report.shard_id}{report.shards ? ` of ${String(report.shards)}` : ""}</span>}
          </span>
          {report.partial && <PartialBadge />}
          <Counts summary={report.summary} />
          <span className="sr-only">{plural(report.summary.tests, "test")}</span>
          <Time iso={report.received_at} className="text-[13px] text-muted-foreground" />
          {action && <span className="ml-auto">{action(report)}</span>}
        </li>
      ))}
    </ul>
  );
}
