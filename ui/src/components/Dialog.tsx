import * as Radix from "@radix-ui/react-dialog";
import { useId, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { useInertPage } from "../hooks.ts";
import { Button } from "./Button.tsx";
import { messageOf } from "./States.tsx";

/**
 * A dialog that must be answered. The backdrop is our own: Radix's locks scrolling with a style element,
 * which the content security policy forbids.
 */
export function Modal(props: { open: boolean; title: string; note?: ReactNode; role?: "dialog" | "alertdialog"; children: ReactNode; onClose: () => void }) {
  const before = useRef<Element | null>(null);
  // Before the page becomes inert, which takes the focus away.
  useLayoutEffect(() => {
    if (props.open) before.current = document.activeElement;
  }, [props.open]);
  useInertPage(props.open);
  return (
    <Radix.Root open={props.open} onOpenChange={(open) => { if (!open) props.onClose(); }}>
      <Radix.Portal>
        <div className="fixed inset-0 z-50 bg-black/45" aria-hidden />
        <Radix.Content
          role={props.role ?? "dialog"}
          aria-modal="true"
          {...(props.note === undefined && { "aria-describedby": undefined })}
          className="panel fixed top-1/2 left-1/2 z-50 max-h-[calc(100dvh-2rem)] w-[min(28rem,calc(100vw-2rem))] -translate-x-1/2 -translate-y-1/2 overflow-y-auto p-5 shadow-xl"
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            // What was asked about may be gone from the page, and its button with it.
            const back = before.current?.isConnected ? before.current : document.getElementById("main");
            if (back instanceof HTMLElement) back.focus({ preventScroll: true });
          }}
        >
          <Radix.Title asChild><h1 className="text-base font-semibold break-words">{props.title}</h1></Radix.Title>
          {props.note !== undefined && <Radix.Description className="mt-1.5 text-muted-foreground">{props.note}</Radix.Description>}
          {props.children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

interface ConfirmProps {
  open: boolean;
  title: string;
  children: ReactNode;
  action: string;
  busy?: boolean;
  /** Why the action did not work. */
  error?: unknown;
  /** A text that has to be typed before. */
  typed?: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** A question before something that cannot be taken back. */
export function Confirm(props: ConfirmProps) {
  return (
    <Modal open={props.open} title={props.title} note={props.children} role="alertdialog" onClose={props.onClose}>
      <Answer {...props} />
    </Modal>
  );
}

function Answer({ action, busy, error, typed, onConfirm }: ConfirmProps) {
  const [text, setText] = useState("");
  const id = useId();
  const ready = typed === undefined || text.trim() === typed;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (ready && !busy) onConfirm();
      }}
    >
      {typed !== undefined && (
        <div className="mt-4 flex flex-col gap-1.5">
          <label htmlFor={id}>Type <strong className="font-semibold break-words select-all">{typed}</strong> to go on</label>
          <input id={id} className="field w-full" autoComplete="off" spellCheck={false} value={text} onChange={(event) => { setText(event.target.value); }} />
        </div>
      )}
      {error !== undefined && error !== null && <p role="alert" className="mt-3 text-failed">{messageOf(error)}</p>}
      <div className="mt-5 flex justify-end gap-2">
        <Radix.Close asChild>
          <Button>Cancel</Button>
        </Radix.Close>
        <Button type="submit" look="danger" disabled={busy === true || !ready}>{action}</Button>
      </div>
    </form>
  );
}
