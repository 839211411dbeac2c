import { part, type Caller } from "./ask.ts";
import type { ErrorCluster, ErrorDetail, TestError } from "./errors.ts";
import type { OpenIssue } from "./issues.ts";
import type { InQuarantine } from "./quarantine.ts";
import type { components } from "./schema.ts";

// ---- tests and their histories -------------------------------------------------------------------------------------

/** `broken` goes before `flaky`: a test is never both. */
export type TestState = "healthy" | "flaky" | "broken";

export interface Variant {
  browser?: string | null;
  device?: string | null;
  os?: string | null;
}

/** One test on one branch and in one variant. Counts are those of its newest 400 runs. */
export interface TestSeries {
  branch: string;
  variant: Variant;
  variant_id: string;
  state: TestState;
  /** Since when it has this state; missing if it was never anything else. */
  since?: string | null;
  /** Probability that an attempt fails although the code is good, 0 to 1. */
  score: number;
  /** Lower end of the score's 95 % interval. */
  score_low: number;
  score_high: number;
  runs: number;
  passed: number;
  /** Runs in which it passed after a failed attempt. */
  flaked: number;
  failed: number;
  /** 0 to 100; what flaked counts as passed. Null without runs. */
  pass_rate?: number | null;
  last_status: "passed" | "failed" | "skipped";
  last_flaky: boolean;
  last_at: string;
  failed_at?: string | null;
  first_at: string;
  p50_ms?: number | null;
  p95_ms?: number | null;
  /** The newest 30 runs, the oldest first: `P` passed, `f` flaked, `F` failed, `S` not run. */
  strip: string;
}

export interface ProjectRef {
  id: string;
  name: string;
}

export interface TestRow extends TestSeries {
  id: string;
  name: string;
  /** Outermost first. */
  suite: string[];
  file_path?: string | null;
  tags: string[];
  /** Whom its report names, else whom the project's `CODEOWNERS` names for its file. */
  owners: string[];
  project: ProjectRef;
  quarantine?: InQuarantine;
}

export type TestSort = "name" | "-failed_at" | "-score" | "-p95" | "pass_rate" | "-last_at";

export interface TestFilter {
  project?: string;
  /** Each project's default branch when absent; `*` for the newest branch of each test. */
  branch?: string;
  state?: TestState[];
  /** How the newest run ended. */
  status?: "passed" | "failed" | "skipped";
  /** Words in name, suite and file. */
  text?: string;
  tag?: string;
  /** `none` for tests that nobody owns. */
  owner?: string;
  sort?: TestSort;
}

export interface TestPage {
  tests: TestRow[];
  total: number;
  next_cursor?: string | null;
}

/** A place in a history: what one run said. */
export interface HistoryPoint {
  report_id: string;
  run_id: string;
  at: string;
  commit?: string | null;
}

/** Why a failure is taken for a flake. */
export interface Evidence extends HistoryPoint {
  signal: "attempt" | "commit" | "flip";
}

export interface HistoryChange {
  shift: "started_failing" | "fixed" | "worse" | "better";
  /** The likeliest first run of what came after. */
  at: HistoryPoint;
  /** Ends of the 99 % interval, both included. */
  earliest: HistoryPoint;
  latest: HistoryPoint;
  /** Share of the runs with a failed attempt, 0 to 1. */
  before: number;
  after: number;
}

/** Where a test began to take longer, or less long. */
export interface DurationChange {
  /** The likeliest first run of the new duration. */
  at: HistoryPoint;
  /** The last run that is surely before it. */
  after_run?: HistoryPoint | null;
  /** Ends of the 99 % interval, both included. */
  earliest: HistoryPoint;
  latest: HistoryPoint;
  /** Medians, within 6 %. */
  before_ms: number;
  after_ms: number;
}

export interface ChosenSeries {
  branch: string;
  variant_id: string;
  /** The rule that decided on the state, with its numbers. */
  rule: Record<string, unknown>;
  /** The rule in words. */
  formula: string;
  /** Neighbouring runs that differ, 0 to 1. */
  flip_rate?: number | null;
  evidence: Evidence[];
  changes: HistoryChange[];
  /** Among the newest 50 runs that passed at once, newest first. */
  duration_changes: DurationChange[];
}

export interface TestDetail {
  id: string;
  name: string;
  suite: string[];
  file_path?: string | null;
  tags: string[];
  owners: string[];
  project: ProjectRef;
  quarantine?: InQuarantine;
  /** Every branch and variant, the newest first; at most 200. */
  series: TestSeries[];
  chosen: ChosenSeries | null;
  /** The most frequent 20. */
  errors: TestError[];
  /** What it was called before, the latest first. */
  renamed_from: Rename[];
}

// ---- renamed tests -------------------------------------------------------------------------------------------------

/** `moved`: the same name elsewhere; `similar`: names in one suite or file; `only_one`: the only ones there; `by_hand`: somebody says so. */
export type RenameReason = "moved" | "similar" | "only_one" | "by_hand";

/** A test as its reports name it. */
export interface RenamedTest {
  id: string;
  name: string;
  suite: string[];
  file_path?: string | null;
}

