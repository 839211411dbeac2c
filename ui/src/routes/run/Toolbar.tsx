import type { Summary } from "@scaledtest/sdk";
import { Search, X } from "lucide-react";
import type { RefObject } from "react";
import { StatusIcon, statusLabel } from "../../components/Status.tsx";
import { useDebouncedText } from "../../hooks.ts";
import { cx } from "../../lib/cx.ts";
import { formatCount } from "../../lib/format.ts";
import { readResultSearch, RESULT_STATUSES, type ResultSearch, type ResultSort } from "../../lib/search.ts";

const SORTS: { value: ResultSort | ""; label: string }[] = [
  { value: "", label: "Report order" },
  { value: "status", label: "Failed first" },
  { value: "-duration", label: "Slowest first" },
  { value: "duration", label: "Fastest first" },
  { value: "name", label: "Name" },
];

const chip = (on: boolean) =>
  cx(
    "inline-flex h-7.5 items-center gap-1.5 rounded-full border px-2.5 text-[13px] font-medium whitespace-nowrap",
    on ? "border-primary bg-accent" : "border-border bg-card hover:bg-muted",
  );

/** A filter that was set elsewhere, with the way to take it off. */
function Removable({ label, value, onRemove }: { label: string; value: string; onRemove: () => void }) {
  return (
    <span className={cx(chip(true), "max-w-full")}>
      <span className="truncate" title={value}>{label}: {value}</span>
      <button type="button" aria-label={`Remove ${label.toLowerCase()} filter`} onClick={onRemove}>
        <X aria-hidden size={13} />
      </button>
    </span>
  );
}

interface Props {
  summary: Summary;
  search: ResultSearch;
  field: RefObject<HTMLInputElement | null>;
  onChange: (change: Partial<ResultSearch>) => void;
}

/** The filters of the tests; `field` is the search box, for the key that jumps to it. */
export function Toolbar({ summary, search, field, onChange }: Props) {
  const [text, setText] = useDebouncedText(search.q ?? "", (q) => { onChange({ q }); });
  const shown = RESULT_STATUSES.filter((status) => summary[status] > 0 || search.status === status);
  return (
    <search className="flex flex-wrap items-center gap-2 border-b px-3 py-2">
      <div role="group" aria-label="Status" className="flex flex-wrap gap-1.5">
        <button type="button" className={chip(search.status === undefined)} aria-pressed={search.status === undefined} onClick={() => { onChange({ status: undefined }); }}>
          All <span className="text-muted-foreground">{formatCount(summary.tests)}</span>
        </button>
        {shown.map((status) => (
          <button key={status} type="button" className={chip(search.status === status)} aria-pressed={search.status === status} onClick={() => { onChange({ status: search.status === status ? undefined : status }); }}>
            <StatusIcon status={status} size={13} silent />
            {statusLabel(status)} <span className="text-muted-foreground">{formatCount(summary[status])}</span>
          </button>
        ))}
      </div>
      <div className="flex grow items-center justify-end gap-2 max-sm:w-full">
        <div className="relative min-w-0 grow sm:max-w-72">
          <Search aria-hidden size={14} className="pointer-events-none absolute top-1/2 left-2.5 -translate-y-1/2 text-muted-foreground" />
          <input
            ref={field}
            type="search"
            aria-label="Search tests"
            aria-keyshortcuts="/"
            placeholder="Search tests ( / )"
            value={text}
            onChange={(event) => { setText(event.target.value); }}
            className="field w-full pl-8"
          />
        </div>
        <select aria-label="Order" className="field" value={search.sort ?? ""} onChange={(event) => { onChange({ sort: readResultSearch({ sort: event.target.value }).sort }); }}>
          {SORTS.map(({ value, label }) => <option key={value} value={value}>{label}</option>)}
        </select>
      </div>
      {(search.suite !== undefined || search.tag !== undefined) && (
        <div className="flex w-full flex-wrap gap-1.5">
          {search.suite !== undefined && <Removable label="Suite" value={search.suite} onRemove={() => { onChange({ suite: undefined }); }} />}
          {search.tag !== undefined && <Removable label="Tag" value={search.tag} onRemove={() => { onChange({ tag: undefined }); }} />}
        </div>
      )}
    </search>
  );
}
