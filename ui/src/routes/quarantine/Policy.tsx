import type { QuarantinePolicy, QuarantineRules } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Button } from "../../components/Button.tsx";
import { Choice, Field, OWNER } from "../../components/Field.tsx";
import { Outcome } from "../../components/Outcome.tsx";
import { Section } from "../../components/Section.tsx";
import { ErrorBox } from "../../components/States.tsx";
import { fieldText } from "../../lib/form.ts";
import { policyQuery, refreshQuarantine } from "../../quarantine-queries.ts";
import { client } from "../../session.ts";

/** What the server does about flaky tests of a project by itself. */
export function Policy({ project, may }: { project: string; may: boolean }) {
  const query = useQuery(policyQuery(project));
  const save = useMutation({
    mutationFn: (rules: Partial<QuarantineRules>) => client.quarantine.setPolicy(query.data?.project.id ?? project, rules),
    onSuccess: refreshQuarantine,
  });
  return (
    <Section title={`Policy of ${project}`} note="Takes tests that are flaky on the default branch, the flakiest first; never broken ones, and none after a run that failed as a whole. They come out when they have recovered, are found broken, or their time is over.">
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.data && <Form key={query.data.set_at} policy={query.data} may={may} onSave={save.mutate} busy={save.isPending} outcome={<Outcome of={save} done="Saved" />} />}
    </Section>
  );
}

interface FormProps {
  policy: QuarantinePolicy;
  may: boolean;
  busy: boolean;
  /** How saving ended: it outlives the form, which begins anew with what was saved. */
  outcome: ReactNode;
  onSave: (rules: Partial<QuarantineRules>) => void;
}

function Form({ policy, may, busy, outcome, onSave }: FormProps) {
  return (
    <form
      aria-label="Quarantine policy"
      onSubmit={(event) => {
        event.preventDefault();
        const values = new FormData(event.currentTarget);
        const number = (name: string) => Number(fieldText(values, name));
        const perOwner = fieldText(values, "policy-per-owner");
        onSave({
          enabled: values.get("policy-enabled") === "on",
          mode: fieldText(values, "policy-mode") === "skip" ? "skip" : "mute",
          max_percent: number("policy-percent"),
          max_count: number("policy-count"),
          expiry_days: number("policy-days"),
          owner: fieldText(values, "policy-owner").trim(),
          ...(perOwner !== "" && { max_per_owner: Number(perOwner) }),
        });
      }}
    >
      <fieldset disabled={!may} className="min-w-0">
        <label className="mb-4 flex w-fit items-center gap-2 font-medium">
          <input type="checkbox" name="policy-enabled" defaultChecked={policy.enabled} className="size-4 accent-primary" />
          Quarantine flaky tests automatically
        </label>
        <div className="grid gap-x-4 gap-y-3.5 sm:grid-cols-2 lg:grid-cols-3">
          <Choice id="policy-mode" label="In CI" defaultValue={policy.mode}>
            <option value="mute">Run them, ignore failures</option>
            <option value="skip">Do not run them</option>
          </Choice>
          <Field id="policy-percent" label="At most, % of the tests" type="number" min={0} max={20} step={0.1} required defaultValue={policy.max_percent} />
          <Field id="policy-count" label="At most, tests" type="number" min={0} max={1000} required defaultValue={policy.max_count} />
          <Field id="policy-days" label="For days" type="number" min={1} max={90} required defaultValue={policy.expiry_days} />
          <Field id="policy-owner" label="Owner" maxLength={100} {...OWNER} defaultValue={policy.owner} placeholder="@qa" autoComplete="off" />
          <Field id="policy-per-owner" label="At most, tests of that owner" type="number" min={0} max={1000} defaultValue={policy.max_per_owner} placeholder="Any number" />
        </div>
      </fieldset>
      <div className="mt-4 flex flex-wrap items-center gap-3">
        {may ? <Button type="submit" look="primary" disabled={busy}>Save policy</Button> : <p className="text-muted-foreground">Only maintainers and owners of the team can change it.</p>}
        {outcome}
      </div>
    </form>
  );
}
