import type { FailureVerdict, JudgedTest, RunDetail, RunOutcome, RunVerdict } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { CircleAlert, CircleCheck, CircleDashed, CircleMinus, CloudOff, GitBranch, Sparkles, Ticket, TrendingDown, VolumeX, Zap, type LucideIcon } from "lucide-react";
import { useState } from "react";
import { Badge, type Tone } from "../../components/Badge.tsx";
import { Button } from "../../components/Button.tsx";
import { ErrorTicket } from "../../components/ErrorTicket.tsx";
import { ErrorBox } from "../../components/States.tsx";
import { verdictQuery } from "../../insight-queries.ts";
import { stripAnsi } from "../../lib/ansi.ts";
import { cx } from "../../lib/cx.ts";
import { formatCount, shortCommit } from "../../lib/format.ts";
import { readResultSearch } from "../../lib/search.ts";
import { countWords, OUTCOMES, resultRef, VERDICTS } from "../../lib/verdict.ts";

const SHOWN = 5;

const STATES: Record<RunOutcome, { icon: LucideIcon; text: string }> = {
  mergeable: { icon: CircleCheck, text: "text-passed" },
  neutral: { icon: CircleMinus, text: "text-muted-foreground" },
  regressions: { icon: CircleAlert, text: "text-failed" },
  pending: { icon: CircleDashed, text: "text-muted-foreground" },
};

/** What somebody may want a ticket for. */
const OPEN: FailureVerdict[] = ["regression", "new_test_failing", "broken_on_base"];

const LOOKS: Record<FailureVerdict, { icon: LucideIcon; tone: Tone }> = {
  regression: { icon: TrendingDown, tone: "bad" },
  new_test_failing: { icon: Sparkles, tone: "bad" },
  infra: { icon: CloudOff, tone: "plain" },
  broken_on_base: { icon: GitBranch, tone: "plain" },
  flaky_known: { icon: Zap, tone: "warn" },
  flaky_in_run: { icon: Zap, tone: "warn" },
  known_issue: { icon: Ticket, tone: "plain" },
  quarantined: { icon: VolumeX, tone: "plain" },
};

/** What the run's failures mean for the change; nothing for a run without a verdict. */
export function Verdict({ run }: { run: RunDetail }) {
  const query = useQuery(verdictQuery(run.id));
  if (query.data) return <Panel verdict={query.data} run={run} />;
  if (query.isError) return <div className="mb-5"><ErrorBox title="The verdict could not be loaded" error={query.error} retry={() => void query.refetch()} /></div>;
  return null;
}

function Panel({ verdict, run }: { verdict: RunVerdict; run: RunDetail }) {
  const [all, setAll] = useState(false);
  const { icon: Icon, text } = STATES[verdict.state];
  const { label, sentence } = OUTCOMES[verdict.state];
  const counts = countWords(verdict.counts);
  const tests = all ? verdict.tests : verdict.tests.slice(0, SHOWN);
  const hidden = verdict.tests.length - tests.length;
  return (
    <section aria-labelledby="verdict" className="panel mb-5 divide-y">
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 px-4 py-2.5">
        <h2 id="verdict" className={cx("inline-flex items-center gap-1.5 font-semibold", text)}>
          <Icon aria-hidden size={17} />
          <span className="sr-only">Verdict: </span>
          {label}
        </h2>
        <p className="min-w-0">{counts === "" ? sentence : `${counts}.`} {counts !== "" && <span className="text-muted-foreground max-md:hidden">{sentence}</span>}</p>
        {verdict.baseline && <Baseline baseline={verdict.baseline} />}
      </div>
      {tests.length > 0 && (
        <ul aria-label="Judged tests" className="divide-y">
          {tests.map((test) => <Judged key={`${test.report_id ?? ""} ${test.result_id} ${test.test_id}`} test={test} run={run} />)}
        </ul>
      )}
      {hidden > 0 && (
        <div className="px-4 py-2">
          <Button small look="ghost" className="-ml-2" onClick={() => { setAll(true); }}>Show {formatCount(hidden)} more</Button>
        </div>
      )}
      {verdict.truncated && hidden === 0 && <p className="px-4 py-2 text-[13px] text-muted-foreground">There are more than these {formatCount(verdict.tests.length)}; the counts include them.</p>}
    </section>
  );
}

function Baseline({ baseline: { branch, commit, run_id: runId } }: { baseline: NonNullable<RunVerdict["baseline"]> }) {
  const at = commit ? `${branch} at ${shortCommit(commit)}` : branch;
  return (
    <p className="text-[13px] text-muted-foreground md:ml-auto">
      Compared with{" "}
      {runId ? <Link to="/runs/$runId" params={{ runId }} className="underline underline-offset-2 hover:text-foreground">{at}</Link> : at}
    </p>
  );
}

function Judged({ test, run }: { test: JudgedTest; run: RunDetail }) {
  const navigate = useNavigate({ from: "/runs/$runId" });
  const { icon, tone } = LOOKS[test.verdict];
  const ref = resultRef(test.result_id, test.report_id, run.report_list);
  const message = test.message ? stripAnsi(test.message).trim().split("\n")[0] : undefined;
  const open = () => {
    void navigate({ search: (now) => readResultSearch({ ...now, test: ref }), replace: true, resetScroll: false });
  };
  return (
    <li className="grid grid-cols-[minmax(0,1fr)_auto] items-start gap-x-3 gap-y-1 px-4 py-2 md:grid-cols-[9.5rem_minmax(0,1fr)_auto]">
      <div className="flex flex-wrap items-start gap-1 max-md:col-span-2">
        <Badge tone={tone} icon={icon}>{VERDICTS[test.verdict].label}</Badge>
        {test.quarantined && test.verdict !== "quarantined" && <Badge icon={VolumeX} title="It was in quarantine when the run took place">In quarantine</Badge>}
      </div>
      <div className="min-w-0">
        <p className="min-w-0">
          <Link to="/tests/$testId" params={{ testId: test.test_id }} search={{ branch: run.branch ?? undefined }} className="font-medium break-words underline-offset-2 hover:underline">{test.name}</Link>
          {test.suite.length > 0 && <span className="ml-2 text-xs text-muted-foreground">{test.suite.join(" › ")}</span>}
        </p>
        <p className="text-[13px] text-muted-foreground">{test.reason}</p>
        {message && <p className="truncate font-mono text-xs text-muted-foreground" title={message}>{message}</p>}
        <ErrorTicket project={run.project_id} fingerprint={test.fingerprint} issue={test.issue} name={test.name} quiet={!OPEN.includes(test.verdict)} />
      </div>
      {ref !== undefined && <Button small look="ghost" aria-label={`Show the failure of ${test.name}`} onClick={open}>Show</Button>}
    </li>
  );
}
