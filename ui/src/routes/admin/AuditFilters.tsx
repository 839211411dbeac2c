import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { Button } from "../../components/Button.tsx";
import type { AdminSearch } from "../../lib/search.ts";
import { humanize } from "../../lib/words.ts";
import { adminTeamsQuery, adminUsersQuery, auditActionsQuery } from "../../queries.ts";

/** As many as the choices of people and teams hold; the tables above lead to anybody else. */
const CHOICES = 100;

interface Option {
  value: string;
  label: string;
}

function Choice(props: { label: string; all: string; value: string | undefined; options: Option[]; onChange: (value: string) => void }) {
  const { value, options } = props;
  // What the address names stays chosen, also when the list does not know it.
  const shown = value === undefined || options.some((option) => option.value === value) ? options : [{ value, label: value }, ...options];
  return (
    <select aria-label={props.label} className="field w-full min-w-0 sm:w-36" value={value ?? ""} onChange={(event) => { props.onChange(event.target.value); }}>
      <option value="">{props.all}</option>
      {shown.map((option) => <option key={option.value} value={option.value}>{option.label}</option>)}
    </select>
  );
}

export function AuditFilters({ search, onChange }: { search: AdminSearch; onChange: (change: Partial<AdminSearch>) => void }) {
  const actions = useQuery(auditActionsQuery).data ?? [];
  const people = useQuery(adminUsersQuery(undefined, 0, CHOICES)).data?.users ?? [];
  const teams = useQuery(adminTeamsQuery(undefined, 0, CHOICES)).data?.teams ?? [];
  const types = [...new Set(actions.map((action) => action.split(".")[0] ?? action))];
  const { action, type, actor, team, from, to } = search;
  const active = [action, type, actor, team, from, to].some((value) => value !== undefined);
  return (
    <search aria-label="Audit log" className="mb-3 grid grid-cols-2 gap-2 sm:flex sm:flex-wrap">
      <Choice label="Action" all="All actions" value={action} options={actions.map((value) => ({ value, label: humanize(value) }))} onChange={(next) => { onChange({ action: next }); }} />
      <Choice label="Resource type" all="All types" value={type} options={types.map((value) => ({ value, label: humanize(value) }))} onChange={(next) => { onChange({ type: next }); }} />
      <Choice label="Actor" all="All actors" value={actor} options={people.map(({ id, email }) => ({ value: id, label: email }))} onChange={(next) => { onChange({ actor: next }); }} />
      <Choice label="Team" all="All teams" value={team} options={teams.map(({ id, name }) => ({ value: id, label: name }))} onChange={(next) => { onChange({ team: next }); }} />
      <input type="date" aria-label="From day" title="From day" className="field min-w-0 sm:w-34" value={from ?? ""} max={to} onChange={(event) => { onChange({ from: event.target.value }); }} />
      <input type="date" aria-label="To day" title="To day" className="field min-w-0 sm:w-34" value={to ?? ""} min={from} onChange={(event) => { onChange({ to: event.target.value }); }} />
      {active && (
        <Button look="ghost" onClick={() => { onChange({ action: undefined, type: undefined, actor: undefined, team: undefined, from: undefined, to: undefined }); }}>
          <X aria-hidden size={14} />
          Clear filters
        </Button>
      )}
    </search>
  );
}
