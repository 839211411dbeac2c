/** An answer of the server that is no success. `status` 0 means that no answer came. */
export declare class ApiError extends Error {
    readonly name = "ApiError";
    readonly status: number;
    /** Stable snake_case word, `network` when no answer came, `http_<status>` when the body says nothing. */
    readonly code: string;
    readonly details: unknown[];
    readonly requestId: string | undefined;
    constructor(status: number, message: string, code: string, details?: unknown[], requestId?: string);
    /** Reads the body that the server sends with an error: `{error, code, details?, request_id}`. */
    static fromBody(status: number, body: unknown): ApiError;
    /** True when the same request may well succeed a little later. */
    get temporary(): boolean;
}
