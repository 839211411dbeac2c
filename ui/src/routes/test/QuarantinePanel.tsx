import type { TestDetail } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { VolumeX } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Button } from "../../components/Button.tsx";
import { QuarantineBadge } from "../../components/QuarantineBadge.tsx";
import { QuarantineDialog, type QuarantineSubject } from "../../components/QuarantineDialog.tsx";
import { TicketLink } from "../../components/TicketLink.tsx";
import { Time } from "../../components/Time.tsx";
import { useTeam } from "../../queries.ts";
import { entryQuery } from "../../quarantine-queries.ts";
import { Release } from "../quarantine/Release.tsx";

/** Whether the test is in quarantine, and the way in and out; `beside` stands by its buttons. */
export function QuarantinePanel({ test, beside }: { test: TestDetail; beside: ReactNode }) {
  const may = useTeam()?.role !== "readonly";
  const [subject, setSubject] = useState<QuarantineSubject>();
  const [releasing, setReleasing] = useState<{ id: string; name: string }>();
  const stay = test.quarantine;
  const entry = useQuery({ ...entryQuery(stay?.id ?? ""), enabled: stay !== undefined }).data;
  return (
    <>
      {stay === undefined && may && (
        <div className="mb-4 flex flex-wrap gap-1.5">
          <Button small onClick={() => { setSubject({ test }); }}><VolumeX aria-hidden size={14} />Quarantine…</Button>
          {beside}
        </div>
      )}
      {stay !== undefined && (
        <section aria-label="Quarantine" className="panel mb-4 flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5">
          <QuarantineBadge mode={stay.mode} expires={stay.expires_at} />
          <p className="min-w-0 flex-1 basis-60 break-words">
            {entry?.reason}{" "}
            <span className="text-[13px] text-muted-foreground">
              {entry?.owner && <>{entry.owner} · </>}
              {entry?.ticket && <><TicketLink text={entry.ticket} /> · </>}
              counts again <Time iso={stay.expires_at} />
            </span>
          </p>
          {may && (
            <span className="inline-flex flex-wrap gap-1.5">
              <Button small disabled={!entry} onClick={() => { if (entry) setSubject({ entry }); }}>Change</Button>
              <Button small onClick={() => { setReleasing({ id: stay.id, name: test.name }); }}>Release</Button>
              {beside}
            </span>
          )}
        </section>
      )}
      <QuarantineDialog subject={subject} onClose={() => { setSubject(undefined); }} />
      <Release entry={releasing} onClose={() => { setReleasing(undefined); }} />
    </>
  );
}
