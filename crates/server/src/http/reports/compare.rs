//! Two reports or runs, test by test. The first fields of each object are the original's; the rest is ours.

#![allow(missing_docs, reason = "fields without a word are what their name says")]

use super::{convert, dto::Summary};
use crate::{
    app::AppState,
    config::Config,
    http::{
        error::{ApiError, Detail, ErrorBody},
        extract::{Caller, Pairs},
        read_models::{Reports, WaitMin},
        words::Status,
    },
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use scaledtest_domain::Scope;
use scaledtest_projections::reports::queries::{self, Difference, Entry, MAX_RESULTS, Outcome, What};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Two reports or runs, and what differs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportComparison {
    pub base: ComparedReport,
    pub head: ComparedReport,
    pub diff: ReportDiff,
}

/// A side of a comparison.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedReport {
    /// Of the report or the run.
    pub id: Uuid,
    pub team_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<Uuid>,
    /// Of a run: all its tools.
    pub tool_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_version: Option<String>,
    pub summary: Summary,
    pub created_at: DateTime<Utc>,
    /// Of a report: as the document says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Value>,
    /// `report` or `run`.
    pub kind: &'static str,
    /// For display.
    pub name: String,
    /// The run that it is, or that it belongs to.
    pub run_id: Uuid,
    pub project: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    pub run_at: DateTime<Utc>,
    /// Its page.
    pub url: String,
}

/// What differs. Lists have 1,000 entries at most.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportDiff {
    /// Failed in head, and did not in base or are not there.
    pub new_failures: Vec<TestDiff>,
    /// Failed in base, passed in head.
    pub fixed: Vec<TestDiff>,
    /// In both, and slower by at least 100 ms and 20 %; the largest difference first.
    pub duration_regressions: Vec<TestDiff>,
    pub summary: DiffSummary,
    /// Not in base.
    pub added: Vec<TestDiff>,
    /// Not in head.
    pub removed: Vec<TestDiff>,
    /// A list was cut; the summary counts all.
    pub truncated: bool,
}

/// How many tests there are of each kind, also beyond what the lists hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiffSummary {
    pub base_tests: i64,
    pub head_tests: i64,
    pub new_failures: i64,
    pub fixed: i64,
    pub duration_regressions: i64,
    /// Passed in both.
    pub passed_unchanged: i64,
    /// Failed in both.
    pub failed_unchanged: i64,
    pub added: i64,
    pub removed: i64,
}

/// One test of a comparison.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestDiff {
    pub name: String,
    /// The suite path, joined by ` > `.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_duration_ms: Option<i64>,
    /// Of duration regressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_delta_ms: Option<i64>,
    /// Of duration regressions: percent of the duration in base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_delta_pct: Option<f64>,
    /// The first 2,000 characters of the failure text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// In head; in base for tests that are not in head.
    pub duration_ms: i64,
    pub test_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_result: Option<ResultRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_result: Option<ResultRef>,
}

/// Where a result is read.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResultRef {
    pub report_id: Uuid,
    pub result_id: String,
}

/// Compare two reports or runs
///
/// Test by test. A test is the same on both sides when identity and variant (browser, device, operating system) are; where
/// the sides are of two projects, when suite, name and file are.
#[utoipa::path(get, path = "/api/v1/reports/compare", operation_id = "compare_reports", tag = "reports",
    params(
        ("base" = uuid::Uuid, Query, description = "Id of a report or a run."),
        ("head" = uuid::Uuid, Query, description = "Id of a report or a run."),
    ),
    responses((status = 200, body = ReportComparison), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 410, description = "results_dropped: a side's results were kept for their time", body = ErrorBody)))]
pub(super) async fn compare_reports(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<Reports>,
) -> Result<Json<ReportComparison>, ApiError> {
    caller.scope(Scope::Read)?;
    let team = caller.team()?;
    let [base, head] = ids(&pairs)?;
    let [base, head] = queries::find_sides(&app.db, team, [base, head]).await?;
    let base = base.ok_or_else(|| unknown("base"))?;
    let head = head.ok_or_else(|| unknown("head"))?;
    if base.results() > MAX_RESULTS || head.results() > MAX_RESULTS {
        let message = format!("runs of more than {MAX_RESULTS} results cannot be compared; compare their reports");
        return Err(ApiError::invalid("too_many_results", message));
    }
    if base.is_dropped() || head.is_dropped() {
        return Err(ApiError::results_dropped(if base.is_dropped() { "of base" } else { "of head" }));
    }
    let difference = queries::compare(&app.db, &base, &head).await?;
    let (base, head) = (side(&app.config, base.what), side(&app.config, head.what));
    Ok(Json(ReportComparison { base, head, diff: diff(difference) }))
}

