import type { Storage as Stored, StoragePart } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { Section } from "../../components/Section.tsx";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { formatBytes, formatCount } from "../../lib/format.ts";
import { storageQuery } from "../../queries.ts";

const DAY = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "short", day: "numeric", timeZone: "UTC" });
const day = (iso: string) => DAY.format(new Date(iso));

const COLUMNS: Column<StoragePart>[] = [
  { header: "Taken in", cell: ({ begins }) => `week of ${day(begins)}` },
  { header: "Kept for", cell: ({ days }) => (days ? `${String(days)} days` : "good") },
  { header: "Dropped after", cell: ({ expires_at: at }) => (at ? day(at) : "–") },
  { header: "Reports", cell: ({ reports }) => formatCount(reports), className: "tabular-nums" },
  { header: "Results", cell: ({ results }) => formatCount(results), className: "tabular-nums" },
  { header: "Database", cell: ({ bytes }) => formatBytes(bytes), className: "tabular-nums" },
];

function Figure({ label, note, children }: { label: string; note?: string; children: ReactNode }) {
  return (
    <div className="panel px-3 py-2">
      <dt className="text-xs text-muted-foreground">{label}</dt>
      <dd>
        <span className="font-semibold sm:text-lg">{children}</span>
        {note && <span className="block text-[13px] text-muted-foreground">{note}</span>}
      </dd>
    </div>
  );
}

function daysLeft({ days_left: days, free_bytes: free }: Stored): string {
  if (free === null || free === undefined) return "unknown";
  return days === null || days === undefined ? "over 10 years" : `${formatCount(days)} days`;
}

/** What the data take, for how long the disk suffices, and what is dropped when. */
export function Storage() {
  const query = useQuery(storageQuery);
  return (
    <Section bare id="storage" title="Storage" note="Results are dropped week by week when their time is over; what histories and trends say of them stays.">
      {query.isPending && <Skeleton rows={4} />}
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.data && <Figures data={query.data} />}
      {query.data && query.data.parts.length > 0 && (
        <DataTable label="What is dropped when" columns={COLUMNS} rows={query.data.parts} rowKey={({ days, begins }) => `${String(days)} ${begins}`} />
      )}
    </Section>
  );
}

function Figures({ data }: { data: Stored }) {
  const { bytes_per_result: each, free_bytes: free, disk_bytes: all } = data;
  const known = free !== null && free !== undefined;
  return (
    <dl className="mb-3 grid grid-cols-2 gap-2 md:grid-cols-4">
      <Figure label="Disk suffices for" note={known ? "if it grows as in the last week" : "database and log are on other disks"}>{daysLeft(data)}</Figure>
      <Figure label="Free" note={all ? `of ${formatBytes(all)}` : undefined}>{known ? formatBytes(free) : "unknown"}</Figure>
      <Figure label="Database" note={`log ${formatBytes(data.log_bytes)}, documents ${formatBytes(data.documents_bytes)}`}>{formatBytes(data.database_bytes)}</Figure>
      <Figure label="Results" note={`${formatCount(Math.round(data.results_per_day))} a day${each ? `, ${formatBytes(Math.round(each))} each` : ""}`}>{formatCount(data.results)}</Figure>
    </dl>
  );
}
