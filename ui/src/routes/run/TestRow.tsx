import type { TestResult } from "@scaledtest/sdk";
import { RotateCcw } from "lucide-react";
import { memo } from "react";
import { FlakyBadge, StatusIcon, statusLabel } from "../../components/Status.tsx";
import { cx } from "../../lib/cx.ts";
import { formatDuration, shortPath } from "../../lib/format.ts";

export interface RowProps {
  id: string;
  index: number;
  total: number;
  top: number;
  height: number;
  active: boolean;
  open: boolean;
  /** Undefined while it is being fetched. */
  result: TestResult | undefined;
}

/** One test of the virtual list. Clicks and keys are the list's business. */
export const TestRow = memo(function TestRow({ id, index, total, top, height, active, open, result }: RowProps) {
  return (
    <div
      id={id}
      role="option"
      aria-selected={open}
      aria-posinset={index + 1}
      aria-setsize={total}
      data-index={index}
      style={{ height, transform: `translateY(${String(top)}px)` }}
      className={cx(
        "absolute top-0 left-0 grid w-full cursor-pointer grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-x-3 border-b px-3 hover:bg-muted/60 sm:px-4",
        open && "bg-accent",
        active && "outline-2 -outline-offset-2 outline-ring group-focus-visible:outline-solid",
      )}
    >
      {result ? <Content result={result} /> : <Placeholder />}
    </div>
  );
});

function Content({ result }: { result: TestResult }) {
  const suite = result.suite.join(" › ");
  return (
    <>
      <span className="inline-flex w-5 items-center gap-1.5 sm:w-20">
        <StatusIcon status={result.status} silent />
        <span className="text-[13px] max-sm:sr-only">{statusLabel(result.status)}</span>
      </span>
      <div className="min-w-0">
        <p className="flex min-w-0 items-center gap-2">
          <span className="truncate font-medium" title={result.name}>{result.name}</span>
          {result.flaky && <FlakyBadge />}
          {result.retries > 0 && (
            <span className="inline-flex shrink-0 items-center gap-0.5 text-xs text-muted-foreground" title="Retries">
              <RotateCcw aria-hidden size={11} />
              {result.retries}
              <span className="sr-only">retries</span>
            </span>
          )}
        </p>
        <p className="flex min-w-0 gap-3 text-xs text-muted-foreground">
          {suite && <span className="truncate" title={suite}>{suite}</span>}
          {result.file_path && <span className="shrink-0 truncate max-md:hidden" title={result.file_path}>{shortPath(result.file_path)}</span>}
        </p>
      </div>
      <span className="text-right text-[13px] text-muted-foreground">{formatDuration(result.duration_ms)}</span>
    </>
  );
}

function Placeholder() {
  return (
    <>
      <span className="skeleton h-4 w-5 sm:w-20" />
      <span className="skeleton h-4 w-2/5" />
      <span className="skeleton h-4 w-12" />
    </>
  );
}
