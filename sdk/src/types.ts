import type { components, operations } from "./schema.ts";

type Schemas = components["schemas"];

/** How a test ended. */
export type Status = Schemas["TestStatus"];
export type TeamRole = Schemas["TeamRole"];

export type User = Schemas["User"];
/** What register, login and refresh answer. */
export type Session = Schemas["Auth"];
export type Team = Schemas["Team"];
export type ApiToken = Schemas["Token"];
export type CreatedToken = Schemas["CreatedToken"];
export type Summary = Schemas["Summary"];
export type Diagnostic = Schemas["Diagnostic"];
export type Project = Schemas["Project"];
export type Accepted = Schemas["UploadAnswer"];

export type Report = Schemas["Report"];
export type ReportDetail = Schemas["ReportDetail"];
export type ReportPage = Schemas["Reports"];
export type Run = Schemas["Run"];
export type RunDetail = Schemas["RunDetail"];
export type RunPage = Schemas["Runs"];

export type Attachment = Schemas["Attachment"];
export type Step = Schemas["Step"];
export type Attempt = Schemas["Attempt"];
/** A test result as lists answer it: `message` is cut. */
export type TestResult = Schemas["TestResult"];
/** A test result with everything that is known of it. */
export type TestResultDetail = Schemas["ResultDetail"];
export type ResultPage = Schemas["Results"];

type Query<Operation extends keyof operations> = NonNullable<operations[Operation]["parameters"]["query"]>;

/** The query parameters of an upload. */
export type UploadOptions = Query<"upload_report">;

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
  /** Rows to leave out; for jumping, where a cursor can only follow. */
  offset?: number;
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
