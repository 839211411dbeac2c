import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { Button } from "../../components/Button.tsx";
import { branchesOf, FilterChoice, FilterText, Segments } from "../../components/FilterFields.tsx";
import { GROUPS, readAnalyticsSearch, spanOf, SPANS, type AnalyticsSearch } from "../../lib/insight-search.ts";
import { projectsQuery } from "../../queries.ts";

const SPAN_OPTIONS = SPANS.map((span) => ({ value: String(span), label: `${String(span)} days` }));
const GROUP_OPTIONS: { value: string; label: string }[] = GROUPS.map((group) => ({ value: group, label: `By ${group}` }));

export function Filters({ search, onChange }: { search: AnalyticsSearch; onChange: (change: Partial<AnalyticsSearch>) => void }) {
  const projects = useQuery(projectsQuery()).data ?? [];
  const active = [search.project, search.branch, search.environment, search.tag].some((value) => value !== undefined);
  return (
    <search className="mb-5 flex flex-wrap items-center gap-2">
      <Segments label="Time range" options={SPAN_OPTIONS} value={String(spanOf(search))} onChange={(days) => { onChange({ days: readAnalyticsSearch({ days }).days }); }} />
      <Segments label="Group by" options={GROUP_OPTIONS} value={search.group ?? "day"} onChange={(group) => { onChange({ group: readAnalyticsSearch({ group }).group }); }} />
      <div className="grid w-full grid-cols-2 gap-2 sm:flex sm:w-auto sm:flex-wrap">
        <FilterChoice
          label="Project"
          all="All projects"
          value={search.project}
          values={projects.map(({ name }) => name)}
          onChange={(project) => { onChange({ project, branch: undefined }); }}
        />
        <FilterChoice label="Branch" all="All branches" value={search.branch} values={branchesOf(projects, search.project)} onChange={(branch) => { onChange({ branch }); }} />
        <FilterText label="Environment" value={search.environment} onChange={(environment) => { onChange({ environment }); }} />
        <FilterText label="Tag" value={search.tag} onChange={(tag) => { onChange({ tag }); }} />
      </div>
      {active && (
        <Button look="ghost" onClick={() => { onChange({ project: undefined, branch: undefined, environment: undefined, tag: undefined }); }}>
          <X aria-hidden size={14} />
          Clear filters
        </Button>
      )}
    </search>
  );
}
