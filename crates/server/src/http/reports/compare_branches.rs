//! Two branches, or two environments of a branch, test by test.

#![allow(missing_docs, reason = "fields without a word are what their name says")]

use super::compare::{ResultRef, joined};
use crate::{
    app::AppState,
    http::{
        error::{ApiError, Detail, ErrorBody},
        extract::{Caller, Pairs},
        read_models::{History, WaitMin},
    },
};
use axum::{Json, extract::State};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::Scope;
use scaledtest_projections::reports::queries::{
    self, Comparison, Contrast, Contrasted, MAX_ENTRIES, Place, ProjectName, Rules, Sample,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// How far back runs are looked at.
const WINDOW: TimeDelta = TimeDelta::days(30);

/// Two branches or environments, and which tests fail significantly more or less often.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchComparison {
    pub project: ComparedProject,
    pub base: BranchSample,
    pub head: BranchSample,
    pub diff: BranchDiff,
    pub rules: FisherRules,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedProject {
    pub id: Uuid,
    pub name: String,
}

/// The runs of a side: its newest 20 within 30 days, fewer where they have more than 1,000,000 results.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchSample {
    pub branch: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    pub runs: usize,
    pub results: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_run_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_run_at: Option<DateTime<Utc>>,
}

/// What differs, the most certain first. Lists have 1,000 entries at most.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchDiff {
    /// Fail more often in head.
    pub regressed: Vec<BranchTest>,
    /// Fail less often in head.
    pub improved: Vec<BranchTest>,
    /// Never ran in base.
    pub added: Vec<BranchTest>,
    /// Never ran in head.
    pub removed: Vec<BranchTest>,
    pub summary: BranchSummary,
    /// A list was cut; the summary counts all.
    pub truncated: bool,
}

/// How many tests there are of each kind, also beyond what the lists hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchSummary {
    pub regressed: usize,
    pub improved: usize,
    pub added: usize,
    pub removed: usize,
    /// No significant difference.
    pub same: usize,
    /// Only skipped or the like, on both sides.
    pub not_run: usize,
}

/// One test of two branches.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchTest {
    pub test_id: Uuid,
    pub name: String,
    /// The suite path, joined by ` > `.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    pub base: BranchRuns,
    pub head: BranchRuns,
    /// Of those in both: the chance of such a difference between two samples that fail alike (Fisher's exact test).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Of regressed ones: the pass rate fell by more than `rules.extreme`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extreme: Option<bool>,
    /// Of added ones with enough runs: whether they reach `rules.new_pass_rate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good: Option<bool>,
    pub run_id: Uuid,
    /// The newest failure in head, else the newest result.
    pub result: ResultRef,
}

/// Results of a test on a side; those that neither passed nor failed are left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchRuns {
    pub failed: u32,
    pub passed: u32,
    /// Percent; null when there are none.
    pub pass_rate: Option<f64>,
}

/// What counts as a difference. Shares are from 0 to 1.
#[derive(Debug, Serialize, ToSchema)]
pub struct FisherRules {
    /// p has to be below 1 − confidence.
    pub confidence: f64,
    /// Smaller changes of the pass rate are forgiven.
    pub pity: f64,
    /// Failures that there have to be.
    pub min_failures: u32,
    /// A larger drop is extreme.
    pub extreme: f64,
    /// Runs from which a test that is not in base is judged.
    pub min_new_runs: u64,
    /// The pass rate that it must reach.
    pub new_pass_rate: f64,
}

