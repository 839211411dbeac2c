import { formatCount } from "../lib/format.ts";
import { Button } from "./Button.tsx";

/** Previous and next, and which rows of how many these are. */
export function Pager({ what, offset, size, total, onOffset }: { what: string; offset: number; size: number; total: number; onOffset: (offset: number) => void }) {
  if (total <= size && offset === 0) return null;
  const last = Math.min(total, offset + size);
  return (
    <nav aria-label={`Pages of ${what}`} className="mt-2 flex flex-wrap items-center justify-between gap-2">
      <p role="status" className="text-[13px] text-muted-foreground">Showing {formatCount(Math.min(offset + 1, last))}–{formatCount(last)} of {formatCount(total)}</p>
      <div className="flex gap-2">
        <Button small disabled={offset === 0} onClick={() => { onOffset(Math.max(0, offset - size)); }}>Previous</Button>
        <Button small disabled={last >= total} onClick={() => { onOffset(offset + size); }}>Next</Button>
      </div>
    </nav>
  );
}
