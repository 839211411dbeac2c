import { useSyncExternalStore } from "react";

let text: string | undefined;
const listeners = new Set<() => void>();

/** Says something once at the top of the page, also of the next one; undefined takes it away. */
export function say(next: string | undefined): void {
  text = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useFlash = (): string | undefined => useSyncExternalStore(subscribe, () => text);

/** What to say when a team is gone from the person's list, by its id; for those that they left or deleted themselves. */
export const farewells = new Map<string, string>();
