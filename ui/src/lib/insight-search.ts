import type { InsightFilter, IssueFilter, QuarantineFilter, TestFilter, TestSort, TestState, TrendOptions } from "@scaledtest/sdk";
import { STATES } from "./insight.ts";
import { compact, text, word } from "./search.ts";

export const TEST_SORTS = ["-failed_at", "name", "-score", "pass_rate", "-p95", "-last_at"] as const satisfies readonly TestSort[];
export const LAST_STATUSES = ["passed", "failed", "skipped"] as const;

/** The filters of the test explorer, as they stand in its URL. */
export interface TestsSearch {
  q?: string;
  project?: string;
  branch?: string;
  state?: TestState;
  status?: (typeof LAST_STATUSES)[number];
  tag?: string;
  owner?: string;
  sort?: TestSort;
}

export function readTestsSearch(values: Record<string, unknown>): TestsSearch {
  return compact({
    q: text(values.q),
    project: text(values.project),
    branch: text(values.branch),
    state: word(values.state, STATES),
    status: word(values.status, LAST_STATUSES),
    tag: text(values.tag),
    owner: text(values.owner),
    sort: word(values.sort, TEST_SORTS),
  });
}

export function toTestFilter({ q, state, ...rest }: TestsSearch): TestFilter {
  return compact({ ...rest, text: q, state: state && [state] });
}

/** The project whose owners are shown; the first one when absent. */
export interface OwnersSearch {
  project?: string;
}

export const readOwnersSearch = (values: Record<string, unknown>): OwnersSearch => compact({ project: text(values.project) });

/** The project whose renamed tests are shown; the first one when absent. */
export const readRenamesSearch = readOwnersSearch;

/** The series that the page of a test shows. */
export interface TestSearch {
  branch?: string;
  variant?: string;
}

export function readTestSearch(values: Record<string, unknown>): TestSearch {
  return compact({ branch: text(values.branch), variant: text(values.variant) });
}

/** The filters of the quarantine page. Absent is what is there now. */
export interface QuarantineSearch {
  q?: string;
  project?: string;
  state?: "expired" | "released";
}

export function readQuarantineSearch(values: Record<string, unknown>): QuarantineSearch {
  return compact({ q: text(values.q), project: text(values.project), state: word(values.state, ["expired", "released"] as const) });
}

export function toQuarantineFilter({ q, ...rest }: QuarantineSearch): QuarantineFilter {
  return compact({ ...rest, text: q });
}

/** The filters of the known issues. Absent is what is open. */
export interface IssuesSearch {
  q?: string;
  project?: string;
  state?: "expired" | "closed";
}

export function readIssuesSearch(values: Record<string, unknown>): IssuesSearch {
  return compact({ q: text(values.q), project: text(values.project), state: word(values.state, ["expired", "closed"] as const) });
}

export function toIssueFilter({ q, ...rest }: IssuesSearch): IssueFilter {
  return compact({ ...rest, text: q });
}

export const SPANS = [7, 30, 90] as const;
export type Span = (typeof SPANS)[number];
export const GROUPS = ["day", "week", "month"] as const satisfies readonly NonNullable<TrendOptions["group_by"]>[];

/** The filters of the analytics page. Absent are 30 days, by day. */
export interface AnalyticsSearch {
  project?: string;
  branch?: string;
  environment?: string;
  tag?: string;
  days?: `${Span}`;
  group?: (typeof GROUPS)[number];
}

export function readAnalyticsSearch(values: Record<string, unknown>): AnalyticsSearch {
  return compact({
    project: text(values.project),
    branch: text(values.branch),
    environment: text(values.environment),
    tag: text(values.tag),
    days: word(values.days, ["7", "90"] as const),
    group: word(values.group, ["week", "month"] as const),
  });
}

export const spanOf = ({ days }: AnalyticsSearch): Span => SPANS.find((span) => String(span) === days) ?? 30;

export function toInsightFilter({ project, branch, environment, tag }: AnalyticsSearch): InsightFilter {
  return compact({ project, branch, environment, tag });
}
