import type { SubmitEventHandler, ReactNode } from "react";
import { Button } from "../../components/Button.tsx";

/** The frame of the sign-in pages. */
export function AuthPage(props: {
  hint: string;
  action: string;
  busyAction: string;
  busy: boolean;
  error: string | undefined;
  onSubmit: SubmitEventHandler<HTMLFormElement>;
  children: ReactNode;
  footer: ReactNode;
}) {
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-sm">
        <div className="mb-6 flex flex-col items-center gap-2 text-center">
          <svg aria-hidden viewBox="0 0 32 32" className="size-10">
            <rect width="32" height="32" rx="7" className="fill-primary" />
            <path d="M7 22V15M13 22V11M19 22V13M25 22V8" className="stroke-primary-foreground" strokeWidth="3.2" strokeLinecap="round" />
          </svg>
          <h1 className="text-2xl font-semibold tracking-tight">ScaledTest</h1>
          <p className="text-muted-foreground">{props.hint}</p>
        </div>
        <form noValidate onSubmit={props.onSubmit} className="panel flex flex-col gap-4 p-6">
          {props.error !== undefined && (
            <div role="alert" className="rounded-md bg-failed-soft px-3 py-2 text-failed">{props.error}</div>
          )}
          {props.children}
          <Button type="submit" look="primary" disabled={props.busy} className="mt-1 w-full">
            {props.busy ? props.busyAction : props.action}
          </Button>
        </form>
        <p className="mt-4 text-center text-muted-foreground">{props.footer}</p>
      </div>
    </main>
  );
}

export function Field({ id, label, ...rest }: { id: string; label: string; type?: string; autoComplete: string }) {
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="font-medium">{label}</label>
      <input id={id} name={id} {...rest} className="field" />
    </div>
  );
}
