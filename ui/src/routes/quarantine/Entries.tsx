import type { QuarantineEntry } from "@scaledtest/sdk";
import { Clock } from "lucide-react";
import { Badge } from "../../components/Badge.tsx";
import { Button } from "../../components/Button.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { QuarantineBadge } from "../../components/QuarantineBadge.tsx";
import { TestName } from "../../components/TestName.tsx";
import { TicketLink } from "../../components/TicketLink.tsx";
import { Time } from "../../components/Time.tsx";

interface Props {
  rows: QuarantineEntry[];
  stale: boolean;
  /** Whether the person may change them. */
  may: boolean;
  /** Whether the team has several projects. */
  many: boolean;
  onChange: (entry: QuarantineEntry) => void;
  onRelease: (entry: QuarantineEntry) => void;
}

const RELEASES: Record<NonNullable<QuarantineEntry["release"]>, string> = {
  hand: "Released by hand",
  expired: "Time was over",
  recovered: "Recovered",
  broken: "Found broken",
};

export function Entries({ rows, stale, may, many, onChange, onRelease }: Props) {
  const columns: Column<QuarantineEntry>[] = [
    { header: "Test", className: "max-w-80 min-w-52", cell: (entry) => <Test entry={entry} many={many} /> },
    { header: "Reason", className: "w-2/5 min-w-48", cell: (entry) => <Reason entry={entry} /> },
    { header: "Since", cell: (entry) => <span className="whitespace-nowrap text-[13px]"><Time iso={entry.entered_at} /><span className="block text-muted-foreground">{entry.by === "policy" ? "by policy" : "by hand"}</span></span> },
    { header: "Counts again", cell: (entry) => <End entry={entry} /> },
  ];
  if (may) {
    columns.push({
      header: "Actions",
      actions: true,
      cell: (entry) => entry.state === "active" && (
        <span className="inline-flex gap-1.5">
          <Button small aria-label={`Change or extend ${entry.name}`} onClick={() => { onChange(entry); }}>Change</Button>
          <Button small aria-label={`Release ${entry.name}`} onClick={() => { onRelease(entry); }}>Release</Button>
        </span>
      ),
    });
  }
  return <DataTable label="Quarantine" columns={columns} rows={rows} rowKey={({ id }) => id} dimmed={stale} />;
}

function Test({ entry, many }: { entry: QuarantineEntry; many: boolean }) {
  return (
    <div className="flex min-w-0 flex-col items-start gap-1">
      <TestName id={entry.test_id} name={entry.name || entry.test_id} suite={entry.suite.join(" › ")} filePath={entry.file_path} note={many ? entry.project.name : undefined} tall />
      <QuarantineBadge mode={entry.mode} expires={entry.expires_at} />
    </div>
  );
}

function Reason({ entry: { reason, ticket, owner } }: { entry: QuarantineEntry }) {
  return (
    <>
      <span className="break-words">{reason}</span>
      <span className="mt-0.5 flex flex-wrap gap-x-3 text-[13px] text-muted-foreground">
        <span>{owner ?? "No owner"}</span>
        {ticket && <span className="min-w-0 truncate"><TicketLink text={ticket} /></span>}
      </span>
    </>
  );
}

function End({ entry }: { entry: QuarantineEntry }) {
  if (entry.state !== "active") {
    return (
      <span className="whitespace-nowrap text-[13px]">
        <Time iso={entry.released_at ?? entry.expires_at} />
        {entry.release && <span className="block text-muted-foreground">{RELEASES[entry.release]}</span>}
      </span>
    );
  }
  if (!entry.expires_soon) return <span className="text-[13px] whitespace-nowrap"><Time iso={entry.expires_at} /></span>;
  return <Badge tone="warn" icon={Clock} title="Extend it, or see to the test"><Time iso={entry.expires_at} /></Badge>;
}
