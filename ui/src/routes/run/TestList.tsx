import type { TestResult } from "@scaledtest/sdk";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useState, type KeyboardEvent, type MouseEvent, type RefObject } from "react";
import { useMedia } from "../../hooks.ts";
import { cx } from "../../lib/cx.ts";
import { TestRow } from "./TestRow.tsx";
import { refOf } from "./Tests.tsx";

const ROW = 48;
/** Room for the finger on small screens. */
const TALL_ROW = 56;
/** Rows fetched ahead of the last one on screen. */
const AHEAD = 150;
/** What the sticky bars cover, so that a row moved into view by a key is not under them. */
const COVERED = 110;

interface Props {
  ref: RefObject<HTMLDivElement | null>;
  results: TestResult[];
  total: number;
  openRef: string | undefined;
  stale: boolean;
  onShow: (result: TestResult | undefined) => void;
  onMore: () => void;
}

/** Where the list begins on the page; changes when something above it opens or wraps. */
function useOffset(ref: RefObject<HTMLDivElement | null>): number {
  const [offset, setOffset] = useState(0);
  useLayoutEffect(() => {
    const measure = () => {
      if (ref.current) setOffset(Math.round(ref.current.getBoundingClientRect().top + window.scrollY));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => { observer.disconnect(); };
  }, [ref]);
  return offset;
}

/** The tests as one list box over the page's own scrolling: only the rows near the screen exist. */
export function TestList({ ref, results, total, openRef, stale, onShow, onMore }: Props) {
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
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (results.length < total && last + AHEAD >= results.length) onMore();
  }, [last, results.length, total, onMore]);

  const openIndex = openRef === undefined ? -1 : results.findIndex((result) => refOf(result) === openRef);
  const current = active >= 0 && active < total ? active : openIndex;

  const move = (index: number) => {
    const next = Math.max(0, Math.min(total - 1, index));
    setActive(next);
    rows.scrollToIndex(next);
    if (openRef !== undefined && results[next]) onShow(results[next]);
  };
  const page = Math.max(1, Math.floor(window.innerHeight / height) - 4);
  const keys: Record<string, () => void> = {
    ArrowDown: () => { move(current + 1); },
    ArrowUp: () => { move(current - 1); },
    PageDown: () => { move(current + page); },
    PageUp: () => { move(current - page); },
    Home: () => { move(0); },
    End: () => { move(total - 1); },
    Enter: () => { onShow(results[current]); },
    " ": () => { onShow(results[current]); },
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
    if (!results[index]) return;
    setActive(index);
    onShow(results[index]);
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
          result={results[index]}
        />
      ))}
    </div>
  );
}
