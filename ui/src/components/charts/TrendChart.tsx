import type { TrendPoint } from "@scaledtest/sdk";
import { useId, useRef, useState, type PointerEvent } from "react";
import { useWidth } from "../../hooks.ts";
import { areaPath, labelled, linePath, nearest, percentFloor } from "../../lib/chart.ts";
import { formatCount, plural } from "../../lib/format.ts";
import { formatPercent } from "../../lib/insight.ts";
import { describeTrend, formatBucket, ran, type Group } from "../../lib/trend.ts";

const TOP = 10;
const LEFT = 44;
const RIGHT = 12;
/** Between the line's plot and the bars below it. */
const GAP = 18;
const BARS = 36;
const LABELS = 22;
/** Pixels that a label below the axis needs. */
const LABEL_WIDTH = 64;

/** Share of passed tests as a line, failed and flaky results as bars below it. */
export function TrendChart({ points, group, height = 168 }: { points: TrendPoint[]; group: Group; height?: number }) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [at, setAt] = useState(-1);
  const [held, setHeld] = useState(false);
  const id = useId();
  const inner = Math.max(1, width - LEFT - RIGHT);
  const step = points.length > 1 ? inner / (points.length - 1) : 0;
  const x = (index: number) => LEFT + (points.length > 1 ? index * step : inner / 2);
  const whole = TOP + height + GAP + BARS;

  const chosen = at >= 0 && at < points.length ? at : -1;
  const point = points[chosen];

  const onMove = (event: PointerEvent) => {
    const { left } = event.currentTarget.getBoundingClientRect();
    setAt(nearest(points.length, (event.clientX - left - LEFT) / inner));
  };

  return (
    <div
      ref={box}
      className="relative rounded-md has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-ring has-focus-visible:outline-solid"
      onPointerMove={onMove}
      onPointerLeave={() => { if (!held) setAt(-1); }}
      style={{ height: whole + LABELS }}
    >
      {width > 0 && (
        <svg aria-hidden width={width} height={whole + LABELS} className="absolute inset-0">
          <Plot points={points} x={x} height={height} width={width} />
          <Volume points={points} x={x} top={TOP + height + GAP} step={step || 40} width={width} />
          <DayLabels points={points} x={x} y={whole + 15} group={group} inner={inner} />
          {point && <line x1={x(chosen)} x2={x(chosen)} y1={TOP} y2={whole} className="stroke-muted-foreground" strokeDasharray="2 3" />}
        </svg>
      )}
      <label htmlFor={id} className="sr-only">{describeTrend(points, group)} Arrow keys read them one by one.</label>
      <input
        id={id}
        type="range"
        min={0}
        max={Math.max(0, points.length - 1)}
        value={chosen < 0 ? Math.max(0, points.length - 1) : chosen}
        aria-valuetext={readOut(points[chosen < 0 ? points.length - 1 : chosen], group)}
        onFocus={(event) => {
          if (!event.currentTarget.matches(":focus-visible")) return;
          setHeld(true);
          if (chosen < 0) setAt(points.length - 1);
        }}
        onBlur={() => { setHeld(false); setAt(-1); }}
        onChange={(event) => { setAt(Number(event.target.value)); }}
        className="absolute inset-0 size-full cursor-crosshair opacity-0"
      />
      {point && <Tip point={point} group={group} left={x(chosen)} width={width} />}
    </div>
  );
}

function Plot({ points, x, height, width }: { points: TrendPoint[]; x: (index: number) => number; height: number; width: number }) {
  const floor = percentFloor(points.filter(ran).map(({ pass_rate }) => pass_rate));
  const y = (rate: number) => TOP + (1 - (rate - floor) / (100 - floor)) * height;
  const places = points.map((point, index) => (ran(point) ? { x: x(index), y: y(point.pass_rate) } : undefined));
  const ticks = [100, (100 + floor) / 2, floor];
  return (
    <>
      {ticks.map((tick) => (
        <g key={tick}>
          <line x1={LEFT} x2={width - RIGHT} y1={y(tick)} y2={y(tick)} className="stroke-border" />
          <text x={LEFT - 8} y={y(tick) + 4} textAnchor="end" className="fill-muted-foreground text-[11px]">{String(tick)} %</text>
        </g>
      ))}
      <path d={areaPath(places, TOP + height)} className="fill-passed-fill opacity-15" />
      <path d={linePath(places)} className="fill-none stroke-passed" strokeWidth={2} strokeLinejoin="round" strokeLinecap="round" />
      {places.map((place, index) => place && places.length <= 45 && <circle key={index} cx={place.x} cy={place.y} r={2.25} className="fill-passed" />)}
    </>
  );
}

