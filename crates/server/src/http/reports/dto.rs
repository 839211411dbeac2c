//! What reports, runs and results look like on the wire. The first fields of each are the original's; the rest is ours.

#![allow(missing_docs, reason = "fields without a word are what their name says")]

use crate::http::{gates::dto::QualityGateAnswer, insight::dto::VerdictState, words::Status};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Counts of a report or run. Computed from the results, except where `partial` says that results are missing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Summary {
    /// All tests.
    pub tests: u64,
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub pending: u64,
    pub other: u64,
    /// Passed after at least one failed attempt; part of `passed`.
    pub flaky: u64,
    /// Milliseconds since the epoch; 0 if unknown.
    pub start: i64,
    /// Milliseconds since the epoch; 0 if unknown.
    pub stop: i64,
    pub duration_ms: i64,
}

/// What a document declared of itself, where it disagrees with its results.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Declared {
    pub tests: u64,
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub pending: u64,
    pub other: u64,
}

/// One uploaded document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Report {
    pub id: Uuid,
    pub team_id: Uuid,
    pub tool_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_version: Option<String>,
    /// Tool and version, for display.
    pub name: String,
    pub summary: Summary,
    pub created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<Uuid>,
    /// As the document says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Value>,
    pub test_count: u64,
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub pending: u64,
    pub other: u64,
    pub flaky: u64,
    /// `ctrf`.
    pub format: String,
    pub project: String,
    pub project_id: Uuid,
    pub run_id: Uuid,
    /// What the uploader calls the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
    #[serde(flatten)]
    pub origin: Origin,
    pub tags: Vec<String>,
    /// Fewer results than the document says: a filtered report.
    pub partial: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
    /// What orders history.
    pub run_at: DateTime<Utc>,
    pub received_at: DateTime<Utc>,
    /// Its page.
    pub url: String,
}

/// Where the code came from and what built it.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Origin {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// The original document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Raw {
    /// Its size after inflating.
    pub bytes: u64,
    pub media_type: String,
}

/// Something odd in a report that was accepted nonetheless.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Diagnostic {
    /// Where, the first time.
    pub path: String,
    pub code: String,
    pub message: String,
    /// How often.
    pub count: u64,
}

/// A report with what only its own page shows.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReportDetail {
    #[serde(flatten)]
    pub report: Report,
    pub diagnostics: Vec<Diagnostic>,
    pub raw: Raw,
}

/// A page of reports, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reports {
    pub reports: Vec<Report>,
    /// All that match, ignoring paging.
    pub total: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What a person calls a build's test run: one or more reports.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Run {
    pub id: Uuid,
    pub team_id: Uuid,
    pub project: String,
    pub project_id: Uuid,
    /// What the uploader calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// For display.
    pub name: String,
    #[serde(flatten)]
    pub origin: Origin,
    /// How many reports it has.
    pub reports: u32,
    /// How many it shall have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
    /// All shards are there, or it has no key, or nothing came for 30 minutes.
    pub complete: bool,
    pub tools: Vec<String>,
    pub tags: Vec<String>,
    pub summary: Summary,
    /// One of its reports is.
    pub partial: bool,
    pub created_at: DateTime<Utc>,
    pub run_at: DateTime<Utc>,
    /// When its newest report came.
    pub updated_at: DateTime<Utc>,
    /// Its page.
    pub url: String,
}

/// A page of runs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Runs {
    pub runs: Vec<Run>,
    /// All that match, ignoring paging.
    pub total: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A run with its reports.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunDetail {
    #[serde(flatten)]
    pub run: Run,
    /// Oldest first.
    pub report_list: Vec<Report>,
    pub retention: Retention,
}

/// How long the results of a run are kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunRetention)]
pub struct Retention {
    /// Since when they are kept beyond their time.
    pub pinned_at: Option<DateTime<Utc>>,
    /// When the first of them may be dropped; absent if they are kept, or dropped already.
    pub expires_at: Option<DateTime<Utc>>,
    /// Some of them were dropped, or are about to be: their time was over.
    pub dropped: bool,
}

impl From<scaledtest_projections::reports::queries::Kept> for Retention {
    fn from(kept: scaledtest_projections::reports::queries::Kept) -> Self {
        Self { pinned_at: kept.pinned_at, expires_at: kept.expires_at, dropped: kept.dropped }
    }
}

/// One test of a report.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TestResult {
    /// Its id within its report.
    pub id: String,
    pub report_id: Uuid,
    /// The same test in other runs has the same.
    pub test_id: Uuid,
    pub name: String,
    /// Outermost first.
    pub suite: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    pub status: Status,
    /// The tool's own word, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_status: Option<String>,
    pub duration_ms: i64,
    pub retries: u32,
    pub flaky: bool,
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Failure text; in lists its first 2,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A page of results.
#[derive(Debug, Serialize, ToSchema)]
pub struct Results {
    pub results: Vec<TestResult>,
    /// All that match, ignoring paging.
    pub total: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One test with everything that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResultDetail {
    #[serde(flatten)]
    pub result: TestResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// Milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_ms: Option<i64>,
    /// Milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_ms: Option<i64>,
    /// What the reporter said of flakiness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_flaky: Option<bool>,
    /// Executions before the final one, ascending.
    pub attempts: Vec<Attempt>,
    pub steps: Vec<Step>,
    pub attachments: Vec<Attachment>,
    /// Every other field of the test, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<Value>,
}

/// One execution of a test before the final one.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attempt {
    /// From 1.
    pub attempt: u32,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    pub attachments: Vec<Attachment>,
}

/// A step inside a test.
#[derive(Debug, Serialize, ToSchema)]
pub struct Step {
    pub name: String,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<Value>,
}

/// A file that the reporter names; the path belongs to the machine that ran the test.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attachment {
    pub name: String,
    pub content_type: String,
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<Value>,
}

/// The answer to an upload: the original's fields, and ours.
#[derive(Debug, Serialize, ToSchema)]
pub struct UploadAnswer {
    pub id: Uuid,
    /// `report accepted`.
    pub message: &'static str,
    /// The tool's name.
    pub tool: String,
    /// Tests that the document declares, else those it holds.
    pub tests: u64,
    /// Results that were stored.
    pub results: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triage_github_status: Option<bool>,
    pub summary: Summary,
    pub name: String,
    /// The report's page.
    pub url: String,
    pub run_id: Uuid,
    pub diagnostics: Vec<Diagnostic>,
    pub verdict: Verdict,
    /// What the gates say, if the team has an enabled one.
    #[serde(rename = "qualityGate", skip_serializing_if = "Option::is_none")]
    pub quality_gate: Option<QualityGateAnswer>,
}

/// Whether the build is good: see the verdict of the run. `pending` until all of it is there and has been judged.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verdict {
    pub state: VerdictState,
    /// Failing tests by verdict; empty if the upload did not wait for it.
    pub counts: BTreeMap<&'static str, u64>,
}

/// The answer to a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    pub id: Uuid,
    pub deleted: bool,
}
