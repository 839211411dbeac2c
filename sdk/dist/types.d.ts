/** How a test ended. */
export type Status = "passed" | "failed" | "skipped" | "pending" | "other";
/** The signed-in person. `role` is the instance role. */
export interface User {
    id: string;
    email: string;
    display_name: string;
    role: string;
}
/** What register, login and refresh answer. */
export interface Session {
    user: User;
    access_token: string;
    expires_at: string;
}
export type TeamRole = "readonly" | "maintainer" | "owner";
export interface Team {
    id: string;
    name: string;
    role: TeamRole;
    created_at: string;
}
export interface ApiToken {
    id: string;
    team_id: string;
    user_id: string;
    name: string;
    prefix: string;
    scopes: string[];
    expires_at?: string | null;
    last_used_at?: string | null;
    created_at: string;
}
/** A new token; `token` is the secret and is answered only this once. */
export interface CreatedToken {
    id: string;
    token: string;
    name: string;
    prefix: string;
    scopes: string[];
    expires_at?: string | null;
    created_at: string;
}
/** Counts of results. Times in milliseconds since the epoch, 0 if unknown. */
export interface Summary {
    tests: number;
    passed: number;
    failed: number;
    skipped: number;
    pending: number;
    other: number;
    flaky: number;
    start: number;
    stop: number;
    duration_ms: number;
}
export interface Diagnostic {
    path: string;
    code: string;
    message: string;
    count: number;
}
export interface Report {
    id: string;
    team_id: string;
    name: string;
    tool_name: string;
    tool_version?: string | null;
    format: string;
    project: string;
    project_id: string;
    run_id: string;
    run_key?: string | null;
    shard_id?: string | null;
    shards?: number | null;
    branch?: string | null;
    commit?: string | null;
    base_commit?: string | null;
    target_branch?: string | null;
    pr?: string | number | null;
    build?: string | null;
    build_url?: string | null;
    repository?: string | null;
    tags: string[];
    summary: Summary;
    partial: boolean;
    environment?: unknown;
    execution_id?: string | null;
    created_at: string;
    run_at: string;
    received_at: string;
    url: string;
    diagnostics?: Diagnostic[];
    raw?: {
        bytes: number;
        media_type: string;
    } | null;
}
/** A build's test run: one or more reports. */
export interface Run {
    id: string;
    team_id: string;
    project: string;
    project_id: string;
    key?: string | null;
    name: string;
    branch?: string | null;
    commit?: string | null;
    pr?: string | number | null;
    build?: string | null;
    build_url?: string | null;
    reports: number;
    shards?: number | null;
    complete: boolean;
    tools: string[];
    tags: string[];
    summary: Summary;
    partial: boolean;
    created_at: string;
    run_at: string;
    updated_at: string;
    url: string;
}
export interface RunDetail extends Run {
    report_list: Report[];
}
export interface Attachment {
    name: string;
    content_type: string;
    path: string;
    extra?: Record<string, unknown>;
}
export interface Step {
    name: string;
    status: Status;
    extra?: Record<string, unknown>;
}
/** One execution of a test before the final one. */
export interface Attempt {
    attempt: number;
    status: Status;
    duration_ms?: number | null;
    start_ms?: number | null;
    message?: string | null;
    trace?: string | null;
    line?: number | null;
    snippet?: string | null;
    stdout?: string | null;
    stderr?: string | null;
    attachments?: Attachment[];
}
/** A test result as lists answer it: `message` is cut. */
export interface TestResult {
    id: string | number;
    report_id: string;
    test_id: string;
    name: string;
    suite: string[];
    file_path?: string | null;
    line?: number | null;
    status: Status;
    raw_status?: string | null;
    duration_ms: number;
    retries: number;
    flaky: boolean;
    tags: string[];
    browser?: string | null;
    device?: string | null;
    message?: string | null;
}
/** A test result with everything that is known of it. */
export interface TestResultDetail extends TestResult {
    trace?: string | null;
    snippet?: string | null;
    stdout?: string | null;
    stderr?: string | null;
    attempts: Attempt[];
    steps: Step[];
    attachments: Attachment[];
    start_ms?: number | null;
    stop_ms?: number | null;
    extra?: Record<string, unknown> | null;
}
export interface Project {
    id: string;
    name: string;
    default_branch: string;
    created_at: string;
    branches: string[];
}
/** Filters of runs and reports. Dates are RFC 3339. */
export interface RunFilter {
    status?: "passed" | "failed" | "skipped" | "flaky";
    project?: string;
    branch?: string;
    tool?: string;
    text?: string;
    since?: string;
    until?: string;
}
export interface ResultFilter {
    /** Any of these words; `flaky` counts as one. */
    status?: (Status | "flaky")[];
    suite?: string;
    text?: string;
    tag?: string;
    sort?: "position" | "duration" | "-duration" | "name" | "status";
}
export interface Page {
    /** At most, rows. */
    limit?: number;
    cursor?: string;
}
export interface RunPage {
    runs: Run[];
    total: number;
    next_cursor?: string | null;
}
export interface ReportPage {
    reports: Report[];
    total: number;
    next_cursor?: string | null;
}
export interface ResultPage {
    results: TestResult[];
    total: number;
    next_cursor?: string | null;
}
/** The query parameters of an upload. */
export interface UploadOptions {
    project?: string;
    branch?: string;
    commit?: string;
    pr?: string;
    build?: string;
    build_url?: string;
    run_id?: string;
    shard_id?: string;
    shards?: number;
    tags?: string;
}
export interface Accepted {
    id: string;
    message: string;
    tool: string;
    tests: number;
    run_id: string;
    name: string;
    url: string;
    diagnostics: Diagnostic[];
}
/** A message of the live channel. `type` is `hello`, `resume`, or an event such as `report.ingested`. */
export interface LiveMessage {
    type: string;
    position: string;
    report_id?: string;
    run_id?: string;
    project_id?: string;
    project?: string;
    branch?: string;
    [field: string]: unknown;
}
