import { useId, type ReactNode } from "react";
import { cx } from "../lib/cx.ts";

/** A part of a settings page: heading, a sentence about it, and its content in a panel. */
export function Section(props: { title: string; note?: ReactNode; id?: string; danger?: boolean; bare?: boolean; aside?: ReactNode; children: ReactNode }) {
  const own = useId();
  const id = props.id ?? own;
  return (
    <section aria-labelledby={id} className="mb-6">
      <div className="mb-2 flex flex-wrap items-end justify-between gap-x-4 gap-y-2">
        <div className="min-w-0">
          <h2 id={id} className={cx("scroll-mt-16 text-base font-semibold", props.danger && "text-failed")}>{props.title}</h2>
          {props.note && <p className="max-w-prose text-muted-foreground">{props.note}</p>}
        </div>
        {props.aside}
      </div>
      {props.bare ? props.children : <div className={cx("panel p-4", props.danger && "border-failed/50")}>{props.children}</div>}
    </section>
  );
}
