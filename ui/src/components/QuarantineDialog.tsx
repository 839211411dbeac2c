import type { QuarantineEntry, QuarantineMode, QuarantineTerms } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { fieldText } from "../lib/form.ts";
import { formatAbsolute } from "../lib/format.ts";
import { refreshQuarantine } from "../quarantine-queries.ts";
import { client } from "../session.ts";
import { Button } from "./Button.tsx";
import { Modal } from "./Dialog.tsx";
import { Choice, Field, OWNER } from "./Field.tsx";
import { messageOf } from "./States.tsx";

const DAYS = [1, 3, 7, 14, 30, 60, 90];

/** Either a test that is to be quarantined, or a stay that is to be changed. */
export type QuarantineSubject = { test: { id: string; name: string } } | { entry: QuarantineEntry };

/** Asks for the terms of a stay. */
export function QuarantineDialog({ subject, onClose }: { subject: QuarantineSubject | undefined; onClose: () => void }) {
  const name = subject && ("entry" in subject ? subject.entry.name : subject.test.name);
  const isNew = subject !== undefined && "test" in subject;
  return (
    <Modal
      open={subject !== undefined}
      title={isNew ? `Quarantine “${name ?? ""}”` : `Change the quarantine of “${name ?? ""}”`}
      note="Its failures hold up nobody while it is there. A failure of a kind that was not seen before still counts."
      onClose={onClose}
    >
      {subject && <Form subject={subject} onClose={onClose} />}
    </Modal>
  );
}

function Form({ subject, onClose }: { subject: QuarantineSubject; onClose: () => void }) {
  const entry = "entry" in subject ? subject.entry : undefined;
  const [mode, setMode] = useState<QuarantineMode>(entry?.mode ?? "mute");
  const save = useMutation({
    mutationFn: (terms: QuarantineTerms & { reason: string }) =>
      "entry" in subject ? client.quarantine.change(subject.entry.id, terms) : client.quarantine.enter(subject.test.id, terms),
    onSuccess: async () => {
      await refreshQuarantine();
      onClose();
    },
  });
  return (
    <form
      aria-label="Quarantine"
      className="mt-4 flex flex-col gap-3.5"
      onSubmit={(event) => {
        event.preventDefault();
        const values = new FormData(event.currentTarget);
        const days = Number(fieldText(values, "quarantine-days"));
        if (save.isPending) return;
        save.mutate({
          mode,
          reason: fieldText(values, "quarantine-reason").trim(),
          owner: fieldText(values, "quarantine-owner").trim(),
          ticket: fieldText(values, "quarantine-ticket").trim(),
          ...(days > 0 && { expires_at: new Date(Date.now() + days * 86_400_000 - 60_000).toISOString() }),
        });
      }}
    >
      <Field id="quarantine-reason" label="Reason" required maxLength={500} defaultValue={entry?.reason} autoComplete="off" placeholder="Times out when the database is busy" />
      <div className="grid gap-3.5 sm:grid-cols-2">
        <Choice id="quarantine-mode" label="In CI" value={mode} onChange={(event) => { setMode(event.target.value === "skip" ? "skip" : "mute"); }}>
          <option value="mute">Run it, ignore failures</option>
          <option value="skip">Do not run it</option>
        </Choice>
        <Choice id="quarantine-days" label="Counts again in" defaultValue={entry ? "" : "14"}>
          {entry && <option value="">Unchanged</option>}
          {DAYS.map((days) => <option key={days} value={days}>{days === 1 ? "1 day" : `${String(days)} days`}</option>)}
        </Choice>
        <Field id="quarantine-owner" label="Owner" maxLength={100} {...OWNER} defaultValue={entry?.owner} autoComplete="off" placeholder="@payments" />
        <Field id="quarantine-ticket" label="Ticket" maxLength={500} defaultValue={entry?.ticket} autoComplete="off" placeholder="Link or SHOP-7" />
      </div>
      {mode === "skip" && <p className="text-[13px] text-muted-foreground">What does not run cannot be seen to recover: let it run now and then, or release it by hand.</p>}
      {entry && <p className="text-[13px] text-muted-foreground">Counts again on {formatAbsolute(entry.expires_at)}.</p>}
      {save.isError && <p role="alert" className="text-failed">{messageOf(save.error)}</p>}
      <div className="mt-1 flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" look="primary" disabled={save.isPending}>{entry ? "Save" : "Quarantine"}</Button>
      </div>
    </form>
  );
}
