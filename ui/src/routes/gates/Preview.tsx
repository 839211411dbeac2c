import type { GateRule, Team } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "../../components/Button.tsx";
import { GateBadge } from "../../components/GateRules.tsx";
import { messageOf } from "../../components/States.tsx";
import { shortCommit } from "../../lib/format.ts";
import { client } from "../../session.ts";
import { Judged } from "./Evaluations.tsx";

interface Props {
  team: Team;
  rules: () => GateRule[];
  branches: () => string[];
  /** Whether the form can be read; says so to the person if not. */
  isComplete: () => boolean;
}

/** Which of the last runs would have passed, and why the others not. Nothing is saved. */
export function Preview({ team, rules, branches, isComplete }: Props) {
  const [runs, setRuns] = useState(10);
  const attempt = useMutation({ mutationFn: () => client.gates.previewQualityGate(team.id, { rules: rules(), branches: branches(), runs }) });
  const found = attempt.data;
  return (
    <section aria-label="Try on past runs" className="rounded-md border">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 p-3">
        <Button small disabled={attempt.isPending} onClick={() => { if (isComplete()) attempt.mutate(); }}>Try on past runs</Button>
        <label className="inline-flex items-center gap-2">
          The last
          <select aria-label="How many runs" className="field" value={runs} onChange={(event) => { setRuns(Number(event.target.value)); }}>
            {[10, 25, 50].map((count) => <option key={count} value={count}>{count}</option>)}
          </select>
        </label>
        <p role="status" className="font-medium">
          {attempt.isPending && "Trying…"}
          {!attempt.isPending && found && (found.runs.length === 0 ? "There is no run on these branches yet." : `${String(found.passed)} of ${String(found.runs.length)} runs would have passed.`)}
        </p>
        {attempt.isError && <p role="alert" className="min-w-0 break-words text-failed">{messageOf(attempt.error)}</p>}
      </div>
      {found && found.runs.length > 0 && (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrollable region must be reachable by keyboard
        <div role="region" aria-label="Runs that were tried" tabIndex={0} className="max-h-96 overflow-y-auto border-t">
          <ul aria-label="Tried runs" className="divide-y">
            {found.runs.map((run) => (
              <Judged
                key={run.run_id}
                runId={run.run_id}
                at={run.created_at}
                origin={[run.branch, run.commit && shortCommit(run.commit), run.build && `build ${run.build}`].filter(Boolean).join(" · ")}
                results={run.rules}
              >
                <GateBadge status={run.status} />
              </Judged>
            ))}
          </ul>
        </div>
      )}
    </section>
  );
}
