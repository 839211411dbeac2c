import { useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore, type RefObject } from "react";

/** True while the media query matches. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (onChange) => {
      const media = matchMedia(query);
      media.addEventListener("change", onChange);
      return () => { media.removeEventListener("change", onChange); };
    },
    () => matchMedia(query).matches,
  );
}

/** Wide enough for a sidebar. */
export const useWide = () => useMedia("(min-width: 64rem)");

/** The present, renewed every 20 seconds, for relative times. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => { setNow(Date.now()); }, 20_000);
    return () => { clearInterval(timer); };
  }, []);
  return now;
}

/** One may be open above another. */
let openDialogs = 0;

/**
 * Takes the page out of reach while a modal dialog is open. The dialogs stand beside `#root`, not in it.
 * Hiding alone would leave what can be focused in the accessibility tree's way.
 */
export function useInertPage(active: boolean): void {
  useEffect(() => {
    const page = document.getElementById("root");
    if (!page || !active) return;
    openDialogs += 1;
    page.inert = true;
    return () => {
      openDialogs -= 1;
      page.inert = openDialogs > 0;
    };
  }, [active]);
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · ScaledTest`;
  }, [title]);
}

/**
 * What a control shows that saves at once, and how it is changed: from a change on what was asked for, and what is saved when
 * that was answered. The mutation's own word comes a moment later, and until then React would put the control back.
 */
export function useSaved<S, T extends S>(saved: S, save: { mutate: (value: T, options: { onSettled: () => void }) => void }): [S, (value: T) => void] {
  const [asked, setAsked] = useState<{ value: T }>();
  const change = (value: T) => {
    setAsked({ value });
    save.mutate(value, { onSettled: () => { setAsked(undefined); } });
  };
  return [asked ? asked.value : saved, change];
}

/** A text field whose value is handed on when typing pauses; follows changes from outside. */
export function useDebouncedText(value: string, commit: (text: string) => void, delay = 250) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef(commit);
  useEffect(() => {
    latest.current = commit;
  });
  if (seen !== value) {
    setSeen(value);
    setText(value);
  }
  useEffect(() => () => { clearTimeout(timer.current); }, []);
  const change = (next: string) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => { latest.current(next); }, delay);
  };
  return [text, change] as const;
}

/** `/` jumps to the search box, as long as nothing else is being typed into. */
export function useSlash(focus: () => void) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement | null;
      const typing = target?.closest("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
      event.preventDefault();
      focus();
    };
    document.addEventListener("keydown", onKey);
    return () => { document.removeEventListener("keydown", onKey); };
  }, [focus]);
}

/** Where the list begins on the page; changes when something above it opens or wraps. */
export function useOffset(ref: RefObject<HTMLDivElement | null>): number {
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

/** How wide the element is, in pixels; 0 before it is known. */
export function useWidth(ref: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = () => { setWidth(Math.floor(element.clientWidth)); };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => { observer.disconnect(); };
  }, [ref]);
  return width;
}
