import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { TrendLegend } from "../../components/charts/TrendChart.tsx";
import { PageHeader } from "../../components/States.tsx";
import { useNow, useTitle } from "../../hooks.ts";
import { durationsQuery, errorsQuery, flakyTestsQuery, slowestQuery, trendsQuery } from "../../insight-queries.ts";
import { readAnalyticsSearch, spanOf, toInsightFilter, type AnalyticsSearch } from "../../lib/insight-search.ts";
import { ownTimeZone, startOfSpan } from "../../lib/insight.ts";
import { ran } from "../../lib/trend.ts";
import { Filters } from "./Filters.tsx";
import { Part } from "./Part.tsx";
import { Durations, ErrorTable, FlakyTable, SlowestTable } from "./tables.tsx";
import { Trends } from "./Trends.tsx";

const ROWS = 10;

/** How the team's tests do over time. */
export function Analytics() {
  useTitle("Analytics");
  const search: AnalyticsSearch = useSearch({ from: "/app/in-team/analytics" });
  const navigate = useNavigate({ from: "/analytics" });
  const zone = ownTimeZone();
  const days = spanOf(search);
  const group = search.group ?? "day";
  const filter = toInsightFilter(search);
  // Changes at midnight only, so that the queries keep their keys.
  const span = { ...filter, start: startOfSpan(days, useNow()) };
  const trends = useQuery(trendsQuery({ ...span, group_by: group, time_zone: zone, fill: true }));
  const flaky = useQuery(flakyTestsQuery({ ...filter, window_days: days, limit: ROWS }));
  const durations = useQuery(durationsQuery(span));
  const errors = useQuery(errorsQuery({ ...span, limit: ROWS }));
  const { project, branch } = filter;
  const slowest = useQuery(slowestQuery({ project, branch, limit: ROWS }));

  const change = (next: Partial<AnalyticsSearch>) => {
    void navigate({ search: (now) => readAnalyticsSearch({ ...now, ...next }), replace: true, resetScroll: false });
  };
  const more = "text-[13px] text-primary underline underline-offset-2";

  return (
    <>
      <PageHeader title="Analytics" note={`Days are those of ${zone.replaceAll("_", " ")}`} />
      <Filters search={search} onChange={change} />
      <Part title="Pass Rate Trends" of={{ ...trends, data: trends.data?.some(ran) === false ? [] : trends.data }} aside={<TrendLegend />} nothing="Nothing ran in this time.">
        {(points) => <Trends points={points} group={group} />}
      </Part>
      <Part
        title="Flaky Tests"
        note="How probable it is that an attempt fails although the code is good. The line is the 95 % interval; the surest come first."
        of={flaky}
        bare
        nothing="No test is known to fail by chance."
        aside={<Link to="/tests" search={{ project, branch: branch ?? "*", state: "flaky", sort: "-score" }} className={more}>Show all</Link>}
      >
        {(tests) => <FlakyTable tests={tests} label="Tests that fail by chance" />}
      </Part>
      <Part title="Duration Distribution" of={{ ...durations, data: durations.data?.every(({ count }) => count === 0) ? [] : durations.data }} nothing="Nothing ran in this time.">
        {(buckets) => <Durations buckets={buckets} />}
      </Part>
      <Part title="Error Analysis" note="Failures with the same cause count as one error, on whatever branch and in whatever test." of={errors} bare nothing="Nothing failed in this time.">
        {(clusters) => <ErrorTable errors={clusters} />}
      </Part>
      <Part
        title="Slowest Tests"
        note="By what 95 % of their newest runs stay below. Only project and branch apply here."
        of={slowest}
        bare
        nothing="No durations are known yet."
        aside={<Link to="/tests" search={{ project, branch: branch ?? "*", sort: "-p95" }} className={more}>Show all</Link>}
      >
        {(rows) => <SlowestTable rows={rows} />}
      </Part>
    </>
  );
}
