import type { DurationChange, HistoryChange, HistoryPoint, HistoryRun, ProjectRef, TestSeries, TestState, Variant } from "@scaledtest/sdk";
import { formatCount, plural, shortCommit } from "./format.ts";

export type Outcome = HistoryRun["outcome"];

const LETTERS = new Map<string, Outcome>([["P", "passed"], ["f", "flaked"], ["F", "failed"], ["S", "not_run"]]);

export const OUTCOME_WORDS: Record<Outcome, string> = {
  passed: "Passed",
  flaked: "Passed on retry",
  failed: "Failed",
  not_run: "Not run",
};

export const STATES: TestState[] = ["broken", "flaky", "healthy"];

/** The outcomes of a strip, oldest first; letters that are not known are left out. */
export function readStrip(strip: string): Outcome[] {
  return Array.from(strip, (letter) => LETTERS.get(letter)).filter((outcome) => outcome !== undefined);
}

/** The same in words: `Last 12 runs: 10 passed, 1 passed on retry, 1 failed; the newest failed`. */
export function describeOutcomes(outcomes: Outcome[]): string {
  const last = outcomes.at(-1);
  if (last === undefined) return "No runs";
  const parts = (["passed", "flaked", "failed", "not_run"] as const)
    .map((outcome) => [outcome, outcomes.filter((candidate) => candidate === outcome).length] as const)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${formatCount(count)} ${OUTCOME_WORDS[outcome].toLowerCase()}`);
  const newest = last === "not_run" ? "was not run" : OUTCOME_WORDS[last].toLowerCase();
  return `Last ${plural(outcomes.length, "run")}: ${parts.join(", ")}; the newest ${newest}`;
}

/** A percentage of 0 to 100; never 100 % or 0 % unless it is exactly that. */
export function formatPercent(percent: number | null | undefined): string {
  if (percent === null || percent === undefined || !Number.isFinite(percent)) return "–";
  if (percent <= 0) return "0 %";
  if (percent >= 100) return "100 %";
  if (percent < 0.1) return "< 0.1 %";
  return `${Math.min(99.9, percent).toFixed(1)} %`;
}

/** The ends of a score's interval, of 0 to 1: `1.2–8.4 %`. */
export function formatInterval(low: number, high: number): string {
  const one = (share: number) => (share * 100).toFixed(1);
  return `${one(low)}–${one(high)} %`;
}

/** What sets a variant apart; empty for tests that have only one. */
export function variantLabel({ browser, device, os }: Variant): string {
  return [browser, device, os].filter(Boolean).join(", ");
}

export const projectName = (project: string | ProjectRef): string => (typeof project === "string" ? project : project.name);

/** A place in a history by its commit, as far as known. */
const placeName = ({ commit }: HistoryPoint): string | undefined => (commit ? shortCommit(commit) : undefined);

const SHIFTS: Record<HistoryChange["shift"], string> = {
  started_failing: "Started failing",
  fixed: "Fixed",
  worse: "Fails more often",
  better: "Fails less often",
};

/** ` with commit 1a2b3c4` or ` between commit 1a2b3c4 and 5d6e7f8`; empty where no commit is known. */
function whereWords({ earliest, latest }: Pick<HistoryChange, "earliest" | "latest">): string {
  const [from, to] = [placeName(earliest), placeName(latest)];
  if (from === undefined || to === undefined) return "";
  if (earliest.report_id === latest.report_id || from === to) return ` with commit ${to}`;
  return ` between commit ${from} and ${to}`;
}

/** What happened and where: `Started failing between commit 1a2b3c4 and 5d6e7f8`. */
export const changeSentence = (change: HistoryChange): string => SHIFTS[change.shift] + whereWords(change);

/** The same of a duration: `Slower with commit 1a2b3c4`. */
export const durationSentence = (change: DurationChange): string =>
  (change.after_ms > change.before_ms ? "Slower" : "Faster") + whereWords(change);

const SIGNALS = {
  attempt: "Failed and passed within one run",
  commit: "Failed and passed on the same commit",
  flip: "Failed between passes, without a retry",
};

export const signalWords = (signal: string): string => (Object.hasOwn(SIGNALS, signal) ? SIGNALS[signal as keyof typeof SIGNALS] : signal);

/** The rule in a sentence that stands alone. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const whole = trimmed.slice(0, 1).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

/** The series that the page shows: the one that was asked for, else the one that the server chose, else the newest. */
export function findSeries(series: TestSeries[], branch: string | undefined, variantId: string | undefined): TestSeries | undefined {
  const ofBranch = series.filter((candidate) => branch === undefined || candidate.branch === branch);
  return ofBranch.find((candidate) => candidate.variant_id === variantId) ?? ofBranch[0] ?? series[0];
}

/** Attempts of a run: `1 attempt`, `3 attempts, 2 failed`. */
export function attemptWords({ fails, passes }: Pick<HistoryRun, "fails" | "passes">): string {
  const all = fails + passes;
  if (all === 0) return "–";
  return all > 1 && fails > 0 ? `${plural(all, "attempt")}, ${formatCount(fails)} failed` : plural(all, "attempt");
}

/** The name of the browser's own time zone. */
export function ownTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** From the start of the local day `days - 1` days ago, so that today counts as one. */
export function startOfSpan(days: number, now: number): string {
  const today = new Date(now);
  return new Date(today.getFullYear(), today.getMonth(), today.getDate() - (days - 1)).toISOString();
}
