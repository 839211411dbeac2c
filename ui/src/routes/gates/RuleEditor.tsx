import type { GateRuleType } from "@scaledtest/sdk";
import { useId, useState } from "react";
import { Button } from "../../components/Button.tsx";
import { Choice, Field } from "../../components/Field.tsx";
import { KINDS, newDraft, RULE_TYPES, type ParamField, type RuleDraft } from "../../lib/gates.ts";

interface Props {
  number: number;
  draft: RuleDraft;
  onChange: (draft: RuleDraft) => void;
  /** Missing for the only rule. */
  onRemove: (() => void) | undefined;
}

/** One rule: its type, what that type asks for, how much it matters, and of which tests. */
export function RuleEditor({ number, draft, onChange, onRemove }: Props) {
  const id = useId();
  const [scoped, setScoped] = useState(draft.tag !== "" || draft.path !== "" || draft.owner !== "");
  const { help, fields } = KINDS[draft.type];
  const set = (part: Partial<RuleDraft>) => { onChange({ ...draft, ...part }); };
  const retype = (type: GateRuleType) => { set({ ...newDraft(draft.key, type), level: draft.level, tag: draft.tag, path: draft.path, owner: draft.owner }); };
  return (
    <div role="group" aria-label={`Rule ${String(number)}`} className="rounded-md border p-3">
      <div className="grid items-start gap-3 sm:grid-cols-2 lg:grid-cols-[14rem_minmax(0,1fr)_12rem_auto]">
        <Choice id={`${id}type`} label="Type" value={draft.type} onChange={(event) => { retype(event.target.value as GateRuleType); }}>
          {RULE_TYPES.map((type) => <option key={type} value={type}>{KINDS[type].label}</option>)}
        </Choice>
        <div className="flex min-w-0 flex-col gap-1.5">
          {fields.length > 0 && (
            <div className="grid gap-3 sm:grid-cols-2">
              {fields.map((field) => (
                <Param key={field.name} id={`${id}${field.name}`} field={field} value={draft.params[field.name] ?? ""} onChange={(value) => { set({ params: { ...draft.params, [field.name]: value } }); }} />
              ))}
            </div>
          )}
          <p className={fields.length === 0 ? "text-[13px] text-muted-foreground lg:mt-7" : "text-[13px] text-muted-foreground"}>{help}</p>
        </div>
        <Choice id={`${id}level`} label="If it does not hold" value={draft.level} onChange={(event) => { set({ level: event.target.value === "warn" ? "warn" : "block" }); }}>
          <option value="block">The gate fails</option>
          <option value="warn">Only warn</option>
        </Choice>
        <div className="flex flex-wrap gap-2 lg:mt-7">
          <Button small aria-expanded={scoped} onClick={() => {
            if (scoped) set({ tag: "", path: "", owner: "" });
            setScoped(!scoped);
          }}>{scoped ? "All tests" : "Scope"}</Button>
          {onRemove && <Button small look="danger" aria-label={`Remove rule ${String(number)}`} onClick={onRemove}>Remove</Button>}
        </div>
      </div>
      {scoped && (
        <div className="mt-3 grid gap-3 sm:grid-cols-3">
          <Field id={`${id}tag`} label="Only with tag" maxLength={200} autoComplete="off" spellCheck={false} placeholder="smoke" value={draft.tag} onChange={(event) => { set({ tag: event.target.value }); }} />
          <Field id={`${id}path`} label="Only in files" maxLength={200} autoComplete="off" spellCheck={false} placeholder="e2e/**" value={draft.path} onChange={(event) => { set({ path: event.target.value }); }} />
          <Field id={`${id}owner`} label="Only owned by" maxLength={200} autoComplete="off" spellCheck={false} placeholder="payments" value={draft.owner} onChange={(event) => { set({ owner: event.target.value }); }} />
        </div>
      )}
    </div>
  );
}

function Param({ id, field, value, onChange }: { id: string; field: ParamField; value: string; onChange: (value: string) => void }) {
  if (field.kind === "number") {
    const { min, max, step } = field;
    return <Field id={id} label={field.label} type="number" required min={min} max={max} step={step === 1 ? 1 : "any"} value={value} onChange={(event) => { onChange(event.target.value); }} />;
  }
  return (
    <div className="flex flex-col gap-1.5 sm:col-span-2">
      <label htmlFor={id} className="font-medium">{field.label}</label>
      <textarea id={id} required rows={3} spellCheck={false} placeholder={"**/login.spec.ts\nCheckout > *"} value={value} onChange={(event) => { onChange(event.target.value); }} className="field h-auto w-full py-1.5 font-mono text-[12.5px]" />
    </div>
  );
}
