/** An answer of the server that is no success. `status` 0 means that no answer came. */
export class ApiError extends Error {
    name = "ApiError";
    status;
    /** Stable snake_case word, `network` when no answer came, `http_<status>` when the body says nothing. */
    code;
    details;
    requestId;
    constructor(status, message, code, details = [], requestId) {
        super(message);
        this.status = status;
        this.code = code;
        this.details = details;
        this.requestId = requestId;
    }
    /** Reads the body that the server sends with an error: `{error, code, details?, request_id}`. */
    static fromBody(status, body) {
        const fields = typeof body === "object" && body !== null ? { ...body } : {};
        const text = (key) => (typeof fields[key] === "string" ? fields[key] : undefined);
        return new ApiError(status, text("error") ?? `HTTP ${String(status)}`, text("code") ?? `http_${String(status)}`, Array.isArray(fields.details) ? fields.details : [], text("request_id"));
    }
    /** True when the same request may well succeed a little later. */
    get temporary() {
        return this.status === 0 || this.status === 429 || this.status >= 500;
    }
}
//# sourceMappingURL=error.js.map