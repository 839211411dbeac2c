import type { Run } from "@scaledtest/sdk";
import { formatCount, formatShare } from "../../lib/format.ts";

/** The runs that have a pass rate, oldest first. */
export const barsOf = (runs: Run[]): Run[] => [...runs].reverse().filter(({ summary }) => summary.passed + summary.failed > 0);

/** One bar a run, oldest first: the share of its tests that passed, and above it the share that failed. */
export function RunStrip({ runs }: { runs: Run[] }) {
  const bars = barsOf(runs);
  const first = bars[0];
  const last = bars.at(-1);
  if (!first || !last || first === last) return null;
  const rate = ({ summary }: Run) => formatShare(summary.passed, summary.passed + summary.failed);
  return (
    <>
      <div
        role="img"
        aria-label={`Share of passed tests over ${String(bars.length)} runs, from ${rate(first)} to ${rate(last)}`}
        className="flex h-14 items-stretch gap-[2px] sm:gap-[3px]"
      >
        {bars.map((run) => (
          <span key={run.id} title={`${run.name}: ${rate(run)} passed, ${formatCount(run.summary.failed)} failed`} className="flex max-w-6 min-w-0 flex-1 flex-col gap-px overflow-hidden rounded-[2px]">
            {run.summary.failed > 0 && <span className="min-h-1 basis-0 bg-failed-fill" style={{ flexGrow: run.summary.failed }} />}
            {run.summary.passed > 0 && <span className="min-h-1 basis-0 bg-passed-fill" style={{ flexGrow: run.summary.passed }} />}
          </span>
        ))}
      </div>
      <p aria-hidden className="mt-1 flex justify-between text-xs text-muted-foreground"><span>older</span><span>newest</span></p>
    </>
  );
}

export function StripLegend() {
  return (
    <p className="flex gap-4 text-xs text-muted-foreground">
      <span className="inline-flex items-center gap-1.5"><span aria-hidden className="size-2 rounded-[2px] bg-passed-fill" />passed</span>
      <span className="inline-flex items-center gap-1.5"><span aria-hidden className="size-2 rounded-[2px] bg-failed-fill" />failed</span>
    </p>
  );
}
