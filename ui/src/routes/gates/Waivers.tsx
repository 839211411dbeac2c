import type { GateWaiver, QualityGate, Team } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Badge } from "../../components/Badge.tsx";
import { Button } from "../../components/Button.tsx";
import { Confirm } from "../../components/Dialog.tsx";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { waiversQuery } from "../../gate-queries.ts";
import { ruleWords } from "../../lib/gates.ts";
import { keys, membersQuery, queryClient } from "../../queries.ts";
import { client } from "../../session.ts";

export function Waivers({ team, gate, maintains }: { team: Team; gate: QualityGate; maintains: boolean }) {
  const query = useQuery(waiversQuery(team.id, gate.id));
  const { data: members } = useQuery(membersQuery(team.id));
  const [revoking, setRevoking] = useState<GateWaiver>();
  const revoke = useMutation({
    mutationFn: ({ id }: GateWaiver) => client.gates.revokeWaiver(team.id, gate.id, id),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keys.gates() });
      setRevoking(undefined);
    },
  });
  const who = (id: string) => members?.find(({ user_id }) => user_id === id)?.display_name ?? "somebody who left";
  return (
    <section aria-label="Waivers" className="border-t">
      <h3 className="px-4 pt-2.5 pb-1 font-semibold">Waivers</h3>
      {query.isPending && <Skeleton rows={2} className="border-0" />}
      {query.isError && <div className="p-4"><ErrorBox error={query.error} retry={() => void query.refetch()} /></div>}
      {query.data?.length === 0 && <p className="px-4 pb-3 text-muted-foreground">No rule was ever waived. Open a run that the gate refused to waive one.</p>}
      {query.data && query.data.length > 0 && (
        <ul aria-label={`Waivers of ${gate.name}`} className="divide-y">
          {query.data.map((waiver) => (
            <li key={waiver.id} className="flex flex-wrap items-start justify-between gap-x-4 gap-y-1 px-4 py-2">
              <div className="min-w-0 flex-1 basis-64">
                <p className="flex flex-wrap items-center gap-2"><span className="font-medium break-words">{ruleWords(waiver.rule)}</span><State waiver={waiver} /></p>
                <p className="break-words">{waiver.reason}</p>
                <p className="text-[13px] break-words text-muted-foreground">
                  {waiver.run_id ? <Link to="/runs/$runId" params={{ runId: waiver.run_id }} className="underline underline-offset-2 hover:text-foreground">One run</Link> : `Branch ${waiver.branch ?? ""}`}
                  {" · by "}{who(waiver.user_id)}{" · "}<Time iso={waiver.created_at} />{waiver.active && <>{" · expires "}<Time iso={waiver.expires_at} /></>}
                </p>
              </div>
              {maintains && waiver.active && <Button small look="danger" aria-label={`Revoke the waiver of ${ruleWords(waiver.rule)}`} onClick={() => { setRevoking(waiver); }}>Revoke</Button>}
            </li>
          ))}
        </ul>
      )}
      <Confirm
        open={revoking !== undefined}
        title="Revoke this waiver?"
        action="Revoke waiver"
        busy={revoke.isPending}
        error={revoke.error}
        onConfirm={() => { if (revoking) revoke.mutate(revoking); }}
        onClose={() => { setRevoking(undefined); revoke.reset(); }}
      >
        From now on the rule has to hold again. What was judged with it stands.
      </Confirm>
    </section>
  );
}

function State({ waiver }: { waiver: GateWaiver }) {
  if (waiver.active) return <Badge tone="warn">Active</Badge>;
  return <Badge>{waiver.revoked_at ? "Revoked" : "Expired"}</Badge>;
}
