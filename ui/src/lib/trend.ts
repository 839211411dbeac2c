import type { TrendOptions, TrendPoint } from "@scaledtest/sdk";
import { plural } from "./format.ts";
import { formatPercent } from "./insight.ts";

export type Group = NonNullable<TrendOptions["group_by"]>;

/** Whether anything of the bucket has a pass rate. */
export const ran = ({ passed, failed }: TrendPoint): boolean => passed + failed > 0;

// The buckets are days of the reader's zone already; as UTC they are not moved again.
const SHORT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const LONG = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const MONTH = new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" });
const SHORT_MONTH = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone: "UTC" });

/** A bucket for people: `Tue, 3 Mar 2026`, `Week of 2 Mar 2026`, `March 2026`; short ones for axes. */
export function formatBucket(date: string, group: Group, short = false): string {
  const time = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(time)) return date;
  if (group === "month") return (short ? SHORT_MONTH : MONTH).format(time);
  if (short) return SHORT.format(time);
  return group === "week" ? `Week of ${DAY.format(time)}` : LONG.format(time);
}

/** What the chart shows, for those who do not see it. */
export function describeTrend(points: TrendPoint[], group: Group): string {
  const filled = points.filter(ran);
  const [first, last] = [filled[0], filled.at(-1)];
  if (!first || !last) return "No results.";
  const lowest = filled.reduce((low, point) => (point.pass_rate < low.pass_rate ? point : low));
  const span = `Pass rate of ${plural(filled.length, group)}`;
  const ends = first === last ? formatPercent(first.pass_rate) : `from ${formatPercent(first.pass_rate)} to ${formatPercent(last.pass_rate)}`;
  return `${span}: ${ends}, lowest ${formatPercent(lowest.pass_rate)} on ${formatBucket(lowest.date, group, true)}.`;
}
