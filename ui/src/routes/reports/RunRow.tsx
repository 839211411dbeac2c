import type { Run } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";
import { ChevronRight, Clock, ExternalLink, GitBranch, GitCommitHorizontal } from "lucide-react";
import { Counts, PartialBadge, RunStatusIcon, StatusBar } from "../../components/Status.tsx";
import { Time } from "../../components/Time.tsx";
import { formatDuration, plural, safeUrl, shortCommit } from "../../lib/format.ts";

/** Branch, commit and build of a run, as far as known. */
export function Origin({ run }: { run: Pick<Run, "branch" | "commit" | "pr" | "build" | "build_url"> }) {
  const link = safeUrl(run.build_url);
  const build = run.build ? `Build ${run.build}` : "Build";
  return (
    <>
      {run.branch && (
        <span className="inline-flex max-w-56 min-w-0 items-center gap-1" title={run.branch}>
          <GitBranch aria-hidden size={13} className="shrink-0" />
          <span className="sr-only">Branch</span>
          <span className="truncate">{run.branch}</span>
        </span>
      )}
      {run.commit && (
        <span className="inline-flex items-center gap-1" title={run.commit}>
          <GitCommitHorizontal aria-hidden size={13} />
          <span className="sr-only">Commit</span>
          <span className="font-mono text-xs">{shortCommit(run.commit)}</span>
        </span>
      )}
      {run.pr && <span>PR {run.pr.replace(/^#?/, "#")}</span>}
      {link ? (
        <a href={link} target="_blank" rel="noreferrer noopener" className="relative z-10 inline-flex items-center gap-1 underline underline-offset-2 hover:text-foreground">
          {build}
          <ExternalLink aria-hidden size={11} />
        </a>
      ) : (
        run.build && <span>{build}</span>
      )}
    </>
  );
}

/** Whether a run is chosen for a comparison. */
export interface Selection {
  selected: boolean;
  onSelect: (selected: boolean) => void;
}

/** One run as a line (two on a small screen). The whole line opens it; its link has a neutral name and is described by the run's. */
export function RunRow({ run, selection }: { run: Run; selection?: Selection }) {
  const titleId = `run-${run.id}`;
  const { summary } = run;
  return (
    <li className="relative grid grid-cols-[auto_minmax(0,1fr)_auto] items-start gap-x-3 gap-y-1.5 px-4 py-2.5 hover:bg-muted/60 has-[a.stretched:focus-visible]:bg-muted md:items-center md:grid-cols-[auto_minmax(0,1fr)_minmax(11rem,17rem)_5rem_7.5rem_auto]">
      <span className="flex items-center gap-3 max-md:flex-col max-md:gap-2">
        {selection && (
          <input
            type="checkbox"
            aria-label="Select for comparison"
            aria-describedby={titleId}
            checked={selection.selected}
            onChange={(event) => { selection.onSelect(event.target.checked); }}
            className="relative z-10 size-4 accent-primary max-md:order-last"
          />
        )}
        <RunStatusIcon run={run} />
      </span>
      <div className="min-w-0">
        <p id={titleId} className="flex min-w-0 items-center gap-2">
          <span className="truncate font-medium">{run.name}</span>
          {run.partial && <PartialBadge />}
          {!run.complete && <span className="rounded bg-muted px-1.5 py-px text-xs text-muted-foreground">Running</span>}
        </p>
        <p className="mt-0.5 flex flex-wrap items-center gap-x-3 gap-y-0.5 text-[13px] text-muted-foreground">
          {run.project !== run.name && <span className="truncate">{run.project}</span>}
          <Origin run={run} />
          {run.reports > 1 && <span>{plural(run.reports, "report")}</span>}
        </p>
      </div>
      <div className="col-span-2 col-start-2 row-start-2 flex min-w-0 flex-col gap-1 md:col-span-1 md:col-start-auto md:row-start-auto">
        <StatusBar summary={summary} />
        <Counts summary={summary} />
      </div>
      <span className="hidden items-center gap-1 text-[13px] text-muted-foreground md:inline-flex" title="Duration">
        <Clock aria-hidden size={13} />
        <span className="sr-only">Duration</span>
        {formatDuration(summary.duration_ms)}
      </span>
      <Time iso={run.run_at} className="col-start-3 row-start-1 text-right text-[13px] text-muted-foreground md:col-start-auto md:row-start-auto" />
      <Link
        to="/runs/$runId"
        params={{ runId: run.id }}
        aria-describedby={titleId}
        className="stretched text-muted-foreground max-md:absolute max-md:inset-0 md:inline-flex md:after:absolute md:after:inset-0"
      >
        <span className="sr-only">Open run</span>
        <ChevronRight aria-hidden size={16} className="max-md:hidden" />
      </Link>
    </li>
  );
}
