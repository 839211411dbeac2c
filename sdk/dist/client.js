import createFetchClient, {} from "openapi-fetch";
import { ApiError } from "./error.js";
import { LiveConnection } from "./live.js";
import { comparePositions, isPosition } from "./position.js";
const READS = new Set(["GET", "HEAD"]);
/** The paths on which a 401 means wrong credentials, not a worn-out access token. */
const SIGN_IN = /^\/auth\/(login|register|refresh|logout)$/;
/**
 * Speaks to one ScaledTest server.
 *
 * The access token lives in memory only. A 401 is answered once with a refresh through the HttpOnly cookie, shared by
 * all requests that meet it. Reads carry the highest log position seen so far, so they never miss one's own writes.
 */
export class ScaledTest {
    /** The typed paths of the API; its calls resolve to `{data, error, response}`. */
    api;
    /** Sent as `X-Team-ID`. */
    teamId;
    #baseUrl;
    #apiToken;
    #timeoutMs;
    #fetch;
    #WebSocket;
    #listeners = new Set();
    #session;
    #refreshing;
    #position;
    constructor(options = {}) {
        this.#baseUrl = originOf(options.baseUrl);
        this.#apiToken = options.token;
        this.teamId = options.teamId;
        this.#timeoutMs = options.timeoutMs ?? 30_000;
        this.#fetch = options.fetch ?? ((request) => fetch(request));
        this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
        this.api = createFetchClient({
            baseUrl: this.#baseUrl,
            fetch: (request) => this.#send(request),
        });
    }
    /** The highest log position seen. */
    get position() {
        return this.#position;
    }
    /** The session, or undefined when signed out. */
    get session() {
        return this.#session;
    }
    /** Makes later reads wait for this position. Lower ones are ignored. */
    observe(position) {
        if (isPosition(position) && comparePositions(position, this.#position ?? "") > 0)
            this.#position = position;
    }
    /** Calls the listener whenever the session changes; returns the way to stop it. */
    onSession(listener) {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }
    // ---- sign-in -------------------------------------------------------------------------------------------------
    async register(email, password, displayName) {
        return this.#signedIn(this.api.POST("/auth/register", { body: { email, password, display_name: displayName } }));
    }
    async login(email, password) {
        return this.#signedIn(this.api.POST("/auth/login", { body: { email, password } }));
    }
    /** Picks the session up from the refresh cookie; undefined when there is none. Calls at the same time share one request. */
    resume() {
        this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
        return this.#refreshing;
    }
    /** Forgets the session here and on the server. */
    async logout() {
        try {
            await this.#read(this.api.POST("/auth/logout"));
        }
        finally {
            this.teamId = undefined;
            this.#setSession(undefined);
        }
    }
    // ---- teams and tokens ----------------------------------------------------------------------------------------
    async teams() {
        return (await this.#read(this.api.GET("/api/v1/teams"))).teams;
    }
    async tokens(teamId) {
        return (await this.#read(this.api.GET("/api/v1/teams/{team_id}/tokens", at({ team_id: teamId })))).tokens;
    }
    createToken(teamId, token) {
        return this.#read(this.api.POST("/api/v1/teams/{team_id}/tokens", { ...at({ team_id: teamId }), body: token }));
    }
    async deleteToken(teamId, tokenId) {
        const path = at({ team_id: teamId, token_id: tokenId });
        await this.#read(this.api.DELETE("/api/v1/teams/{team_id}/tokens/{token_id}", path));
    }
    // ---- reports and runs ----------------------------------------------------------------------------------------
    /** Uploads a report. With an idempotency key a repeated call answers the first one's report. */
    upload(report, options = {}, idempotencyKey) {
        return this.#read(this.api.POST("/api/v1/reports", {
            params: { query: options },
            body: report,
            ...(idempotencyKey === undefined ? {} : { headers: { "Idempotency-Key": idempotencyKey } }),
        }));
    }
    projects() {
        return this.#read(this.api.GET("/api/v1/projects")).then((page) => page.projects);
    }
    runs(filter = {}, signal) {
        return this.#read(this.api.GET("/api/v1/runs", { params: { query: filter }, ...abortable(signal) }));
    }
    run(id, signal) {
        return this.#read(this.api.GET("/api/v1/runs/{id}", { ...at({ id }), ...abortable(signal) }));
    }
    runResults(id, filter = {}, signal) {
        const { status, ...rest } = filter;
        const query = { ...rest, ...(status?.length ? { status: status.join(",") } : {}) };
        return this.#read(this.api.GET("/api/v1/runs/{id}/results", { params: { path: { id }, query }, ...abortable(signal) }));
    }
    reports(filter = {}, signal) {
        return this.#read(this.api.GET("/api/v1/reports", { params: { query: filter }, ...abortable(signal) }));
    }
    report(id, signal) {
        return this.#read(this.api.GET("/api/v1/reports/{id}", { ...at({ id }), ...abortable(signal) }));
    }
    async deleteReport(id) {
        await this.#read(this.api.DELETE("/api/v1/reports/{id}", at({ id })));
    }
    result(reportId, resultId, signal) {
        return this.#read(this.api.GET("/api/v1/reports/{id}/results/{result_id}", {
            ...at({ id: reportId, result_id: resultId }),
            ...abortable(signal),
        }));
    }
    /** The document as it was uploaded. */
    raw(reportId) {
        return this.#read(this.api.GET("/api/v1/reports/{id}/raw", { ...at({ id: reportId }), parseAs: "blob" }));
    }
    // ---- live ----------------------------------------------------------------------------------------------------
    /** Follows the team's events after `since` (from now when undefined) until it is closed. */
    live(since, onMessage, options = {}) {
        if (!this.#WebSocket)
            throw new Error("this platform has no WebSocket; pass one to the constructor");
        return new LiveConnection({
            WebSocket: this.#WebSocket,
            url: (position) => this.#liveUrl(position),
            renew: () => (this.#apiToken === undefined ? this.resume() : Promise.resolve()),
        }, since, (message) => {
            if (message.type !== "hello")
                this.observe(message.position);
            onMessage(message);
        }, options);
    }
    // ---- inside --------------------------------------------------------------------------------------------------
    #liveUrl(since) {
        const token = this.#apiToken ?? this.#session?.access_token;
        if (token === undefined)
            return undefined;
        const url = new URL("/ws/live", this.#baseUrl);
        url.protocol = url.protocol.replace("http", "ws");
        url.searchParams.set("token", token);
        if (since !== undefined)
            url.searchParams.set("since", since);
        if (this.teamId !== undefined)
            url.searchParams.set("team", this.teamId);
        return url.href;
    }
    async #send(request) {
        const path = new URL(request.url).pathname;
        if (this.#apiToken !== undefined || SIGN_IN.test(path))
            return this.#dispatch(request);
        const again = request.clone();
        const sent = this.#session?.access_token;
        const response = await this.#dispatch(request);
        if (response.status !== 401)
            return response;
        // Somebody else may have refreshed while this request was under way.
        const fresh = this.#session?.access_token !== sent ? this.#session : await this.resume();
        return fresh ? this.#dispatch(again) : response;
    }
    async #dispatch(request) {
        const headers = new Headers(request.headers);
        const token = this.#apiToken ?? this.#session?.access_token;
        if (token !== undefined)
            headers.set("Authorization", `Bearer ${token}`);
        if (this.teamId !== undefined)
            headers.set("X-Team-ID", this.teamId);
        if (this.#position !== undefined && READS.has(request.method))
            headers.set("ST-Min-Position", this.#position);
        const signals = [request.signal, ...(this.#timeoutMs > 0 ? [AbortSignal.timeout(this.#timeoutMs)] : [])];
        const response = await this.#fetch(new Request(request, { headers, signal: AbortSignal.any(signals) }));
        this.observe(response.headers.get("ST-Position"));
        return response;
    }
    async #refresh() {
        const answer = (await this.api.POST("/auth/refresh").catch(networkError));
        if (answer.response.status === 401) {
            this.#setSession(undefined);
            return undefined;
        }
        return this.#signedIn(Promise.resolve(answer));
    }
    async #signedIn(call) {
        const session = (await this.#read(call));
        this.#setSession(session);
        return session;
    }
    #setSession(session) {
        if (session === undefined && this.#session === undefined)
            return;
        this.#session = session;
        for (const listener of this.#listeners)
            listener(session);
    }
    async #read(call) {
        const { data, error, response } = await call.catch(networkError);
        if (!response.ok)
            throw ApiError.fromBody(response.status, error);
        return data;
    }
}
function at(path) {
    return { params: { path } };
}
function abortable(signal) {
    return signal ? { signal } : {};
}
function networkError(cause) {
    if (cause instanceof ApiError || (cause instanceof DOMException && cause.name === "AbortError"))
        throw cause;
    const timedOut = cause instanceof DOMException && cause.name === "TimeoutError";
    throw new ApiError(0, timedOut ? "The server did not answer in time" : "The server cannot be reached", "network");
}
function originOf(baseUrl) {
    const text = baseUrl ?? globalThis.location?.origin;
    if (text === undefined || text === "")
        throw new Error("baseUrl is required outside a browser");
    const url = new URL(text);
    if (url.protocol !== "http:" && url.protocol !== "https:")
        throw new Error(`baseUrl is not http: ${text}`);
    return text.replace(/\/+$/, "");
}
//# sourceMappingURL=client.js.map