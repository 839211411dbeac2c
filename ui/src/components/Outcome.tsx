import { CircleCheck } from "lucide-react";
import { cx } from "../lib/cx.ts";
import { messageOf } from "./States.tsx";

interface Mutation {
  isError: boolean;
  isSuccess: boolean;
  error: unknown;
}

/** How an action ended, beside its button. */
export function Outcome({ of: mutation, done, className }: { of: Mutation; done?: string; className?: string }) {
  return (
    <>
      <p role="status" className={cx("inline-flex items-center gap-1.5 text-passed empty:hidden", className)}>
        {mutation.isSuccess && done !== undefined && (
          <>
            <CircleCheck aria-hidden size={15} className="shrink-0" />
            {done}
          </>
        )}
      </p>
      {mutation.isError && <p role="alert" className={cx("text-failed", className)}>{messageOf(mutation.error)}</p>}
    </>
  );
}