/// The two ids; what is no id is as unknown as any other.
fn ids(pairs: &Pairs) -> Result<[Uuid; 2], ApiError> {
    let (Some(base), Some(head)) = (pairs.get("base"), pairs.get("head")) else {
        let missing = ["base", "head"].into_iter().filter(|name| pairs.get(name).is_none());
        let details = missing.map(|name| Detail::new(name, "is required")).collect();
        let message = "base and head report IDs are required";
        return Err(ApiError::invalid("invalid_parameter", message).with_details(details));
    };
    let (read_base, read_head) = (base.parse::<Uuid>().ok(), head.parse::<Uuid>().ok());
    if base == head || (read_base.is_some() && read_base == read_head) {
        let message = "base and head must be different reports";
        let details = vec![Detail::new("head", "must differ from base")];
        return Err(ApiError::invalid("invalid_parameter", message).with_details(details));
    }
    Ok([read_base.ok_or_else(|| unknown("base"))?, read_head.ok_or_else(|| unknown("head"))?])
}

fn unknown(side: &str) -> ApiError {
    ApiError::not_found("report_not_found", format!("{side} report not found"))
        .with_details(vec![Detail::new(side, "is no report or run of the team")])
}

fn side(config: &Config, what: What) -> ComparedReport {
    match what {
        What::Report(row) => {
            let report = convert::report(config, *row);
            ComparedReport {
                id: report.id,
                team_id: report.team_id,
                execution_id: report.execution_id,
                tool_name: report.tool_name,
                tool_version: report.tool_version,
                summary: report.summary,
                created_at: report.created_at,
                environment: report.environment,
                kind: "report",
                name: report.name,
                run_id: report.run_id,
                project: report.project,
                branch: report.origin.branch,
                commit: report.origin.commit,
                build: report.origin.build,
                run_at: report.run_at,
                url: report.url,
            }
        }
        What::Run(row) => {
            let now = row.updated_at;
            let run = convert::run(config, *row, now);
            ComparedReport {
                id: run.id,
                team_id: run.team_id,
                execution_id: None,
                tool_name: run.tools.join(", "),
                tool_version: None,
                summary: run.summary,
                created_at: run.created_at,
                environment: None,
                kind: "run",
                name: run.name,
                run_id: run.id,
                project: run.project,
                branch: run.origin.branch,
                commit: run.origin.commit,
                build: run.origin.build,
                run_at: run.run_at,
                url: run.url,
            }
        }
    }
}

fn diff(difference: Difference) -> ReportDiff {
    let totals = difference.totals;
    let list = |entries: Vec<Entry>| entries.into_iter().map(|entry| test(entry, false)).collect::<Vec<_>>();
    let diff = ReportDiff {
        new_failures: list(difference.new_failures),
        fixed: list(difference.fixed),
        duration_regressions: difference.duration_regressions.into_iter().map(|entry| test(entry, true)).collect(),
        added: list(difference.added),
        removed: list(difference.removed),
        summary: DiffSummary {
            base_tests: totals.base_tests,
            head_tests: totals.head_tests,
            new_failures: totals.new_failures,
            fixed: totals.fixed,
            duration_regressions: totals.duration_regressions,
            passed_unchanged: totals.passed_unchanged,
            failed_unchanged: totals.failed_unchanged,
            added: totals.added,
            removed: totals.removed,
        },
        truncated: false,
    };
    let counts = [totals.new_failures, totals.fixed, totals.duration_regressions, totals.added, totals.removed];
    let truncated = counts.into_iter().any(|count| count > queries::MAX_ENTRIES);
    ReportDiff { truncated, ..diff }
}

fn test(entry: Entry, slower: bool) -> TestDiff {
    let duration = |outcome: &Option<Outcome>| outcome.as_ref().map(|outcome| outcome.duration_ms);
    let status = |outcome: &Option<Outcome>| outcome.as_ref().map(|outcome| outcome.status.0.into());
    let place = |outcome: Option<Outcome>| {
        outcome.map(|outcome| ResultRef { report_id: outcome.report.0, result_id: outcome.idx.to_string() })
    };
    let (base, head) = (duration(&entry.base), duration(&entry.head));
    let delta = base.zip(head).filter(|_| slower).map(|(base, head)| (base, head.saturating_sub(base)));
    TestDiff {
        name: entry.name,
        suite: joined(&entry.suite),
        file_path: entry.file_path,
        base_status: status(&entry.base),
        head_status: status(&entry.head),
        base_duration_ms: base,
        head_duration_ms: head,
        duration_delta_ms: delta.map(|(_, delta)| delta),
        duration_delta_pct: delta.map(|(base, delta)| delta as f64 / base as f64 * 100.0),
        message: entry.message,
        duration_ms: head.or(base).unwrap_or(0),
        test_id: entry.test_id.0,
        browser: entry.browser,
        device: entry.device,
        os: entry.os,
        base_result: place(entry.base),
        head_result: place(entry.head),
    }
}

/// A suite path as the original writes it.
pub(super) fn joined(suite: &[String]) -> Option<String> {
    (!suite.is_empty()).then(|| suite.join(" > "))
}