/** A test that was renamed: what reports say of `from` belongs to `to`. */
export interface Rename {
  from: RenamedTest;
  to: RenamedTest;
  /** What `to` has become since; the same if it was not renamed again. */
  current_id: string;
  /** Of the names, 0 to 1. */
  similarity: number;
  reason: RenameReason;
  accepted_at: string;
  accepted_by: string;
  /** When a report named the old one last, on any branch. */
  last_seen_at?: string | null;
}

/** Two tests that seem to be one: one vanished in the commit in which the other appeared. */
export interface RenameProposal {
  from: RenamedTest;
  to: RenamedTest;
  similarity: number;
  reason: RenameReason;
  /** The last report with the old one. */
  last_seen: HistoryPoint;
  /** The first report with the new one. */
  first_seen: HistoryPoint;
}

export interface Renames {
  project: ProjectRef;
  /** The branch that proposals are made from. */
  branch?: string | null;
  /** The newest first; at most 100. */
  proposals: RenameProposal[];
  /** The latest first. */
  renames: Rename[];
}

/** Which series of a test; the default branch when absent, else the newest. */
export interface SeriesChoice {
  branch?: string;
  variant_id?: string;
}

export interface HistoryRun extends HistoryPoint {
  /** The pull request, as far as known. */
  change?: string | null;
  outcome: "passed" | "flaked" | "failed" | "not_run";
  /** Attempts that failed. */
  fails: number;
  passes: number;
  fingerprint?: string | null;
  duration_ms?: number | null;
}

// ---- owners --------------------------------------------------------------------------------------------------------

/** What somebody owns: tests, by how they are on the project's default branch. */
export interface Owned {
  /** Missing: what nobody owns. */
  owner?: string | null;
  tests: number;
  flaky: number;
  broken: number;
  /** Whose newest run failed. */
  failing: number;
}

export interface ProjectOwners {
  project_id: string;
  /** The text of the `CODEOWNERS` file; missing if nobody gave one. */
  codeowners?: string | null;
  rules: number;
  /** Lines that do not count. */
  faults: { line: number; message: string }[];
  /** By name; what nobody owns last. */
  owners: Owned[];
}

// ---- analytics -----------------------------------------------------------------------------------------------------

/** What each of the analytics can be narrowed to. Unknown values give empty answers. */
export interface InsightFilter {
  project?: string;
  branch?: string;
  environment?: string;
  tag?: string;
}

/** Times are RFC 3339; the last 30 days when absent. */
export interface InsightSpan {
  start?: string;
  end?: string;
}

export interface TrendOptions extends InsightFilter, InsightSpan {
  group_by?: "day" | "week" | "month";
  /** IANA name of the zone whose days are meant; UTC when absent. */
  time_zone?: string;
  /** Also buckets without data. */
  fill?: boolean;
}

export interface TrendPoint {
  /** First day of the bucket, `YYYY-MM-DD`. */
  date: string;
  total: number;
  passed: number;
  failed: number;
  skipped: number;
  /** 0 to 100. */
  pass_rate: number;
  flaky: number;
  reports: number;
  duration_ms: number;
}

export interface FlakyOptions extends InsightFilter {
  /** 7 when absent. */
  window_days?: number;
  /** 5 when absent. */
  min_runs?: number;
  /** At most 500, 20 when absent. */
  limit?: number;
  /** `flaky` when absent. */
  state?: TestState | "all";
}

export interface FlakyTest {
  test_id: string;
  name: string;
  /** Joined with ` > `. */
  suite?: string | null;
  file_path?: string | null;
  project: string | ProjectRef;
  branch: string;
  variant?: Variant | null;
  variant_id: string;
  flip_count: number;
  total_runs: number;
  /** 0 to 1. */
  flip_rate: number;
  last_status: string;
  state: TestState;
  score: number;
  score_low: number;
  score_high: number;
  since?: string | null;
}

export interface DurationBucket {
  /** `0-100ms` to `>2m`. */
  range: string;
  min_ms: number;
  /** Null for the last one, which is open. */
  max_ms?: number | null;
  count: number;
}

// ---- the verdict of a run ------------------------------------------------------------------------------------------

/** `pending`: not all of the run is there, or not all of it was read yet, and nothing is known to be a regression. */
export type RunOutcome = components["schemas"]["VerdictState"];

export type FailureVerdict =
  | "regression"
  | "new_test_failing"
  | "broken_on_base"
  | "flaky_known"
  | "flaky_in_run"
  | "infra"
  | "known_issue"
  | "quarantined";

export interface JudgedTest {
  test_id: string;
  name: string;
  suite: string[];
  owners: string[];
  /** Its id within its report. */
  result_id: string;
  report_id?: string | null;
  verdict: FailureVerdict;
  /** Of a regression, 0 to 1. */
  probability?: number | null;
  /** One sentence, or two. */
  reason: string;
  /** It was in quarantine; a failure of a new kind counts nevertheless. */
  quarantined: boolean;
  /** The ticket that was open for it when the run took place, else that which is open now. */
  issue?: OpenIssue;
  fingerprint?: string | null;
  message?: string | null;
}

