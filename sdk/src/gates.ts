import { part, type Caller } from "./ask.ts";

/** What a rule asks, by the word for its type; the first six are the original's. See docs/gates.md. */
export interface GateParams {
  /** Per cent, 0 to 100. */
  pass_rate: { threshold: number };
  zero_failures: undefined;
  no_new_failures: undefined;
  max_duration: { threshold_ms: number };
  max_flaky_count: { threshold: number };
  min_test_count: { threshold: number };
  /** 0.95 when absent. */
  no_regressions: { probability?: number };
  no_new_fingerprints: undefined;
  /** How often each new test has to have run; 1 when absent. */
  new_tests_stable: { runs?: number };
  required_tests: { globs: string[] };
  tests_not_removed: { max: number };
  /** 1.3 times and 5,000 ms when absent. */
  duration_regression: { ratio?: number; min_ms?: number };
  /** 0 to 1. */
  flaky_budget: { p_green: number };
}

export type GateRuleType = keyof GateParams;

/** Which tests a rule is about: what is set must hold. */
export interface GateScope {
  tag?: string;
  /** A glob of file paths. */
  path?: string;
  owner?: string;
}

export interface GateRule {
  type: GateRuleType;
  params?: Record<string, number | string[]>;
  /** `warn` decides nothing; `block` when absent. */
  level?: "block" | "warn";
  scope?: GateScope;
}

/** All of what a gate asks. */
export interface WriteGate {
  name: string;
  description?: string;
  rules: GateRule[];
  /** Globs of the branches that it is for; every branch when empty. */
  branches?: string[];
  /** True when absent; not read when a gate is created. */
  enabled?: boolean;
}

export interface QualityGate {
  id: string;
  team_id: string;
  name: string;
  description?: string;
  rules: GateRule[];
  branches: string[];
  enabled: boolean;
  created_at: string;
  updated_at: string;
}

export type GateStatus = "passed" | "failed" | "error" | "incomplete";

/** A waiver, as it was when it let a rule pass. */
export interface AppliedWaiver {
  id: string;
  reason: string;
  user_id: string;
  expires_at: string;
  found: "failed" | "error";
}

interface RuleOutcome {
  threshold: number;
  actual: number;
  /** It holds, or it was waived. */
  passed: boolean;
  message: string;
  status: "passed" | "failed" | "error";
  level: "block" | "warn";
  waived: boolean;
  waiver?: AppliedWaiver;
  /** Names of tests, or globs, that speak against it; the first few. */
  examples: string[];
  /** As it was asked. */
  rule: GateRule | null;
}

/** What became of a rule, in the answers to an upload and to an evaluation. */
export interface GateRuleResult extends RuleOutcome {
  metric: GateRuleType;
}

/** The same in the history. */
export interface GateRuleDetail extends RuleOutcome {
  type: GateRuleType;
}

export interface GateEvaluated {
  id: string;
  gate_id: string;
  report_id: string;
  run_id: string;
  passed: boolean;
  status: GateStatus;
  rules: GateRuleResult[];
}

export interface GateEvaluation {
  id: string;
  gate_id: string;
  gate_name: string;
  report_id: string;
  run_id: string;
  passed: boolean;
  status: GateStatus;
  baseline?: { branch: string; run_id?: string | null; commit?: string | null } | null;
  details: GateRuleDetail[];
  created_at: string;
}

export interface GatePreviewRun {
  run_id: string;
  branch?: string | null;
  commit?: string | null;
  build?: string | null;
  created_at: string;
  passed: boolean;
  status: GateStatus;
  rules: GateRuleResult[];
}

export interface GatePreview {
  /** Newest first. */
  runs: GatePreviewRun[];
  /** How many of them pass. */
  passed: number;
}

/** A rule that need not hold for a while. */
export interface WaiveRule {
  /** One of the gate's rules, as it is read. */
  rule: GateRule;
  /** The run that it is for, or */
  run_id?: string;
  /** the branch. */
  branch?: string;
  reason: string;
  /** RFC 3339, at most 90 days away; 14 days when absent. */
  expires_at?: string;
}

