import * as Radix from "@radix-ui/react-dialog";
import type { ReactNode } from "react";
import { useInertPage } from "../hooks.ts";
import { Button } from "./Button.tsx";

/**
 * A question that must be answered. The backdrop is our own: Radix's locks scrolling with a style element,
 * which the content security policy forbids.
 */
export function Confirm(props: {
  open: boolean;
  title: string;
  children: ReactNode;
  action: string;
  busy?: boolean;
  onConfirm: () => void;
  onClose: () => void;
}) {
  useInertPage(props.open);
  return (
    <Radix.Root open={props.open} onOpenChange={(open) => { if (!open) props.onClose(); }}>
      <Radix.Portal>
        <div className="fixed inset-0 z-50 bg-black/45" aria-hidden />
        <Radix.Content
          role="alertdialog"
          aria-modal="true"
          className="panel fixed top-1/2 left-1/2 z-50 w-[min(26rem,calc(100vw-2rem))] -translate-x-1/2 -translate-y-1/2 p-5 shadow-xl"
        >
          <Radix.Title asChild><h1 className="text-base font-semibold">{props.title}</h1></Radix.Title>
          <Radix.Description className="mt-1.5 text-muted-foreground">{props.children}</Radix.Description>
          <div className="mt-5 flex justify-end gap-2">
            <Radix.Close asChild>
              <Button>Cancel</Button>
            </Radix.Close>
            <Button look="danger" disabled={props.busy} onClick={props.onConfirm}>
              {props.action}
            </Button>
          </div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
