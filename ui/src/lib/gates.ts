import type { GateRule, GateRuleDetail, GateRuleResult, GateRuleType, GateStatus } from "@scaledtest/sdk";
import { formatCount, formatDuration } from "./format.ts";

/** A parameter of a rule, as a field of a form. */
export interface ParamField {
  name: string;
  label: string;
  kind: "number" | "globs";
  /** What stands there at first; empty means that it has to be filled in. */
  initial: string;
  min?: number;
  max?: number;
  step?: number;
}

interface Kind {
  label: string;
  /** When it holds. */
  help: string;
  fields: ParamField[];
}

const number = (name: string, label: string, initial: number, bounds: { min?: number; max?: number; step?: number } = {}): ParamField => ({
  name, label, kind: "number", initial: String(initial), min: 0, step: 1, ...bounds,
});

/** Every type of rule, in the order of the choice. */
export const KINDS: Record<GateRuleType, Kind> = {
  pass_rate: { label: "Pass Rate (%)", help: "At least this share of all tests passed.", fields: [number("threshold", "At least, in %", 95, { max: 100, step: 0.1 })] },
  zero_failures: { label: "Zero Failures", help: "Nothing failed.", fields: [] },
  no_new_failures: { label: "No New Failures", help: "Nothing failed that the run’s verdict does not excuse.", fields: [] },
  max_duration: { label: "Max Duration (ms)", help: "All tests together took at most this long.", fields: [number("threshold_ms", "At most, in ms", 600_000)] },
  max_flaky_count: { label: "Max Flaky Count", help: "At most so many tests passed only after a failed attempt.", fields: [number("threshold", "At most", 0)] },
  min_test_count: { label: "Min Test Count", help: "The run has at least so many tests.", fields: [number("threshold", "At least", 1)] },
  no_regressions: { label: "No Regressions", help: "No test regressed with at least this probability.", fields: [number("probability", "Probability", 0.95, { max: 1, step: 0.01 })] },
  no_new_fingerprints: { label: "No New Kinds of Failure", help: "Nothing failed in a way that the project has never seen.", fields: [] },
  new_tests_stable: { label: "New Tests Stable", help: "No test that the base branch does not have failed even once, and each passed at least so often.", fields: [number("runs", "Passes at least", 1, { min: 1, max: 1000 })] },
  required_tests: { label: "Required Tests", help: "For each line a test passed or failed: a name, “suite > name” or file path; * and ** stand for any text.", fields: [{ name: "globs", label: "Tests, one a line", kind: "globs", initial: "" }] },
  tests_not_removed: { label: "Tests Not Removed", help: "At most so many tests of the run before are missing.", fields: [number("max", "At most", 0)] },
  duration_regression: { label: "Duration Regression", help: "No test took so many times its usual duration, and so much longer.", fields: [number("ratio", "Times as long", 1.3, { min: 1.01, max: 1000, step: 0.01 }), number("min_ms", "And longer by, in ms", 5000)] },
  flaky_budget: { label: "Flaky Budget", help: "Flaky tests let a good commit pass with at least this probability.", fields: [number("p_green", "Probability", 0.9, { max: 1, step: 0.01 })] },
};

export const RULE_TYPES = Object.keys(KINDS) as GateRuleType[];

/** A rule while it is edited. `key` tells the rows apart. */
export interface RuleDraft {
  key: number;
  type: GateRuleType;
  params: Record<string, string>;
  level: "block" | "warn";
  tag: string;
  path: string;
  owner: string;
}

export function newDraft(key: number, type: GateRuleType = "pass_rate"): RuleDraft {
  const params = Object.fromEntries(KINDS[type].fields.map(({ name, initial }) => [name, initial]));
  return { key, type, params, level: "block", tag: "", path: "", owner: "" };
}

export function draftOf(key: number, { type, params, level, scope }: GateRule): RuleDraft {
  const shown = Object.entries(params ?? {}).map(([name, value]) => [name, Array.isArray(value) ? value.join("\n") : String(value)]);
  return {
    ...newDraft(key, type),
    params: { ...newDraft(key, type).params, ...(Object.fromEntries(shown) as Record<string, string>) },
    level: level ?? "block",
    tag: scope?.tag ?? "",
    path: scope?.path ?? "",
    owner: scope?.owner ?? "",
  };
}

