import createFetchClient, { type Client } from "openapi-fetch";
import { queryOf, type Ask } from "./ask.ts";
import { ApiError } from "./error.ts";
import { LiveConnection, type LiveOptions } from "./live.ts";
import { comparePositions, isPosition } from "./position.ts";
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

interface Answer {
  data?: unknown;
  error?: unknown;
  response: Response;
}

/** How long a file may take that is written while it is sent, milliseconds. */
const FILE_TIMEOUT_MS = 600_000;

const READS = new Set(["GET", "HEAD"]);

/** The paths on which a 401 means wrong credentials, not a worn-out access token. */
const SIGN_IN = /^\/auth\/(login|register|refresh|logout)$/;

/** The same elsewhere: the words for a wrong password that came with the request. */
const WRONG_PASSWORD = new Set(["invalid_current_password", "invalid_password"]);

/**
 * The way to one ScaledTest server.
 *
 * The access token lives in memory only. A 401 is answered once with a refresh through the HttpOnly cookie, shared by
 * all requests that meet it. Reads carry the highest log position seen so far, so they never miss one's own writes.
 */
export abstract class Connection {
  /** The typed paths of the API; its calls resolve to `{data, error, response}`. Lists are JSON here; as files they are in `exports`. */
  readonly api: Client<paths, "application/json">;
  /** Sent as `X-Team-ID`. */
  teamId: string | undefined;
  readonly #baseUrl: string;
  readonly #apiToken: string | undefined;
  readonly #timeoutMs: number;
  readonly #fetch: (request: Request) => Promise<Response>;
  readonly #WebSocket: typeof WebSocket | undefined;
  readonly #listeners = new Set<(session: T.Session | undefined) => void>();
  #session: T.Session | undefined;
  #refreshing: Promise<T.Session | undefined> | undefined;
  #position: string | undefined;

  constructor(options: ClientOptions = {}) {
    this.#baseUrl = originOf(options.baseUrl);
    this.#apiToken = options.token;
    this.teamId = options.teamId;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#fetch = options.fetch ?? ((request) => fetch(request));
    this.#WebSocket = options.WebSocket ?? (globalThis as { WebSocket?: typeof WebSocket }).WebSocket;
    this.api = createFetchClient<paths, "application/json">({
      baseUrl: this.#baseUrl,
      fetch: (request) => this.#send(request),
    });
  }

  /** The highest log position seen. */
  get position(): string | undefined {
    return this.#position;
  }

  /** The session, or undefined when signed out. */
  get session(): T.Session | undefined {
    return this.#session;
  }

