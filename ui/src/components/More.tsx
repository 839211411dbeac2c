import { useEffect, useRef } from "react";
import { Button } from "./Button.tsx";

/** Fetches the next page when its place comes near the screen. */
export function More({ busy, onMore }: { busy: boolean; onMore: () => void }) {
  const mark = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const place = mark.current;
    if (!place || busy) return;
    const observer = new IntersectionObserver(
      (entries) => { if (entries.some((entry) => entry.isIntersecting)) onMore(); },
      { rootMargin: "600px" },
    );
    observer.observe(place);
    return () => { observer.disconnect(); };
  }, [busy, onMore]);
  return (
    <div ref={mark} className="flex justify-center py-4">
      <Button disabled={busy} onClick={onMore}>{busy ? "Loading…" : "Load more"}</Button>
    </div>
  );
}
