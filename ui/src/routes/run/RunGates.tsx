import type { GateEvaluation, GateRule, RunDetail, Team } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "../../components/Button.tsx";
import { GateBadge, GateRules } from "../../components/GateRules.tsx";
import { ErrorBox } from "../../components/States.tsx";
import { runGatesQuery } from "../../gate-queries.ts";
import { shortCommit } from "../../lib/format.ts";
import { membersQuery, useTeam } from "../../queries.ts";
import { WaiveDialog } from "./WaiveDialog.tsx";

/** What the quality gates say of the run; nothing if none has judged it. */
export function RunGates({ run }: { run: RunDetail }) {
  const team = useTeam();
  const query = useQuery(runGatesQuery(run.id));
  if (query.isError) return <div className="mb-5"><ErrorBox title="The quality gates could not be loaded" error={query.error} retry={() => void query.refetch()} /></div>;
  if (!team || !query.data || query.data.length === 0) return null;
  return <Panel team={team} run={run} evaluations={query.data} />;
}

function Panel({ team, run, evaluations }: { team: Team; run: RunDetail; evaluations: GateEvaluation[] }) {
  const [waiving, setWaiving] = useState<{ evaluation: GateEvaluation; rule: GateRule }>();
  const { data: members } = useQuery(membersQuery(team.id));
  const who = (id: string) => members?.find(({ user_id }) => user_id === id)?.display_name;
  const maintains = team.role !== "readonly";
  return (
    <section aria-labelledby="gates" className="mb-5">
      <h2 id="gates" className="mb-2 text-base font-semibold">Quality gates</h2>
      <div className="flex flex-col gap-3">
        {evaluations.map((evaluation) => (
          <section key={evaluation.gate_id} aria-label={`Gate ${evaluation.gate_name}`} className="panel divide-y">
            <div className="flex flex-wrap items-center gap-x-3 gap-y-0.5 px-4 py-2.5">
              <h3 className="font-semibold break-words">{evaluation.gate_name}</h3>
              <GateBadge status={evaluation.status} />
              {evaluation.status === "incomplete" && <span className="text-muted-foreground">Shards of the run are missing.</span>}
              {evaluation.baseline && <Baseline baseline={evaluation.baseline} />}
            </div>
            <GateRules
              label={`Rules of ${evaluation.gate_name}`}
              results={evaluation.details}
              who={who}
              action={({ rule, passed, level }) => maintains && rule && !passed && level === "block" && (
                <Button small aria-label={`Waive ${rule.type.replaceAll("_", " ")} of ${evaluation.gate_name}`} onClick={() => { setWaiving({ evaluation, rule }); }}>Waive</Button>
              )}
            />
          </section>
        ))}
      </div>
      <WaiveDialog team={team} run={run} waiving={waiving} onClose={() => { setWaiving(undefined); }} />
    </section>
  );
}

function Baseline({ baseline: { branch, commit, run_id: runId } }: { baseline: NonNullable<GateEvaluation["baseline"]> }) {
  const at = commit ? `${branch} at ${shortCommit(commit)}` : branch;
  return (
    <p className="text-[13px] text-muted-foreground md:ml-auto">
      Compared with{" "}
      {runId ? <Link to="/runs/$runId" params={{ runId }} className="underline underline-offset-2 hover:text-foreground">{at}</Link> : at}
    </p>
  );
}
