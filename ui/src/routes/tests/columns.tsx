import type { TestRow, TestSort } from "@scaledtest/sdk";
import type { ReactNode } from "react";
import { HistoryStrip } from "../../components/HistoryStrip.tsx";
import { QuarantineBadge } from "../../components/QuarantineBadge.tsx";
import { StateBadge } from "../../components/StateBadge.tsx";
import { StatusIcon } from "../../components/Status.tsx";
import { TestName } from "../../components/TestName.tsx";
import { Time } from "../../components/Time.tsx";
import { formatDuration } from "../../lib/format.ts";
import { formatPercent, variantLabel } from "../../lib/insight.ts";

export const SORT_LABELS: Record<TestSort, string> = {
  "-failed_at": "Latest failure first",
  name: "Name",
  "-score": "Most flaky first",
  pass_rate: "Lowest pass rate first",
  "-p95": "Slowest first",
  "-last_at": "Latest run first",
};

/** What else tells tests apart than their names: only what the filters leave open. */
export interface Telling {
  project: boolean;
  branch: boolean;
}

export function noteOf(row: TestRow, telling: Telling): string {
  return [telling.project && row.project.name, telling.branch && row.branch, variantLabel(row.variant), row.owners.join(", ")].filter(Boolean).join(" · ");
}

export function Name({ row, telling }: { row: TestRow; telling: Telling }) {
  return (
    <TestName
      id={row.id}
      name={row.name}
      suite={row.suite.join(" › ")}
      filePath={row.file_path}
      branch={row.branch}
      variantId={row.variant_id}
      note={noteOf(row, telling)}
    />
  );
}

export function LastRun({ row }: { row: TestRow }) {
  return (
    <span className="inline-flex items-center gap-1.5 whitespace-nowrap">
      <StatusIcon status={row.last_flaky ? "flaky" : row.last_status} size={13} />
      <Time iso={row.last_at} />
    </span>
  );
}

/** Its state, and whether it is in quarantine. */
export function States({ row: { state, quarantine } }: { row: TestRow }) {
  return (
    <span className="flex flex-col items-start gap-0.5">
      <StateBadge state={state} />
      {quarantine && <QuarantineBadge mode={quarantine.mode} expires={quarantine.expires_at} />}
    </span>
  );
}

export interface TestColumn {
  header: string;
  sort?: TestSort;
  end?: boolean;
  cell: (row: TestRow, telling: Telling) => ReactNode;
}

export const COLUMNS: TestColumn[] = [
  { header: "Name", sort: "name", cell: (row, telling) => <Name row={row} telling={telling} /> },
  { header: "State", sort: "-score", cell: (row) => <States row={row} /> },
  { header: "History", cell: ({ strip }) => <HistoryStrip strip={strip} /> },
  { header: "Pass rate", sort: "pass_rate", end: true, cell: ({ pass_rate }) => formatPercent(pass_rate) },
  { header: "p50 / p95", sort: "-p95", end: true, cell: (row) => <Durations row={row} /> },
  { header: "Last failure", sort: "-failed_at", end: true, cell: ({ failed_at }) => (failed_at ? <Time iso={failed_at} /> : <span title="Not in its newest runs">–</span>) },
  { header: "Last run", sort: "-last_at", end: true, cell: (row) => <LastRun row={row} /> },
];

function Durations({ row: { p50_ms: p50, p95_ms: p95 } }: { row: TestRow }) {
  if (p50 == null || p95 == null) return "–";
  return (
    <span className="whitespace-nowrap">
      <span className="text-muted-foreground">{formatDuration(p50)} / </span>
      {formatDuration(p95)}
    </span>
  );
}
