import { memo } from "react";
import { cx } from "../lib/cx.ts";
import { describeOutcomes, readStrip, type Outcome } from "../lib/insight.ts";

const SLOTS = 30;
const STEP = 4;
const HEIGHT = 20;

/** The worse, the taller, so that nothing depends on colour alone. */
export const BARS: Record<Outcome, { share: number; fill: string; background: string }> = {
  passed: { share: 0.4, fill: "fill-passed-fill", background: "bg-passed-fill" },
  flaked: { share: 0.7, fill: "fill-flaky-fill", background: "bg-flaky-fill" },
  failed: { share: 1, fill: "fill-failed-fill", background: "bg-failed-fill" },
  not_run: { share: 0.1, fill: "fill-skipped-fill", background: "bg-skipped-fill" },
};

/** The newest runs of a test as small bars, the newest at the right; in a column all end there, else they may begin at the left. */
export const HistoryStrip = memo(function HistoryStrip({ strip, left }: { strip: string; left?: boolean }) {
  const outcomes = readStrip(strip).slice(-SLOTS);
  const label = describeOutcomes(outcomes);
  return (
    <svg role="img" aria-label={label} viewBox={`0 0 ${String(SLOTS * STEP)} ${String(HEIGHT)}`} width={SLOTS * STEP} height={HEIGHT} shapeRendering="crispEdges" className="block max-w-full">
      <title>{label}</title>
      {outcomes.map((outcome, index) => {
        const height = Math.round(HEIGHT * BARS[outcome].share);
        return <rect key={index} x={(index + (left ? 0 : SLOTS - outcomes.length)) * STEP} y={HEIGHT - height} width={STEP - 1} height={height} className={BARS[outcome].fill} />;
      })}
    </svg>
  );
});

const LEGEND: [Outcome, string][] = [
  ["passed", "passed"],
  ["flaked", "passed on retry"],
  ["failed", "failed"],
  ["not_run", "not run"],
];

/** What the bars mean. */
export function StripLegend({ className }: { className?: string }) {
  return (
    <ul aria-label="Legend" className={cx("flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted-foreground", className)}>
      {LEGEND.map(([outcome, word]) => (
        <li key={outcome} className="inline-flex items-end gap-1.5">
          <span aria-hidden className="inline-flex h-3.5 w-1 items-end pb-0.5"><span className={cx("w-full", BARS[outcome].background)} style={{ height: `${String(Math.max(15, BARS[outcome].share * 100))}%` }} /></span>
          {word}
        </li>
      ))}
    </ul>
  );
}
