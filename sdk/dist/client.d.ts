import { type Client } from "openapi-fetch";
import { LiveConnection, type LiveOptions } from "./live.ts";
import type { paths } from "./schema.ts";
import type * as T from "./types.ts";
export interface ClientOptions {
    /** Origin of the server, without a path. In a browser the page's own when absent. */
    baseUrl?: string;
    /** An API token (`sct_...`). Without one, sign in with `login` or `resume`. */
    token?: string;
    /** The team of every request that names none in its path. */
    teamId?: string;
    /** Milliseconds until a request is given up; 30,000 when absent, 0 for never. */
    timeoutMs?: number;
    fetch?: (request: Request) => Promise<Response>;
    /** Needed for `live` where the platform has none (Node 20). */
    WebSocket?: typeof WebSocket;
}
/**
 * Speaks to one ScaledTest server.
 *
 * The access token lives in memory only. A 401 is answered once with a refresh through the HttpOnly cookie, shared by
 * all requests that meet it. Reads carry the highest log position seen so far, so they never miss one's own writes.
 */
export declare class ScaledTest {
    #private;
    /** The typed paths of the API; its calls resolve to `{data, error, response}`. */
    readonly api: Client<paths>;
    /** Sent as `X-Team-ID`. */
    teamId: string | undefined;
    constructor(options?: ClientOptions);
    /** The highest log position seen. */
    get position(): string | undefined;
    /** The session, or undefined when signed out. */
    get session(): T.Session | undefined;
    /** Makes later reads wait for this position. Lower ones are ignored. */
    observe(position: string | null | undefined): void;
    /** Calls the listener whenever the session changes; returns the way to stop it. */
    onSession(listener: (session: T.Session | undefined) => void): () => void;
    register(email: string, password: string, displayName: string): Promise<T.Session>;
    login(email: string, password: string): Promise<T.Session>;
    /** Picks the session up from the refresh cookie; undefined when there is none. Calls at the same time share one request. */
    resume(): Promise<T.Session | undefined>;
    /** Forgets the session here and on the server. */
    logout(): Promise<void>;
    teams(): Promise<T.Team[]>;
    tokens(teamId: string): Promise<T.ApiToken[]>;
    createToken(teamId: string, token: {
        name: string;
        scopes?: string[];
        expires_at?: string;
    }): Promise<T.CreatedToken>;
    deleteToken(teamId: string, tokenId: string): Promise<void>;
    /** Uploads a report. With an idempotency key a repeated call answers the first one's report. */
    upload(report: unknown, options?: T.UploadOptions, idempotencyKey?: string): Promise<T.Accepted>;
    projects(): Promise<T.Project[]>;
    runs(filter?: T.RunFilter & T.Page, signal?: AbortSignal): Promise<T.RunPage>;
    run(id: string, signal?: AbortSignal): Promise<T.RunDetail>;
    runResults(id: string, filter?: T.ResultFilter & T.Page, signal?: AbortSignal): Promise<T.ResultPage>;
    reports(filter?: T.RunFilter & T.Page, signal?: AbortSignal): Promise<T.ReportPage>;
    report(id: string, signal?: AbortSignal): Promise<T.ReportDetail>;
    deleteReport(id: string): Promise<void>;
    result(reportId: string, resultId: string, signal?: AbortSignal): Promise<T.TestResultDetail>;
    /** The document as it was uploaded. */
    raw(reportId: string): Promise<Blob>;
    /** Follows the team's events after `since` (from now when undefined) until it is closed. */
    live(since: string | undefined, onMessage: (message: T.LiveMessage) => void, options?: LiveOptions): LiveConnection;
}
