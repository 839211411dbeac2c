import type { ReportComparison, Status, TestDiff } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";
import { ArrowRight } from "lucide-react";
import { useState } from "react";
import { Ansi } from "../../components/Ansi.tsx";
import { Button } from "../../components/Button.tsx";
import { StatusIcon, statusLabel } from "../../components/Status.tsx";
import { cx } from "../../lib/cx.ts";
import { formatCount, formatDuration } from "../../lib/format.ts";

export interface Kind {
  list: Exclude<keyof ReportComparison["diff"], "summary" | "truncated">;
  title: string;
  note: string;
  tone?: string;
}

/** Entries that are shown before one asks for all. */
const FIRST = 50;

interface Props {
  kind: Kind;
  tests: TestDiff[];
  /** How many there are; the server sends 1,000 at most. */
  total: number;
  /** The runs of base and head. */
  runs: [base: string, head: string];
}

/** A kind of difference with its tests. */
export function Differences({ kind, tests, total, runs }: Props) {
  const [all, setAll] = useState(false);
  const shown = all ? tests : tests.slice(0, FIRST);
  return (
    <section aria-labelledby={kind.list} className="mb-5">
      <div className="mb-2 flex flex-wrap items-baseline gap-x-3">
        <h2 id={kind.list} tabIndex={-1} className="scroll-mt-4 text-base font-semibold">
          {kind.title} <span className={cx("font-normal", total > 0 ? kind.tone : "text-muted-foreground")}>{formatCount(total)}</span>
        </h2>
        <p className="text-[13px] text-muted-foreground">
          {kind.note}
          {total > tests.length && ` The first ${formatCount(tests.length)} are shown.`}
        </p>
      </div>
      {tests.length > 0 && (
        <ul aria-label={kind.title} className="panel divide-y overflow-hidden">
          {shown.map((test) => <Row key={`${test.test_id} ${test.browser ?? ""} ${test.device ?? ""} ${test.os ?? ""}`} test={test} runs={runs} />)}
        </ul>
      )}
      {shown.length < tests.length && (
        <Button className="mt-2" onClick={() => { setAll(true); }}>Show {formatCount(tests.length - shown.length)} more</Button>
      )}
    </section>
  );
}

/** One test; the whole line leads to its result, in head if it is there. */
function Row({ test, runs: [base, head] }: { test: TestDiff; runs: Props["runs"] }) {
  const place = test.head_result ?? test.base_result;
  const variant = [test.browser, test.device, test.os].filter(Boolean).join(" · ");
  return (
    <li className="relative grid gap-x-4 gap-y-1 px-4 py-2.5 hover:bg-muted/60 has-[a:focus-visible]:bg-muted md:grid-cols-[minmax(0,1fr)_12rem_13rem] md:items-center">
      <div className="min-w-0">
        <Link
          to="/runs/$runId"
          params={{ runId: test.head_result ? head : base }}
          search={place ? { test: `${place.report_id}.${place.result_id}` } : {}}
          className="block truncate font-medium after:absolute after:inset-0"
          title={test.name}
        >
          {test.name}
        </Link>
        <p className="flex min-w-0 flex-wrap gap-x-3 text-xs text-muted-foreground">
          {test.suite && <span className="max-w-full truncate" title={test.suite}>{test.suite.replaceAll(" > ", " › ")}</span>}
          {variant && <span>{variant}</span>}
        </p>
      </div>
      <Change before={test.base_status} after={test.head_status} />
      <Durations test={test} />
      {test.message && (
        <p className="line-clamp-2 font-mono text-[12.5px] break-words text-muted-foreground md:col-span-3"><Ansi text={test.message} /></p>
      )}
    </li>
  );
}

function Word({ status }: { status: Status }) {
  return <span className="inline-flex items-center gap-1"><StatusIcon status={status} size={14} silent />{statusLabel(status)}</span>;
}

/** Both words where there are two: a test may be on one side only. */
function Change({ before, after }: { before: Status | null | undefined; after: Status | null | undefined }) {
  return (
    <span className="flex items-center gap-1.5 text-[13px]">
      {before && <Word status={before} />}
      {before && after && <><ArrowRight aria-hidden size={13} className="text-muted-foreground" /><span className="sr-only">then</span></>}
      {after && <Word status={after} />}
    </span>
  );
}

function Durations({ test }: { test: TestDiff }) {
  const { base_duration_ms: before, head_duration_ms: after, duration_delta_ms: delta, duration_delta_pct: percent } = test;
  return (
    <span className="flex flex-wrap items-center gap-x-1.5 text-[13px] text-muted-foreground md:justify-end">
      {before != null && <span>{formatDuration(before)}</span>}
      {before != null && after != null && <><ArrowRight aria-hidden size={13} /><span className="sr-only">then</span></>}
      {after != null && <span>{formatDuration(after)}</span>}
      {delta != null && percent != null && (
        <span className="font-medium text-flaky">+{formatDuration(delta)} ({formatCount(Math.round(percent))} %)</span>
      )}
    </span>
  );
}
