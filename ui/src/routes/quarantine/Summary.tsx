import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { cx } from "../../lib/cx.ts";
import { formatCount, formatDuration } from "../../lib/format.ts";
import { summaryQuery } from "../../quarantine-queries.ts";

/** What quarantine has saved and what it costs. */
export function Summary({ project }: { project: string | undefined }) {
  const query = useQuery(summaryQuery(project));
  if (!query.data) return null;
  const { active, expiring, rescued_runs: runs, rescued_ms: ms, test_days: days, days: window } = query.data;
  const span = `in ${String(window)} days`;
  return (
    <dl aria-label="What quarantine saves and costs" className={cx("panel mb-4 grid grid-cols-2 gap-px overflow-hidden bg-border lg:grid-cols-4", query.isPlaceholderData && "opacity-60")}>
      <Figure name="In quarantine" note={expiring > 0 ? `${formatCount(expiring)} ${expiring === 1 ? "ends" : "end"} within 3 days` : "now"} warn={expiring > 0}>{formatCount(active)}</Figure>
      <Figure name="Runs rescued" note={span} title="Runs in which everything that failed was in quarantine, and failed in a known way">{formatCount(runs)}</Figure>
      <Figure name="Not run again" note={span} title="What the rescued runs took">{formatDuration(ms)}</Figure>
      <Figure name="Cost" note={`tests × days, ${span}`} title="Tests that were in quarantine, times the days that they were: so long nobody was told of their failures">{formatCount(days)}</Figure>
    </dl>
  );
}

function Figure({ name, note, warn, title, children }: { name: string; note: string; warn?: boolean; title?: string; children: ReactNode }) {
  return (
    <div className="bg-card px-4 py-3" title={title}>
      <dt className="text-[13px] text-muted-foreground">{name}</dt>
      <dd>
        <span className="text-lg font-semibold tabular-nums">{children}</span>{" "}
        <span className={cx("text-[13px]", warn ? "text-flaky" : "text-muted-foreground")}>{note}</span>
      </dd>
    </div>
  );
}
