import { ApiError } from "@scaledtest/sdk";
import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "../lib/cx.ts";
import { Button } from "./Button.tsx";

export function messageOf(error: unknown): string {
  const text = error instanceof Error && error.message !== "" ? error.message : "something went wrong";
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** What went wrong, and a way to try again. */
export function ErrorBox({ error, retry, title }: { error: unknown; retry?: () => void; title?: string }) {
  const requestId = error instanceof ApiError ? error.requestId : undefined;
  return (
    <div role="alert" className="panel flex flex-wrap items-center gap-3 border-failed/40 bg-failed-soft px-4 py-3">
      <TriangleAlert aria-hidden size={18} className="shrink-0 text-failed" />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{title ?? "This could not be loaded"}</p>
        <p className="break-words text-muted-foreground">
          {messageOf(error)}
          {requestId && <span className="ml-2 font-mono text-xs">request {requestId}</span>}
        </p>
      </div>
      {retry && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="panel flex flex-col items-center gap-2 px-6 py-12 text-center">
      <p className="text-base font-medium">{title}</p>
      <div className="max-w-prose text-muted-foreground">{children}</div>
    </div>
  );
}

/** Grey bars while something loads. */
export function Skeleton({ rows = 6, className }: { rows?: number; className?: string }) {
  return (
    <div role="status" className={cx("panel divide-y", className)}>
      <span className="sr-only">Loading</span>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="flex items-center gap-4 px-4 py-3.5">
          <span className="skeleton size-5 rounded-full" />
          <span className="skeleton h-3.5 flex-1" />
          <span className="skeleton hidden h-3.5 w-40 sm:block" />
          <span className="skeleton h-3.5 w-16" />
        </div>
      ))}
    </div>
  );
}

export function PageHeader({ title, children, note }: { title: ReactNode; children?: ReactNode; note?: ReactNode }) {
  return (
    <div className="mb-4 flex flex-wrap items-end justify-between gap-x-4 gap-y-2">
      <div className="min-w-0">
        <h1 className="text-xl font-semibold tracking-tight text-balance">{title}</h1>
        {note && <p className="mt-0.5 text-muted-foreground">{note}</p>}
      </div>
      {children && <div className="flex flex-wrap items-center gap-2">{children}</div>}
    </div>
  );
}
