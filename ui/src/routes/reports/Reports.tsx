import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { ExportMenu } from "../../components/ExportMenu.tsx";
import { More } from "../../components/More.tsx";
import { Empty, ErrorBox, PageHeader, Skeleton } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { cx } from "../../lib/cx.ts";
import { plural } from "../../lib/format.ts";
import { readRunSearch, toRunFilter, type RunSearch } from "../../lib/search.ts";
import { runsQuery } from "../../queries.ts";
import { client } from "../../session.ts";
import { Filters } from "./Filters.tsx";
import { RunRow } from "./RunRow.tsx";
import { SelectedRuns } from "./SelectedRuns.tsx";

export function Reports() {
  useTitle("Test Reports");
  const search: RunSearch = useSearch({ from: "/app/in-team/reports" });
  const navigate = useNavigate({ from: "/reports" });
  const query = useInfiniteQuery(runsQuery(toRunFilter(search)));
  const runs = query.data?.pages.flatMap((page) => page.runs) ?? [];
  const total = query.data?.pages[0]?.total ?? 0;
  const [chosen, setChosen] = useState<string[]>([]);
  const filtered = Object.values(search).some((value) => value !== undefined);

  const change = (next: Partial<RunSearch>) => {
    void navigate({ search: (now) => readRunSearch({ ...now, ...next }), replace: true, resetScroll: false });
  };

  // Two can be compared: with a third the first is let go.
  const select = (id: string, selected: boolean) => {
    setChosen((now) => [...now.filter((other) => other !== id), ...(selected ? [id] : [])].slice(-2));
  };

  return (
    <>
      <PageHeader title="Test Reports" note={query.data ? `${plural(total, "run")}${filtered ? " match" : ""}` : " "}>
        {runs.length > 0 && (
          <ExportMenu
            of="runs"
            files={(["csv", "ndjson"] as const).map((format) => ({
              label: format.toUpperCase(),
              note: format === "csv" ? "For spreadsheets" : "One run per line",
              name: `runs.${format}`,
              get: () => client.exports.runs(format, toRunFilter(search)),
            }))}
          />
        )}
      </PageHeader>
      <Filters search={search} onChange={change} />
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.isPending && <Skeleton rows={8} />}
      {query.isSuccess && runs.length === 0 && (
        <Empty title={filtered ? "No run matches these filters" : "No reports yet"}>
          {filtered ? "Change or clear the filters above." : <>Upload one as the <Link to="/" className="text-primary underline underline-offset-2">start page</Link> shows; it appears here by itself.</>}
        </Empty>
      )}
      {runs.length > 0 && (
        <ul aria-label="Runs" className={cx("panel divide-y overflow-hidden", query.isPlaceholderData && "opacity-60")}>
          {runs.map((run) => (
            <RunRow
              key={run.id}
              run={run}
              selection={{ selected: chosen.includes(run.id), onSelect: (selected) => { select(run.id, selected); } }}
            />
          ))}
        </ul>
      )}
      <SelectedRuns runs={runs.filter(({ id }) => chosen.includes(id))} onClear={() => { setChosen([]); }} />
      {query.hasNextPage && <More busy={query.isFetchingNextPage} onMore={() => void query.fetchNextPage()} />}
    </>
  );
}
