import type { ChosenSeries, Evidence, HistoryChange } from "@scaledtest/sdk";
import { GitCommitHorizontal, Repeat2, TrendingDown, TrendingUp, Zap, type LucideIcon } from "lucide-react";
import { useState } from "react";
import { Button } from "../../components/Button.tsx";
import { Section } from "../../components/Section.tsx";
import { Time } from "../../components/Time.tsx";
import { cx } from "../../lib/cx.ts";
import { formatPercent, changeSentence, signalWords } from "../../lib/insight.ts";
import { shortCommit } from "../../lib/format.ts";
import { Places, RunLink } from "./places.tsx";

const SHOWN = 5;

const SIGNS: Record<Evidence["signal"], LucideIcon> = { attempt: Repeat2, commit: GitCommitHorizontal, flip: Zap };

function Change({ change, name }: { change: HistoryChange; name: string }) {
  const bad = change.shift === "started_failing" || change.shift === "worse";
  const Icon = bad ? TrendingDown : TrendingUp;
  return (
    <li className="flex items-start gap-2.5 px-4 py-2.5">
      <Icon aria-hidden size={16} className={cx("mt-0.5 shrink-0", bad ? "text-failed" : "text-passed")} />
      <div className="min-w-0">
        <p className="font-medium">{changeSentence(change)}</p>
        <p className="flex flex-wrap gap-x-3 gap-y-0.5 text-[13px] text-muted-foreground">
          <Time iso={change.at.at} />
          <span>failures {formatPercent(change.before * 100)} → {formatPercent(change.after * 100)}</span>
          <Places change={change} name={name} />
        </p>
      </div>
    </li>
  );
}

function Sign({ item, name }: { item: Evidence; name: string }) {
  const Icon = SIGNS[item.signal] as LucideIcon | undefined ?? Zap;
  return (
    <li className="flex items-start gap-2.5 px-4 py-2">
      <Icon aria-hidden size={15} className="mt-0.5 shrink-0 text-flaky" />
      <p className="flex min-w-0 flex-1 flex-wrap gap-x-3 gap-y-0.5">
        <span>{signalWords(item.signal)}</span>
        {item.commit && <span className="font-mono text-xs leading-5 text-muted-foreground" title={item.commit}>{shortCommit(item.commit)}</span>}
        <Time iso={item.at} className="text-muted-foreground" />
      </p>
      <RunLink point={item} name={name}>Open run</RunLink>
    </li>
  );
}

const newestFirst = (points: Evidence[]) => [...points].sort((a, b) => Date.parse(b.at) - Date.parse(a.at));

/** When the test changed, and what makes it flaky. */
export function Findings({ chosen, name }: { chosen: ChosenSeries; name: string }) {
  const [all, setAll] = useState(false);
  const changes = [...chosen.changes].sort((a, b) => Date.parse(b.at.at) - Date.parse(a.at.at));
  const evidence = newestFirst(chosen.evidence);
  if (changes.length === 0 && evidence.length === 0) return null;
  const both = changes.length > 0 && evidence.length > 0;
  return (
    <div className={cx("grid items-start gap-x-6", both && "lg:grid-cols-2")}>
      {changes.length > 0 && (
        <Section title="Changes" note="Where its failures began or ended, with a probability of 99 %." bare>
          <ul className="panel divide-y">{changes.map((change) => <Change key={`${change.shift} ${change.at.report_id}`} change={change} name={name} />)}</ul>
        </Section>
      )}
      {evidence.length > 0 && (
        <Section title="Evidence" note="Failures although the code was good." bare>
          <ul className="panel divide-y">
            {evidence.slice(0, all ? evidence.length : SHOWN).map((item) => <Sign key={`${item.signal} ${item.report_id}`} item={item} name={name} />)}
          </ul>
          {evidence.length > SHOWN && !all && <Button small className="mt-2" onClick={() => { setAll(true); }}>Show all {evidence.length}</Button>}
        </Section>
      )}
    </div>
  );
}
