//! What insight looks like on the wire. The analytics' first fields are the original's; the rest is ours.

#![allow(missing_docs, reason = "fields without a word are what their name says")]

use crate::http::{issues::dto::Open, quarantine::dto::Mode, renames::dto::Rename};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// A project's id and name.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ProjectName)]
pub struct Project {
    pub id: Uuid,
    pub name: String,
}

/// What a test ran on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Variant {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
}

/// Whether a test can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestState {
    /// Nothing speaks against it.
    Healthy,
    /// It fails although nothing is wrong.
    Flaky,
    /// It fails.
    Broken,
}

/// A test on a branch, in a variant. Counts are over the newest runs, at most 400.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Series {
    pub branch: String,
    pub variant: Variant,
    /// Opaque.
    pub variant_id: String,
    pub state: TestState,
    /// Since when it is in this state; absent if it was never in another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// The probability that an attempt fails although nothing is wrong, 0 to 1; 0 if it never failed.
    pub score: f64,
    /// Lower end of its 95 % interval; flaky tests are ranked by it.
    pub score_low: f64,
    /// Upper end of its 95 % interval.
    pub score_high: f64,
    pub runs: i32,
    /// At the first attempt.
    pub passed: i32,
    /// After a failure.
    pub flaked: i32,
    pub failed: i32,
    /// Per cent of the runs that passed, with or without a retry; absent without runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass_rate: Option<f64>,
    /// `passed`, `failed` or `skipped`.
    pub last_status: &'static str,
    /// The newest run passed after a failure.
    pub last_flaky: bool,
    pub last_at: DateTime<Utc>,
    /// When it failed last, or passed only after a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<DateTime<Utc>>,
    pub first_at: DateTime<Utc>,
    /// Median of the newest 50 runs that passed at once, within 6 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<i64>,
    /// Their 95th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<i64>,
    /// The newest 30 reports, oldest first: `P` passed, `f` passed after a failure, `F` failed, `S` not run.
    pub strip: String,
}

/// That a test is in quarantine.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = QuarantineOfTest)]
pub struct InQuarantine {
    /// The stay.
    pub id: Uuid,
    pub mode: Mode,
    /// From when on it counts again.
    pub expires_at: DateTime<Utc>,
}

/// A test with its latest state on a branch.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Test {
    pub id: Uuid,
    pub name: String,
    pub suite: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    pub tags: Vec<String>,
    /// Whom its report names, else whom the project's `CODEOWNERS` names for its file.
    pub owners: Vec<String>,
    pub project: Project,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<InQuarantine>,
    #[serde(flatten)]
    pub series: Series,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Tests {
    pub tests: Vec<Test>,
    pub total: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A report in a test's history.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Point {
    pub report_id: Uuid,
    pub run_id: Uuid,
    pub at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// A run that shows that a test is flaky.
#[derive(Debug, Serialize, ToSchema)]
pub struct Evidence {
    /// `attempt`: failed and passed in one run; `commit`: in different runs of one commit; `flip`: failed once between passes.
    #[schema(value_type = String)]
    pub signal: Value,
    #[serde(flatten)]
    pub point: Point,
}

/// Where a test began to fail, or stopped.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    /// `started_failing`, `fixed`, `worse` or `better`.
    #[schema(value_type = String)]
    pub shift: Value,
    /// The first run of the new kind, most likely.
    pub at: Point,
    /// The last run that is surely of the old kind (99 %): it happened after this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_run: Option<Point>,
    /// The first run of the new kind, at the earliest (99 %).
    pub earliest: Point,
    /// The first run of the new kind, at the latest (99 %).
    pub latest: Point,
    /// Share of failing runs before.
    pub before: f64,
    /// Share of failing runs after.
    pub after: f64,
}

/// Where a test began to take longer, or less long.
#[derive(Debug, Serialize, ToSchema)]
pub struct DurationChange {
    /// The first run of the new duration, most likely.
    pub at: Point,
    /// The last run that is surely of the old duration (99 %): it happened after this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_run: Option<Point>,
    /// The first run of the new duration, at the earliest (99 %).
    pub earliest: Point,
    /// The first run of the new duration, at the latest (99 %).
    pub latest: Point,
    /// Median before, within 6 %.
    pub before_ms: i64,
    /// Median after, within 6 %.
    pub after_ms: i64,
}

/// Why a series is in its state.
#[derive(Debug, Serialize, ToSchema)]
pub struct Chosen {
    pub branch: String,
    pub variant_id: String,
    /// The rule that decided, with the numbers that it saw.
    #[schema(value_type = Object)]
    pub rule: Value,
    /// The same in words.
    pub formula: String,
    /// Changes of the outcome from run to run, by pairs of runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flip_rate: Option<f64>,
    /// Newest first; at most 20.
    pub evidence: Vec<Evidence>,
    /// Newest first; at most 10.
    pub changes: Vec<Change>,
    /// Among the newest 50 runs that passed at once, newest first.
    pub duration_changes: Vec<DurationChange>,
}

/// An error that a test failed with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TestError)]
pub struct ErrorOfTest {
    pub fingerprint: Uuid,
    pub message: String,
    /// Fingerprints of the error that the test failed with.
    pub variants: i64,
    pub failures: i64,
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
    /// The ticket that is open for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<Open>,
}

/// A test, everywhere it runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestDetail {
    pub id: Uuid,
    pub name: String,
    pub suite: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    pub tags: Vec<String>,
    /// Whom its report names, else whom the project's `CODEOWNERS` names for its file.
    pub owners: Vec<String>,
    pub project: Project,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<InQuarantine>,
    /// On every branch and in every variant, the newest run first; at most 200.
    pub series: Vec<Series>,
    /// That of the asked branch and variant; else of the default branch, else the newest.
    pub chosen: Option<Chosen>,
    /// Most frequent first; at most 20.
    pub errors: Vec<ErrorOfTest>,
    /// What it was called before, the latest first: their history is part of it.
    pub renamed_from: Vec<Rename>,
}

