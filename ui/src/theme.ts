import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark";

const KEY = "st-theme";
const EVENT = "st-theme";

function current(): Theme {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

function apply(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  window.dispatchEvent(new Event(EVENT));
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function subscribe(onChange: () => void): () => void {
  window.addEventListener(EVENT, onChange);
  return () => { window.removeEventListener(EVENT, onChange); };
}

/** Follows the system's preference from now on, until the person makes a choice. */
export function followSystemTheme(): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    if (stored() === null) apply(system.matches ? "dark" : "light");
  };
  system.addEventListener("change", follow);
  // It may have changed since the page was first painted.
  follow();
}

/** The theme, and the way to choose the other one. */
export function useTheme(): { theme: Theme; toggle: () => void } {
  const theme = useSyncExternalStore(subscribe, current);
  const toggle = () => {
    const next = theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // Without storage the choice lasts until the next reload.
    }
    apply(next);
  };
  return { theme, toggle };
}
