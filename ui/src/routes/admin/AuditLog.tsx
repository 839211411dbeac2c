import type { AuditEntry, AuditFilter } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useState } from "react";
import { Button } from "../../components/Button.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { Outcome } from "../../components/Outcome.tsx";
import { Pager } from "../../components/Pager.tsx";
import { Section } from "../../components/Section.tsx";
import { Empty, ErrorBox, Skeleton } from "../../components/States.tsx";
import { formatAbsolute, plural } from "../../lib/format.ts";
import { toAuditFilter } from "../../lib/search.ts";
import { humanize, metadataLine } from "../../lib/words.ts";
import { AUDIT_PAGE, auditQuery } from "../../queries.ts";
import { client } from "../../session.ts";
import { AuditFilters } from "./AuditFilters.tsx";
import { useAdminSearch } from "./useAdminSearch.ts";

export function AuditLog() {
  const [search, change] = useAdminSearch();
  const filter = toAuditFilter(search);
  return (
    <Section bare id="audit-log" title="Audit Log" note="Who did what on this server, the latest first." aside={<Export filter={filter} />}>
      <AuditFilters search={search} onChange={change} />
      <Entries key={JSON.stringify(filter)} filter={filter} />
    </Section>
  );
}

const COLUMNS: Column<AuditEntry>[] = [
  { header: "Action", className: "max-w-96", cell: (entry) => <Action entry={entry} /> },
  { header: "Actor", className: "max-w-56", cell: ({ actor_email, actor_id, ip }) => <Actor name={actor_email ?? actor_id} ip={ip} /> },
  { header: "Resource Type", cell: ({ resource_type }) => resource_type ? humanize(resource_type) : <None /> },
  { header: "Resource ID", cell: ({ resource_id }) => resource_id ? <span title={resource_id} className="font-mono text-[12.5px]">{shortId(resource_id)}</span> : <None /> },
  { header: "Team", className: "max-w-40", cell: ({ team_name, team_id }) => team_name ?? team_id ?? <None /> },
  { header: "Timestamp", cell: ({ created_at }) => <time dateTime={created_at} className="text-[13px] md:whitespace-nowrap">{formatAbsolute(created_at)}</time> },
];

const None = () => <span className="text-muted-foreground">–</span>;

const shortId = (id: string) => (id.length > 12 ? `${id.slice(0, 8)}…` : id);

function Action({ entry: { action, metadata } }: { entry: AuditEntry }) {
  const facts = metadataLine(metadata);
  return (
    <div className="min-w-0">
      <p className="font-medium" title={action}>{humanize(action)}</p>
      {facts !== "" && <p className="text-[13px] break-words text-muted-foreground">{facts}</p>}
    </div>
  );
}

function Actor({ name, ip }: { name: string | null | undefined; ip: string | null | undefined }) {
  return (
    <div className="min-w-0">
      <p className="break-all">{name ?? <span className="text-muted-foreground">nobody signed in</span>}</p>
      {ip && <p className="font-mono text-xs break-all text-muted-foreground">{ip}</p>}
    </div>
  );
}

function Entries({ filter }: { filter: AuditFilter }) {
  const [offset, setOffset] = useState(0);
  const query = useQuery(auditQuery(filter, offset));
  if (query.isPending) return <Skeleton rows={6} />;
  if (query.isError) return <ErrorBox error={query.error} retry={() => void query.refetch()} />;
  if (query.data.total === 0) return <Empty title="No entries">Nothing in the log fits these filters.</Empty>;
  return (
    <>
      <p role="status" className="mb-2 text-[13px] text-muted-foreground">{plural(query.data.total, "entry").replace("entrys", "entries")}</p>
      <DataTable label="Audit Log" columns={COLUMNS} rows={query.data.audit_log} rowKey={({ id }) => id} dimmed={query.isPlaceholderData} />
      <Pager what="the audit log" offset={offset} size={AUDIT_PAGE} total={query.data.total} onOffset={setOffset} />
    </>
  );
}

/** The file needs the access token, which a plain link would not send. */
async function download(filter: AuditFilter): Promise<void> {
  const address = URL.createObjectURL(await client.admin.auditLogCsv(filter));
  const link = document.createElement("a");
  link.href = address;
  link.download = `audit-log-${new Date().toISOString().slice(0, 10)}.csv`;
  link.click();
  // The browser may begin to read it only after this turn.
  setTimeout(() => { URL.revokeObjectURL(address); }, 60_000);
}

function Export({ filter }: { filter: AuditFilter }) {
  const fetching = useMutation({ mutationFn: () => download(filter) });
  return (
    <div className="flex flex-wrap items-center gap-3">
      <Outcome of={fetching} done="Exported" />
      <Button disabled={fetching.isPending} onClick={() => { fetching.mutate(); }}>
        <Download aria-hidden size={15} />
        {fetching.isPending ? "Exporting…" : "Export CSV"}
      </Button>
    </div>
  );
}
