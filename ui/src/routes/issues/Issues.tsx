import type { Issue } from "@scaledtest/sdk";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { FilterChoice, FilterSearch, Segments } from "../../components/FilterFields.tsx";
import { IssueDialog } from "../../components/IssueDialog.tsx";
import { More } from "../../components/More.tsx";
import { Empty, ErrorBox, PageHeader, Skeleton } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { issuesQuery } from "../../issue-queries.ts";
import { plural } from "../../lib/format.ts";
import { readIssuesSearch, toIssueFilter, type IssuesSearch } from "../../lib/insight-search.ts";
import { projectsQuery, useTeam } from "../../queries.ts";
import { Close } from "./Close.tsx";
import { IssueTable } from "./IssueTable.tsx";

const STATES: { value: IssuesSearch["state"]; label: string }[] = [
  { value: undefined, label: "Open" },
  { value: "expired", label: "Expired" },
  { value: "closed", label: "Closed" },
];

/** The errors of the team that are, or were, linked to tickets. */
export function IssuesPage() {
  useTitle("Known Issues");
  const search: IssuesSearch = useSearch({ from: "/app/in-team/issues" });
  const navigate = useNavigate({ from: "/issues" });
  const may = useTeam()?.role !== "readonly";
  const projects = useQuery(projectsQuery()).data ?? [];
  const query = useInfiniteQuery(issuesQuery(toIssueFilter(search)));
  const rows = query.data?.pages.flatMap((page) => page.issues) ?? [];
  const total = query.data?.pages[0]?.total ?? 0;
  const [changing, setChanging] = useState<Issue>();
  const [closing, setClosing] = useState<Issue>();
  const change = (next: Partial<IssuesSearch>) => {
    void navigate({ search: (now) => readIssuesSearch({ ...now, ...next }), replace: true, resetScroll: false });
  };
  return (
    <>
      <PageHeader title="Known Issues" note="Errors that a ticket is open for: what fails so holds up nobody." />
      <search className="mb-3 flex flex-wrap items-center gap-2">
        <FilterSearch label="Search known issues" placeholder="Search by ticket, note, message" value={search.q} onChange={(q) => { change({ q }); }} />
        <Segments label="State" options={STATES} value={search.state} onChange={(state) => { change({ state }); }} />
        <FilterChoice label="Project" all="All projects" value={search.project} values={projects.map(({ name }) => name)} onChange={(project) => { change({ project }); }} />
      </search>
      <p role="status" className="sr-only">{query.isSuccess ? `${plural(total, "issue")} found` : "Loading"}</p>
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.isPending && <Skeleton rows={4} />}
      {query.isSuccess && rows.length === 0 && <Nothing search={search} />}
      {rows.length > 0 && <IssueTable rows={rows} stale={query.isPlaceholderData} may={may} many={projects.length > 1} onChange={setChanging} onClose={setClosing} />}
      {query.hasNextPage && <More busy={query.isFetchingNextPage} onMore={() => void query.fetchNextPage()} />}
      <IssueDialog
        subject={changing && { error: { project: changing.project.id, fingerprint: changing.fingerprint }, issue: changing }}
        onClose={() => { setChanging(undefined); }}
      />
      <Close issue={closing} onClose={() => { setClosing(undefined); }} />
    </>
  );
}

function Nothing({ search }: { search: IssuesSearch }) {
  if (search.q !== undefined || search.project !== undefined || search.state !== undefined) {
    return <Empty title="Nothing matches these filters">Change or clear the filters above.</Empty>;
  }
  return (
    <Empty title="No error is linked to a ticket">
      Link one from the verdict of a run, the page of a test, or the <Link to="/analytics" className="text-primary underline underline-offset-2">errors of the team</Link>.
    </Empty>
  );
}
