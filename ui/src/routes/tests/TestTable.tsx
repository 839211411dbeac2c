import type { TestRow, TestSort } from "@scaledtest/sdk";
import { defaultRangeExtractor, useWindowVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { useEffect, useRef, useState, type FocusEvent, type KeyboardEvent } from "react";
import { HistoryStrip } from "../../components/HistoryStrip.tsx";
import { useOffset } from "../../hooks.ts";
import { cx } from "../../lib/cx.ts";
import { formatPercent } from "../../lib/insight.ts";
import { COLUMNS, LastRun, Name, SORT_LABELS, States, type Telling } from "./columns.tsx";

const ROW = 53;
const CARD = 97;
const GRID = "grid grid-cols-[minmax(0,1fr)_4.75rem_7.5rem_4.25rem_7.5rem_6.25rem_7.5rem] items-center gap-x-3 px-4";

interface Props {
  rows: TestRow[];
  total: number;
  /** As a table; else as cards, for narrow screens. */
  wide: boolean;
  telling: Telling;
  sort: TestSort;
  stale: boolean;
  onSort: (sort: TestSort) => void;
}

const keyOf = (row: TestRow | undefined) => (row ? `${row.id} ${row.branch} ${row.variant_id}` : "");

/** Tests over the page's own scrolling: only the rows near the screen, and the one with the focus, exist. */
export function TestTable({ rows, total, wide, telling, sort, stale, onSort }: Props) {
  const body = useRef<HTMLDivElement>(null);
  const height = wide ? ROW : CARD;
  const offset = useOffset(body);
  const [active, setActive] = useState(-1);
  const wanted = useRef(-1);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => height,
    getItemKey: (index) => keyOf(rows[index]),
    overscan: 10,
    scrollMargin: offset,
    scrollPaddingStart: 64,
    scrollPaddingEnd: 64,
    rangeExtractor: (range) => {
      const shown = defaultRangeExtractor(range);
      return active < 0 || active >= rows.length || shown.includes(active) ? shown : [...shown, active].sort((a, b) => a - b);
    },
  });
  useEffect(() => { virtual.measure(); }, [height, virtual]);
  useEffect(() => {
    if (wanted.current < 0) return;
    body.current?.querySelector<HTMLElement>(`[data-index="${String(wanted.current)}"] a`)?.focus({ preventScroll: true });
    wanted.current = -1;
  });

  const move = (index: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, index));
    wanted.current = next;
    setActive(next);
    virtual.scrollToIndex(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowDown: active + 1, ArrowUp: active - 1, Home: 0, End: rows.length - 1 };
    const next = steps[event.key];
    if (next === undefined || active < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(next);
  };
  const onFocus = (event: FocusEvent) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
    if (row) setActive(Number(row.dataset.index));
  };
  const items = virtual.getVirtualItems().flatMap(({ index, key, start }) => {
    const test = rows[index];
    return test ? [{ index, key, start, test }] : [];
  });
  const place = (start: number) => ({ height, transform: `translateY(${String(start - offset)}px)` });
  const row = "absolute inset-x-0 top-0 border-b hover:bg-muted/60 focus-within:bg-muted/60";

  if (!wide) {
    return (
      // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- the links inside are what is reached; arrows go from one to the next
      <div role="list" aria-label="Tests" ref={body} onKeyDown={onKeyDown} onFocus={onFocus} className={cx("panel relative overflow-hidden", stale && "opacity-60")} style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index, key, start, test }) => (
          <div key={key} role="listitem" data-index={index} aria-setsize={total} aria-posinset={index + 1} className={row} style={place(start)}>
            <Card row={test} telling={telling} />
          </div>
        ))}
      </div>
    );
  }
  return (
    <div role="table" aria-label="Tests" aria-rowcount={total + 1} className={cx("panel overflow-hidden", stale && "opacity-60")}>
      <div role="rowgroup">
        <div role="row" aria-rowindex={1} className={cx(GRID, "border-b text-[13px] text-muted-foreground")}>
          {COLUMNS.map((column) => <Head key={column.header} {...column} current={sort} onSort={onSort} />)}
        </div>
      </div>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- as above */}
      <div role="rowgroup" ref={body} onKeyDown={onKeyDown} onFocus={onFocus} className="relative" style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index, key, start, test }) => (
          <div key={key} role="row" aria-rowindex={index + 2} data-index={index} className={cx(row, GRID)} style={place(start)}>
            {COLUMNS.map(({ header, end, cell }) => (
              <div key={header} role="cell" className={cx("min-w-0 text-[13px]", end && "text-right")}>{cell(test, telling)}</div>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

/** A column has one order; choosing it again leads back to the usual one. */
function Head({ header, sort, end, current, onSort }: { header: string; sort?: TestSort; end?: boolean; current: TestSort; onSort: (sort: TestSort) => void }) {
  const on = sort !== undefined && sort === current;
  const down = sort?.startsWith("-") ?? false;
  const Arrow = down ? ArrowDown : ArrowUp;
  return (
    <div role="columnheader" aria-sort={on ? (down ? "descending" : "ascending") : undefined} className={cx("py-1.5 font-medium", end && "text-right")}>
      {sort === undefined ? (
        header
      ) : (
        <button type="button" title={SORT_LABELS[sort]} onClick={() => { onSort(sort); }} className={cx("inline-flex items-center gap-1 rounded whitespace-nowrap hover:text-foreground", on && "text-foreground")}>
          {header}
          {on && <Arrow aria-hidden size={13} />}
        </button>
      )}
    </div>
  );
}

function Card({ row, telling }: { row: TestRow; telling: Telling }) {
  return (
    <div className="flex h-full flex-col justify-center gap-1.5 px-4">
      <div className="flex items-start justify-between gap-3">
        <div className="min-w-0 flex-1"><Name row={row} telling={telling} /></div>
        <States row={row} />
      </div>
      <div className="flex items-end justify-between gap-3 text-[13px] text-muted-foreground">
        <HistoryStrip strip={row.strip} left />
        <span><span className="sr-only">Pass rate </span>{formatPercent(row.pass_rate)}</span>
        <LastRun row={row} />
      </div>
    </div>
  );
}
