//! The test explorer, and one test.

use super::dto;
use crate::{
    app::AppState,
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Pairs, PathId},
        read_models::{History, Quarantine, Verdicts, WaitMin},
        renames::dto::Rename,
    },
};
use axum::{Json, extract::State};
use scaledtest_domain::{Scope, TestId};
use scaledtest_insight::State as TestState;
use scaledtest_projections::{
    history::{
        Last,
        queries::{self, Chosen, DurationShift, Of, Point, Sort, TestFilter, TestRow},
        seen::Seen,
    },
    issues::queries::{Ticket, tickets_of},
    quarantine::queries::{Active, active_of},
};
use serde_json::json;
use uuid::Uuid;

/// List tests
///
/// Every test of the team with its latest state: on the default branch of its project unless another one is named.
#[utoipa::path(get, path = "/api/v1/tests", operation_id = "list_tests", tag = "tests",
    params(
        ("project" = Option<String>, Query, description = "Name or id."),
        ("branch" = Option<String>, Query, description = "`*` is every branch; else the default branch, or the busiest one where nothing ran on that."),
        ("state" = Option<String>, Query, description = "Any of healthy, flaky, broken; comma-separated."),
        ("status" = Option<String>, Query, description = "How the newest run ended: passed, failed or skipped."),
        ("text" = Option<String>, Query, description = "A part of name, suite or file path."),
        ("tag" = Option<String>, Query),
        ("owner" = Option<String>, Query, description = "One of its owners; `none` for tests that nobody owns."),
        ("sort" = Option<String>, Query, description = "-failed_at (default), name, -score, -p95, pass_rate or -last_at."),
        ("limit" = Option<i64>, Query, description = "1 to 200; 50 otherwise."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses((status = 200, body = dto::Tests), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn list_tests(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<Quarantine>,
) -> Result<Json<dto::Tests>, ApiError> {
    caller.scope(Scope::Read)?;
    let sort = match pairs.get("sort") {
        None => Sort::default(),
        Some(word) => Sort::from_word(word)
            .ok_or_else(|| odd("sort", word, "-failed_at, name, -score, -p95, pass_rate or -last_at"))?,
    };
    let limit = u32::try_from(pairs.number("limit", 50, 1, 200)).unwrap_or(50);
    let page = (limit, pairs.get("cursor"));
    let (rows, total, next_cursor) = queries::list_tests(&app.db, caller.team()?, &filter(&pairs)?, sort, page).await?;
    let mut tests: Vec<dto::Test> = rows.into_iter().map(test).collect();
    let ids: Vec<Uuid> = tests.iter().map(|test| test.id).collect();
    let quarantined = active_of(&app.db, caller.team()?, &ids, app.clock.now()).await?;
    for test in &mut tests {
        test.quarantine = quarantined.get(&test.id).map(in_quarantine);
    }
    Ok(Json(dto::Tests { tests, total, next_cursor }))
}

/// Read a test
///
/// Everywhere it runs, and for one branch and variant why it is in its state. The id of a test that was renamed gives what it is
/// called now.
#[utoipa::path(get, path = "/api/v1/tests/{id}", operation_id = "get_test", tag = "tests",
    params(
        ("id" = uuid::Uuid, Path),
        ("branch" = Option<String>, Query, description = "Which series to explain."),
        ("variant_id" = Option<String>, Query, description = "Which series to explain."),
    ),
    responses((status = 200, body = dto::TestDetail), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn get_test(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<TestId>,
    pairs: Pairs,
    _: WaitMin<Verdicts>,
) -> Result<Json<dto::TestDetail>, ApiError> {
    caller.scope(Scope::Read)?;
    let wanted = (pairs.get("branch"), variant_id(&pairs)?);
    let found = queries::get_test(&app.db, caller.team()?, id.0, wanted).await?.ok_or_else(not_found)?;
    let first = found.series.first().ok_or_else(not_found)?.clone();
    let quarantined = active_of(&app.db, caller.team()?, &[first.id], app.clock.now()).await?;
    let errors: Vec<_> = found.errors.iter().map(|error| (first.project_id, error.fingerprint)).collect();
    let mut tickets = tickets_of(&app.db, caller.team()?, &errors, (app.clock.now(), app.clock.now())).await?;
    let renamed_from = queries::renames(&app.db, caller.team()?, Of::Target(first.id)).await?;
    Ok(Json(dto::TestDetail {
        id: first.id,
        project: dto::Project { id: first.project_id, name: first.project },
        name: first.name,
        suite: first.suite.0,
        file_path: first.file_path,
        tags: first.tags.0,
        owners: first.owners.0,
        quarantine: quarantined.get(&first.id).map(in_quarantine),
        series: found.series.iter().map(series).collect(),
        chosen: found.chosen.map(chosen),
        errors: found
            .errors
            .into_iter()
            .map(|found| error(tickets.remove(&(first.project_id, found.fingerprint)), found))
            .collect(),
        renamed_from: renamed_from.iter().map(Rename::from).collect(),
    }))
}

/// Read what became of a test
///
/// In the newest runs of one branch and variant: of the default branch, else the newest, unless others are named.
#[utoipa::path(get, path = "/api/v1/tests/{id}/history", operation_id = "get_test_history", tag = "tests",
    params(
        ("id" = uuid::Uuid, Path),
        ("branch" = Option<String>, Query),
        ("variant_id" = Option<String>, Query),
        ("limit" = Option<i64>, Query, description = "1 to 400; 100 otherwise."),
    ),
    responses((status = 200, body = dto::TestHistory), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn get_test_history(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<TestId>,
    pairs: Pairs,
    _: WaitMin<History>,
) -> Result<Json<dto::TestHistory>, ApiError> {
    caller.scope(Scope::Read)?;
    let wanted = (pairs.get("branch"), variant_id(&pairs)?);
    let limit = u32::try_from(pairs.number("limit", 100, 1, 400)).unwrap_or(100);
    let runs = queries::test_history(&app.db, caller.team()?, id.0, wanted, limit).await?;
    if runs.is_empty() {
        return Err(not_found());
    }
    Ok(Json(dto::TestHistory { runs: runs.into_iter().map(run).collect() }))
}

fn in_quarantine(active: &Active) -> dto::InQuarantine {
    dto::InQuarantine { id: active.id, mode: active.mode.into(), expires_at: active.expires_at }
}

fn not_found() -> ApiError {
    ApiError::not_found("test_not_found", "test not found")
}

fn odd(name: &str, word: &str, expected: &str) -> ApiError {
    ApiError::invalid("invalid_parameter", format!("invalid {name} {word:?}: must be {expected}"))
}

fn variant_id(pairs: &Pairs) -> Result<Option<i64>, ApiError> {
    pairs.parsed("variant_id", "one that an answer gave")
}

fn filter(pairs: &Pairs) -> Result<TestFilter, ApiError> {
    let text = |name| pairs.get(name).map(str::to_owned);
    let last = match pairs.get("status") {
        None | Some("all") => None,
        Some("passed") => Some(Last::Passed),
        Some("failed") => Some(Last::Failed),
        Some("skipped") => Some(Last::NotRun),
        Some(word) => return Err(odd("status", word, "passed, failed or skipped")),
    };
    Ok(TestFilter {
        project: text("project"),
        branch: text("branch"),
        states: states(pairs.get("state").unwrap_or("all"))?,
        last,
        text: text("text"),
        tag: text("tag"),
        owner: text("owner"),
        ..TestFilter::default()
    })
}

/// Reads a list of states; `all` is every one.
pub(super) fn states(words: &str) -> Result<Vec<TestState>, ApiError> {
    let read = |word: &str| match word.trim() {
        "healthy" => Ok(TestState::Healthy),
        "flaky" => Ok(TestState::Flaky),
        "broken" => Ok(TestState::Broken),
        word => Err(odd("state", word, "healthy, flaky or broken")),
    };
    if words == "all" { Ok(Vec::new()) } else { words.split(',').map(read).collect() }
}

pub(super) fn state(state: TestState) -> dto::TestState {
    match state {
        TestState::Healthy => dto::TestState::Healthy,
        TestState::Flaky => dto::TestState::Flaky,
        TestState::Broken => dto::TestState::Broken,
    }
}

pub(super) fn test(row: TestRow) -> dto::Test {
    let series = series(&row);
    dto::Test {
        id: row.id,
        name: row.name,
        suite: row.suite.0,
        file_path: row.file_path,
        tags: row.tags.0,
        owners: row.owners.0,
        quarantine: None,
        project: dto::Project { id: row.project_id, name: row.project },
        series,
    }
}

fn series(row: &TestRow) -> dto::Series {
    let variant = row.variant();
    dto::Series {
        branch: row.branch.clone(),
        variant: dto::Variant { browser: variant.browser, device: variant.device, os: variant.os },
        variant_id: row.variant.to_string(),
        state: state(row.state()),
        since: row.since,
        score: row.score,
        score_low: row.score_low,
        score_high: row.score_high,
        runs: row.runs,
        passed: row.passed,
        flaked: row.flaked,
        failed: row.failed,
        pass_rate: row.pass_rate(),
        last_status: row.last().status(),
        last_flaky: row.last() == Last::Flaked,
        last_at: row.last_at,
        failed_at: row.failed_at,
        first_at: row.first_at,
        p50_ms: row.p50_ms,
        p95_ms: row.p95_ms,
        strip: row.strip(),
    }
}

fn point(point: Point) -> dto::Point {
    dto::Point { report_id: point.report_id, run_id: point.run_id, at: point.at, commit: point.commit }
}

fn chosen(chosen: Chosen) -> dto::Chosen {
    let formula = chosen.rule.as_ref().map_or_else(|| "it never failed".to_owned(), |rule| rule.formula());
    dto::Chosen {
        branch: chosen.branch,
        variant_id: chosen.variant.to_string(),
        rule: chosen.rule.map_or_else(|| json!({"rule": "clean"}), |rule| json!(rule)),
        formula,
        flip_rate: chosen.flip_rate,
        evidence: chosen
            .evidence
            .into_iter()
            .map(|one| dto::Evidence { signal: json!(one.signal), point: point(one.point) })
            .collect(),
        changes: chosen
            .changes
            .into_iter()
            .map(|change| dto::Change {
                shift: json!(change.shift),
                at: point(change.at),
                after_run: change.before.map(point),
                earliest: point(change.earliest),
                latest: point(change.latest),
                before: change.shares.0,
                after: change.shares.1,
            })
            .collect(),
        duration_changes: chosen.durations.into_iter().map(duration_change).collect(),
    }
}

fn duration_change(shift: DurationShift) -> dto::DurationChange {
    // Medians of what fits into 32 bits.
    let ms = |median: f64| median.round() as i64;
    dto::DurationChange {
        at: point(shift.at),
        after_run: shift.before.map(point),
        earliest: point(shift.earliest),
        latest: point(shift.latest),
        before_ms: ms(shift.medians_ms.0),
        after_ms: ms(shift.medians_ms.1),
    }
}

fn error(ticket: Option<Ticket>, error: queries::ErrorOfTest) -> dto::ErrorOfTest {
    dto::ErrorOfTest {
        issue: ticket.map(Into::into),
        fingerprint: error.fingerprint,
        message: error.message,
        variants: error.variants,
        failures: error.failures,
        first_seen: error.first_seen,
        last_seen: error.last_seen,
    }
}

fn run(seen: queries::Seen) -> dto::TestRun {
    let (outcome, fails, passes) = match seen.seen {
        Seen::Passed => (dto::TestOutcome::Passed, 0, 1),
        Seen::NotRun => (dto::TestOutcome::NotRun, 0, 0),
        Seen::Failed { fails, passes: 0, .. } => (dto::TestOutcome::Failed, fails, 0),
        Seen::Failed { fails, passes, .. } => (dto::TestOutcome::Flaked, fails, passes),
    };
    dto::TestRun {
        change: seen.point.change.clone(),
        point: point(seen.point),
        outcome,
        fails,
        passes,
        duration_ms: seen.duration_ms,
    }
}
