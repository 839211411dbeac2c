import type { TrendPoint } from "@scaledtest/sdk";
import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { TrendChart } from "../../components/charts/TrendChart.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { formatCount, formatDuration } from "../../lib/format.ts";
import { formatPercent } from "../../lib/insight.ts";
import { formatBucket, ran, type Group } from "../../lib/trend.ts";

const columns = (group: Group): Column<TrendPoint>[] => [
  { header: group === "day" ? "Day" : group === "week" ? "Week" : "Month", cell: ({ date }) => formatBucket(date, group) },
  { header: "Pass rate", cell: (point) => (ran(point) ? formatPercent(point.pass_rate) : "–") },
  { header: "Passed", cell: ({ passed }) => formatCount(passed) },
  { header: "Failed", cell: ({ failed }) => formatCount(failed) },
  { header: "Flaky", cell: ({ flaky }) => formatCount(flaky) },
  { header: "Skipped", cell: ({ skipped }) => formatCount(skipped) },
  { header: "Reports", cell: ({ reports }) => formatCount(reports) },
  { header: "Duration", cell: ({ duration_ms }) => formatDuration(duration_ms) },
];

/** The chart, and the same as a table for whoever asks for it. */
export function Trends({ points, group }: { points: TrendPoint[]; group: Group }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <TrendChart points={points} group={group} />
      <details className="group mt-2" onToggle={(event) => { setOpen(event.currentTarget.open); }}>
        <summary className="inline-flex items-center gap-1 rounded text-[13px] text-muted-foreground hover:text-foreground">
          <ChevronRight aria-hidden size={14} className="transition-transform group-open:rotate-90" />
          As a table
        </summary>
        {open && <div className="mt-2"><DataTable label="Pass rate over time" columns={columns(group)} rows={points.filter(ran).reverse()} rowKey={({ date }) => date} /></div>}
      </details>
    </>
  );
}
