import type { TestError, TestSeries } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { ErrorMessage } from "../../components/ErrorMessage.tsx";
import { ErrorTicket } from "../../components/ErrorTicket.tsx";
import { HistoryStrip } from "../../components/HistoryStrip.tsx";
import { StateBadge } from "../../components/StateBadge.tsx";
import { Time } from "../../components/Time.tsx";
import { formatCount, formatDuration, shortened } from "../../lib/format.ts";
import { formatPercent, variantLabel } from "../../lib/insight.ts";

const errorColumns = (project: string): Column<TestError>[] => [
  {
    header: "Message",
    className: "max-w-0 w-3/5",
    cell: (error) => <ErrorMessage projectId={project} error={error} />,
  },
  { header: "Failures", cell: ({ failures }) => formatCount(failures) },
  { header: "Ticket", className: "max-w-48", cell: ({ fingerprint, issue, message }) => <ErrorTicket project={project} fingerprint={fingerprint} issue={issue} name={shortened(message)} none="–" /> },
  { header: "First seen", cell: ({ first_seen }) => <Time iso={first_seen} />, className: "whitespace-nowrap", wide: true },
  { header: "Last seen", cell: ({ last_seen }) => <Time iso={last_seen} />, className: "whitespace-nowrap" },
];

export function Errors({ errors, project }: { errors: TestError[]; project: string }) {
  return <DataTable label="Errors" columns={errorColumns(project)} rows={errors} rowKey={({ fingerprint }) => fingerprint} />;
}

/** Every series of the test; each leads to its own view. */
export function Others({ testId, series, current }: { testId: string; series: TestSeries[]; current: TestSeries | undefined }) {
  const variants = series.some(({ variant }) => variantLabel(variant) !== "");
  const columns: Column<TestSeries>[] = [
    {
      header: "Branch",
      className: "max-w-0 w-1/3",
      cell: (row) => (
        <Link
          to="/tests/$testId"
          params={{ testId }}
          search={{ branch: row.branch, variant: row.variant_id }}
          resetScroll={false}
          aria-current={row === current ? "true" : undefined}
          className="block truncate text-primary underline underline-offset-2 aria-current:font-semibold aria-current:text-foreground aria-current:no-underline"
          title={row.branch}
        >
          {row.branch}
        </Link>
      ),
    },
    ...(variants ? [{ header: "Variant", cell: ({ variant }: TestSeries) => variantLabel(variant) || "–" }] : []),
    { header: "State", cell: ({ state }) => <StateBadge state={state} /> },
    { header: "History", cell: ({ strip }) => <HistoryStrip strip={strip} /> },
    { header: "Pass rate", cell: ({ pass_rate }) => formatPercent(pass_rate) },
    { header: "p95", cell: ({ p95_ms }) => formatDuration(p95_ms ?? Number.NaN), wide: true },
    { header: "Last run", cell: ({ last_at }) => <Time iso={last_at} />, className: "whitespace-nowrap" },
  ];
  return <DataTable label="Where it runs" columns={columns} rows={series} rowKey={({ branch, variant_id }) => `${branch} ${variant_id}`} />;
}