/** Lines that are not empty. */
export const linesOf = (text: string): string[] => text.split("\n").map((line) => line.trim()).filter((line) => line !== "");

export function ruleOf({ type, params, level, tag, path, owner }: RuleDraft): GateRule {
  const { fields } = KINDS[type];
  const values = fields.map(({ name, kind }) => [name, kind === "globs" ? linesOf(params[name] ?? "") : Number(params[name])] as const);
  const scope = {
    ...(tag.trim() !== "" && { tag: tag.trim() }),
    ...(path.trim() !== "" && { path: path.trim() }),
    ...(owner.trim() !== "" && { owner: owner.trim() }),
  };
  return {
    type,
    ...(fields.length > 0 && { params: Object.fromEntries(values) }),
    ...(level === "warn" && { level }),
    ...(Object.keys(scope).length > 0 && { scope }),
  };
}

/** `Pass Rate`: a label without the unit of its field. */
export const kindName = (type: GateRuleType): string => (Object.hasOwn(KINDS, type) ? KINDS[type].label.replace(/ \(.*\)$/, "") : type);

const trimmed = (value: number, digits: number): string => String(Number(value.toFixed(digits)));
const percent = (value: number): string => `${trimmed(value, 2)} %`;

/** What a rule asks for, in few words: `≥ 95 %`. */
export function expected(type: GateRuleType, rule: GateRule | null, threshold: number): string {
  const ratio = rule?.params?.ratio;
  const least = rule?.params?.probability;
  switch (type) {
    case "pass_rate": return `≥ ${percent(threshold)}`;
    case "max_duration": return `≤ ${formatDuration(threshold)}`;
    case "max_flaky_count": case "tests_not_removed": return `≤ ${formatCount(threshold)}`;
    case "min_test_count": return `≥ ${formatCount(threshold)}`;
    case "required_tests": return formatCount(threshold);
    case "flaky_budget": return `≥ ${percent(threshold * 100)}`;
    case "duration_regression": return typeof ratio === "number" ? `0 over ${trimmed(ratio, 2)}×` : "0";
    case "no_regressions": return typeof least === "number" ? `0 at ≥ ${percent(least * 100)}` : "0";
    default: return formatCount(threshold);
  }
}

/** What there was, in the same unit. */
export function actually(type: GateRuleType, actual: number): string {
  switch (type) {
    case "pass_rate": return percent(actual);
    case "max_duration": return formatDuration(actual);
    case "flaky_budget": return percent(actual * 100);
    default: return formatCount(actual);
  }
}

/** Which tests a rule is about; empty if all. */
export function scopeWords(rule: GateRule | null): string {
  const { tag, path, owner } = rule?.scope ?? {};
  return [tag && `tag ${tag}`, path && `path ${path}`, owner && `owner ${owner}`].filter(Boolean).join(", ");
}

/** A rule on one line: `Pass Rate ≥ 95 % (warning; tag smoke)`. */
export function ruleWords(rule: GateRule): string {
  const { type, params = {}, level } = rule;
  const rest = [level === "warn" ? "warning" : "", scopeWords(rule)].filter((word) => word !== "").join("; ");
  return [kindName(type), asked(type, params, rule), rest && `(${rest})`].filter((word) => word !== "").join(" ");
}

function asked(type: GateRuleType, params: Record<string, number | string[]>, rule: GateRule): string {
  if (!Object.hasOwn(KINDS, type) || KINDS[type].fields.length === 0) return "";
  if (Array.isArray(params.globs)) return params.globs.join(", ");
  const number = Object.values(params).find((value) => typeof value === "number") ?? 0;
  if (type === "new_tests_stable") return number > 1 ? `${formatCount(number)}×` : "";
  // These ask for none, under a condition.
  return expected(type, rule, number).replace(/^0 /, "");
}

/** One shape for results of uploads and of the history. */
export type RuleOutcome = GateRuleDetail | GateRuleResult;
export const typeOf = (result: RuleOutcome): GateRuleType => ("metric" in result ? result.metric : result.type);

export const GATE_STATUS: Record<GateStatus, { label: string; tone: "good" | "bad" | "warn" }> = {
  passed: { label: "Passed", tone: "good" },
  failed: { label: "Failed", tone: "bad" },
  error: { label: "Not evaluated", tone: "bad" },
  incomplete: { label: "Incomplete", tone: "warn" },
};
