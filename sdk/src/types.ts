import type { components, operations } from "./schema.ts";

type Schemas = components["schemas"];

/** How a test ended. */
export type Status = Schemas["TestStatus"];
export type TeamRole = Schemas["TeamRole"];

export type User = Schemas["User"] & {
  email_verified: boolean;
  /** False for somebody who only ever signed in through another service. */
  has_password: boolean;
};
/** What register, login and refresh answer. */
export type Session = Omit<Schemas["Auth"], "user"> & { user: User };
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
export type RunRetention = Schemas["RunRetention"];
export type Storage = Schemas["Storage"];
export type StoragePart = Schemas["StoragePart"];
export type RetentionDays = 30 | 90 | 400;
export type RunPage = Schemas["Runs"];

export type Attachment = Schemas["Attachment"];
export type Step = Schemas["Step"];
export type Attempt = Schemas["Attempt"];
/** A test result as lists answer it: `message` is cut. */
export type TestResult = Schemas["TestResult"];
/** A test result with everything that is known of it. */
export type TestResultDetail = Schemas["ResultDetail"];
export type ResultPage = Schemas["Results"];

/** Two reports or runs, and what differs; lists hold 1,000 entries at most. */
export type ReportComparison = Schemas["ReportComparison"];
/** A report or a run that is compared. */
export type ComparedReport = Schemas["ComparedReport"];
/** One test of two reports or runs. */
export type TestDiff = Schemas["TestDiff"];
/** Two branches or environments, and what differs significantly. */
export type BranchComparison = Schemas["BranchComparison"];
/** One test of two branches or environments. */
export type BranchTest = Schemas["BranchTest"];

type Query<Operation extends keyof operations> = NonNullable<operations[Operation]["parameters"]["query"]>;

/** The query parameters of an upload. */
export type UploadOptions = Query<"upload_report">;

/** Which branches or environments are compared. */
export type BranchQuery = Query<"compare_branches">;

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

// ---- sign-in and one's own account -----------------------------------------------------------------------------

/** What the sign-in pages may offer. */
export interface SignInMethods {
  registration: "open" | "invite" | "closed";
  password: boolean;
  /** Whether the server can send mail. */
  mail: boolean;
  providers: SignInProvider[];
}

export interface SignInProvider {
  id: string;
  name: string;
  start_url: string;
}

export interface DeviceSession {
  id: string;
  /** Short words: "Firefox on Linux". */
  device: string;
  user_agent?: string | null;
  ip?: string | null;
  created_at: string;
  last_seen_at: string;
  expires_at: string;
  /** The session that asks. */
  current: boolean;
}

/** An account elsewhere through which one signs in. */
export interface Identity {
  id: string;
  provider: string;
  name?: string | null;
  linked_at: string;
}

// ---- teams -----------------------------------------------------------------------------------------------------

export type TeamFacts = Omit<Team, "role">;

export interface TeamDetail {
  team: TeamFacts;
  role: TeamRole;
  /** How many they are. */
  members: number;
  /** Whether anybody may see the badges of its projects. */
  badges_public: boolean;
  /** For how many days the results of new reports are kept. */
  retention: { chosen_days?: number | null; days: number };
}

export interface Member {
  user_id: string;
  /** Missing when an API token asks. */
  email?: string;
  display_name: string;
  role: TeamRole;
  joined_at: string;
}

export interface Invitation {
  id: string;
  team_id: string;
  email: string;
  role: TeamRole;
  invited_by?: string | null;
  expires_at: string;
  accepted_at?: string | null;
  created_at: string;
  state: "pending" | "accepted" | "expired";
  /** How far the mail with the link got; `off` when the server sends none. */
  mail: "sent" | "queued" | "failed" | "off";
}

/** An invitation with its secret, which is answered only once. */
export interface CreatedInvitation {
  invitation: Invitation;
  token: string;
  url: string;
}

export interface InvitationPreview {
  email: string;
  role: TeamRole;
  team_name: string;
  expires_at: string;
  account_exists: boolean;
}

export interface AcceptedInvitation {
  message: string;
  user_id: string;
  team_id: string;
  role: TeamRole;
}

/** A pipeline that may upload without a stored secret. */
export interface TrustedPublisher {
  id: string;
  provider: "github" | "gitlab" | "custom";
  issuer: string;
  repository: string;
  branch?: string | null;
  environment?: string | null;
  created_at: string;
  created_by: string;
}

export interface Issuer {
  provider: TrustedPublisher["provider"];
  issuer: string;
  name: string;
}

export interface TrustedPublishers {
  publishers: TrustedPublisher[];
  /** The issuers that this server allows. */
  issuers: Issuer[];
}

export interface NewPublisher {
  issuer: string;
  repository: string;
  branch?: string;
  environment?: string;
}

/** What a pipeline gets for its OIDC token. */
export interface ExchangedToken {
  access_token: string;
  expires_at: string;
  token_type: string;
  team_id: string;
  publisher_id: string;
}

// ---- administration --------------------------------------------------------------------------------------------

export interface AdminUser {
  id: string;
  email: string;
  display_name: string;
  role: User["role"];
  created_at: string;
  updated_at: string;
  disabled: boolean;
  email_verified: boolean;
  last_seen_at?: string | null;
  /** How many they are in. */
  teams: number;
}

export interface AdminTeam {
  id: string;
  name: string;
  created_at: string;
  members: number;
  reports: number;
  last_report_at?: string | null;
}

export interface PasswordReset {
  reset_url: string;
  expires_at: string;
  mailed: boolean;
}

export interface AuditEntry {
  id: string;
  actor_id?: string | null;
  actor_email?: string | null;
  team_id?: string | null;
  team_name?: string | null;
  action: string;
  resource_type?: string | null;
  resource_id?: string | null;
  metadata?: Record<string, unknown> | null;
  ip?: string | null;
  created_at: string;
}

/** Filters of the audit log. Dates are RFC 3339. */
export interface AuditFilter {
  action?: string;
  resource_type?: string;
  actor_id?: string;
  team_id?: string;
  since?: string;
  until?: string;
}

export interface AuditPage {
  audit_log: AuditEntry[];
  total: number;
  next_cursor?: string | null;
  /** Every known action, for a choice. */
  actions: string[];
}

export interface InstanceSetting {
  name: string;
  group: string;
  value: string;
  help: string;
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
