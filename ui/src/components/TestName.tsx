import { Link } from "@tanstack/react-router";
import { cx } from "../lib/cx.ts";

interface Props {
  id: string;
  name: string;
  suite: string;
  filePath?: string | null;
  branch?: string;
  variantId?: string;
  /** What else tells it apart. */
  note?: string;
  /** At most two lines rather than one. */
  tall?: boolean;
}

/** A test by its name, which leads to its page; suite and file below. */
export function TestName({ id, name, suite, filePath, branch, variantId, note, tall }: Props) {
  const place = [suite, filePath?.split("/").at(-1)].filter(Boolean).join(" · ");
  return (
    <div className="min-w-0">
      <Link
        to="/tests/$testId"
        params={{ testId: id }}
        search={{ branch, variant: variantId }}
        title={name}
        className={cx("font-medium underline-offset-2 hover:underline", tall ? "line-clamp-2 break-words" : "block truncate")}
      >
        {name}
      </Link>
      <p className="flex min-w-0 gap-x-3 text-xs text-muted-foreground">
        {place && <span className="truncate" title={[suite, filePath].filter(Boolean).join(" · ")}>{place}</span>}
        {note && <span className="max-w-[65%] shrink-0 truncate" title={note}>{note}</span>}
      </p>
    </div>
  );
}
