/** An answer of the server that is no success. `status` 0 means that no answer came. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /** Stable snake_case word, `network` when no answer came, `http_<status>` when the body says nothing. */
  readonly code: string;
  readonly details: unknown[];
  readonly requestId: string | undefined;
  /** Seconds after which the server takes the request again, when it said so. */
  readonly retryAfter: number | undefined;

  constructor(
    status: number,
    message: string,
    code: string,
    details: unknown[] = [],
    requestId?: string,
    retryAfter?: number,
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }

  /** Reads the body that the server sends with an error, `{error, code, details?, request_id}`, and its `Retry-After`. */
  static fromBody(status: number, body: unknown, retryAfter: string | null = null): ApiError {
    const fields: Record<string, unknown> = typeof body === "object" && body !== null ? { ...body } : {};
    const text = (key: string) => (typeof fields[key] === "string" ? fields[key] : undefined);
    return new ApiError(
      status,
      text("error") ?? `HTTP ${String(status)}`,
      text("code") ?? `http_${String(status)}`,
      Array.isArray(fields.details) ? fields.details : [],
      text("request_id"),
      retryAfter !== null && /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) : undefined,
    );
  }

  /** True when the same request may well succeed a little later. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}
