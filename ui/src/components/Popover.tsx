import { useEffect, useId, useRef, useState, type ReactNode } from "react";
import { cx } from "../lib/cx.ts";

/**
 * A button that opens a small panel of further controls. Escape, a click elsewhere and leaving it by keyboard close it.
 * `children` gets the way to close it.
 */
export function Popover(props: {
  label: string;
  trigger: ReactNode;
  triggerClass: string;
  panelClass?: string;
  children: (close: () => void) => ReactNode;
}) {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const [button, setButton] = useState<HTMLButtonElement | null>(null);
  const id = useId();
  const close = () => {
    button?.focus();
    setOpen(false);
  };

  useEffect(() => {
    const whole = place.current;
    if (!open || !whole) return;
    const outside = (event: PointerEvent) => {
      if (event.target instanceof Node && !whole.contains(event.target)) setOpen(false);
    };
    const left = (event: FocusEvent) => {
      if (event.relatedTarget instanceof Node && !whole.contains(event.relatedTarget)) setOpen(false);
    };
    const escape = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      // A dialog around it listens at the document, and stays open.
      event.stopPropagation();
      button?.focus();
      setOpen(false);
    };
    whole.addEventListener("focusout", left);
    document.addEventListener("pointerdown", outside);
    window.addEventListener("keydown", escape, true);
    return () => {
      whole.removeEventListener("focusout", left);
      document.removeEventListener("pointerdown", outside);
      window.removeEventListener("keydown", escape, true);
    };
  }, [open, button]);

  return (
    <div ref={place} className="relative inline-block text-left">
      <button
        ref={setButton}
        type="button"
        aria-label={props.label}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        className={props.triggerClass}
        onClick={() => { setOpen(!open); }}
      >
        {props.trigger}
      </button>
      {open && (
        <div id={id} className={cx("panel absolute z-40 mt-1 flex flex-col p-1 shadow-xl", props.panelClass)}>
          {props.children(close)}
        </div>
      )}
    </div>
  );
}

export const popoverItem = "flex min-h-8 w-full items-center gap-2 rounded-md px-2 py-1 text-left hover:bg-muted focus-visible:bg-muted disabled:opacity-55";
