import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import type { RefObject } from "react";
import { Button } from "../../components/Button.tsx";
import { branchesOf, FilterChoice, FilterSearch, FilterText, Segments } from "../../components/FilterFields.tsx";
import { stateLabel } from "../../components/StateBadge.tsx";
import { STATES } from "../../lib/insight.ts";
import { LAST_STATUSES, TEST_SORTS, type TestsSearch } from "../../lib/insight-search.ts";
import { projectsQuery } from "../../queries.ts";
import { SORT_LABELS } from "./columns.tsx";

const STATE_OPTIONS = [{ value: undefined, label: "All" }, ...STATES.map((state) => ({ value: state, label: stateLabel(state) }))];
const STATUS_OPTIONS = [
  { value: "failed", label: "Last run failed" },
  { value: "passed", label: "Last run passed" },
  { value: "skipped", label: "Not run last time" },
] satisfies { value: (typeof LAST_STATUSES)[number]; label: string }[];

interface Props {
  search: TestsSearch;
  /** The search box, for the key that jumps to it. */
  field: RefObject<HTMLInputElement | null>;
  /** True where the table's head is missing, by which one sorts. */
  sortable: boolean;
  onChange: (change: Partial<TestsSearch>) => void;
}

export function Filters({ search, field, sortable, onChange }: Props) {
  const projects = useQuery(projectsQuery()).data ?? [];
  const active = Object.entries(search).some(([name, value]) => value !== undefined && name !== "sort");
  return (
    <search className="mb-3 flex flex-wrap items-center gap-2">
      <FilterSearch label="Search tests" placeholder="Search tests by name, suite, file ( / )" value={search.q} field={field} shortcut="/" onChange={(q) => { onChange({ q }); }} />
      <Segments label="State" options={STATE_OPTIONS} value={search.state} onChange={(state) => { onChange({ state }); }} />
      <div className="grid w-full grid-cols-2 gap-2 sm:flex sm:w-auto sm:flex-wrap">
        <FilterChoice
          label="Project"
          all="All projects"
          value={search.project}
          values={projects.map(({ name }) => name)}
          onChange={(project) => { onChange({ project, branch: search.branch === "*" ? "*" : undefined }); }}
        />
        <FilterChoice
          label="Branch"
          all="Default branch"
          value={search.branch}
          values={[{ value: "*", label: "Any branch" }, ...branchesOf(projects, search.project)]}
          onChange={(branch) => { onChange({ branch }); }}
        />
        <FilterChoice
          label="Status"
          all="Any status"
          value={search.status}
          values={STATUS_OPTIONS}
          onChange={(status) => { onChange({ status: LAST_STATUSES.find((known) => known === status) }); }}
        />
        <FilterText label="Tag" value={search.tag} onChange={(tag) => { onChange({ tag }); }} />
        {sortable && (
          <select
            aria-label="Order"
            className="field w-full min-w-0 max-sm:col-span-2 sm:w-44"
            value={search.sort ?? "-failed_at"}
            onChange={(event) => { onChange({ sort: TEST_SORTS.find((known) => known === event.target.value) }); }}
          >
            {TEST_SORTS.map((sort) => <option key={sort} value={sort}>{SORT_LABELS[sort]}</option>)}
          </select>
        )}
      </div>
      {active && (
        <Button look="ghost" onClick={() => { onChange({ q: undefined, state: undefined, project: undefined, branch: undefined, status: undefined, tag: undefined }); }}>
          <X aria-hidden size={14} />
          Clear filters
        </Button>
      )}
    </search>
  );
}
