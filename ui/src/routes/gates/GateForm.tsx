import type { QualityGate, Team } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Button } from "../../components/Button.tsx";
import { Field } from "../../components/Field.tsx";
import { messageOf } from "../../components/States.tsx";
import { draftOf, newDraft, ruleOf, type RuleDraft } from "../../lib/gates.ts";
import { keys, queryClient } from "../../queries.ts";
import { client } from "../../session.ts";
import { Preview } from "./Preview.tsx";
import { RuleEditor } from "./RuleEditor.tsx";

/** The server's limit. */
const MOST_RULES = 50;

const branchesOf = (text: string) => text.split(/[\s,]+/).filter((glob) => glob !== "");

/** Makes a gate, or changes one. */
export function GateForm({ team, gate, onDone }: { team: Team; gate?: QualityGate; onDone: () => void }) {
  const [name, setName] = useState(gate?.name ?? "");
  const [description, setDescription] = useState(gate?.description ?? "");
  const [branches, setBranches] = useState(gate?.branches.join(", ") ?? "");
  const [enabled, setEnabled] = useState(gate?.enabled ?? true);
  const [drafts, setDrafts] = useState<RuleDraft[]>(() => gate?.rules.map((rule, key) => draftOf(key, rule)) ?? [newDraft(0)]);
  const form = useRef<HTMLFormElement>(null);
  const body = () => ({
    name: name.trim(),
    rules: drafts.map(ruleOf),
    branches: branchesOf(branches),
    enabled,
    ...(description.trim() !== "" && { description: description.trim() }),
  });
  const save = useMutation({
    mutationFn: () => (gate ? client.gates.updateQualityGate(team.id, gate.id, body()) : client.gates.createQualityGate(team.id, body())),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keys.gates() });
      onDone();
    },
  });
  const change = (draft: RuleDraft) => { setDrafts(drafts.map((known) => (known.key === draft.key ? draft : known))); };
  const add = () => { setDrafts([...drafts, newDraft(Math.max(-1, ...drafts.map(({ key }) => key)) + 1, "zero_failures")]); };
  return (
    <form
      ref={form}
      aria-label={gate ? `Edit ${gate.name}` : "New quality gate"}
      className="mb-5 flex flex-col gap-4 rounded-lg border bg-card p-4"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <div className="grid gap-3 md:grid-cols-3">
        <Field id="qg-name" label="Name" required maxLength={255} autoComplete="off" placeholder="Main" value={name} onChange={(event) => { setName(event.target.value); }} />
        <Field id="qg-description" label="Description" maxLength={2000} autoComplete="off" placeholder="What main has to keep" value={description} onChange={(event) => { setDescription(event.target.value); }} />
        <Field id="qg-branches" label="Branches" autoComplete="off" spellCheck={false} placeholder="every branch" hint="Globs with commas between: main, release/*" value={branches} onChange={(event) => { setBranches(event.target.value); }} />
      </div>
      {gate && (
        <label className="inline-flex items-center gap-2 font-medium">
          <input id="qg-active" type="checkbox" checked={enabled} onChange={(event) => { setEnabled(event.target.checked); }} />
          Active
        </label>
      )}
      <fieldset className="flex min-w-0 flex-col gap-3">
        <legend className="mb-2 font-medium">Rules, all of which have to hold</legend>
        {drafts.map((draft, index) => (
          <RuleEditor
            key={draft.key}
            number={index + 1}
            draft={draft}
            onChange={change}
            onRemove={drafts.length > 1 ? () => { setDrafts(drafts.filter(({ key }) => key !== draft.key)); } : undefined}
          />
        ))}
        <div><Button small disabled={drafts.length >= MOST_RULES} onClick={add}>+ Add Rule</Button></div>
      </fieldset>
      <Preview team={team} rules={() => drafts.map(ruleOf)} branches={() => branchesOf(branches)} isComplete={() => form.current?.reportValidity() ?? false} />
      {save.isError && <p role="alert" className="break-words text-failed">{messageOf(save.error)}</p>}
      <div className="flex flex-wrap gap-2">
        <Button type="submit" look="primary" disabled={save.isPending}>{gate ? "Save Changes" : "Create Quality Gate"}</Button>
        {gate && <Button onClick={onDone}>Cancel</Button>}
      </div>
    </form>
  );
}
