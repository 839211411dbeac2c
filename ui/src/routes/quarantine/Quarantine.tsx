import type { QuarantineEntry } from "@scaledtest/sdk";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { FilterChoice, FilterSearch, Segments } from "../../components/FilterFields.tsx";
import { More } from "../../components/More.tsx";
import { QuarantineDialog } from "../../components/QuarantineDialog.tsx";
import { Empty, ErrorBox, PageHeader, Skeleton } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { plural } from "../../lib/format.ts";
import { readQuarantineSearch, toQuarantineFilter, type QuarantineSearch } from "../../lib/insight-search.ts";
import { projectsQuery, useTeam } from "../../queries.ts";
import { entriesQuery } from "../../quarantine-queries.ts";
import { Entries } from "./Entries.tsx";
import { Policy } from "./Policy.tsx";
import { Release } from "./Release.tsx";
import { Summary } from "./Summary.tsx";

const STATES: { value: QuarantineSearch["state"]; label: string }[] = [
  { value: undefined, label: "In quarantine" },
  { value: "expired", label: "Expired" },
  { value: "released", label: "Released" },
];

/** The tests of the team that are, or were, in quarantine. */
export function QuarantinePage() {
  useTitle("Quarantine");
  const search: QuarantineSearch = useSearch({ from: "/app/in-team/quarantine" });
  const navigate = useNavigate({ from: "/quarantine" });
  const team = useTeam();
  const projects = useQuery(projectsQuery()).data ?? [];
  const query = useInfiniteQuery(entriesQuery(toQuarantineFilter(search)));
  const rows = query.data?.pages.flatMap((page) => page.entries) ?? [];
  const total = query.data?.pages[0]?.total ?? 0;
  const [changing, setChanging] = useState<QuarantineEntry>();
  const [releasing, setReleasing] = useState<QuarantineEntry>();
  const may = team !== undefined && team.role !== "readonly";
  const project = search.project ?? (projects.length === 1 ? projects[0]?.name : undefined);
  const change = (next: Partial<QuarantineSearch>) => {
    void navigate({ search: (now) => readQuarantineSearch({ ...now, ...next }), replace: true, resetScroll: false });
  };
  return (
    <>
      <PageHeader title="Quarantine" note="Flaky tests that hold up nobody, for a while." />
      <Summary project={search.project} />
      <search className="mb-3 flex flex-wrap items-center gap-2">
        <FilterSearch label="Search quarantine" placeholder="Search by test, reason, owner, ticket" value={search.q} onChange={(q) => { change({ q }); }} />
        <Segments label="State" options={STATES} value={search.state} onChange={(state) => { change({ state }); }} />
        <FilterChoice label="Project" all="All projects" value={search.project} values={projects.map(({ name }) => name)} onChange={(name) => { change({ project: name }); }} />
      </search>
      <p role="status" className="sr-only">{query.isSuccess ? `${plural(total, "test")} found` : "Loading"}</p>
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.isPending && <Skeleton rows={4} />}
      {query.isSuccess && rows.length === 0 && <Nothing search={search} />}
      {rows.length > 0 && <Entries rows={rows} stale={query.isPlaceholderData} may={may} many={projects.length > 1} onChange={setChanging} onRelease={setReleasing} />}
      {query.hasNextPage && <More busy={query.isFetchingNextPage} onMore={() => void query.fetchNextPage()} />}
      <div className="mt-6">
        {project !== undefined && <Policy key={project} project={project} may={may} />}
        {project === undefined && projects.length > 1 && <p className="text-muted-foreground">Choose a project above to see its policy.</p>}
      </div>
      <QuarantineDialog subject={changing && { entry: changing }} onClose={() => { setChanging(undefined); }} />
      <Release entry={releasing} onClose={() => { setReleasing(undefined); }} />
    </>
  );
}

function Nothing({ search }: { search: QuarantineSearch }) {
  if (search.q !== undefined || search.project !== undefined || search.state !== undefined) {
    return <Empty title="Nothing matches these filters">Change or clear the filters above.</Empty>;
  }
  return (
    <Empty title="No test is in quarantine">
      Open a <Link to="/tests" search={{ state: "flaky" }} className="text-primary underline underline-offset-2">flaky test</Link> to put it there, or let a policy do so.
    </Empty>
  );
}