/// Compare two branches or environments
///
/// Test by test, over the newest runs of each side. Give `base` and `head` for two branches; or one of them, else it is the
/// project's default branch, with `base_environment` and `head_environment` for two environments of a branch.
#[utoipa::path(get, path = "/api/v1/compare/branches", operation_id = "compare_branches", tag = "reports",
    params(
        ("project" = String, Query, description = "Name or id."),
        ("base" = Option<String>, Query, description = "Branch; the project's default branch when absent."),
        ("head" = Option<String>, Query, description = "Branch; the same as base when absent."),
        ("environment" = Option<String>, Query, description = "The reports' `testEnvironment`, of both sides."),
        ("base_environment" = Option<String>, Query, description = "The same, of base alone."),
        ("head_environment" = Option<String>, Query, description = "The same, of head alone."),
    ),
    responses((status = 200, body = BranchComparison), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn compare_branches(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<History>,
) -> Result<Json<BranchComparison>, ApiError> {
    caller.scope(Scope::Read)?;
    let team = caller.team()?;
    let name = pairs.get("project").ok_or_else(|| faulty("project", "project is required"))?;
    let found = queries::find_project(&app.db, team, name).await?;
    let project = found.ok_or_else(|| ApiError::not_found("project_not_found", "project not found"))?;
    let [base, head] = places(&pairs, &project)?;
    let since = app.clock.now() - WINDOW;
    let samples = tokio::try_join!(
        queries::sample(&app.db, project.id, &base, since),
        queries::sample(&app.db, project.id, &head, since)
    )?;
    let rules = Rules::default();
    let contrast = queries::contrast(&app.db, project.id, (&samples.0, &samples.1), &rules).await?;
    Ok(Json(BranchComparison {
        project: ComparedProject { id: project.id.0, name: project.name },
        base: sample(base, &samples.0),
        head: sample(head, &samples.1),
        diff: diff(contrast),
        rules: FisherRules {
            confidence: rules.confidence,
            pity: rules.pity,
            min_failures: rules.min_failures,
            extreme: rules.extreme,
            min_new_runs: rules.min_new_runs,
            new_pass_rate: rules.new_pass_rate,
        },
    }))
}

fn faulty(field: &str, message: &str) -> ApiError {
    ApiError::invalid("invalid_parameter", message).with_details(vec![Detail::new(field, message)])
}

/// What the two sides are.
fn places(pairs: &Pairs, project: &ProjectName) -> Result<[Place; 2], ApiError> {
    let side = |branch: &str, environment: &str| Place {
        branch: branch.to_owned(),
        environment: pairs.get(environment).or_else(|| pairs.get("environment")).map(str::to_owned),
    };
    let (base, head) = (pairs.get("base"), pairs.get("head"));
    let by_environment = ["base_environment", "head_environment"].into_iter().any(|name| pairs.get(name).is_some());
    let of_head = head.filter(|_| by_environment);
    let base = side(base.or(of_head).unwrap_or(&project.default_branch), "base_environment");
    let head = side(head.unwrap_or(&base.branch), "head_environment");
    if base == head {
        return Err(faulty("head", "base and head must be different branches or environments"));
    }
    Ok([base, head])
}

fn sample(place: Place, sample: &Sample) -> BranchSample {
    BranchSample {
        branch: place.branch,
        environment: place.environment,
        runs: sample.runs,
        results: sample.results,
        oldest_run_at: sample.oldest,
        newest_run_at: sample.newest,
    }
}

fn diff(contrast: Contrast) -> BranchDiff {
    let totals = contrast.totals;
    let list = |tests: Vec<Contrasted>| tests.into_iter().map(test).collect();
    let counts = [totals.regressed, totals.improved, totals.added, totals.removed];
    BranchDiff {
        regressed: list(contrast.regressed),
        improved: list(contrast.improved),
        added: list(contrast.added),
        removed: list(contrast.removed),
        summary: BranchSummary {
            regressed: totals.regressed,
            improved: totals.improved,
            added: totals.added,
            removed: totals.removed,
            same: totals.same,
            not_run: totals.not_run,
        },
        truncated: counts.into_iter().any(|count| count as i64 > MAX_ENTRIES),
    }
}

fn test(test: Contrasted) -> BranchTest {
    let runs = |runs: queries::Runs| BranchRuns {
        failed: runs.failed,
        passed: runs.passed,
        pass_rate: (runs.total() > 0).then(|| (runs.pass_rate() * 10_000.0).round() / 100.0),
    };
    let (p, extreme, good) = match test.comparison {
        Comparison::Regressed { p, extreme } => (Some(p), Some(extreme), None),
        Comparison::Improved { p } | Comparison::Same { p } => (Some(p), None, None),
        Comparison::New { good } => (None, None, Some(good)),
        Comparison::NotEnough => (None, None, None),
    };
    let shown = test.shown;
    BranchTest {
        result: ResultRef { report_id: shown.report.0, result_id: shown.idx.to_string() },
        run_id: shown.run.0,
        test_id: shown.test_id.0,
        suite: joined(&shown.suite),
        name: shown.name,
        file_path: shown.file_path,
        browser: shown.browser,
        device: shown.device,
        os: shown.os,
        base: runs(test.base),
        head: runs(test.head),
        p,
        extreme,
        good,
    }
}
