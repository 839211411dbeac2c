import type { RunDetail } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { Pin, PinOff } from "lucide-react";
import { Button } from "../../components/Button.tsx";
import { messageOf } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { useNow } from "../../hooks.ts";
import { keys, queryClient, useTeam } from "../../queries.ts";
import { client } from "../../session.ts";

/** Keeps a run beyond its time, or lets it go again. */
export function KeepButton({ run }: { run: RunDetail }) {
  const team = useTeam();
  const isPinned = Boolean(run.retention.pinned_at);
  const pin = useMutation({
    mutationFn: () => client.pinRun(run.id, !isPinned),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.run(run.id) }),
  });
  if (!team || team.role === "readonly" || (run.retention.dropped && !isPinned)) return null;
  return (
    <>
      <Button small aria-pressed={isPinned} disabled={pin.isPending} title={isPinned ? "Kept whole, whatever the team's retention" : "Keep this run whole, whatever the team's retention"} onClick={() => { pin.mutate(); }}>
        {isPinned ? <PinOff aria-hidden size={14} /> : <Pin aria-hidden size={14} />}
        {isPinned ? "Don’t keep" : "Keep"}
      </Button>
      {pin.isError && <p role="alert" className="text-[13px] text-failed">{messageOf(pin.error)}</p>}
    </>
  );
}

/** How long the run's results are there, said where it matters: if they are gone, kept, or going soon. */
export function KeptNote({ run }: { run: RunDetail }) {
  const now = useNow();
  const { pinned_at: pinned, expires_at: expires, dropped } = run.retention;
  if (dropped) {
    return (
      <p className="panel mb-3 px-3 py-2">
        <span className="font-medium">The results of this run had their time and were dropped.</span>{" "}
        <span className="text-muted-foreground">What it counted, and the histories of its tests, are still here.</span>
      </p>
    );
  }
  if (pinned) return <p className="mb-3 flex items-center gap-1.5 text-[13px] text-muted-foreground"><Pin aria-hidden size={14} /> <span>Kept whole, <Time iso={pinned} /></span></p>;
  if (!expires || Date.parse(expires) - now > SOON) return null;
  return <p className="mb-3 text-[13px] text-muted-foreground">The results of this run are dropped after <Time iso={expires} />. Keep the run to have them longer.</p>;
}

/** A week, milliseconds. */
const SOON = 7 * 86_400_000;
