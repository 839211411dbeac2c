import { cx } from "../../lib/cx.ts";

/** A share as a bar; its number stands beside it. The interval, if there is one, is a thin line over it. */
export function Bar({ share, low, high, fill = "bg-primary", className }: { share: number; low?: number; high?: number; fill?: string; className?: string }) {
  const percent = (value: number) => `${String(Math.max(0, Math.min(1, value)) * 100)}%`;
  return (
    <span aria-hidden className={cx("relative block h-2 rounded-full bg-muted", className)}>
      {share > 0 && <span className={cx("absolute inset-y-0 left-0 min-w-1 rounded-full", fill)} style={{ width: percent(share) }} />}
      {low !== undefined && high !== undefined && (
        <span className="absolute top-1/2 h-px bg-foreground" style={{ left: percent(low), width: percent(high - low) }} />
      )}
    </span>
  );
}
