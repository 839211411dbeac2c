/** What goes with a call of a path. */
export interface Ask {
  body?: unknown;
  query?: object;
  /** For what anybody may ask: neither the access token nor a refresh goes with it. */
  public?: boolean;
  parseAs?: "json" | "blob";
  signal?: AbortSignal;
}

/** Calls a path and answers the body; anything but success is thrown as an `ApiError`. */
export type Caller = <R>(method: string, path: string, ask?: Ask) => Promise<R>;

/** One segment of a path. */
export const part = encodeURIComponent;

/** The query string of these values, without the absent ones. */
export function queryOf(values: object = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values) as [string, string | number | boolean | undefined][]) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size > 0 ? `?${query.toString()}` : "";
}
