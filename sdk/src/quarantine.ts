import { part, type Caller } from "./ask.ts";
import type { ProjectRef } from "./insight.ts";

/** `mute`: the test runs, and its failures don't count. `skip`: it does not run. */
export type QuarantineMode = "mute" | "skip";

/** That a test is in quarantine. */
export interface InQuarantine {
  id: string;
  mode: QuarantineMode;
  expires_at: string;
}

/** A stay of a test in quarantine. */
export interface QuarantineEntry {
  id: string;
  project: ProjectRef;
  test_id: string;
  name: string;
  /** Outermost first. */
  suite: string[];
  file_path?: string;
  /** `expired` and `released`: the test counts again. */
  state: "active" | "expired" | "released";
  mode: QuarantineMode;
  reason: string;
  /** Who sees to it. */
  owner?: string;
  /** A link or a key. */
  ticket?: string;
  by: "person" | "policy";
  user_id?: string;
  entered_at: string;
  changed_at: string;
  /** From when on it counts again. */
  expires_at: string;
  /** Within three days. */
  expires_soon: boolean;
  released_at?: string;
  /** Why it is over, if it is. */
  release?: "hand" | "expired" | "recovered" | "broken";
  released_by?: string;
  /** What was known of the test at the beginning. */
  evidence?: { branch: string; state: string; score: number; score_low: number; score_high: number; runs: number };
}

export interface QuarantineFilter {
  project?: string;
  test_id?: string;
  /** `active` when absent. */
  state?: QuarantineEntry["state"] | "all";
  mode?: QuarantineMode;
  owner?: string;
  /** A part of name, suite, file, reason, owner or ticket. */
  text?: string;
}

export interface QuarantinePage {
  entries: QuarantineEntry[];
  total: number;
  next_cursor?: string | null;
}

/** What is absent stays, or is as usual; an empty owner or ticket is none. */
export interface QuarantineTerms {
  mode?: QuarantineMode;
  reason?: string;
  /** A team or a handle, no e-mail address. */
  owner?: string;
  ticket?: string;
  /** At most 90 days from now; in 14 days when absent. Must be given with `skip`. */
  expires_at?: string;
}

export interface QuarantineSummary {
  /** Days looked back. */
  days: number;
  active: number;
  /** Of these, that count again within three days. */
  expiring: number;
  /** Tests that were in quarantine, times the days that they were. */
  test_days: number;
  /** Runs in which everything that failed was in quarantine. */
  rescued_runs: number;
  rescued_ms: number;
}

/** What CI has to know. */
export interface QuarantineList {
  project: ProjectRef;
  tests: { test_id: string; name: string; suite: string[]; file_path?: string; mode: QuarantineMode; expires_at: string }[];
  /** When the first of them counts again. */
  valid_until?: string;
}

export interface QuarantineRules {
  enabled: boolean;
  mode: QuarantineMode;
  /** Per cent of the project's tests that may be in quarantine before the policy stops taking more, 0 to 20. */
  max_percent: number;
  max_count: number;
  expiry_days: number;
  owner?: string;
  max_per_owner?: number;
}

export interface QuarantinePolicy extends QuarantineRules {
  project: ProjectRef;
  /** Absent as long as it is the default. */
  set_at?: string;
  set_by?: string;
}

const API = "/api/v1";

/** Flaky tests that hold up nobody, for a while. */
export class Quarantine {
  readonly #ask: Caller;

  constructor(ask: Caller) {
    this.#ask = ask;
  }

  /** What is or was in quarantine, page by page. */
  list(filter: QuarantineFilter & { limit?: number; cursor?: string } = {}, signal?: AbortSignal): Promise<QuarantinePage> {
    return this.#ask("GET", `${API}/quarantine`, { query: filter, signal });
  }

  get(id: string, signal?: AbortSignal): Promise<QuarantineEntry> {
    return this.#ask("GET", `${API}/quarantine/${part(id)}`, { signal });
  }

  /** Puts a test there, in all its variants. */
  enter(testId: string, terms: QuarantineTerms & { reason: string }): Promise<QuarantineEntry> {
    return this.#ask("POST", `${API}/quarantine`, { body: { test_id: testId, ...terms } });
  }

  change(id: string, terms: QuarantineTerms): Promise<QuarantineEntry> {
    return this.#ask("PATCH", `${API}/quarantine/${part(id)}`, { body: terms });
  }

  /** Its failures count again. */
  release(id: string): Promise<QuarantineEntry> {
    return this.#ask("POST", `${API}/quarantine/${part(id)}/release`);
  }

  /** What it has saved and what it costs. */
  summary(options: { project?: string; days?: number } = {}, signal?: AbortSignal): Promise<QuarantineSummary> {
    return this.#ask("GET", `${API}/quarantine/summary`, { query: options, signal });
  }

  /** What CI has to know of a project, named or by its id. */
  listForCi(project: string, signal?: AbortSignal): Promise<QuarantineList> {
    return this.#ask("GET", `${API}/projects/${part(project)}/quarantine`, { signal });
  }

  policy(project: string, signal?: AbortSignal): Promise<QuarantinePolicy> {
    return this.#ask("GET", `${API}/projects/${part(project)}/quarantine-policy`, { signal });
  }

  setPolicy(project: string, rules: Partial<QuarantineRules>): Promise<QuarantinePolicy> {
    return this.#ask("PUT", `${API}/projects/${part(project)}/quarantine-policy`, { body: rules });
  }
}
