import type { AdminTeam } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "../../components/Button.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { Pager } from "../../components/Pager.tsx";
import { Section } from "../../components/Section.tsx";
import { Empty, ErrorBox, Skeleton } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { formatCount, plural } from "../../lib/format.ts";
import { ADMIN_PAGE, adminTeamsQuery } from "../../queries.ts";
import { SearchBox } from "./SearchBox.tsx";
import { useAdminSearch } from "./useAdminSearch.ts";

export function AdminTeams() {
  const [text, setText] = useState("");
  const [offset, setOffset] = useState(0);
  const [, change] = useAdminSearch();
  const query = useQuery(adminTeamsQuery(text || undefined, offset));
  const columns: Column<AdminTeam>[] = [
    { header: "Team", className: "max-w-96", cell: ({ name }) => <span className="font-medium break-words">{name}</span> },
    { header: "Members", cell: ({ members }) => formatCount(members) },
    { header: "Reports", cell: ({ reports }) => formatCount(reports) },
    { header: "Last report", cell: ({ last_report_at }) => last_report_at ? <Time iso={last_report_at} className="whitespace-nowrap text-muted-foreground" /> : <span className="text-muted-foreground">none</span> },
    { header: "Created", cell: ({ created_at }) => <Time iso={created_at} className="whitespace-nowrap text-muted-foreground" /> },
    {
      header: "Actions",
      actions: true,
      cell: ({ id, name }) => (
        <Button
          small
          aria-label={`Audit log of ${name}`}
          onClick={() => {
            change({ team: id });
            document.getElementById("audit-log")?.scrollIntoView();
          }}
        >
          History
        </Button>
      ),
    },
  ];
  return (
    <Section
      bare
      id="teams"
      title="Teams"
      note={query.data && plural(query.data.total, "team")}
      aside={<SearchBox label="Search teams" value={text} onChange={(next) => { setText(next.trim()); setOffset(0); }} />}
    >
      {query.isPending && <Skeleton rows={3} />}
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.data?.total === 0 && <Empty title={text === "" ? "No teams yet" : "No team found"}>{text !== "" && <>No name has “{text}” in it.</>}</Empty>}
      {query.data && query.data.total > 0 && (
        <>
          <DataTable label="Teams" columns={columns} rows={query.data.teams} rowKey={({ id }) => id} dimmed={query.isPlaceholderData} />
          <Pager what="teams" offset={offset} size={ADMIN_PAGE} total={query.data.total} onOffset={setOffset} />
        </>
      )}
    </Section>
  );
}
