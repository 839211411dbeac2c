import type { RunDetail, TestResult } from "@scaledtest/sdk";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef } from "react";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { plural } from "../../lib/format.ts";
import { readResultSearch, readTestRef, toResultFilter, type ResultSearch } from "../../lib/search.ts";
import { resultsQuery } from "../../queries.ts";
import { Detail } from "./Detail.tsx";
import { TestList } from "./TestList.tsx";
import { Toolbar } from "./Toolbar.tsx";

export const refOf = (result: TestResult) => `${result.report_id}.${String(result.id)}`;

/** `/` jumps to the search box, as long as nothing else is being typed into. */
function useSlash(focus: () => void) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement | null;
      const typing = target?.closest("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
      event.preventDefault();
      focus();
    };
    document.addEventListener("keydown", onKey);
    return () => { document.removeEventListener("keydown", onKey); };
  }, [focus]);
}

/** The tests of a run: filters, the virtual list, and the open test beside it. All of it is in the URL. */
export function Tests({ run }: { run: RunDetail }) {
  const search = useSearch({ from: "/app/runs/$runId" });
  const navigate = useNavigate({ from: "/runs/$runId" });
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const query = useInfiniteQuery(resultsQuery(run.id, toResultFilter(search)));
  const results = useMemo(() => query.data?.pages.flatMap((page) => page.results) ?? [], [query.data]);
  const total = query.data?.pages[0]?.total ?? 0;
  const open = readTestRef(search.test);
  useSlash(useCallback(() => { field.current?.focus(); }, []));

  const change = useCallback((next: Partial<ResultSearch>) => {
    void navigate({ search: (now) => readResultSearch({ ...now, ...next }), replace: true, resetScroll: false });
  }, [navigate]);

  const show = useCallback((result: TestResult | undefined) => {
    change({ test: result && refOf(result) });
  }, [change]);

  const { hasNextPage, isFetchingNextPage, fetchNextPage, isFetchNextPageError } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);

  return (
    <section aria-labelledby="tests" className="panel min-w-0">
      <h2 id="tests" className="sr-only">Tests</h2>
      <div className="z-20 rounded-t-lg bg-card lg:sticky lg:top-0">
        <Toolbar summary={run.summary} search={search} field={field} onChange={change} />
      </div>
      <p role="status" className="sr-only">{query.isSuccess ? `${plural(total, "test")} shown` : "Loading tests"}</p>
      {query.isPending && <Skeleton rows={10} className="border-0" />}
      {query.isError && results.length === 0 && <div className="p-3"><ErrorBox error={query.error} retry={() => void query.refetch()} /></div>}
      {query.isSuccess && total === 0 && <p className="px-4 py-12 text-center text-muted-foreground">No test matches these filters.</p>}
      {total > 0 && (
        <TestList
          ref={list}
          results={results}
          total={total}
          openRef={search.test}
          stale={query.isPlaceholderData}
          onShow={show}
          onMore={more}
        />
      )}
      {isFetchNextPageError && (
        <div className="sticky bottom-2 p-3"><ErrorBox title="The rest could not be loaded" error={query.error} retry={() => void fetchNextPage()} /></div>
      )}
      {open && (
        <Detail
          key={search.test}
          reportId={open.reportId}
          resultId={open.resultId}
          onFilter={change}
          onClose={() => {
            show(undefined);
            list.current?.focus({ preventScroll: true });
          }}
        />
      )}
    </section>
  );
}
