import type { IssueTerms, OpenIssue } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { fieldText } from "../lib/form.ts";
import { formatAbsolute } from "../lib/format.ts";
import { refreshIssues } from "../issue-queries.ts";
import { client } from "../session.ts";
import { Button } from "./Button.tsx";
import { Modal } from "./Dialog.tsx";
import { Choice, Field } from "./Field.tsx";
import { messageOf } from "./States.tsx";

const DAYS = [7, 14, 30, 90, 180, 365];
const NEVER = "never";

const TICKET = {
  pattern: String.raw`\s*(https?:\/\/\S+|[A-Za-z0-9_#\/.,\-]{1,100})\s*`,
  title: "A link, or a key such as SHOP-7",
};

/** Either an error that is to be linked, or an issue that is to be changed or closed. */
export interface IssueSubject {
  error: { project: string; fingerprint: string };
  issue?: OpenIssue;
}

/** Asks for an error's ticket. */
export function IssueDialog({ subject, onClose }: { subject: IssueSubject | undefined; onClose: () => void }) {
  return (
    <Modal
      open={subject !== undefined}
      title={subject?.issue ? "Change the known issue" : "Link the error to a ticket"}
      note="What fails with this error, in whatever test, is a known issue until it is closed: it holds up nobody. Other failures of the same tests still count."
      onClose={onClose}
    >
      {subject && <Form subject={subject} onClose={onClose} />}
    </Modal>
  );
}

function Form({ subject: { error, issue }, onClose }: { subject: IssueSubject; onClose: () => void }) {
  const onSuccess = async () => {
    await refreshIssues();
    onClose();
  };
  const save = useMutation({
    mutationFn: (terms: IssueTerms & { ticket: string }) => (issue ? client.issues.change(issue.id, terms) : client.issues.link(error, terms)),
    onSuccess,
  });
  const close = useMutation({ mutationFn: (id: string) => client.issues.close(id), onSuccess });
  const busy = save.isPending || close.isPending;
  const failure = save.error ?? close.error;
  return (
    <form
      aria-label="Known issue"
      className="mt-4 flex flex-col gap-3.5"
      onSubmit={(event) => {
        event.preventDefault();
        const values = new FormData(event.currentTarget);
        if (!busy) save.mutate({ ticket: fieldText(values, "issue-ticket").trim(), note: fieldText(values, "issue-note").trim(), ...end(fieldText(values, "issue-days"), issue) });
      }}
    >
      <Field id="issue-ticket" label="Ticket" required maxLength={2000} {...TICKET} defaultValue={issue?.ticket} autoComplete="off" placeholder="Link or SHOP-7" />
      <Field id="issue-note" label="Note" maxLength={1000} defaultValue={issue?.note} autoComplete="off" placeholder="Only while the new cache is rolled out" />
      <Choice id="issue-days" label="Counts again" defaultValue={issue ? "" : NEVER}>
        {issue && <option value="">Unchanged: {issue.expires_at ? formatAbsolute(issue.expires_at) : "when it is closed"}</option>}
        {(!issue || issue.expires_at) && <option value={NEVER}>When it is closed</option>}
        {DAYS.map((days) => <option key={days} value={days}>In {days} days</option>)}
      </Choice>
      {failure && <p role="alert" className="text-failed">{messageOf(failure)}</p>}
      <div className="mt-1 flex flex-wrap justify-end gap-2">
        {issue && <Button look="danger" className="mr-auto" disabled={busy} onClick={() => { close.mutate(issue.id); }}>Close issue</Button>}
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" look="primary" disabled={busy}>{issue ? "Save" : "Link"}</Button>
      </div>
    </form>
  );
}

/** When it ends, if that was chosen. */
function end(chosen: string, issue: OpenIssue | undefined): Pick<IssueTerms, "expires_at"> {
  if (chosen === NEVER) return issue ? { expires_at: null } : {};
  const days = Number(chosen);
  return days > 0 ? { expires_at: new Date(Date.now() + days * 86_400_000).toISOString() } : {};
}
