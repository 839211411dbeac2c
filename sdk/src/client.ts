import createFetchClient, { type Client } from "openapi-fetch";
import { Administration } from "./administration.ts";
import { part, queryOf, type Ask } from "./ask.ts";
import { ApiError } from "./error.ts";
import { Gates } from "./gates.ts";
import { Exports } from "./exports.ts";
import { Insight } from "./insight.ts";
import { Quarantine } from "./quarantine.ts";
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
 * Speaks to one ScaledTest server.
 *
 * The access token lives in memory only. A 401 is answered once with a refresh through the HttpOnly cookie, shared by
 * all requests that meet it. Reads carry the highest log position seen so far, so they never miss one's own writes.
 */
export class ScaledTest {
  /** The typed paths of the API; its calls resolve to `{data, error, response}`. Lists are JSON here; as files they are in `exports`. */
  readonly api: Client<paths, "application/json">;
  /** What only the owner of the instance may do. */
  readonly admin = new Administration((method, path, ask) => this.#ask(method, path, ask));
  /** What the histories of the team's tests say. */
  readonly insight = new Insight((method, path, ask) => this.#ask(method, path, ask));
  /** What runs have to keep. */
  readonly gates = new Gates((method, path, ask) => this.#ask(method, path, ask));
  /** Flaky tests that hold up nobody, for a while. */
  readonly quarantine = new Quarantine((method, path, ask) => this.#ask(method, path, ask));
  /** Lists and runs as files. */
  readonly exports = new Exports((method, path, ask) => this.#ask(method, path, ask));
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

  // ---- sign-in -------------------------------------------------------------------------------------------------

  async register(email: string, password: string, displayName: string): Promise<T.Session> {
    return this.#signedIn(this.api.POST("/auth/register", { body: { email, password, display_name: displayName } }));
  }

  async login(email: string, password: string): Promise<T.Session> {
    return this.#signedIn(this.api.POST("/auth/login", { body: { email, password } }));
  }

  /** Picks the session up from the refresh cookie; undefined when there is none. Calls at the same time share one request. */
  resume(): Promise<T.Session | undefined> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Forgets the session here and on the server. */
  async logout(): Promise<void> {
    try {
      await this.#read(this.api.POST("/auth/logout"));
    } finally {
      this.teamId = undefined;
      this.#setSession(undefined);
    }
  }

  /** What the sign-in pages may offer. */
  signInMethods(): Promise<T.SignInMethods> {
    return this.#ask("GET", "/api/v1/auth/methods", { public: true });
  }

  /** Asks for a mail with a link; the answer is the same whether there is such an account or not. */
  async forgotPassword(email: string): Promise<void> {
    await this.#ask("POST", "/api/v1/auth/forgot-password", { body: { email }, public: true });
  }

  /** Sets a new password with the token of a mail. Every session of the account ends. */
  async resetPassword(token: string, password: string): Promise<void> {
    await this.#ask("POST", "/api/v1/auth/reset-password", { body: { token, password }, public: true });
  }

  async verifyEmail(token: string): Promise<void> {
    await this.#ask("POST", "/api/v1/auth/verify-email", { body: { token }, public: true });
    if (this.#session) this.#setUser({ ...this.#session.user, email_verified: true });
  }

  /** Exchanges the OIDC token of a pipeline for a short-lived one that uploads to the team which trusts it. */
  exchangeOidcToken(token: string, teamId?: string): Promise<T.ExchangedToken> {
    return this.#ask("POST", "/api/v1/auth/oidc-exchange", { body: { token, team_id: teamId }, public: true });
  }

  // ---- one's own account ---------------------------------------------------------------------------------------

  me(): Promise<T.User> {
    return this.#ask("GET", "/api/v1/auth/me");
  }

  async updateProfile(displayName: string): Promise<T.User> {
    const user = await this.#ask<T.User>("PATCH", "/api/v1/auth/me", { body: { display_name: displayName } });
    this.#setUser(user);
    return user;
  }

  /** Changes the password; every other session ends. */
  async changePassword(currentPassword: string, newPassword: string): Promise<void> {
    const body = { current_password: currentPassword, new_password: newPassword };
    await this.#ask("POST", "/api/v1/auth/change-password", { body });
  }

  async resendVerification(): Promise<void> {
    await this.#ask("POST", "/api/v1/auth/resend-verification");
  }

  async identities(): Promise<T.Identity[]> {
    return (await this.#ask<{ identities: T.Identity[] }>("GET", "/api/v1/auth/identities")).identities;
  }

  /** Lets an account elsewhere sign one in no longer; refused (`last_way_in`) if nothing else would. */
  async unlinkIdentity(identityId: string): Promise<void> {
    await this.#ask("DELETE", `/api/v1/auth/identities/${part(identityId)}`);
  }

  /** Where one is signed in, the latest used first. */
  async sessions(): Promise<T.DeviceSession[]> {
    return (await this.#ask<{ sessions: T.DeviceSession[] }>("GET", "/api/v1/auth/sessions")).sessions;
  }

  async endSession(sessionId: string): Promise<void> {
    await this.#ask("DELETE", `/api/v1/auth/sessions/${part(sessionId)}`);
  }

  /** Ends every other session; answers how many there were. */
  async endOtherSessions(): Promise<number> {
    return (await this.#ask<{ ended: number }>("DELETE", "/api/v1/auth/sessions")).ended;
  }

  // ---- teams and their people ----------------------------------------------------------------------------------

  createTeam(name: string): Promise<T.TeamFacts> {
    return this.#ask("POST", "/api/v1/teams", { body: { name } });
  }

  team(teamId: string): Promise<T.TeamDetail> {
    return this.#ask("GET", team(teamId));
  }

  async renameTeam(teamId: string, name: string): Promise<T.TeamFacts> {
    return (await this.#ask<{ team: T.TeamFacts }>("PATCH", team(teamId), { body: { name } })).team;
  }

  /** Shows the badges of the team's projects to anybody, or to nobody. */
  async showBadges(teamId: string, isPublic: boolean): Promise<void> {
    await this.#ask("PUT", `${team(teamId)}/badges`, { body: { public: isPublic } });
  }

  /** For how many days the results of new reports are kept; null for what the instance says. */
  async changeRetention(teamId: string, days: T.RetentionDays | null): Promise<void> {
    await this.#ask("PUT", `${team(teamId)}/retention`, { body: { days } });
  }

  /** Deletes the team with everything in it. */
  async deleteTeam(teamId: string): Promise<void> {
    await this.#ask("DELETE", team(teamId));
  }

  /** Makes another member owner; the caller becomes maintainer. */
  async transferTeam(teamId: string, userId: string): Promise<void> {
    await this.#ask("POST", `${team(teamId)}/transfer`, { body: { user_id: userId } });
  }

  async members(teamId: string): Promise<T.Member[]> {
    return (await this.#ask<{ members: T.Member[] }>("GET", `${team(teamId)}/members`)).members;
  }

  async setMemberRole(teamId: string, userId: string, role: T.TeamRole): Promise<void> {
    await this.#ask("PATCH", `${team(teamId)}/members/${part(userId)}`, { body: { role } });
  }

  /** Takes a member out of the team; oneself, to leave it. */
  async removeMember(teamId: string, userId: string): Promise<void> {
    await this.#ask("DELETE", `${team(teamId)}/members/${part(userId)}`);
  }

  async invitations(teamId: string): Promise<T.Invitation[]> {
    return (await this.#ask<{ invitations: T.Invitation[] }>("GET", `${team(teamId)}/invitations`)).invitations;
  }

  createInvitation(teamId: string, email: string, role: T.TeamRole): Promise<T.CreatedInvitation> {
    return this.#ask("POST", `${team(teamId)}/invitations`, { body: { email, role } });
  }

  async revokeInvitation(teamId: string, invitationId: string): Promise<void> {
    await this.#ask("DELETE", `${team(teamId)}/invitations/${part(invitationId)}`);
  }

  /** A new link and another 7 days; the old link no longer works. */
  resendInvitation(teamId: string, invitationId: string): Promise<T.CreatedInvitation> {
    return this.#ask("POST", `${team(teamId)}/invitations/${part(invitationId)}/resend`);
  }

  previewInvitation(token: string): Promise<T.InvitationPreview> {
    return this.#ask("GET", `/api/v1/invitations/${part(token)}`, { public: true });
  }

  /** Accepts with a password, for a new account also a name; without either as the account that is signed in. */
  acceptInvitation(token: string, by?: { password: string; displayName?: string }): Promise<T.AcceptedInvitation> {
    const body = by ? { password: by.password, display_name: by.displayName ?? "" } : {};
    return this.#ask("POST", `/api/v1/invitations/${part(token)}/accept`, { body, public: by !== undefined });
  }

  trustedPublishers(teamId: string): Promise<T.TrustedPublishers> {
    return this.#ask("GET", `${team(teamId)}/trusted-publishers`);
  }

  trustPublisher(teamId: string, publisher: T.NewPublisher): Promise<T.TrustedPublisher> {
    return this.#ask("POST", `${team(teamId)}/trusted-publishers`, { body: publisher });
  }

  async removePublisher(teamId: string, publisherId: string): Promise<void> {
    await this.#ask("DELETE", `${team(teamId)}/trusted-publishers/${part(publisherId)}`);
  }

  // ---- teams and tokens ----------------------------------------------------------------------------------------

  async teams(): Promise<T.Team[]> {
    return (await this.#read(this.api.GET("/api/v1/teams"))).teams;
  }

  async tokens(teamId: string): Promise<T.ApiToken[]> {
    return (await this.#read(this.api.GET("/api/v1/teams/{team_id}/tokens", at({ team_id: teamId })))).tokens;
  }

  createToken(teamId: string, token: { name: string; scopes?: string[]; expires_at?: string }): Promise<T.CreatedToken> {
    return this.#read(this.api.POST("/api/v1/teams/{team_id}/tokens", { ...at({ team_id: teamId }), body: token }));
  }

  async deleteToken(teamId: string, tokenId: string): Promise<void> {
    const path = at({ team_id: teamId, token_id: tokenId });
    await this.#read(this.api.DELETE("/api/v1/teams/{team_id}/tokens/{token_id}", path));
  }

  // ---- reports and runs ----------------------------------------------------------------------------------------

  /** Uploads a report. With an idempotency key a repeated call answers the first one's report. */
  upload(report: unknown, options: T.UploadOptions = {}, idempotencyKey?: string): Promise<T.Accepted> {
    return this.#read(
      this.api.POST("/api/v1/reports", {
        params: { query: options },
        body: report as never,
        ...(idempotencyKey === undefined ? {} : { headers: { "Idempotency-Key": idempotencyKey } }),
      }),
    );
  }

  projects(): Promise<T.Project[]> {
    return this.#read(this.api.GET("/api/v1/projects")).then((page) => page.projects);
  }

  runs(filter: T.RunFilter & T.Page = {}, signal?: AbortSignal): Promise<T.RunPage> {
    return this.#read(this.api.GET("/api/v1/runs", { params: { query: filter }, ...abortable(signal) }));
  }

  run(id: string, signal?: AbortSignal): Promise<T.RunDetail> {
    return this.#read(this.api.GET("/api/v1/runs/{id}", { ...at({ id }), ...abortable(signal) }));
  }

  runResults(id: string, filter: T.ResultFilter & T.Page = {}, signal?: AbortSignal): Promise<T.ResultPage> {
    const { status, ...rest } = filter;
    const query = { ...rest, ...(status?.length ? { status: status.join(",") } : {}) };
    return this.#read(
      this.api.GET("/api/v1/runs/{id}/results", { params: { path: { id }, query }, ...abortable(signal) }),
    );
  }

  reports(filter: T.RunFilter & T.Page = {}, signal?: AbortSignal): Promise<T.ReportPage> {
    return this.#read(this.api.GET("/api/v1/reports", { params: { query: filter }, ...abortable(signal) }));
  }

  report(id: string, signal?: AbortSignal): Promise<T.ReportDetail> {
    return this.#read(this.api.GET("/api/v1/reports/{id}", { ...at({ id }), ...abortable(signal) }));
  }

  /** Keeps the results of a run beyond their time, or no longer than others. */
  pinRun(id: string, keep: boolean): Promise<T.RunRetention> {
    return this.#ask(keep ? "PUT" : "DELETE", `/api/v1/runs/${part(id)}/pin`);
  }

  async deleteReport(id: string): Promise<void> {
    await this.#read(this.api.DELETE("/api/v1/reports/{id}", at({ id })));
  }

  result(reportId: string, resultId: string, signal?: AbortSignal): Promise<T.TestResultDetail> {
    return this.#read(
      this.api.GET("/api/v1/reports/{id}/results/{result_id}", {
        ...at({ id: reportId, result_id: resultId }),
        ...abortable(signal),
      }),
    );
  }

  /** What differs between two reports or runs, test by test. */
  compareReports(base: string, head: string, signal?: AbortSignal): Promise<T.ReportComparison> {
    return this.#read(
      this.api.GET("/api/v1/reports/compare", { params: { query: { base, head } }, ...abortable(signal) }),
    );
  }

  /** Which tests fail significantly more or less often on a branch or in an environment than on or in another. */
  compareBranches(query: T.BranchQuery, signal?: AbortSignal): Promise<T.BranchComparison> {
    return this.#read(this.api.GET("/api/v1/compare/branches", { params: { query }, ...abortable(signal) }));
  }

  /** The document as it was uploaded. */
  raw(reportId: string): Promise<Blob> {
    return this.#read<Blob>(this.api.GET("/api/v1/reports/{id}/raw", { ...at({ id: reportId }), parseAs: "blob" }));
  }

  // ---- live ----------------------------------------------------------------------------------------------------

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

  // ---- inside --------------------------------------------------------------------------------------------------

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
      this.#setSession(undefined);
      return undefined;
    }
    return this.#signedIn(Promise.resolve(answer));
  }

  async #signedIn(call: Promise<Answer>): Promise<T.Session> {
    const session = (await this.#read(call)) as T.Session;
    this.#setSession(session);
    return session;
  }

  #setUser(user: T.User): void {
    if (this.#session) this.#setSession({ ...this.#session, user });
  }

  #setSession(session: T.Session | undefined): void {
    if (session === undefined && this.#session === undefined) return;
    this.#session = session;
    for (const listener of this.#listeners) listener(session);
  }

  /** Calls a path that the schema does not name. */
  #ask<R>(method: string, path: string, ask: Ask = {}): Promise<R> {
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
    return this.#read<R>(call());
  }

  async #read<R>(call: Promise<{ data?: R; error?: unknown; response: Response }>): Promise<R> {
    const { data, error, response } = await call.catch(networkError);
    if (!response.ok) throw ApiError.fromBody(response.status, error, response.headers.get("Retry-After"));
    return data as R;
  }
}

function at<P>(path: P): { params: { path: P } } {
  return { params: { path } };
}

const team = (teamId: string) => `/api/v1/teams/${part(teamId)}`;

async function saysWrongPassword(response: Response): Promise<boolean> {
  const body = (await response.clone().json().catch(() => undefined)) as { code?: unknown } | null | undefined;
  return typeof body?.code === "string" && WRONG_PASSWORD.has(body.code);
}

function abortable(signal: AbortSignal | undefined): { signal?: AbortSignal } {
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
