import type { GateEvaluation, GateRule, RunDetail, Team } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { Button } from "../../components/Button.tsx";
import { Modal } from "../../components/Dialog.tsx";
import { Choice } from "../../components/Field.tsx";
import { messageOf } from "../../components/States.tsx";
import { fieldText } from "../../lib/form.ts";
import { ruleWords } from "../../lib/gates.ts";
import { keys, queryClient } from "../../queries.ts";
import { client } from "../../session.ts";

const LIFETIMES = [1, 7, 14, 30, 90];
const DAY = 86_400_000;
/** The server's clock may be behind. */
const SPARE = 60_000;

interface Props {
  team: Team;
  run: RunDetail;
  waiving: { evaluation: GateEvaluation; rule: GateRule } | undefined;
  onClose: () => void;
}

/** Asks for the reason, waives the rule, and has the gate judge the run again. */
export function WaiveDialog({ team, run, waiving, onClose }: Props) {
  return (
    <Modal
      open={waiving !== undefined}
      title={waiving ? `Waive “${ruleWords(waiving.rule)}”?` : ""}
      note="The gate passes although this rule does not hold. It stays visible, with your name and reason."
      onClose={onClose}
    >
      {waiving && <Form team={team} run={run} waiving={waiving} onClose={onClose} />}
    </Modal>
  );
}

function Form({ team, run, waiving: { evaluation, rule }, onClose }: Props & { waiving: NonNullable<Props["waiving"]> }) {
  const waive = useMutation({
    mutationFn: async ({ where, reason, days }: { where: string; reason: string; days: number }) => {
      await client.gates.waiveRule(team.id, evaluation.gate_id, {
        rule,
        reason,
        expires_at: new Date(Date.now() + days * DAY - SPARE).toISOString(),
        ...(where === "branch" && run.branch ? { branch: run.branch } : { run_id: run.id }),
      });
      await client.gates.evaluateQualityGate(team.id, evaluation.gate_id, evaluation.report_id);
    },
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keys.run(run.id) });
      void queryClient.invalidateQueries({ queryKey: keys.gates() });
      onClose();
    },
  });
  return (
    <form
      aria-label="Waive the rule"
      className="mt-4 flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        const values = new FormData(event.currentTarget);
        const reason = fieldText(values, "reason").trim();
        if (reason !== "") waive.mutate({ reason, where: fieldText(values, "where"), days: Number(fieldText(values, "days")) });
      }}
    >
      <div className="flex flex-col gap-1.5">
        <label htmlFor="waive-reason" className="font-medium">Reason</label>
        <textarea id="waive-reason" name="reason" required maxLength={1000} rows={3} placeholder="The payment provider is down, see OPS-12" className="field h-auto w-full py-1.5" />
      </div>
      <div className="grid gap-3 sm:grid-cols-2">
        <Choice id="waive-where" name="where" label="For">
          <option value="run">This run only</option>
          {run.branch && <option value="branch">Every run of {run.branch}</option>}
        </Choice>
        <Choice id="waive-days" name="days" label="Expires after" defaultValue="14">
          {LIFETIMES.map((days) => <option key={days} value={days}>{days === 1 ? "1 day" : `${String(days)} days`}</option>)}
        </Choice>
      </div>
      {waive.isError && <p role="alert" className="text-failed">{messageOf(waive.error)}</p>}
      <div className="mt-2 flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" look="primary" disabled={waive.isPending}>Waive Rule</Button>
      </div>
    </form>
  );
}
