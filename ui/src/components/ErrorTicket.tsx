import type { OpenIssue } from "@scaledtest/sdk";
import { Link2, Pencil } from "lucide-react";
import { useState } from "react";
import { formatAbsolute } from "../lib/format.ts";
import { useTeam } from "../queries.ts";
import { Button } from "./Button.tsx";
import { IssueDialog, type IssueSubject } from "./IssueDialog.tsx";
import { TicketLink } from "./TicketLink.tsx";

/** Failures that say nothing have nothing in common. */
const SILENT = "00000000-0000-0000-0000-000000000000";

interface Props {
  /** Id or name. */
  project: string;
  fingerprint: string | null | undefined;
  issue?: OpenIssue;
  /** What the error is called by whoever hears the buttons only. */
  name: string;
  /** Whether a ticket that is not there is left out, rather than asked for. */
  quiet?: boolean;
  /** What stands for a ticket that is neither there nor asked for. */
  none?: string;
}

/** The ticket of an error, and the way to link, change and close it. */
export function ErrorTicket({ project, fingerprint, issue, name, quiet, none }: Props) {
  const may = useTeam()?.role !== "readonly";
  const [subject, setSubject] = useState<IssueSubject>();
  if (!fingerprint || fingerprint === SILENT || (!issue && (!may || quiet))) return none;
  const ask = () => { setSubject({ error: { project, fingerprint }, issue }); };
  const until = issue?.expires_at && `counts again on ${formatAbsolute(issue.expires_at)}`;
  return (
    <>
      {issue && (
        <span className="inline-flex max-w-full min-w-0 items-center gap-1" title={[issue.note, until].filter(Boolean).join(" · ")}>
          <span className="min-w-0"><TicketLink text={issue.ticket} /></span>
          {may && <Button small look="ghost" className="w-7.5 shrink-0" aria-label={`Change or close the ticket of ${name}`} title="Change or close" onClick={ask}><Pencil aria-hidden size={13} /></Button>}
        </span>
      )}
      {!issue && (
        <Button small look="ghost" className="-ml-2 text-muted-foreground hover:text-foreground" aria-label={`Link a ticket to ${name}`} onClick={ask}><Link2 aria-hidden size={14} />Link ticket</Button>
      )}
      <IssueDialog subject={subject} onClose={() => { setSubject(undefined); }} />
    </>
  );
}