function Volume({ points, x, top, step, width }: { points: TrendPoint[]; x: (index: number) => number; top: number; step: number; width: number }) {
  const most = Math.max(1, ...points.map(({ failed, flaky }) => failed + flaky));
  const bar = Math.max(2, Math.min(14, step * 0.6));
  const size = (count: number) => (count === 0 ? 0 : Math.max(2, (count / most) * BARS));
  return (
    <>
      <line x1={LEFT} x2={width - RIGHT} y1={top + BARS} y2={top + BARS} className="stroke-border" />
      <text x={LEFT - 8} y={top + 9} textAnchor="end" className="fill-muted-foreground text-[11px]">{formatCount(most)}</text>
      {points.map((point, index) => {
        const [failed, flaky] = [size(point.failed), size(point.flaky)];
        return (
          <g key={point.date}>
            {failed > 0 && <rect x={x(index) - bar / 2} width={bar} y={top + BARS - failed} height={failed} className="fill-failed-fill" />}
            {flaky > 0 && <rect x={x(index) - bar / 2} width={bar} y={top + BARS - failed - flaky} height={flaky} className="fill-flaky-fill" />}
          </g>
        );
      })}
    </>
  );
}

function DayLabels({ points, x, y, group, inner }: { points: TrendPoint[]; x: (index: number) => number; y: number; group: Group; inner: number }) {
  const shown = labelled(points.length, Math.max(1, Math.floor(inner / LABEL_WIDTH)));
  return points.map((point, index) => {
    if (!shown.has(index)) return null;
    const anchor = index === points.length - 1 && points.length > 1 ? "end" : "middle";
    return <text key={point.date} x={x(index) + (anchor === "end" ? RIGHT : 0)} y={y} textAnchor={anchor} className="fill-muted-foreground text-[11px]">{formatBucket(point.date, group, true)}</text>;
  });
}

function readOut(point: TrendPoint | undefined, group: Group): string {
  if (!point) return "No data";
  const day = formatBucket(point.date, group);
  if (!ran(point)) return `${day}: nothing ran`;
  return `${day}: ${formatPercent(point.pass_rate)} passed, ${formatCount(point.failed)} failed, ${formatCount(point.flaky)} flaky in ${plural(point.reports, "report")}`;
}

const TIP = 176;

function Tip({ point, group, left, width }: { point: TrendPoint; group: Group; left: number; width: number }) {
  const start = Math.max(0, Math.min(width - TIP, left + 12 + TIP > width ? left - 12 - TIP : left + 12));
  const rows: [string, string][] = [
    ["Passed", formatCount(point.passed)],
    ["Failed", formatCount(point.failed)],
    ["Flaky", formatCount(point.flaky)],
    ["Skipped", formatCount(point.skipped)],
    ["Reports", formatCount(point.reports)],
  ];
  return (
    <div aria-hidden className="panel pointer-events-none absolute top-1 z-10 px-3 py-2 text-[13px] shadow-lg" style={{ left: start, width: TIP }}>
      <p className="mb-1 font-medium">{formatBucket(point.date, group)}</p>
      {ran(point) ? (
        <dl className="grid grid-cols-[1fr_auto] gap-x-3">
          <dt className="text-muted-foreground">Pass rate</dt>
          <dd className="text-right font-medium">{formatPercent(point.pass_rate)}</dd>
          {rows.map(([name, value]) => (
            <div key={name} className="contents">
              <dt className="text-muted-foreground">{name}</dt>
              <dd className="text-right">{value}</dd>
            </div>
          ))}
        </dl>
      ) : (
        <p className="text-muted-foreground">Nothing ran</p>
      )}
    </div>
  );
}

export function TrendLegend() {
  const item = "inline-flex items-center gap-1.5";
  return (
    <p className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted-foreground">
      <span className={item}><span aria-hidden className="h-0.5 w-4 rounded bg-passed" />passed</span>
      <span className={item}><span aria-hidden className="size-2 rounded-[2px] bg-failed-fill" />failed results</span>
      <span className={item}><span aria-hidden className="size-2 rounded-[2px] bg-flaky-fill" />flaky results</span>
    </p>
  );
}
