import type { HistoryRun } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { Pager } from "../../components/Pager.tsx";
import { Section } from "../../components/Section.tsx";
import { StatusIcon } from "../../components/Status.tsx";
import { Time } from "../../components/Time.tsx";
import { formatDuration, shortCommit } from "../../lib/format.ts";
import { attemptWords, OUTCOME_WORDS, type Outcome } from "../../lib/insight.ts";

const SIZE = 20;

const ICONS = { passed: "passed", flaked: "flaky", failed: "failed", not_run: "skipped" } as const satisfies Record<Outcome, string>;

const columns = (name: string): Column<HistoryRun>[] => [
  {
    header: "Outcome",
    cell: ({ outcome }) => (
      <span className="inline-flex items-center gap-1.5 whitespace-nowrap">
        <StatusIcon status={ICONS[outcome]} size={15} silent />
        {OUTCOME_WORDS[outcome]}
      </span>
    ),
  },
  {
    header: "Run",
    cell: ({ run_id, at }) => (
      <Link to="/runs/$runId" params={{ runId: run_id }} search={{ q: name }} className="text-primary underline underline-offset-2"><Time iso={at} /></Link>
    ),
  },
  { header: "Commit", cell: ({ commit }) => (commit ? <span className="font-mono text-xs" title={commit}>{shortCommit(commit)}</span> : "–"), wide: true },
  { header: "Change", cell: ({ change }) => change ?? "–", wide: true },
  { header: "Attempts", cell: (run) => attemptWords(run), wide: true },
  { header: "Duration", cell: ({ duration_ms }) => formatDuration(duration_ms ?? Number.NaN) },
];

/** Every run that is known, page by page. */
export function HistoryTable({ runs, name }: { runs: HistoryRun[]; name: string }) {
  const [offset, setOffset] = useState(0);
  const start = offset < runs.length ? offset : 0;
  const changes = runs.some(({ change }) => change);
  const shown = columns(name).filter(({ header }) => changes || header !== "Change");
  return (
    <Section title="Run history" bare>
      <DataTable label="Run history" columns={shown} rows={runs.slice(start, start + SIZE)} rowKey={(run) => run.report_id} />
      <Pager what="runs" offset={start} size={SIZE} total={runs.length} onOffset={setOffset} />
    </Section>
  );
}