export interface RunVerdict {
  state: RunOutcome;
  counts: Record<FailureVerdict, number>;
  /** What the run was compared with. */
  baseline: { branch: string; commit?: string | null; run_id?: string | null } | null;
  /** Regressions first; at most 500. */
  tests: JudgedTest[];
  truncated: boolean;
}

const API = "/api/v1";

/** What the histories of a team's tests say. */
export class Insight {
  readonly #ask: Caller;

  constructor(ask: Caller) {
    this.#ask = ask;
  }

  /** Every test with its latest state, page by page. */
  listTests(filter: TestFilter & { limit?: number; cursor?: string } = {}, signal?: AbortSignal): Promise<TestPage> {
    const { state, ...rest } = filter;
    const query = { ...rest, state: state?.length ? state.join(",") : undefined };
    return this.#ask("GET", `${API}/tests`, { query, signal });
  }

  /** One test with all its series, and what is known of the chosen one. */
  getTest(id: string, choice: SeriesChoice = {}, signal?: AbortSignal): Promise<TestDetail> {
    return this.#ask("GET", `${API}/tests/${part(id)}`, { query: choice, signal });
  }

  /** The runs of one series, the newest first. At most 400, 100 when there is no limit. */
  async getTestHistory(id: string, options: SeriesChoice & { limit?: number } = {}, signal?: AbortSignal): Promise<HistoryRun[]> {
    const path = `${API}/tests/${part(id)}/history`;
    return (await this.#ask<{ runs: HistoryRun[] }>("GET", path, { query: options, signal })).runs;
  }

  /** Who owns the tests of a project, which is given by name or id. */
  getProjectOwners(project: string, signal?: AbortSignal): Promise<ProjectOwners> {
    return this.#ask("GET", `${API}/projects/${part(project)}/owners`, { signal });
  }

  /** Takes over the text of a `CODEOWNERS` file; an empty one takes it away. */
  putProjectOwners(project: string, codeowners: string): Promise<ProjectOwners> {
    return this.#ask("PUT", `${API}/projects/${part(project)}/owners`, { body: codeowners });
  }

  /** The renamed tests of a project (name or id): what is proposed and what was accepted. */
  getRenames(project: string, signal?: AbortSignal): Promise<Renames> {
    return this.#ask("GET", `${API}/projects/${part(project)}/renames`, { signal });
  }

  /** Joins a test with what it is called now: a proposal, or any two tests of the project. */
  renameTest(project: string, from: string, to: string): Promise<Rename> {
    return this.#ask("POST", `${API}/projects/${part(project)}/renames`, { body: { from, to } });
  }

  /** The two are not one: it is not proposed again. */
  async dismissRename(project: string, from: string, to: string): Promise<void> {
    await this.#ask("POST", `${API}/projects/${part(project)}/renames/dismiss`, { body: { from, to } });
  }

  /** Separates an old test from what it was joined with. */
  async undoRename(project: string, from: string): Promise<void> {
    await this.#ask("DELETE", `${API}/projects/${part(project)}/renames/${part(from)}`);
  }

  /** Counts for each day, week or month, ascending. */
  getTrends(options: TrendOptions = {}, signal?: AbortSignal): Promise<{ trends: TrendPoint[] }> {
    return this.#ask("GET", `${API}/analytics/trends`, { query: options, signal });
  }

  /** The surest first. */
  getFlakyTests(options: FlakyOptions = {}, signal?: AbortSignal): Promise<{ flaky_tests: FlakyTest[] }> {
    return this.#ask("GET", `${API}/analytics/flaky-tests`, { query: options, signal });
  }

  /** Failures that are the same, the most frequent first. */
  getErrorAnalysis(options: InsightFilter & InsightSpan & { limit?: number } = {}, signal?: AbortSignal): Promise<{ errors: ErrorCluster[] }> {
    return this.#ask("GET", `${API}/analytics/error-analysis`, { query: options, signal });
  }

  /** The error of a project (name or id) that a fingerprint belongs to. */
  getError(project: string, fingerprint: string, signal?: AbortSignal): Promise<ErrorDetail> {
    return this.#ask("GET", `${API}/projects/${part(project)}/errors/${part(fingerprint)}`, { signal });
  }

  /** Results by how long they took; always the same seven ranges. */
  getDurationDistribution(options: InsightFilter & InsightSpan = {}, signal?: AbortSignal): Promise<{ distribution: DurationBucket[] }> {
    return this.#ask("GET", `${API}/analytics/duration-distribution`, { query: options, signal });
  }

  /** By the 95th percentile of their durations. */
  getSlowestTests(options: { limit?: number; project?: string; branch?: string } = {}, signal?: AbortSignal): Promise<{ slowest_tests: TestRow[] }> {
    return this.#ask("GET", `${API}/analytics/slowest-tests`, { query: options, signal });
  }

  /** What the run's failures mean for the change that it tested. */
  getRunVerdict(runId: string, signal?: AbortSignal): Promise<RunVerdict> {
    return this.#ask("GET", `${API}/runs/${part(runId)}/verdict`, { signal });
  }
}
