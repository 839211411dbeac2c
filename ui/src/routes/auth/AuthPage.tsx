import { ApiError } from "@scaledtest/sdk";
import { useEffect, useState, type ReactNode } from "react";
import { Button } from "../../components/Button.tsx";
import { messageOf } from "../../components/States.tsx";
import { formatWait } from "../../lib/words.ts";

/** The frame of the pages without a session. */
export function AuthPage({ hint, children, footer }: { hint: string; children: ReactNode; footer?: ReactNode }) {
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-sm">
        <div className="mb-6 flex flex-col items-center gap-2 text-center">
          <svg aria-hidden viewBox="0 0 32 32" className="size-10">
            <rect width="32" height="32" rx="7" className="fill-primary" />
            <path d="M7 22V15M13 22V11M19 22V13M25 22V8" className="stroke-primary-foreground" strokeWidth="3.2" strokeLinecap="round" />
          </svg>
          <h1 className="text-2xl font-semibold tracking-tight">ScaledTest</h1>
          <p className="text-muted-foreground">{hint}</p>
        </div>
        {children}
        <p className="mt-4 min-h-5 text-center text-muted-foreground">{footer}</p>
      </div>
    </main>
  );
}

/** A form with its error and its one button. While the server wants a pause, the button waits with it. */
export function AuthForm(props: {
  action: string;
  busyAction: string;
  busy: boolean;
  error: unknown;
  onSubmit: (form: FormData) => void;
  children: ReactNode;
  below?: ReactNode;
}) {
  const wait = useWait(props.error);
  return (
    <div className="panel p-6">
      <form
        noValidate
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          props.onSubmit(new FormData(event.currentTarget));
        }}
      >
        <Problem error={props.error} wait={wait} />
        {props.children}
        <Button type="submit" look="primary" disabled={props.busy || wait > 0} className="mt-1 w-full">
          {props.busy ? props.busyAction : props.action}
        </Button>
      </form>
      {props.below}
    </div>
  );
}

const pause = (error: unknown) => (error instanceof ApiError && error.status === 429 ? (error.retryAfter ?? 0) : 0);

/** Seconds that are left of the pause which the server asked for. */
function useWait(error: unknown): number {
  const seconds = pause(error);
  const [seen, setSeen] = useState({ error, passed: 0 });
  useEffect(() => {
    if (seconds === 0) return;
    const began = Date.now();
    const timer = setInterval(() => {
      const passed = (Date.now() - began) / 1000;
      setSeen({ error, passed });
      if (passed >= seconds) clearInterval(timer);
    }, 500);
    return () => { clearInterval(timer); };
  }, [error, seconds]);
  return Math.max(0, Math.ceil(seconds - (seen.error === error ? seen.passed : 0)));
}

function Problem({ error, wait }: { error: unknown; wait: number }) {
  if (error === undefined || error === null) return null;
  const seconds = pause(error);
  const look = "rounded-md bg-failed-soft px-3 py-2 text-failed";
  if (seconds === 0) return <div role="alert" className={look}>{messageOf(error)}</div>;
  return (
    <div role="alert" className={look}>
      {/* The seconds run on screen only; a screen reader hears the whole wait once. */}
      <span aria-hidden>{wait > 0 ? `Too many attempts. You can try again in ${formatWait(wait)}.` : "You can try again now."}</span>
      <span className="sr-only">{`Too many attempts. You can try again in ${formatWait(seconds)}.`}</span>
    </div>
  );
}

/** A text in the place of the form. */
export function AuthNotice({ title, children, action, live }: { title: string; children: ReactNode; action?: ReactNode; live?: "status" | "alert" }) {
  return (
    <section role={live} className="panel flex flex-col gap-2 p-6">
      <h2 className="text-base font-semibold">{title}</h2>
      <div className="text-muted-foreground">{children}</div>
      {action !== undefined && <div className="mt-2 flex flex-wrap gap-2">{action}</div>}
    </section>
  );
}

export const authLink = "font-medium text-primary underline underline-offset-2";
