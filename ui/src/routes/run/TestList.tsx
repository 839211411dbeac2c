import type { TestResult } from "@scaledtest/sdk";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useState, type KeyboardEvent, type MouseEvent, type RefObject } from "react";
import { useMedia, useOffset } from "../../hooks.ts";
import { cx } from "../../lib/cx.ts";
import { TestRow } from "./TestRow.tsx";
import type { Range } from "./useResults.ts";

const ROW = 48;
/** Room for the finger on small screens. */
const TALL_ROW = 56;
/** What the sticky bars cover, so that a row moved into view by a key is not under them. */
const COVERED = 110;

interface Props {
  ref: RefObject<HTMLDivElement | null>;
  /** A test by its place; undefined while it is being fetched. */
  at: (index: number) => TestResult | undefined;
  total: number;
  /** The place of the open test, -1 when it is not among those that are here. */
  openIndex: number;
  isOpen: boolean;
  stale: boolean;
  onShow: (result: TestResult | undefined) => void;
  onRange: (range: Range) => void;
}

/** The tests as one list box over the page's own scrolling: only the rows near the screen exist. */
export function TestList({ ref, at, total, openIndex, isOpen, stale, onShow, onRange }: Props) {
  const height = useMedia("(max-width: 40rem)") ? TALL_ROW : ROW;
  const offset = useOffset(ref);
  const [active, setActive] = useState(-1);
  const rows = useWindowVirtualizer({
    count: total,
    estimateSize: () => height,
    overscan: 12,
    scrollMargin: offset,
    scrollPaddingStart: COVERED,
    scrollPaddingEnd: 16,
  });
  useEffect(() => { rows.measure(); }, [height, rows]);

  const items = rows.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => { onRange({ first, last }); }, [first, last, onRange]);

  const current = active >= 0 && active < total ? active : openIndex;

  const show = (index: number) => {
    const result = at(index);
    if (result) onShow(result);
  };
  const move = (index: number) => {
    const next = Math.max(0, Math.min(total - 1, index));
    setActive(next);
    rows.scrollToIndex(next);
    if (isOpen) show(next);
  };
  const page = Math.max(1, Math.floor(window.innerHeight / height) - 4);
  const keys: Record<string, () => void> = {
    ArrowDown: () => { move(current + 1); },
    ArrowUp: () => { move(current - 1); },
    PageDown: () => { move(current + page); },
    PageUp: () => { move(current - page); },
    Home: () => { move(0); },
    End: () => { move(total - 1); },
    Enter: () => { show(current); },
    " ": () => { show(current); },
    Escape: () => { onShow(undefined); },
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  };
  const onClick = (event: MouseEvent) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
    const index = Number(row?.dataset.index ?? -1);
    if (index < 0) return;
    setActive(index);
    show(index);
  };

  return (
    <div
      ref={ref}
      role="listbox"
      aria-label="Tests"
      tabIndex={0}
      aria-activedescendant={items.some(({ index }) => index === current) ? `test-${String(current)}` : undefined}
      onKeyDown={onKeyDown}
      onClick={onClick}
      style={{ height: rows.getTotalSize() }}
      className={cx("group relative overflow-hidden rounded-b-lg -outline-offset-2", current >= 0 && "focus-visible:outline-none", stale && "opacity-60")}
    >
      {items.map(({ index, start }) => (
        <TestRow
          key={index}
          id={`test-${String(index)}`}
          index={index}
          total={total}
          top={start - offset}
          height={height}
          active={index === current}
          open={index === openIndex}
          result={at(index)}
        />
      ))}
    </div>
  );
}
