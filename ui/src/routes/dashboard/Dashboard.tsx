import type { Run } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { ErrorBox, PageHeader, Skeleton } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { testCountQuery } from "../../insight-queries.ts";
import { formatCount, formatShare, plural } from "../../lib/format.ts";
import { newestRunsQuery, reportCountQuery } from "../../queries.ts";
import { RunRow } from "../reports/RunRow.tsx";
import { GettingStarted } from "./GettingStarted.tsx";
import { Trend } from "./Trend.tsx";

const RECENT = 5;

function Tile({ label, value, note }: { label: string; value: ReactNode; note: ReactNode }) {
  return (
    <div className="panel px-4 py-3">
      <dt className="text-[13px] text-muted-foreground">{label}</dt>
      <dd className="mt-1 text-2xl font-semibold tracking-tight">{value}</dd>
      <dd className="text-[13px] text-muted-foreground">{note}</dd>
    </div>
  );
}

/** How many tests fail by chance. The names of its parts occur only once on the page. */
function FlakyTile() {
  const flaky = useQuery(testCountQuery({ state: ["flaky"], branch: "*" })).data;
  const link = <Link to="/tests" search={{ state: "flaky", branch: "*" }} className="text-primary underline underline-offset-2">Show them</Link>;
  return <Tile label="Flaky Tests" value={flaky === undefined ? "–" : formatCount(flaky)} note={flaky ? link : "fail by chance"} />;
}

/** Sums over the newest runs, which is what the tiles speak of. */
function sums(runs: Run[]) {
  const add = (pick: (run: Run) => number) => runs.reduce((sum, run) => sum + pick(run), 0);
  const passed = add((run) => run.summary.passed);
  return {
    passed,
    decided: passed + add((run) => run.summary.failed),
    red: runs.filter((run) => run.summary.failed > 0).length,
  };
}

function Overview({ runs, total }: { runs: Run[]; total: number }) {
  const reports = useQuery(reportCountQuery()).data;
  const sum = sums(runs);
  const span = total > runs.length ? `newest ${plural(runs.length, "run")}` : plural(runs.length, "run");
  return (
    <>
      <dl className="mb-5 grid grid-cols-2 gap-3 lg:grid-cols-4">
        <Tile label="Total Reports" value={reports === undefined ? "–" : formatCount(reports)} note={`in ${plural(total, "run")}`} />
        <Tile label="Pass rate" value={formatShare(sum.passed, sum.decided)} note={`of tests in ${span}`} />
        <Tile label="Runs with failures" value={formatCount(sum.red)} note={`of ${span}`} />
        <FlakyTile />
      </dl>
      <Trend runs={runs} />
      <section aria-labelledby="recent">
        <h2 id="recent" className="mb-2 text-base font-semibold">Recent Reports</h2>
        <ul aria-labelledby="recent" className="panel divide-y overflow-hidden">
          {runs.slice(0, RECENT).map((run) => <RunRow key={run.id} run={run} />)}
        </ul>
      </section>
    </>
  );
}

export function Dashboard() {
  useTitle("Dashboard");
  const query = useQuery(newestRunsQuery());
  return (
    <>
      <PageHeader title="Dashboard" />
      {query.isPending && <Skeleton rows={6} />}
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.data && (query.data.total === 0 ? <GettingStarted /> : <Overview runs={query.data.runs} total={query.data.total} />)}
    </>
  );
}
