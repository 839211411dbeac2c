import type { LiveMessage } from "./types.ts";
export type LiveState = "connecting" | "open" | "waiting" | "closed";
export interface LiveOptions {
    /** Told of every change; `waiting` means a broken connection and a retry to come. */
    onState?: (state: LiveState) => void;
    /** First wait after a broken connection, in milliseconds; doubles each time. */
    minDelay?: number;
    /** Longest wait, in milliseconds. */
    maxDelay?: number;
}
/** What the connection needs of its surroundings. */
export interface LiveSource {
    url: (since: string | undefined) => string | undefined;
    /** Called after a try that never opened, since a browser does not say whether that was a 401. */
    renew: () => Promise<unknown>;
    WebSocket: typeof WebSocket;
}
/**
 * A WebSocket that comes back by itself and resumes after the last position seen.
 * Waits between `minDelay` and `maxDelay` with full jitter, so that many clients do not return at once.
 */
export declare class LiveConnection {
    #private;
    constructor(source: LiveSource, since: string | undefined, onMessage: (message: LiveMessage) => void, options?: LiveOptions);
    /** The position to resume after. */
    get position(): string | undefined;
    /** Ends it for good. */
    close(): void;
}
