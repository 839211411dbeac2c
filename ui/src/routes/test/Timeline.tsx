import type { DurationChange, HistoryRun } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";
import { useState, type KeyboardEvent } from "react";
import { BARS, StripLegend } from "../../components/HistoryStrip.tsx";
import { Section } from "../../components/Section.tsx";
import { useMedia } from "../../hooks.ts";
import { areaPath, linePath } from "../../lib/chart.ts";
import { cx } from "../../lib/cx.ts";
import { formatAbsolute, formatDuration, shortCommit } from "../../lib/format.ts";
import { describeOutcomes, OUTCOME_WORDS } from "../../lib/insight.ts";
import { DurationChanges } from "./DurationChanges.tsx";

/** Of a bar at most, with the gap after it, in pixels. */
const STEP = 18;
/** Bars that still can be hit with a finger, and with a pointer. */
const NARROW = 36;
const WIDE = 100;

function describeRun(run: HistoryRun): string {
  const parts = [OUTCOME_WORDS[run.outcome], formatAbsolute(run.at)];
  if (run.commit) parts.push(`commit ${shortCommit(run.commit)}`);
  if (run.duration_ms != null) parts.push(formatDuration(run.duration_ms));
  return parts.join(" · ");
}

/** The newest runs as bars, each leading to its run; below them how long each took. */
export function Timeline({ runs, changes, name }: { runs: HistoryRun[]; changes: DurationChange[]; name: string }) {
  const most = useMedia("(min-width: 48rem)") ? WIDE : NARROW;
  const shown = runs.slice(0, most).reverse();
  const [seen, setSeen] = useState(-1);
  const [stop, setStop] = useState(-1);
  // One of the bars is in the order of the tab key; arrows go on from it.
  const entry = stop >= 0 && stop < shown.length ? stop : shown.length - 1;
  const run = shown[seen];

  const onKeyDown = (event: KeyboardEvent<HTMLOListElement>) => {
    const steps: Record<string, number> = { ArrowLeft: entry - 1, ArrowRight: entry + 1, Home: 0, End: shown.length - 1 };
    const next = steps[event.key];
    if (next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const links = event.currentTarget.querySelectorAll("a");
    links[Math.max(0, Math.min(links.length - 1, next))]?.focus();
  };

  return (
    <Section title="History" note={`${describeOutcomes(shown.map(({ outcome }) => outcome))}.`} aside={<StripLegend />}>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- arrows go from one link to the next */}
      <ol aria-label="Runs, oldest first" onKeyDown={onKeyDown} onPointerLeave={() => { setSeen(-1); }} className="flex h-14 gap-[2px]">
        {shown.map((each, index) => (
          <li key={`${each.report_id} ${String(index)}`} className="flex max-w-4 min-w-0 flex-1">
            <Link
              to="/runs/$runId"
              params={{ runId: each.run_id }}
              search={{ q: name }}
              preload={false}
              tabIndex={index === entry ? 0 : -1}
              aria-label={describeRun(each)}
              onPointerEnter={() => { setSeen(index); }}
              onFocus={() => {
                setStop(index);
                setSeen(index);
              }}
              onBlur={() => { setSeen(-1); }}
              className="group flex w-full items-end rounded-[2px] hover:bg-muted focus-visible:bg-muted focus-visible:outline-offset-1"
            >
              <span className={cx("w-full rounded-[1px]", BARS[each.outcome].background)} style={{ height: `${String(BARS[each.outcome].share * 100)}%` }} />
            </Link>
          </li>
        ))}
      </ol>
      <Durations runs={shown} changes={changes} />
      <p aria-hidden className="mt-1.5 flex min-h-5 justify-between gap-4 text-[13px] text-muted-foreground" style={{ maxWidth: run ? undefined : widthOf(shown.length) }}>
        {run ? <span className="text-foreground">{describeRun(run)}</span> : <><span>older</span><span>newest</span></>}
      </p>
      <DurationChanges changes={changes} name={name} />
    </Section>
  );
}

const widthOf = (bars: number) => Math.max(120, bars * STEP - 2);

const HEIGHT = 32;

/** How long the runs took, under their bars; a dashed line where that changed. */
function Durations({ runs, changes }: { runs: HistoryRun[]; changes: DurationChange[] }) {
  const longest = Math.max(0, ...runs.map(({ duration_ms }) => duration_ms ?? 0));
  if (longest === 0) return null;
  const places = runs.map(({ duration_ms: ms }, index) => (ms == null ? undefined : { x: index + 0.5, y: HEIGHT - 2 - (ms / longest) * (HEIGHT - 4) }));
  const marks = changes.map(({ at }) => runs.findIndex(({ report_id }) => report_id === at.report_id)).filter((place) => place > 0);
  return (
    <div className="mt-3">
      <p className="text-xs text-muted-foreground">Duration, up to {formatDuration(longest)}</p>
      <svg aria-hidden viewBox={`0 0 ${String(runs.length)} ${String(HEIGHT)}`} preserveAspectRatio="none" className="mt-1 block h-8 w-full" style={{ maxWidth: widthOf(runs.length) }}>
        <path d={areaPath(places, HEIGHT)} className="fill-primary opacity-10" />
        <path d={linePath(places)} vectorEffect="non-scaling-stroke" strokeWidth={1.5} strokeLinejoin="round" strokeLinecap="round" className="fill-none stroke-primary" />
        {marks.map((place) => <path key={place} d={`M${String(place)} 0V${String(HEIGHT)}`} vectorEffect="non-scaling-stroke" strokeWidth={1} strokeDasharray="3 2" className="stroke-muted-foreground" />)}
      </svg>
    </div>
  );
}
