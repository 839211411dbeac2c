import type { AuditFilter, ResultFilter, RunFilter } from "@scaledtest/sdk";

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
const MAX_PATH = 2000;

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

/**
 * A reader as a route needs it: the router lays what was read over what stood in the address, so what was not read has to be
 * overlaid as undefined. Else a value that the reader refused would reach the page.
 */
export function overlaying<S extends object>(read: (values: Record<string, unknown>) => S): (values: Record<string, unknown>) => S {
  return (values) => ({ ...Object.fromEntries(Object.keys(values).map((name) => [name, undefined])), ...read(values) });
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

/** What is compared: ids of runs or reports. */
export interface CompareSearch {
  base?: string;
  head?: string;
}

export function readCompareSearch(values: Record<string, unknown>): CompareSearch {
  return compact({ base: text(values.base), head: text(values.head) });
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

/** The pages on which one is without a session; there is nothing to return to. */
const WITHOUT_SESSION = /^\/(login|register|forgot-password|reset-password|verify-email)([/?#]|$)/;

/** Where to go after sign-in: only paths of this site. A browser takes `//`, `/\` and a tab between for another host. */
export function readReturnTo(value: unknown): string | undefined {
  if (typeof value !== "string" || value.length > MAX_PATH) return undefined;
  // eslint-disable-next-line no-control-regex -- browsers drop them from addresses
  if (!/^\/(?!\/)[^\\\u0000-\u001f\u007f]*$/.test(value)) return undefined;
  return WITHOUT_SESSION.test(value) ? undefined : value;
}

/** What the sign-in pages read from their address. */
export interface AuthSearch {
  return_to?: string;
  error?: string;
}

export function readAuthSearch(values: Record<string, unknown>): AuthSearch {
  return compact({ return_to: readReturnTo(values.return_to), error: text(values.error) });
}

/** What the profile page reads from its address: why an account elsewhere was not linked. */
export function readProfileSearch(values: Record<string, unknown>): { error?: string } {
  return compact({ error: text(values.error) });
}

/** The filters of the administration page. `user` is a search; the rest belongs to the audit log. */
export interface AdminSearch {
  user?: string;
  action?: string;
  type?: string;
  actor?: string;
  team?: string;
  from?: string;
  to?: string;
}

export function readAdminSearch(values: Record<string, unknown>): AdminSearch {
  return compact({
    user: text(values.user),
    action: text(values.action),
    type: text(values.type),
    actor: text(values.actor),
    team: text(values.team),
    from: day(values.from),
    to: day(values.to),
  });
}

export function toAuditFilter(search: AdminSearch): AuditFilter {
  return compact({
    action: search.action,
    resource_type: search.type,
    actor_id: search.actor,
    team_id: search.team,
    since: search.from && startOfDay(search.from, 0),
    until: search.to && startOfDay(search.to, 1),
  });
}

function startOfDay(day: string, plusDays: number): string {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  return new Date(year, month - 1, date + plusDays).toISOString();
}

export function text(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.slice(0, MAX_TEXT) : undefined;
}

export function word<W extends string>(value: unknown, words: readonly W[]): W | undefined {
  return words.find((candidate) => candidate === value);
}

function day(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return undefined;
  return Number.isNaN(Date.parse(value)) ? undefined : value;
}

export function compact<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
