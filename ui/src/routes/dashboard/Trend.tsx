import type { Run } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { TrendChart, TrendLegend } from "../../components/charts/TrendChart.tsx";
import { useNow } from "../../hooks.ts";
import { trendsQuery } from "../../insight-queries.ts";
import { ownTimeZone, startOfSpan } from "../../lib/insight.ts";
import { ran } from "../../lib/trend.ts";
import { barsOf, RunStrip, StripLegend } from "./RunStrip.tsx";

const DAYS = 30;

/** The last 30 days; while there are not two of them with results, the runs themselves. */
export function Trend({ runs }: { runs: Run[] }) {
  const query = useQuery(trendsQuery({ start: startOfSpan(DAYS, useNow()), group_by: "day", time_zone: ownTimeZone(), fill: true }));
  const points = query.data ?? [];
  const days = points.filter(ran).length > 1;
  const strip = !days && barsOf(runs).length > 1;
  return (
    <section aria-labelledby="trend" className="panel mb-5 px-4 py-3">
      <div className="mb-2 flex flex-wrap items-baseline justify-between gap-x-3 gap-y-1">
        <h2 id="trend" className="text-base font-semibold">Pass Rate Trends</h2>
        {!query.isPending && days && <TrendLegend />}
        {!query.isPending && strip && <StripLegend />}
      </div>
      {query.isPending && <div role="status" className="skeleton h-46"><span className="sr-only">Loading</span></div>}
      {!query.isPending && days && <TrendChart points={points} group="day" height={104} />}
      {!query.isPending && strip && <RunStrip runs={runs} />}
      {!query.isPending && !days && !strip && <p className="text-muted-foreground">A line appears here with the next runs.</p>}
    </section>
  );
}
