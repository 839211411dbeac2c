import type { Project } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Search, X } from "lucide-react";
import { Button } from "../../components/Button.tsx";
import { useDebouncedText } from "../../hooks.ts";
import { cx } from "../../lib/cx.ts";
import type { RunSearch } from "../../lib/search.ts";
import { projectsQuery } from "../../queries.ts";

const STATUSES: { value: RunSearch["status"]; label: string }[] = [
  { value: undefined, label: "All" },
  { value: "passed", label: "Passed" },
  { value: "failed", label: "Failed" },
  { value: "skipped", label: "Skipped" },
  { value: "flaky", label: "Flaky" },
];

/** The branches to choose from: of the chosen project, else of all. */
function branchesOf(projects: Project[], project: string | undefined): string[] {
  const all = projects.filter((candidate) => project === undefined || candidate.name === project).flatMap(({ branches }) => branches);
  return [...new Set(all)].sort((a, b) => a.localeCompare(b));
}

/** The value that the URL names stays selectable, also when the list does not know it. */
function withCurrent(values: string[], current: string | undefined): string[] {
  return current === undefined || values.includes(current) ? values : [current, ...values];
}

function Choice(props: { label: string; all: string; value: string | undefined; values: string[]; onChange: (value: string | undefined) => void }) {
  return (
    <select
      aria-label={props.label}
      className="field w-full min-w-0 sm:w-44"
      value={props.value ?? ""}
      onChange={(event) => { props.onChange(event.target.value || undefined); }}
    >
      <option value="">{props.all}</option>
      {withCurrent(props.values, props.value).map((value) => <option key={value}>{value}</option>)}
    </select>
  );
}

export function Filters({ search, onChange }: { search: RunSearch; onChange: (change: Partial<RunSearch>) => void }) {
  const projects = useQuery(projectsQuery()).data ?? [];
  const [text, setText] = useDebouncedText(search.q ?? "", (q) => { onChange({ q }); });
  const active = Object.values(search).some((value) => value !== undefined);
  return (
    <search className="mb-3 flex flex-wrap items-center gap-2">
      <div className="relative w-full sm:w-64 sm:grow lg:max-w-96">
        <Search aria-hidden size={15} className="pointer-events-none absolute top-1/2 left-2.5 -translate-y-1/2 text-muted-foreground" />
        <input
          type="search"
          aria-label="Search reports"
          placeholder="Search reports by name, branch, commit…"
          value={text}
          onChange={(event) => { setText(event.target.value); }}
          className="field w-full pl-8"
        />
      </div>
      <div role="group" aria-label="Outcome" className="flex w-full gap-px overflow-hidden rounded-md border border-input bg-border sm:w-auto">
        {STATUSES.map(({ value, label }) => (
          <button
            key={label}
            type="button"
            aria-pressed={search.status === value}
            onClick={() => { onChange({ status: value }); }}
            className={cx("h-8 flex-1 px-2.5 font-medium -outline-offset-2", search.status === value ? "bg-accent" : "bg-card text-muted-foreground hover:bg-muted")}
          >
            {label}
          </button>
        ))}
      </div>
      <div className="grid w-full grid-cols-2 gap-2 sm:flex sm:w-auto sm:flex-wrap">
        <Choice
          label="Project"
          all="All projects"
          value={search.project}
          values={projects.map(({ name }) => name)}
          onChange={(project) => { onChange({ project, branch: undefined }); }}
        />
        <Choice
          label="Branch"
          all="All branches"
          value={search.branch}
          values={branchesOf(projects, search.project)}
          onChange={(branch) => { onChange({ branch }); }}
        />
        <input type="date" aria-label="From day" title="From day" className="field min-w-0" value={search.from ?? ""} max={search.to} onChange={(event) => { onChange({ from: event.target.value }); }} />
        <input type="date" aria-label="To day" title="To day" className="field min-w-0" value={search.to ?? ""} min={search.from} onChange={(event) => { onChange({ to: event.target.value }); }} />
      </div>
      {active && (
        <Button
          look="ghost"
          onClick={() => {
            onChange({ q: undefined, status: undefined, project: undefined, branch: undefined, from: undefined, to: undefined });
          }}
        >
          <X aria-hidden size={14} />
          Clear filters
        </Button>
      )}
    </search>
  );
}
