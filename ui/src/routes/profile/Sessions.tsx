import type { DeviceSession } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Badge } from "../../components/Badge.tsx";
import { Button } from "../../components/Button.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { Confirm } from "../../components/Dialog.tsx";
import { Outcome } from "../../components/Outcome.tsx";
import { Section } from "../../components/Section.tsx";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { plural } from "../../lib/format.ts";
import { keys, queryClient, sessionsQuery } from "../../queries.ts";
import { client } from "../../session.ts";

const refresh = () => queryClient.invalidateQueries({ queryKey: keys.sessions });

/** Where one is signed in, and the ways to end that. */
export function Sessions() {
  const query = useQuery(sessionsQuery);
  const [asking, setAsking] = useState(false);
  const endOthers = useMutation({
    mutationFn: () => client.endOtherSessions(),
    onSuccess: async () => {
      await refresh();
      setAsking(false);
    },
  });
  const end = useMutation({ mutationFn: ({ id }: DeviceSession) => client.endSession(id), onSuccess: refresh });
  const others = query.data?.filter(({ current }) => !current).length ?? 0;

  const columns: Column<DeviceSession>[] = [
    {
      header: "Device",
      cell: ({ device, user_agent, current }) => (
        <span className="flex flex-wrap items-center gap-x-2 font-medium" title={user_agent ?? undefined}>
          {device}
          {current && <Badge tone="accent">This device</Badge>}
        </span>
      ),
    },
    { header: "Address", cell: ({ ip }) => <span className="font-mono text-[12.5px] break-all">{ip ?? "–"}</span> },
    { header: "Last seen", cell: ({ last_seen_at, current }) => <span className="text-muted-foreground">{current ? "now" : <Time iso={last_seen_at} />}</span> },
    { header: "Signed in", cell: ({ created_at }) => <Time iso={created_at} className="text-muted-foreground" /> },
    {
      header: "Actions",
      actions: true,
      cell: (session) => !session.current && (
        <Button small look="danger" aria-label={`End session of ${session.device}`} disabled={end.isPending} onClick={() => { end.mutate(session); }}>End</Button>
      ),
    },
  ];

  return (
    <Section
      bare
      title="Sessions"
      note="Where you are signed in. End what you do not know, and change your password."
      aside={others > 0 && <Button look="danger" onClick={() => { setAsking(true); }}>Sign out everywhere else</Button>}
    >
      {query.isPending && <Skeleton rows={2} />}
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.data && <DataTable label="Sessions" columns={columns} rows={query.data} rowKey={({ id }) => id} />}
      <Outcome of={end} done={end.variables && `${end.variables.device} is signed out`} className="mt-2" />
      <Outcome of={endOthers} done={endOthers.data === undefined ? undefined : `${plural(endOthers.data, "session")} ended`} className="mt-2" />
      <Confirm
        open={asking}
        title="Sign out everywhere else?"
        action="Sign out"
        busy={endOthers.isPending}
        error={endOthers.error}
        onConfirm={() => { endOthers.mutate(); }}
        onClose={() => { setAsking(false); }}
      >
        {plural(others, "other session")} will end at once. This device stays signed in.
      </Confirm>
    </Section>
  );
}
