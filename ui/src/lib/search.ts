import type { ResultFilter, RunFilter } from "@scaledtest/sdk";

/** The filters of the reports page, as they stand in its URL. Dates are local days, `YYYY-MM-DD`. */
export interface RunSearch {
  q?: string;
  status?: NonNullable<RunFilter["status"]>;
  project?: string;
  branch?: string;
  from?: string;
  to?: string;
}

export const RESULT_STATUSES = ["failed", "flaky", "passed", "skipped", "pending", "other"] as const;
export type ResultStatus = (typeof RESULT_STATUSES)[number];
export const RESULT_SORTS = ["status", "-duration", "duration", "name"] as const;
export type ResultSort = (typeof RESULT_SORTS)[number];

/** The filters of a run's tests, and the test that is open (`<report id>.<result id>`). */
export interface ResultSearch {
  q?: string;
  status?: ResultStatus;
  suite?: string;
  tag?: string;
  sort?: ResultSort;
  test?: string;
}

const RUN_STATUSES = ["passed", "failed", "skipped", "flaky"] as const;
const MAX_TEXT = 500;

/** Reads a query string into plain strings; the first of repeated names wins, nothing is parsed as JSON. */
export function parseSearch(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(text)) values[name] ??= value;
  return values;
}

/** Writes a query string; empty and absent values are left out. */
export function stringifySearch(values: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === "string" && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

export function readRunSearch(values: Record<string, unknown>): RunSearch {
  return compact({
    q: text(values.q),
    status: word(values.status, RUN_STATUSES),
    project: text(values.project),
    branch: text(values.branch),
    from: day(values.from),
    to: day(values.to),
  });
}

export function readResultSearch(values: Record<string, unknown>): ResultSearch {
  return compact({
    q: text(values.q),
    status: word(values.status, RESULT_STATUSES),
    suite: text(values.suite),
    tag: text(values.tag),
    sort: word(values.sort, RESULT_SORTS),
    test: text(values.test),
  });
}

/** What the API is asked for. `to` includes its whole day. */
export function toRunFilter(search: RunSearch): RunFilter {
  return compact({
    text: search.q,
    status: search.status,
    project: search.project,
    branch: search.branch,
    since: search.from && startOfDay(search.from, 0),
    until: search.to && startOfDay(search.to, 1),
  });
}

export function toResultFilter(search: ResultSearch): ResultFilter {
  return compact({
    text: search.q,
    status: search.status && [search.status],
    suite: search.suite,
    tag: search.tag,
    sort: search.sort,
  });
}

/** Splits the address of an open test; undefined when it is none. */
export function readTestRef(ref: string | undefined): { reportId: string; resultId: string } | undefined {
  const dot = ref?.indexOf(".") ?? -1;
  if (!ref || dot <= 0 || dot === ref.length - 1) return undefined;
  return { reportId: ref.slice(0, dot), resultId: ref.slice(dot + 1) };
}

/** Where to go after sign-in: only paths of this site. */
export function readReturnTo(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^\/(?![/\\])/.test(value)) return undefined;
  return value.startsWith("/login") || value.startsWith("/register") ? undefined : value;
}

function startOfDay(day: string, plusDays: number): string {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  return new Date(year, month - 1, date + plusDays).toISOString();
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.slice(0, MAX_TEXT) : undefined;
}

function word<W extends string>(value: unknown, words: readonly W[]): W | undefined {
  return words.find((candidate) => candidate === value);
}

function day(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return undefined;
  return Number.isNaN(Date.parse(value)) ? undefined : value;
}

function compact<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
