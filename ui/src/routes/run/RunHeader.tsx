import type { Diagnostic, Report, RunDetail } from "@scaledtest/sdk";
import { useMutation, useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Download, GitCompareArrows } from "lucide-react";
import { Button, buttonClass } from "../../components/Button.tsx";
import { ExportMenu } from "../../components/ExportMenu.tsx";
import { ErrorBox, messageOf } from "../../components/States.tsx";
import { saveFile } from "../../lib/download.ts";
import { formatCount } from "../../lib/format.ts";
import { reportQuery } from "../../queries.ts";
import { client } from "../../session.ts";
import { KeepButton, KeptNote } from "./Keep.tsx";
import { Disclosure, Figures, ReportList, RunOrigin, RunTitle } from "./parts.tsx";
import { ShareButton } from "./ShareDialog.tsx";

function DownloadButton({ report }: { report: Report }) {
  const download = useMutation({
    mutationFn: () => client.raw(report.id),
    onSuccess: (blob) => { saveFile(blob, `${report.tool_name}-${report.id}.json`); },
  });
  return (
    <span className="inline-flex flex-wrap items-center gap-2">
      {download.isError && <span role="alert" className="text-[13px] text-failed">{messageOf(download.error)}</span>}
      <Button small disabled={download.isPending} onClick={() => { download.mutate(); }}>
        <Download aria-hidden size={14} />
        Original
      </Button>
    </span>
  );
}

/** A value of any shape on one line. */
function show(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function Environment({ values }: { values: [string, unknown][] }) {
  return (
    <dl className="grid gap-x-6 gap-y-1 sm:grid-cols-[max-content_minmax(0,1fr)]">
      {values.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted-foreground">{name}</dt>
          <dd className="mb-1 font-mono text-[12.5px] break-words sm:mb-0">{show(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Reports whose diagnostics are shown together; a run has seldom more shards. */
const MAX_DIAGNOSED = 30;

/** What was odd in the run's documents; fetched when it is opened. */
function Diagnostics({ reports }: { reports: Report[] }) {
  const queries = useQueries({ queries: reports.slice(0, MAX_DIAGNOSED).map(({ id }) => reportQuery(id)) });
  const failed = queries.find((query) => query.isError);
  if (failed) return <ErrorBox error={failed.error} retry={() => void failed.refetch()} />;
  if (queries.some((query) => query.isPending)) return <p role="status" className="text-muted-foreground">Loading…</p>;
  const items = queries.flatMap((query) => query.data?.diagnostics ?? []);
  if (items.length === 0) return <p className="text-muted-foreground">Nothing odd was found in what was uploaded.</p>;
  return <DiagnosticList items={items} />;
}

function DiagnosticList({ items }: { items: Diagnostic[] }) {
  return (
    <ul className="flex flex-col gap-2">
      {items.map((item, index) => (
        <li key={index}>
          <p>{item.message}{item.count > 1 && <span className="text-muted-foreground"> ({formatCount(item.count)} times)</span>}</p>
          <p className="font-mono text-xs break-all text-muted-foreground">{item.code} at {item.path}</p>
        </li>
      ))}
    </ul>
  );
}

/** The environments of a run's reports, merged; the first report's value of a name is shown. */
function environmentOf(reports: Report[]): [string, unknown][] {
  const merged = new Map<string, unknown>();
  for (const { environment } of reports) {
    if (typeof environment !== "object" || environment === null) continue;
    for (const [name, value] of Object.entries(environment)) {
      if (!merged.has(name) && value !== null && value !== "") merged.set(name, value);
    }
  }
  return [...merged];
}

export function RunHeader({ run }: { run: RunDetail }) {
  const { report_list: reports } = run;
  const environment = environmentOf(reports);
  return (
    <>
      <nav aria-label="Breadcrumb" className="mb-1 text-[13px] text-muted-foreground">
        <Link to="/reports" search={{ project: run.project }} className="underline-offset-2 hover:underline">{run.project}</Link>
      </nav>
      <div className="mb-3 flex flex-wrap items-start gap-x-3 gap-y-1">
        <RunTitle run={run} />
        <div className="ml-auto flex flex-wrap items-center gap-2">
          <KeepButton run={run} />
          <ExportMenu
            of="run"
            files={[
              { label: "CSV", note: "All tests, for spreadsheets", name: `run-${run.id}.csv`, get: () => client.exports.runResults(run.id, "csv") },
              { label: "NDJSON", note: "All tests, one per line", name: `run-${run.id}.ndjson`, get: () => client.exports.runResults(run.id, "ndjson") },
              { label: "CTRF", note: "Everything, with traces and steps", name: `run-${run.id}.ctrf.json`, get: () => client.exports.runCtrf(run.id) },
            ]}
          />
          <ShareButton runId={run.id} />
          <Link to="/reports/compare" search={{ head: run.id }} className={buttonClass("plain", true)}>
            <GitCompareArrows aria-hidden size={14} />
            Compare with…
          </Link>
        </div>
        <RunOrigin run={run} />
      </div>
      <KeptNote run={run} />
      <Figures summary={run.summary} />
      <div className="mb-5 grid items-start gap-2 lg:grid-cols-3">
        <Disclosure title={reports.length === 1 ? "Report" : `Reports (${String(reports.length)})`}>
          <ReportList reports={reports} action={(report) => <DownloadButton report={report} />} />
        </Disclosure>
        {environment.length > 0 && (
          <Disclosure title="Environment"><Environment values={environment} /></Disclosure>
        )}
        <Disclosure title="Diagnostics"><Diagnostics reports={reports} /></Disclosure>
      </div>
    </>
  );
}
