import type { QualityGate, Team } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "../../components/Button.tsx";
import { Confirm } from "../../components/Dialog.tsx";
import { Empty, ErrorBox, PageHeader, Skeleton } from "../../components/States.tsx";
import { gatesQuery } from "../../gate-queries.ts";
import { useTitle } from "../../hooks.ts";
import { keys, queryClient, useTeam } from "../../queries.ts";
import { client } from "../../session.ts";
import { GateCard } from "./GateCard.tsx";
import { GateForm } from "./GateForm.tsx";

export function Gates() {
  useTitle("Quality Gates");
  const team = useTeam();
  const [creating, setCreating] = useState(false);
  if (!team) return null;
  const maintains = team.role !== "readonly";
  return (
    <>
      <PageHeader title="Quality Gates" note="Define pass/fail criteria: every upload is judged by them, and says so in its answer.">
        {maintains && <Button look={creating ? "plain" : "primary"} onClick={() => { setCreating(!creating); }}>{creating ? "Cancel" : "New Quality Gate"}</Button>}
      </PageHeader>
      {!maintains && <p className="mb-5 text-muted-foreground">Only maintainers and owners of the team can change gates.</p>}
      {creating && <GateForm team={team} onDone={() => { setCreating(false); }} />}
      <List team={team} maintains={maintains} creating={creating} />
    </>
  );
}

function List({ team, maintains, creating }: { team: Team; maintains: boolean; creating: boolean }) {
  const query = useQuery(gatesQuery(team.id));
  const [editing, setEditing] = useState<string>();
  const [deleting, setDeleting] = useState<QualityGate>();
  const remove = useMutation({
    mutationFn: ({ id }: QualityGate) => client.gates.deleteQualityGate(team.id, id),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keys.gates() });
      setDeleting(undefined);
    },
  });
  if (query.isPending) return <Skeleton rows={3} />;
  if (query.isError) return <ErrorBox error={query.error} retry={() => void query.refetch()} />;
  if (query.data.length === 0) {
    return creating ? null : <Empty title="No quality gates yet">A gate is a list of rules that a run has to keep. Make one, try it on past runs, and let your pipeline read <code className="font-mono">qualityGate.passed</code> from the answer to an upload.</Empty>;
  }
  return (
    <>
      <ul aria-label="Quality gates" className="flex flex-col gap-3">
        {query.data.map((gate) => (
          <li key={gate.id}>
            {editing === gate.id
              ? <GateForm team={team} gate={gate} onDone={() => { setEditing(undefined); }} />
              : <GateCard team={team} gate={gate} maintains={maintains} onEdit={() => { setEditing(gate.id); }} onDelete={() => { setDeleting(gate); }} />}
          </li>
        ))}
      </ul>
      <Confirm
        open={deleting !== undefined}
        title={`Delete “${deleting?.name ?? ""}”?`}
        action="Delete gate"
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => { if (deleting) remove.mutate(deleting); }}
        onClose={() => { setDeleting(undefined); remove.reset(); }}
      >
        Its evaluations and waivers go with it, and uploads are no longer judged by it. This cannot be undone.
      </Confirm>
    </>
  );
}
