import type { QualityGate, Team } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Badge } from "../../components/Badge.tsx";
import { Button } from "../../components/Button.tsx";
import { GateBadge, GateRules } from "../../components/GateRules.tsx";
import { messageOf } from "../../components/States.tsx";
import { ruleWords } from "../../lib/gates.ts";
import { keys, queryClient } from "../../queries.ts";
import { client } from "../../session.ts";
import { Evaluations } from "./Evaluations.tsx";
import { Waivers } from "./Waivers.tsx";

const refresh = () => queryClient.invalidateQueries({ queryKey: keys.gates() });

interface Props {
  team: Team;
  gate: QualityGate;
  maintains: boolean;
  onEdit: () => void;
  onDelete: () => void;
}

export function GateCard({ team, gate, maintains, onEdit, onDelete }: Props) {
  const [history, setHistory] = useState(false);
  const [waivers, setWaivers] = useState(false);
  const evaluate = useMutation({ mutationFn: () => client.gates.evaluateQualityGate(team.id, gate.id), onSuccess: refresh });
  const toggle = useMutation({
    mutationFn: () => {
      const { name, description, rules, branches, enabled } = gate;
      return client.gates.updateQualityGate(team.id, gate.id, { name, rules, branches, enabled: !enabled, ...(description !== undefined && { description }) });
    },
    onSuccess: refresh,
  });
  const error = (evaluate.error ?? toggle.error) as unknown;
  return (
    <section aria-label={gate.name} className="rounded-lg border bg-card">
      <div className="flex flex-col gap-2 p-4">
        <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
          <div className="min-w-0 flex-1 basis-64">
            <h2 className="flex flex-wrap items-center gap-2 text-base font-semibold">
              <span className="min-w-0 break-words">{gate.name}</span>
              <Badge tone={gate.enabled ? "good" : "plain"}>{gate.enabled ? "Active" : "Inactive"}</Badge>
            </h2>
            {gate.description && <p className="break-words text-muted-foreground">{gate.description}</p>}
          </div>
          <div className="flex flex-wrap gap-2">
            <Button small disabled={evaluate.isPending} title="Judge the team’s newest report" onClick={() => { evaluate.mutate(); }}>Evaluate</Button>
            {maintains && (
              <>
                <Button small disabled={toggle.isPending} aria-label={`${gate.enabled ? "Disable" : "Enable"} ${gate.name}`} onClick={() => { toggle.mutate(); }}>{gate.enabled ? "Disable" : "Enable"}</Button>
                <Button small aria-label={`Edit ${gate.name}`} onClick={onEdit}>Edit</Button>
                <Button small look="danger" aria-label={`Delete ${gate.name}`} onClick={onDelete}>Delete</Button>
              </>
            )}
          </div>
        </div>
        <ul aria-label="Rules" className="flex flex-wrap gap-1.5">
          {gate.rules.map((rule, index) => (
            <li key={index} className="rounded-md border bg-muted px-2 py-0.5 text-[13px] break-all">{ruleWords(rule)}</li>
          ))}
        </ul>
        <p className="text-[13px] break-words text-muted-foreground">{gate.branches.length > 0 ? `For branches ${gate.branches.join(", ")}` : "For every branch"}</p>
        {error !== null && <p role="alert" className="text-failed">{messageOf(error)}</p>}
        <div className="flex flex-wrap gap-2">
          <Button small look="ghost" className="-ml-2" aria-expanded={history} onClick={() => { setHistory(!history); }}>{history ? "Hide History" : "View History"}</Button>
          <Button small look="ghost" aria-expanded={waivers} onClick={() => { setWaivers(!waivers); }}>{waivers ? "Hide Waivers" : "View Waivers"}</Button>
        </div>
      </div>
      {evaluate.data && (
        <section aria-label="Evaluation" className="divide-y border-t">
          <p role="status" className="flex flex-wrap items-center gap-2 px-4 py-2">The newest report: <GateBadge status={evaluate.data.status} /></p>
          <GateRules label={`Result of ${gate.name}`} results={evaluate.data.rules} />
        </section>
      )}
      {history && <Evaluations team={team} gate={gate} />}
      {waivers && <Waivers team={team} gate={gate} maintains={maintains} />}
    </section>
  );
}
