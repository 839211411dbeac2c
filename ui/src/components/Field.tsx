import type { ComponentProps, ReactNode } from "react";
import { cx } from "../lib/cx.ts";

/** A text field with its label. `name` is the id when absent. */
export function Field({ id, label, hint, aside, className, ...rest }: ComponentProps<"input"> & { id: string; label: string; hint?: ReactNode; aside?: ReactNode }) {
  return (
    <div className={cx("flex min-w-0 flex-col gap-1.5", className)}>
      <div className="flex items-baseline justify-between gap-3">
        <label htmlFor={id} className="font-medium">{label}</label>
        {aside}
      </div>
      <input id={id} name={id} aria-describedby={hint ? `${id}-hint` : undefined} {...rest} className="field w-full" />
      {hint && <p id={`${id}-hint`} className="text-[13px] text-muted-foreground">{hint}</p>}
    </div>
  );
}

/** What an owner may be called: names of people's mailboxes are no business of the log. */
export const OWNER = { pattern: "@?[^@]*", title: "A team or a handle such as @payments, not an e-mail address" };

/** A choice with its label. */
export function Choice({ id, label, className, children, ...rest }: ComponentProps<"select"> & { id: string; label: string }) {
  return (
    <div className={cx("flex min-w-0 flex-col gap-1.5", className)}>
      <label htmlFor={id} className="font-medium">{label}</label>
      <select id={id} name={id} {...rest} className="field w-full">{children}</select>
    </div>
  );
}
