import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { Button } from "../../components/Button.tsx";
import { branchesOf, FilterChoice, FilterSearch, Segments } from "../../components/FilterFields.tsx";
import type { RunSearch } from "../../lib/search.ts";
import { projectsQuery } from "../../queries.ts";

const STATUSES: { value: RunSearch["status"]; label: string }[] = [
  { value: undefined, label: "All" },
  { value: "passed", label: "Passed" },
  { value: "failed", label: "Failed" },
  { value: "skipped", label: "Skipped" },
  { value: "flaky", label: "Flaky" },
];

export function Filters({ search, onChange }: { search: RunSearch; onChange: (change: Partial<RunSearch>) => void }) {
  const projects = useQuery(projectsQuery()).data ?? [];
  const active = Object.values(search).some((value) => value !== undefined);
  return (
    <search className="mb-3 flex flex-wrap items-center gap-2">
      <FilterSearch label="Search reports" placeholder="Search reports by name, branch, commit…" value={search.q} onChange={(q) => { onChange({ q }); }} />
      <Segments label="Outcome" options={STATUSES} value={search.status} onChange={(status) => { onChange({ status }); }} />
      <div className="grid w-full grid-cols-2 gap-2 sm:flex sm:w-auto sm:flex-wrap">
        <FilterChoice
          label="Project"
          all="All projects"
          value={search.project}
          values={projects.map(({ name }) => name)}
          onChange={(project) => { onChange({ project, branch: undefined }); }}
        />
        <FilterChoice
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