/// How a test ended in a report.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    /// At the first attempt.
    Passed,
    /// After a failure.
    Flaked,
    /// Every attempt failed.
    Failed,
    /// Skipped, pending or other.
    NotRun,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TestRun {
    #[serde(flatten)]
    pub point: Point,
    /// The pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    pub outcome: TestOutcome,
    /// Failed attempts.
    pub fails: u16,
    /// Passed attempts.
    pub passes: u16,
    /// Within 6 %; known of the newest 50 that passed at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TestHistory {
    /// Newest first.
    pub runs: Vec<TestRun>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TrendPoint {
    /// First day, `YYYY-MM-DD` in the caller's time zone.
    pub date: String,
    pub total: i64,
    pub passed: i64,
    pub failed: i64,
    pub skipped: i64,
    /// Per cent of the total, two decimals.
    pub pass_rate: f64,
    pub flaky: i64,
    pub reports: i64,
    /// Sum of the results' durations.
    pub duration_ms: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Trends {
    pub trends: Vec<TrendPoint>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FlakyTest {
    pub name: String,
    /// Parts joined by ` > `.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    /// Changes between failed and not from run to run.
    pub flip_count: u32,
    pub total_runs: u32,
    /// `flip_count / (total_runs - 1)`.
    pub flip_rate: f64,
    pub last_status: &'static str,
    pub state: TestState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    pub score: f64,
    pub score_low: f64,
    pub score_high: f64,
    pub test_id: Uuid,
    pub project: Project,
    pub branch: String,
    pub variant_id: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FlakyTests {
    pub flaky_tests: Vec<FlakyTest>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorCluster {
    /// What the first of them said.
    pub message: String,
    /// Fingerprints that it has: failures that say nearly the same are one error.
    pub variants: i64,
    /// Failed results in the window.
    pub count: i64,
    /// Most frequent first, at most 20.
    pub test_names: Vec<String>,
    /// Ever.
    pub first_seen: DateTime<Utc>,
    /// Ever.
    pub last_seen: DateTime<Utc>,
    /// Of the first of its variants: the error's id.
    pub fingerprint: Uuid,
    /// Tests that ever failed so.
    pub tests: i64,
    /// In the window, at most 20.
    pub branches: Vec<String>,
    pub project_id: Uuid,
    /// The ticket that is open for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<Open>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Errors {
    pub errors: Vec<ErrorCluster>,
}

/// Failures of an error with the same fingerprint.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorVariant {
    pub fingerprint: Uuid,
    /// The innermost frame of the project's own code: file and function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The first line, without what differs from run to run; empty if nothing was said.
    pub headline: String,
    /// What the first of them said.
    pub message: String,
    pub failures: i64,
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
}

/// A test that failed with an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestOfError {
    pub id: Uuid,
    pub name: String,
    pub suite: Vec<String>,
    pub failures: i64,
}

/// An error of a project, over all time.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// Of the first of its variants: the error's id.
    pub fingerprint: Uuid,
    pub project: Project,
    /// The ticket that is open for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<Open>,
    /// What the first of them said.
    pub message: String,
    pub failures: i64,
    /// Most frequent first, at most 20.
    pub branches: Vec<String>,
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
    pub tests_total: i64,
    /// Most frequent first, at most 200.
    pub tests: Vec<TestOfError>,
    pub variants_total: i64,
    /// The one that came first first, at most 200.
    pub variants: Vec<ErrorVariant>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DurationBucket {
    pub range: &'static str,
    /// Inclusive.
    pub min_ms: i64,
    /// Exclusive.
    pub max_ms: i64,
    pub count: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DurationDistribution {
    pub distribution: Vec<DurationBucket>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SlowestTests {
    pub slowest_tests: Vec<Test>,
}

/// What a run's failures come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictState {
    /// Nothing failed, or only what passed on the same code.
    Mergeable,
    /// Something failed, but nothing that the change has done as far as is known.
    Neutral,
    /// The change broke something.
    Regressions,
    /// Not all of the run is there, or not all of it was read yet.
    Pending,
}

/// A failing test of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailingTest {
    pub test_id: Uuid,
    pub name: String,
    pub suite: Vec<String>,
    pub owners: Vec<String>,
    /// Its id in the report.
    pub result_id: String,
    pub report_id: Uuid,
    /// `regression`, `new_test_failing`, `broken_on_base`, `flaky_known`, `flaky_in_run`, `known_issue`, `quarantined` or `infra`.
    pub verdict: &'static str,
    /// Of a regression, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// One sentence, or two.
    pub reason: String,
    /// Whether the test was in quarantine when the run took place; a failure of a new kind counts nevertheless.
    pub quarantined: bool,
    /// The ticket that was open for this failure when the run took place; else, and then the verdict is as if there were none,
    /// that which is open now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<Open>,
    /// The error's id.
    pub fingerprint: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a run is compared with.
#[derive(Debug, Serialize, ToSchema)]
pub struct Baseline {
    pub branch: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RunVerdict {
    pub state: VerdictState,
    /// Failing tests by verdict; every verdict is named.
    pub counts: BTreeMap<&'static str, u64>,
    pub baseline: Option<Baseline>,
    /// Regressions first; at most 500.
    pub tests: Vec<FailingTest>,
    /// Whether more tests failed than are judged.
    pub truncated: bool,
}
