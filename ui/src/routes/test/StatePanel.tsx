import type { ChosenSeries, TestSeries } from "@scaledtest/sdk";
import type { ReactNode } from "react";
import { Bar } from "../../components/charts/Bar.tsx";
import { StateBadge } from "../../components/StateBadge.tsx";
import { Time } from "../../components/Time.tsx";
import { formatCount, formatDuration, plural } from "../../lib/format.ts";
import { formatInterval, formatPercent, sentence } from "../../lib/insight.ts";

function Fact({ label, note, children }: { label: string; note?: ReactNode; children: ReactNode }) {
  return (
    <div className="px-4 py-2.5">
      <dt className="text-[13px] text-muted-foreground">{label}</dt>
      <dd className="text-lg font-semibold tracking-tight whitespace-nowrap">{children}</dd>
      {note && <dd className="text-xs text-muted-foreground">{note}</dd>}
    </div>
  );
}

/** What the test is taken for, why, and its numbers. */
export function StatePanel({ series, chosen }: { series: TestSeries; chosen: ChosenSeries | null }) {
  const { score, score_low: low, score_high: high } = series;
  return (
    <section aria-labelledby="state" className="panel mb-6 divide-y">
      <h2 id="state" className="sr-only">State</h2>
      <p className="flex flex-wrap items-center gap-x-2 gap-y-1 px-4 py-3">
        <StateBadge state={series.state} />
        {series.since && <span>since <Time iso={series.since} className="font-medium" /></span>}
        {chosen?.formula && <span className="text-muted-foreground">{sentence(chosen.formula)}</span>}
      </p>
      <dl className="grid grid-cols-2 sm:grid-cols-3 lg:grid-cols-6">
        <Fact label="Pass rate" note={`${plural(series.runs, "run")}, ${formatCount(series.failed)} failed`}>{formatPercent(series.pass_rate)}</Fact>
        <div className="px-4 py-2.5">
          <dt className="text-[13px] text-muted-foreground" title="Probability that an attempt fails although the code is good">Flakiness</dt>
          <dd className="text-lg font-semibold tracking-tight">{formatPercent(score * 100)}</dd>
          <dd className="text-xs text-muted-foreground">
            <Bar share={score} low={low} high={high} fill="bg-flaky-fill" className="my-1 h-1.5" />
            95 % in {formatInterval(low, high)}
          </dd>
        </div>
        <Fact label="Passed on retry" note={chosen?.flip_rate == null ? undefined : `flip rate ${formatPercent(chosen.flip_rate * 100)}`}>{formatCount(series.flaked)}</Fact>
        <Fact label="Duration p95" note={series.p50_ms == null ? undefined : `p50 ${formatDuration(series.p50_ms)}`}>{formatDuration(series.p95_ms ?? Number.NaN)}</Fact>
        <Fact label="Last failure">{series.failed_at ? <Time iso={series.failed_at} /> : "–"}</Fact>
        <Fact label="Last run" note={<>first <Time iso={series.first_at} /></>}><Time iso={series.last_at} /></Fact>
      </dl>
    </section>
  );
}
