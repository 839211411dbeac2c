import type { FailureVerdict, RunOutcome, RunVerdict } from "@scaledtest/sdk";
import { formatCount } from "./format.ts";

export const OUTCOMES: Record<RunOutcome, { label: string; sentence: string }> = {
  mergeable: { label: "Mergeable", sentence: "Nothing failed but what passed on the same code." },
  neutral: { label: "Neutral", sentence: "Something failed, but nothing that this change has broken as far as is known." },
  regressions: { label: "Regressions", sentence: "This change has broken something, or a new test fails." },
  pending: { label: "Pending", sentence: "Not all of the run is there yet, or not all of it was judged." },
};

/** What each verdict is called, and one or several of it; in the order in which they matter. */
export const VERDICTS: Record<FailureVerdict, { label: string; one: string; many: string }> = {
  regression: { label: "Regression", one: "regression", many: "regressions" },
  new_test_failing: { label: "New test fails", one: "new test fails", many: "new tests fail" },
  infra: { label: "Infrastructure", one: "infrastructure failure", many: "infrastructure failures" },
  broken_on_base: { label: "Broken on base", one: "broken on base", many: "broken on base" },
  flaky_known: { label: "Known flake", one: "known flake", many: "known flakes" },
  flaky_in_run: { label: "Flake in this run", one: "flake in this run", many: "flakes in this run" },
  known_issue: { label: "Known issue", one: "known issue", many: "known issues" },
  quarantined: { label: "Quarantined", one: "quarantined", many: "quarantined" },
};

/** `2 regressions, 1 known flake`; empty when nothing failed. */
export function countWords(counts: Partial<RunVerdict["counts"]>): string {
  return (Object.keys(VERDICTS) as FailureVerdict[])
    .map((verdict) => [VERDICTS[verdict], counts[verdict] ?? 0] as const)
    .filter(([, count]) => count > 0)
    .map(([{ one, many }, count]) => `${formatCount(count)} ${count === 1 ? one : many}`)
    .join(", ");
}

/** The address of a result among those of its run: `<report>.<result>`; undefined when its report is not known. */
export function resultRef(resultId: string, reportId: string | null | undefined, reports: { id: string }[]): string | undefined {
  const report = reportId ?? (reports.length === 1 ? reports[0]?.id : undefined);
  return report === undefined ? undefined : `${report}.${resultId}`;
}
