import type { Project } from "@scaledtest/sdk";
import { Search } from "lucide-react";
import type { RefObject } from "react";
import { useDebouncedText } from "../hooks.ts";
import { cx } from "../lib/cx.ts";

/** The branches to choose from: of the chosen project, else of all. */
export function branchesOf(projects: Project[], project: string | undefined): string[] {
  const all = projects.filter((candidate) => project === undefined || candidate.name === project).flatMap(({ branches }) => branches);
  return [...new Set(all)].sort((a, b) => a.localeCompare(b));
}

interface Option {
  value: string;
  label: string;
}

/** The value that the URL names stays selectable, also when the list does not know it. */
function withCurrent(options: Option[], current: string | undefined): Option[] {
  return current === undefined || options.some(({ value }) => value === current) ? options : [{ value: current, label: current }, ...options];
}

/** A filter with a value of a list, or none. `all` is what none is called. */
export function FilterChoice(props: {
  label: string;
  all: string;
  value: string | undefined;
  values: (string | Option)[];
  onChange: (value: string | undefined) => void;
}) {
  const options = props.values.map((value) => (typeof value === "string" ? { value, label: value } : value));
  return (
    <select
      aria-label={props.label}
      className="field w-full min-w-0 sm:w-40"
      value={props.value ?? ""}
      onChange={(event) => { props.onChange(event.target.value || undefined); }}
    >
      <option value="">{props.all}</option>
      {withCurrent(options, props.value).map(({ value, label }) => <option key={value} value={value}>{label}</option>)}
    </select>
  );
}

interface SearchProps {
  label: string;
  placeholder: string;
  value: string | undefined;
  field?: RefObject<HTMLInputElement | null>;
  /** The key that leads there. */
  shortcut?: string;
  onChange: (text: string) => void;
}

/** A search box that fills the rest of its line. */
export function FilterSearch({ label, placeholder, value, field, shortcut, onChange }: SearchProps) {
  const [text, setText] = useDebouncedText(value ?? "", onChange);
  return (
    <div className="relative w-full sm:w-64 sm:grow lg:max-w-96">
      <Search aria-hidden size={15} className="pointer-events-none absolute top-1/2 left-2.5 -translate-y-1/2 text-muted-foreground" />
      <input
        ref={field}
        type="search"
        aria-label={label}
        aria-keyshortcuts={shortcut}
        placeholder={placeholder}
        value={text}
        onChange={(event) => { setText(event.target.value); }}
        className="field w-full pl-8"
      />
    </div>
  );
}

/** A filter that is typed. */
export function FilterText({ label, value, onChange }: { label: string; value: string | undefined; onChange: (text: string) => void }) {
  const [text, setText] = useDebouncedText(value ?? "", onChange, 400);
  return (
    <input
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={(event) => { setText(event.target.value); }}
      className="field w-full min-w-0 sm:w-32"
    />
  );
}

/** One of a few values, as buttons side by side. */
export function Segments<Value extends string | undefined>(props: {
  label: string;
  options: { value: Value; label: string }[];
  value: Value;
  onChange: (value: Value) => void;
}) {
  return (
    <div role="group" aria-label={props.label} className="flex w-full gap-px overflow-hidden rounded-md border border-input bg-border sm:w-auto">
      {props.options.map(({ value, label }) => (
        <button
          key={label}
          type="button"
          aria-pressed={props.value === value}
          onClick={() => { props.onChange(value); }}
          className={cx("h-8 flex-1 px-2.5 font-medium whitespace-nowrap -outline-offset-2", props.value === value ? "bg-accent" : "bg-card text-muted-foreground hover:bg-muted")}
        >
          {label}
        </button>
      ))}
    </div>
  );
}
