import type { DurationBucket, ErrorCluster, FlakyTest, TestRow } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import { Bar } from "../../components/charts/Bar.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { ErrorMessage } from "../../components/ErrorMessage.tsx";
import { ErrorTicket } from "../../components/ErrorTicket.tsx";
import { HistoryStrip } from "../../components/HistoryStrip.tsx";
import { TestName } from "../../components/TestName.tsx";
import { Time } from "../../components/Time.tsx";
import { formatCount, formatDuration, formatShare, plural, shortened } from "../../lib/format.ts";
import { formatInterval, formatPercent, projectName, variantLabel } from "../../lib/insight.ts";

const FLAKY: Column<FlakyTest>[] = [
  {
    header: "Test",
    className: "max-w-0 w-2/5",
    cell: (test) => (
      <TestName id={test.test_id} name={test.name} suite={(test.suite ?? "").split(" > ").join(" › ")} branch={test.branch} variantId={test.variant_id} note={[projectName(test.project), test.branch, test.variant && variantLabel(test.variant)].filter(Boolean).join(" · ")} tall />
    ),
  },
  {
    header: "Flakiness",
    className: "min-w-44",
    cell: ({ score, score_low: low, score_high: high }) => (
      <div className="flex max-w-64 items-center gap-3">
        <Bar share={score} low={low} high={high} fill="bg-flaky-fill" className="min-w-16 flex-1" />
        <span className="w-14 text-right font-medium" title={`95 % interval ${formatInterval(low, high)}`}>{formatPercent(score * 100)}</span>
      </div>
    ),
  },
  { header: "Flip rate", cell: ({ flip_rate, flip_count, total_runs }) => <span title={`${plural(flip_count, "change")} in ${plural(total_runs, "run")}`}>{formatPercent(flip_rate * 100)}</span> },
  { header: "Runs", cell: ({ total_runs }) => formatCount(total_runs), wide: true },
  { header: "Since", cell: ({ since }) => (since ? <Time iso={since} /> : "–"), className: "whitespace-nowrap", wide: true },
];

export function FlakyTable({ tests, label }: { tests: FlakyTest[]; label: string }) {
  return <DataTable label={label} columns={FLAKY} rows={tests} rowKey={(test) => `${test.test_id} ${test.branch} ${test.variant_id}`} />;
}

/** One bar for each of the ranges; the numbers stand beside them. */
export function Durations({ buckets }: { buckets: DurationBucket[] }) {
  const all = buckets.reduce((sum, { count }) => sum + count, 0);
  const most = Math.max(1, ...buckets.map(({ count }) => count));
  return (
    <table aria-label="Results by duration" className="w-full border-separate border-spacing-y-1.5">
      <thead className="sr-only">
        <tr><th scope="col">Duration</th><th scope="col">Share</th><th scope="col">Results</th></tr>
      </thead>
      <tbody>
        {buckets.map(({ range, count }) => (
          <tr key={range} className="hover:[&_span]:opacity-85">
            <th scope="row" className="w-0 pr-3 text-right text-[13px] font-normal whitespace-nowrap text-muted-foreground">{formatRange(range)}</th>
            <td><Bar share={count / most} className="h-3 rounded-sm *:rounded-sm" /><span className="sr-only">{formatShare(count, all)}</span></td>
            <td className="w-0 pl-3 text-right text-[13px] whitespace-nowrap" title={formatShare(count, all)}>{formatCount(count)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** `100-500ms` as people write it. */
function formatRange(range: string): string {
  return range.replace("-", "–").replace(/(\d)([a-z])/g, "$1 $2").replace(">", "> ");
}

const ERRORS: Column<ErrorCluster>[] = [
  {
    header: "Message",
    className: "max-w-0 w-1/2",
    cell: (error) => <ErrorMessage projectId={error.project_id} error={error} />,
  },
  { header: "Count", cell: ({ count }) => formatCount(count) },
  { header: "Tests", cell: (error) => <ErrorTests error={error} />, className: "max-w-64" },
  {
    header: "Ticket",
    className: "max-w-48",
    cell: ({ project_id: project, fingerprint, issue, message }) => <ErrorTicket project={project} fingerprint={fingerprint} issue={issue} name={shortened(message)} none="–" />,
  },
  { header: "First seen", cell: ({ first_seen }) => <Time iso={first_seen} />, className: "whitespace-nowrap", wide: true },
  { header: "Last seen", cell: ({ last_seen }) => <Time iso={last_seen} />, className: "whitespace-nowrap" },
];

function ErrorTests({ error: { test_names: names, tests } }: { error: ErrorCluster }) {
  return (
    <details className="group">
      <summary className="inline-flex items-center gap-1 rounded whitespace-nowrap hover:underline">
        {plural(tests, "test")}
        <ChevronRight aria-hidden size={13} className="text-muted-foreground transition-transform group-open:rotate-90" />
      </summary>
      <ul className="mt-1 flex flex-col gap-0.5 text-[13px]">
        {names.map((name, index) => (
          <li key={index}>
            <Link to="/tests" search={{ q: name, branch: "*" }} className="break-words text-primary underline-offset-2 hover:underline">{name}</Link>
          </li>
        ))}
        {tests > names.length && <li className="text-muted-foreground">and {formatCount(tests - names.length)} more</li>}
      </ul>
    </details>
  );
}

export function ErrorTable({ errors }: { errors: ErrorCluster[] }) {
  return <DataTable label="Errors" columns={ERRORS} rows={errors} rowKey={({ project_id, fingerprint }) => `${project_id} ${fingerprint}`} />;
}

const slowest = (most: number): Column<TestRow>[] => [
  {
    header: "Test",
    className: "max-w-0 w-2/5",
    cell: (row) => (
      <TestName
        id={row.id}
        name={row.name}
        suite={row.suite.join(" › ")}
        branch={row.branch}
        variantId={row.variant_id}
        note={[row.project.name, row.branch, variantLabel(row.variant)].filter(Boolean).join(" · ")}
        tall
      />
    ),
  },
  {
    header: "p95",
    className: "min-w-44",
    cell: ({ p95_ms }) => (
      <div className="flex max-w-64 items-center gap-3">
        <Bar share={(p95_ms ?? 0) / most} className="min-w-16 flex-1" />
        <span className="w-18 text-right font-medium whitespace-nowrap">{formatDuration(p95_ms ?? Number.NaN)}</span>
      </div>
    ),
  },
  { header: "p50", cell: ({ p50_ms }) => formatDuration(p50_ms ?? Number.NaN), className: "whitespace-nowrap" },
  { header: "Runs", cell: ({ runs }) => formatCount(runs), wide: true },
  { header: "History", cell: ({ strip }) => <HistoryStrip strip={strip} />, wide: true },
];

export function SlowestTable({ rows }: { rows: TestRow[] }) {
  const most = Math.max(1, ...rows.map(({ p95_ms }) => p95_ms ?? 0));
  return <DataTable label="Slow tests" columns={slowest(most)} rows={rows} rowKey={(row) => `${row.id} ${row.branch} ${row.variant_id}`} />;
}
