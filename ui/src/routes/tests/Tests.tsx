import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useRef } from "react";
import { Button } from "../../components/Button.tsx";
import { ExportMenu } from "../../components/ExportMenu.tsx";
import { StripLegend } from "../../components/HistoryStrip.tsx";
import { More } from "../../components/More.tsx";
import { Empty, ErrorBox, PageHeader, Skeleton } from "../../components/States.tsx";
import { useMedia, useSlash, useTitle } from "../../hooks.ts";
import { testsQuery } from "../../insight-queries.ts";
import { plural } from "../../lib/format.ts";
import { readTestsSearch, toTestFilter, type TestsSearch } from "../../lib/insight-search.ts";
import { projectsQuery } from "../../queries.ts";
import { client } from "../../session.ts";
import { Filters } from "./Filters.tsx";
import { RenameHint } from "./RenameHint.tsx";
import { TestTable } from "./TestTable.tsx";

/** Every test of the team with its latest state. */
export function TestsPage() {
  useTitle("Tests");
  const search: TestsSearch = useSearch({ from: "/app/in-team/tests" });
  const navigate = useNavigate({ from: "/tests" });
  const wide = useMedia("(min-width: 76rem)");
  const field = useRef<HTMLInputElement>(null);
  useSlash(useCallback(() => { field.current?.focus(); }, []));
  const projects = useQuery(projectsQuery()).data ?? [];
  const query = useInfiniteQuery(testsQuery(toTestFilter(search)));
  const rows = query.data?.pages.flatMap((page) => page.tests) ?? [];
  const total = query.data?.pages[0]?.total ?? 0;
  const filtered = Object.entries(search).some(([name, value]) => value !== undefined && name !== "sort");
  const sort = search.sort ?? "-failed_at";

  const change = (next: Partial<TestsSearch>) => {
    void navigate({ search: (now) => readTestsSearch({ ...now, ...next }), replace: true, resetScroll: false });
  };

  return (
    <>
      <PageHeader title="Tests" note={query.data ? `${plural(total, "test")}${filtered ? " match" : ""}` : " "}>
        {rows.length > 0 && (
          <>
            <RenameHint project={search.project ?? (projects.length === 1 ? projects[0]?.name : undefined)} />
            <StripLegend />
            <ExportMenu
              of="tests"
              files={(["csv", "ndjson"] as const).map((format) => ({
                label: format.toUpperCase(),
                note: format === "csv" ? "For spreadsheets" : "One test per line",
                name: `tests.${format}`,
                get: () => client.exports.tests(format, toTestFilter(search)),
              }))}
            />
          </>
        )}
      </PageHeader>
      <Filters search={search} field={field} sortable={!wide} onChange={change} />
      <p role="status" className="sr-only">{query.isSuccess ? `${plural(total, "test")} found` : "Loading tests"}</p>
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.isPending && <Skeleton rows={10} />}
      {query.isSuccess && rows.length === 0 && <Nothing search={search} filtered={filtered} onChange={change} />}
      {rows.length > 0 && (
        <TestTable
          rows={rows}
          total={total}
          wide={wide}
          telling={{ project: search.project === undefined && projects.length > 1, branch: search.branch === "*" }}
          sort={sort}
          stale={query.isPlaceholderData}
          onSort={(next) => { change({ sort: next === sort ? undefined : next }); }}
        />
      )}
      {query.hasNextPage && <More busy={query.isFetchingNextPage} onMore={() => void query.fetchNextPage()} />}
    </>
  );
}

function Nothing({ search, filtered, onChange }: { search: TestsSearch; filtered: boolean; onChange: (change: Partial<TestsSearch>) => void }) {
  const anyBranch = search.branch !== "*" && (
    <p className="mt-3"><Button onClick={() => { onChange({ branch: "*" }); }}>Look on any branch</Button></p>
  );
  if (filtered) {
    return (
      <Empty title="No test matches these filters">
        Change or clear the filters above.
        {anyBranch}
      </Empty>
    );
  }
  return (
    <Empty title="No tests on a default branch yet">
      Upload a report as the <Link to="/" className="text-primary underline underline-offset-2">start page</Link> shows, with the branch it ran on. Every test of it appears
      here, and each further run adds to its history.
      {anyBranch}
    </Empty>
  );
}
