import { Search } from "lucide-react";
import { useDebouncedText } from "../../hooks.ts";

export function SearchBox({ label, value, onChange }: { label: string; value: string; onChange: (text: string) => void }) {
  const [text, setText] = useDebouncedText(value, onChange);
  return (
    <search className="relative w-full sm:w-72">
      <Search aria-hidden size={15} className="pointer-events-none absolute top-1/2 left-2.5 -translate-y-1/2 text-muted-foreground" />
      <input type="search" aria-label={label} placeholder={label} value={text} onChange={(event) => { setText(event.target.value); }} className="field w-full pl-8" />
    </search>
  );
}
