import { ApiError, type SharedRun } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { buttonClass } from "../../components/Button.tsx";
import { ThemeToggle, Wordmark } from "../../components/Shell.tsx";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { useTitle } from "../../hooks.ts";
import { readResultSearch } from "../../lib/search.ts";
import { sharedRunQuery } from "../../queries.ts";
import { Disclosure, Figures, ReportList, RunOrigin, RunTitle } from "../run/parts.tsx";
import { linkSource } from "../run/source.ts";
import { Tests } from "../run/Tests.tsx";

/** A run, for whoever has a link to it: read only, and nothing leads on from it but back to the start. */
export function Shared() {
  const { token } = useParams({ from: "/shared/$token" });
  const query = useQuery(sharedRunQuery(token));
  useTitle(query.data?.name ?? "Shared run");
  // The link may end while it is being read.
  const isGone = query.error instanceof ApiError && query.error.status === 404;
  return (
    <Frame>
      {query.isPending && <Skeleton rows={10} />}
      {isGone && <Gone />}
      {query.isError && !isGone && <ErrorBox title="The run could not be loaded" error={query.error} retry={() => void query.refetch()} />}
      {query.data && !isGone && <Run token={token} run={query.data} />}
    </Frame>
  );
}

function Frame({ children }: { children: ReactNode }) {
  return (
    <>
      <header className="flex h-12 items-center justify-between border-b bg-card px-4 sm:px-6 lg:px-8">
        <Wordmark />
        <ThemeToggle />
      </header>
      <main id="main" tabIndex={-1} className="px-4 py-5 sm:px-6 lg:px-8">
        <div className="mx-auto max-w-[84rem]">{children}</div>
      </main>
    </>
  );
}

function Gone() {
  return (
    <div role="alert" className="mx-auto flex max-w-md flex-col items-center gap-3 px-4 py-20 text-center">
      <h1 className="text-xl font-semibold">This link is no longer valid</h1>
      <p className="text-muted-foreground">It has expired, was revoked, or its run was deleted. Ask whoever gave it to you for a new one.</p>
      <Link to="/" className={buttonClass()}>Go to ScaledTest</Link>
    </div>
  );
}

function Run({ token, run }: { token: string; run: SharedRun }) {
  const search = useSearch({ from: "/shared/$token" });
  const navigate = useNavigate({ from: "/shared/$token" });
  return (
    <>
      <p className="mb-1 text-[13px] text-muted-foreground">
        {run.project} · read only · link expires <Time iso={run.expires_at} />
      </p>
      <div className="mb-3 flex flex-wrap items-start gap-x-3 gap-y-1">
        <RunTitle run={run} />
        <RunOrigin run={run} />
      </div>
      <Figures summary={run.summary} />
      <div className="mb-5">
        <Disclosure title={run.reports.length === 1 ? "Report" : `Reports (${String(run.reports.length)})`}>
          <ReportList reports={run.reports} />
        </Disclosure>
      </div>
      <Tests
        key={token}
        source={linkSource(token)}
        summary={run.summary}
        branch={undefined}
        search={search}
        onChange={(change) => {
          void navigate({ search: (now) => readResultSearch({ ...now, ...change }), replace: true, resetScroll: false });
        }}
      />
    </>
  );
}