export interface GateWaiver {
  id: string;
  gate_id: string;
  rule: GateRule;
  run_id?: string | null;
  branch?: string | null;
  reason: string;
  user_id: string;
  created_at: string;
  expires_at: string;
  revoked_at?: string | null;
  revoked_by?: string | null;
  /** Neither revoked nor expired. */
  active: boolean;
}

const gates = (teamId: string) => `/api/v1/teams/${part(teamId)}/quality-gates`;
const gate = (teamId: string, id: string) => `${gates(teamId)}/${part(id)}`;

/** Quality gates: what runs have to keep. */
export class Gates {
  readonly #ask: Caller;

  constructor(ask: Caller) {
    this.#ask = ask;
  }

  /** Newest first. */
  getQualityGates(teamId: string, signal?: AbortSignal): Promise<{ quality_gates: QualityGate[]; total: number }> {
    return this.#ask("GET", gates(teamId), { signal });
  }

  getQualityGate(teamId: string, id: string, signal?: AbortSignal): Promise<QualityGate> {
    return this.#ask("GET", gate(teamId, id), { signal });
  }

  createQualityGate(teamId: string, body: WriteGate): Promise<QualityGate> {
    return this.#ask("POST", gates(teamId), { body });
  }

  /** Replaces all of it. */
  updateQualityGate(teamId: string, id: string, body: WriteGate): Promise<QualityGate> {
    return this.#ask("PUT", gate(teamId, id), { body });
  }

  /** With its evaluations and waivers. */
  deleteQualityGate(teamId: string, id: string): Promise<{ message: string }> {
    return this.#ask("DELETE", gate(teamId, id));
  }

  /** Also a gate that is not enabled; the team's newest report when none is named. */
  evaluateQualityGate(teamId: string, id: string, reportId?: string): Promise<GateEvaluated> {
    return this.#ask("POST", `${gate(teamId, id)}/evaluate`, { body: reportId === undefined ? {} : { report_id: reportId } });
  }

  /** Newest first; 20 when there is no limit, at most 100. */
  listEvaluations(teamId: string, id: string, limit?: number, signal?: AbortSignal): Promise<{ evaluations: GateEvaluation[]; total: number }> {
    return this.#ask("GET", `${gate(teamId, id)}/evaluations`, { query: { limit }, signal });
  }

  /** What rules would have said of the newest runs (10 when there is no number, at most 50); nothing is saved. */
  previewQualityGate(teamId: string, body: { rules: GateRule[]; branches?: string[]; runs?: number }): Promise<GatePreview> {
    return this.#ask("POST", `${gates(teamId)}/preview`, { body });
  }

  /** The newest evaluation of a run by each gate. */
  async getRunGates(runId: string, signal?: AbortSignal): Promise<GateEvaluation[]> {
    const path = `/api/v1/runs/${part(runId)}/quality-gates`;
    return (await this.#ask<{ evaluations: GateEvaluation[] }>("GET", path, { signal })).evaluations;
  }

  /** Also those that are over, newest first. */
  async listWaivers(teamId: string, id: string, signal?: AbortSignal): Promise<GateWaiver[]> {
    return (await this.#ask<{ waivers: GateWaiver[] }>("GET", `${gate(teamId, id)}/waivers`, { signal })).waivers;
  }

  /** What was evaluated stands: evaluate again to see the difference. */
  waiveRule(teamId: string, id: string, body: WaiveRule): Promise<GateWaiver> {
    return this.#ask("POST", `${gate(teamId, id)}/waivers`, { body });
  }

  revokeWaiver(teamId: string, id: string, waiverId: string): Promise<{ message: string }> {
    return this.#ask("DELETE", `${gate(teamId, id)}/waivers/${part(waiverId)}`);
  }
}
