import { useNow } from "../hooks.ts";
import { formatAbsolute, formatRelative } from "../lib/format.ts";

/** A relative time; the absolute one is its title. */
export function Time({ iso, className }: { iso: string; className?: string }) {
  const now = useNow();
  return (
    <time dateTime={iso} title={formatAbsolute(iso)} className={className}>
      {formatRelative(iso, now)}
    </time>
  );
}