  /** Makes later reads wait for this position. Lower ones are ignored. */
  observe(position: string | null | undefined): void {
    if (isPosition(position) && comparePositions(position, this.#position ?? "") > 0) this.#position = position;
  }

  /** Calls the listener whenever the session changes; returns the way to stop it. */
  onSession(listener: (session: T.Session | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Picks the session up from the refresh cookie; undefined when there is none. Calls at the same time share one request. */
  resume(): Promise<T.Session | undefined> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Follows the team's events after `since` (from now when undefined) until it is closed. */
  live(
    since: string | undefined,
    onMessage: (message: T.LiveMessage) => void,
    options: LiveOptions = {},
  ): LiveConnection {
    if (!this.#WebSocket) throw new Error("this platform has no WebSocket; pass one to the constructor");
    return new LiveConnection(
      {
        WebSocket: this.#WebSocket,
        url: (position) => this.#liveUrl(position),
        renew: () => (this.#apiToken === undefined ? this.resume() : Promise.resolve()),
      },
      since,
      (message) => {
        if (message.type !== "hello") this.observe(message.position);
        onMessage(message);
      },
      options,
    );
  }

  #liveUrl(since: string | undefined): string | undefined {
    const token = this.#apiToken ?? this.#session?.access_token;
    if (token === undefined) return undefined;
    const url = new URL("/ws/live", this.#baseUrl);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("token", token);
    if (since !== undefined) url.searchParams.set("since", since);
    if (this.teamId !== undefined) url.searchParams.set("team", this.teamId);
    return url.href;
  }

  async #send(request: Request, timeoutMs = this.#timeoutMs): Promise<Response> {
    const path = new URL(request.url).pathname;
    if (this.#apiToken !== undefined || SIGN_IN.test(path)) return this.#dispatch(request, false, timeoutMs);
    const again = request.clone();
    const sent = this.#session?.access_token;
    const response = await this.#dispatch(request, false, timeoutMs);
    if (response.status !== 401 || (await saysWrongPassword(response))) return response;
    // Somebody else may have refreshed while this request was under way.
    const fresh = this.#session?.access_token !== sent ? this.#session : await this.resume();
    return fresh ? this.#dispatch(again, false, timeoutMs) : response;
  }

  async #dispatch(request: Request, anonymous = false, timeoutMs = this.#timeoutMs): Promise<Response> {
    const headers = new Headers(request.headers);
    const token = anonymous ? undefined : (this.#apiToken ?? this.#session?.access_token);
    if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
    if (this.teamId !== undefined) headers.set("X-Team-ID", this.teamId);
    if (this.#position !== undefined && READS.has(request.method)) headers.set("ST-Min-Position", this.#position);
    const signals = [request.signal, ...(timeoutMs > 0 ? [AbortSignal.timeout(timeoutMs)] : [])];
    const response = await this.#fetch(new Request(request, { headers, signal: AbortSignal.any(signals) }));
    this.observe(response.headers.get("ST-Position"));
    return response;
  }

  async #refresh(): Promise<T.Session | undefined> {
    const answer = (await this.api.POST("/auth/refresh").catch(networkError)) as Answer;
    if (answer.response.status === 401) {
      this.setSession(undefined);
      return undefined;
    }
    return this.signedIn(Promise.resolve(answer));
  }

  protected async signedIn(call: Promise<Answer>): Promise<T.Session> {
    const session = (await this.read(call)) as T.Session;
    this.setSession(session);
    return session;
  }

  protected setUser(user: T.User): void {
    if (this.#session) this.setSession({ ...this.#session, user });
  }

  protected setSession(session: T.Session | undefined): void {
    if (session === undefined && this.#session === undefined) return;
    this.#session = session;
    for (const listener of this.#listeners) listener(session);
  }

  /** Calls a path that the schema does not name. */
  protected ask<R>(method: string, path: string, ask: Ask = {}): Promise<R> {
    const call = async () => {
      const request = new Request(this.#baseUrl + path + queryOf(ask.query), {
        method,
        ...abortable(ask.signal),
        ...(ask.body !== undefined && written(ask.body)),
      });
      const timeoutMs = ask.parseAs === "blob" && this.#timeoutMs > 0 ? Math.max(this.#timeoutMs, FILE_TIMEOUT_MS) : this.#timeoutMs;
      const response = await (ask.public ? this.#dispatch(request, true) : this.#send(request, timeoutMs));
      if (!response.ok) return { error: (await response.json().catch(() => undefined)) as unknown, response };
      return { data: (ask.parseAs === "blob" ? await response.blob() : await response.json()) as R, response };
    };
    return this.read<R>(call());
  }

  protected async read<R>(call: Promise<{ data?: R; error?: unknown; response: Response }>): Promise<R> {
    const { data, error, response } = await call.catch(networkError);
    if (!response.ok) throw ApiError.fromBody(response.status, error, response.headers.get("Retry-After"));
    return data as R;
  }
}

async function saysWrongPassword(response: Response): Promise<boolean> {
  const body = (await response.clone().json().catch(() => undefined)) as { code?: unknown } | null | undefined;
  return typeof body?.code === "string" && WRONG_PASSWORD.has(body.code);
}

export function abortable(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}

function networkError(cause: unknown): never {
  if (cause instanceof ApiError || (cause instanceof DOMException && cause.name === "AbortError")) throw cause;
  const timedOut = cause instanceof DOMException && cause.name === "TimeoutError";
  throw new ApiError(0, timedOut ? "The server did not answer in time" : "The server cannot be reached", "network");
}

function originOf(baseUrl: string | undefined): string {
  const text = baseUrl ?? (globalThis as { location?: Location }).location?.origin;
  if (text === undefined || text === "") throw new Error("baseUrl is required outside a browser");
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new Error(`baseUrl is not http: ${text}`);
  return text.replace(/\/+$/, "");
}

/** A text goes as it is, anything else as JSON. */
function written(body: unknown): RequestInit {
  return typeof body === "string"
    ? { body, headers: { "Content-Type": "text/plain; charset=utf-8" } }
    : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}
