import type { Issue } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";
import { Button } from "../../components/Button.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { TicketLink } from "../../components/TicketLink.tsx";
import { Time } from "../../components/Time.tsx";
import { stripAnsi } from "../../lib/ansi.ts";

interface Props {
  rows: Issue[];
  stale: boolean;
  /** Whether the person may change them. */
  may: boolean;
  /** Whether the team has several projects. */
  many: boolean;
  onChange: (issue: Issue) => void;
  onClose: (issue: Issue) => void;
}

export function IssueTable({ rows, stale, may, many, onChange, onClose }: Props) {
  const columns: Column<Issue>[] = [
    { header: "Ticket", className: "max-w-64 min-w-36", cell: (issue) => <Ticket issue={issue} many={many} /> },
    { header: "Error", className: "max-w-0 w-1/2", cell: (issue) => <Message issue={issue} /> },
    { header: "Last seen", className: "whitespace-nowrap text-[13px]", cell: ({ last_seen: seen }) => (seen ? <Time iso={seen} /> : "–") },
    { header: "Linked", className: "whitespace-nowrap text-[13px]", cell: ({ linked_at }) => <Time iso={linked_at} />, wide: true },
    { header: "Counts again", className: "whitespace-nowrap text-[13px]", cell: (issue) => <End issue={issue} /> },
  ];
  if (may) {
    columns.push({
      header: "Actions",
      actions: true,
      cell: (issue) => issue.state === "open" && (
        <span className="inline-flex gap-1.5">
          <Button small aria-label={`Change ${issue.ticket}`} onClick={() => { onChange(issue); }}>Change</Button>
          <Button small aria-label={`Close ${issue.ticket}`} onClick={() => { onClose(issue); }}>Close</Button>
        </span>
      ),
    });
  }
  return <DataTable label="Known issues" columns={columns} rows={rows} rowKey={({ id }) => id} dimmed={stale} />;
}

function Ticket({ issue: { ticket, note, project }, many }: { issue: Issue; many: boolean }) {
  return (
    <div className="min-w-0">
      <span className="font-medium"><TicketLink text={ticket} /></span>
      {note && <p className="text-[13px] break-words">{note}</p>}
      {many && <p className="text-[13px] break-words text-muted-foreground">{project.name}</p>}
    </div>
  );
}

function Message({ issue: { message: text, project, fingerprint } }: { issue: Issue }) {
  if (text === "") return <span className="text-muted-foreground">Every report with it was deleted.</span>;
  const message = stripAnsi(text);
  return (
    <Link
      to="/errors/$projectId/$fingerprint"
      params={{ projectId: project.id, fingerprint }}
      title={message}
      className="line-clamp-3 font-mono text-[12.5px] break-words whitespace-pre-line underline-offset-2 hover:underline"
    >
      {message}
    </Link>
  );
}

function End({ issue }: { issue: Issue }) {
  if (issue.closed_at) return <><Time iso={issue.closed_at} /><span className="block text-muted-foreground">Closed by hand</span></>;
  if (issue.expires_at) return <><Time iso={issue.expires_at} />{issue.state === "expired" && <span className="block text-muted-foreground">Time was over</span>}</>;
  return <span className="text-muted-foreground">When it is closed</span>;
}
