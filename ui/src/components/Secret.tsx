import { useEffect, useRef, type ReactNode } from "react";
import { Button, CopyButton } from "./Button.tsx";

/** Something that is shown only once, to be copied. */
export function Secret(props: { title: string; note: string; label: string; text: string; copy: string; onDone: () => void; children?: ReactNode }) {
  const place = useRef<HTMLElement>(null);
  // It may stand above what is on screen.
  useEffect(() => { place.current?.scrollIntoView({ block: "nearest" }); }, [props.text]);
  return (
    <section ref={place} aria-label={props.title} className="panel mb-5 scroll-my-16 flex flex-col gap-3 border-passed p-4">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <h2 className="text-base font-semibold break-words">{props.title}</h2>
          <p role="status" className="text-muted-foreground">{props.note}</p>
        </div>
        <Button onClick={props.onDone}>Done</Button>
      </div>
      <div className="flex flex-wrap items-center gap-2">
        <code aria-label={props.label} className="min-w-0 rounded-md border bg-code px-2.5 py-1.5 font-mono text-[12.5px] break-all">{props.text}</code>
        <CopyButton text={props.text} label={props.copy} />
      </div>
      {props.children}
    </section>
  );
}
