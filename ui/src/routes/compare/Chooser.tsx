import type { Run } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ArrowLeftRight } from "lucide-react";
import { useState, type SyntheticEvent } from "react";
import { Button } from "../../components/Button.tsx";
import { Choice } from "../../components/Field.tsx";
import { formatAbsolute, shortCommit } from "../../lib/format.ts";
import { comparisonQuery, newestRunsQuery, runQuery } from "../../queries.ts";

interface Option {
  id: string;
  label: string;
}

type Named = Pick<Run, "id" | "name" | "project" | "branch" | "commit" | "run_at">;

/** What tells one run from another in a list: project, name, branch, commit and time. */
function optionOf({ id, name, project, branch, commit, run_at }: Named): Option {
  const parts = [name === project ? name : `${project} ${name}`, branch, commit && shortCommit(commit), formatAbsolute(run_at)];
  return { id, label: parts.filter(Boolean).join(" · ") };
}

/** The newest runs, and what the address names besides: older runs, and single reports. */
function useOptions(base: string | undefined, head: string | undefined): Option[] {
  const newest = useQuery(newestRunsQuery()).data?.runs;
  const compared = useQuery({ ...comparisonQuery(base ?? "", head ?? ""), enabled: Boolean(base && head) }).data;
  const listed = newest?.some(({ id }) => id === head) ?? false;
  const alone = useQuery({ ...runQuery(head ?? ""), enabled: newest !== undefined && Boolean(head) && !base && !listed }).data;
  const options = (newest ?? []).map(optionOf);
  for (const side of [compared?.head, compared?.base, alone]) {
    if (side && !options.some(({ id }) => id === side.id)) options.unshift(optionOf(side));
  }
  for (const id of [base, head]) {
    if (id && !options.some((option) => option.id === id)) options.unshift({ id, label: id });
  }
  return options;
}

/** Base and head, each one of the newest runs. What is chosen takes effect with the button. */
export function Chooser({ base, head }: { base: string | undefined; head: string | undefined }) {
  const navigate = useNavigate();
  const options = useOptions(base, head);
  const [chosen, setChosen] = useState({ base: base ?? "", head: head ?? "" });
  const same = chosen.base !== "" && chosen.base === chosen.head;

  const show = (next: typeof chosen) => void navigate({ to: "/reports/compare", search: next });
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (!same) show(chosen);
  };
  const side = (name: "base" | "head", label: string) => (
    <Choice
      id={name}
      label={label}
      required
      value={chosen[name]}
      onChange={(event) => { setChosen({ ...chosen, [name]: event.target.value }); }}
      className="flex-1 basis-64"
    >
      <option value="">Choose a run</option>
      {options.map(({ id, label }) => <option key={id} value={id}>{label}</option>)}
    </Choice>
  );
  return (
    <form onSubmit={submit} className="mb-5 flex flex-wrap items-end gap-3">
      {side("base", "Base")}
      <Button
        aria-label="Swap sides"
        title="Swap sides"
        className="w-8.5 px-0"
        onClick={() => {
          const swapped = { base: chosen.head, head: chosen.base };
          if (base && head) show(swapped);
          else setChosen(swapped);
        }}
      >
        <ArrowLeftRight aria-hidden size={15} className="shrink-0" />
      </Button>
      {side("head", "Head")}
      <Button type="submit" look="primary" disabled={same} className="max-sm:w-full">Compare</Button>
      {same && <p role="alert" className="w-full text-failed">Base and head must be different runs.</p>}
    </form>
  );
}
