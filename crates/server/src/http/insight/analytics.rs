//! Sums over time. Dates and numbers that cannot be read fall back to their defaults silently, as the original's clients expect.

use super::{dto, narrow, tests};
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Pairs},
        read_models::{History, Issues, WaitMin},
    },
};
use axum::{Json, extract::State};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::Scope;
use scaledtest_projections::{
    history::queries::{self, Group, Sort, Span, TestFilter, TestRow},
    issues::queries::tickets_of,
};

/// Days looked back without a start.
const WINDOW: i64 = 30;
/// Buckets that are filled in, at most: three years of days.
const FILLED: i64 = 1_100;
/// Entries of a list, at most.
const MOST: i64 = 500;
/// What the last range of durations ends with, as in the original.
const ENDLESS: i64 = 4_611_686_018_427_387_904;
const RANGES: [&str; 7] = ["0-100ms", "100-500ms", "500ms-1s", "1-5s", "5-30s", "30s-2m", ">2m"];

/// Read pass rates over time
#[utoipa::path(get, path = "/api/v1/analytics/trends", operation_id = "get_trends", tag = "analytics",
    params(
        ("start" = Option<String>, Query, description = "RFC 3339, inclusive, by the quarter of an hour; 30 days ago otherwise."),
        ("end" = Option<String>, Query, description = "RFC 3339, inclusive; now otherwise."),
        ("group_by" = Option<String>, Query, description = "day (default), week or month."),
        ("time_zone" = Option<String>, Query, description = "Name in the IANA database; UTC otherwise."),
        ("fill" = Option<bool>, Query, description = "`true`: buckets without results, too (at most 1,100)."),
        ("project" = Option<String>, Query, description = "Name or id."), ("branch" = Option<String>, Query),
        ("environment" = Option<String>, Query, description = "The report's testEnvironment."),
        ("tag" = Option<String>, Query, description = "One of the upload's tags."),
    ),
    responses((status = 200, body = dto::Trends), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn get_trends(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<History>,
) -> Result<Json<dto::Trends>, ApiError> {
    caller.scope(Scope::Read)?;
    let span = span(&app, &pairs);
    let fill = pairs.get("fill") == Some("true");
    if fill && (span.end - span.start).num_days() > FILLED {
        let text = format!("with fill, start and end may be at most {FILLED} days apart");
        return Err(ApiError::invalid("window_too_large", text));
    }
    let how = (Group::from_word(pairs.get("group_by").unwrap_or("day")), pairs.get("time_zone").unwrap_or("UTC"), fill);
    let trends = queries::trends(&app.db, caller.team()?, &narrow(&pairs), span, how).await?;
    let trends = trends.into_iter().map(|trend| dto::TrendPoint {
        pass_rate: percent(trend.passed, trend.total),
        date: trend.date,
        total: trend.total,
        passed: trend.passed,
        failed: trend.failed,
        skipped: trend.skipped,
        flaky: trend.flaky,
        reports: trend.reports,
        duration_ms: trend.duration_ms,
    });
    Ok(Json(dto::Trends { trends: trends.collect() }))
}

/// List flaky tests
///
/// The flakiest first, by the lower bound of their score. Skipped results never count, and neither branches nor variants are mixed.
#[utoipa::path(get, path = "/api/v1/analytics/flaky-tests", operation_id = "list_flaky_tests", tag = "analytics",
    params(
        ("window_days" = Option<i64>, Query, description = "Days in which they have to have run; 7 otherwise."),
        ("min_runs" = Option<i64>, Query, description = "Runs at least; 5 otherwise."),
        ("limit" = Option<i64>, Query, description = "1 to 500; 20 otherwise."),
        ("state" = Option<String>, Query, description = "flaky (default); any of healthy, flaky, broken, comma-separated; or all."),
        ("project" = Option<String>, Query, description = "Name or id."),
        ("branch" = Option<String>, Query, description = "Every branch otherwise."),
        ("tag" = Option<String>, Query, description = "One of the test's tags."),
    ),
    responses((status = 200, body = dto::FlakyTests), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn list_flaky_tests(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<History>,
) -> Result<Json<dto::FlakyTests>, ApiError> {
    caller.scope(Scope::Read)?;
    let days = TimeDelta::days(pairs.number("window_days", 7, 1, 36_500));
    let runs = i32::try_from(pairs.number("min_runs", 5, 1, i64::from(i32::MAX))).unwrap_or(5);
    let filter = TestFilter {
        project: pairs.get("project").map(str::to_owned),
        branch: Some(pairs.get("branch").unwrap_or("*").to_owned()),
        states: tests::states(pairs.get("state").unwrap_or("flaky"))?,
        tag: pairs.get("tag").map(str::to_owned),
        since: Some((runs, app.clock.now() - days)),
        ..TestFilter::default()
    };
    let (rows, ..) = queries::list_tests(&app.db, caller.team()?, &filter, Sort::Score, (limit(&pairs), None)).await?;
    Ok(Json(dto::FlakyTests { flaky_tests: rows.into_iter().map(flaky).collect() }))
}

/// List errors
///
/// The most frequent first. Failures that say the same but for numbers, times, ids and paths have one fingerprint, and fingerprints
/// that are nearly the same are one error.
#[utoipa::path(get, path = "/api/v1/analytics/error-analysis", operation_id = "list_errors", tag = "analytics",
    params(
        ("start" = Option<String>, Query, description = "RFC 3339, inclusive, by the quarter of an hour; 30 days ago otherwise."),
        ("end" = Option<String>, Query, description = "RFC 3339, inclusive; now otherwise."),
        ("limit" = Option<i64>, Query, description = "1 to 500; 20 otherwise."),
        ("project" = Option<String>, Query, description = "Name or id."), ("branch" = Option<String>, Query),
        ("environment" = Option<String>, Query), ("tag" = Option<String>, Query, description = "One of the upload's tags."),
    ),
    responses((status = 200, body = dto::Errors), (status = 401, body = ErrorBody)))]
pub(super) async fn list_errors(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<Issues>,
) -> Result<Json<dto::Errors>, ApiError> {
    caller.scope(Scope::Read)?;
    let (span, limit) = (span(&app, &pairs), limit(&pairs));
    let errors = queries::error_analysis(&app.db, caller.team()?, &narrow(&pairs), span, limit).await?;
    let (now, ids) = (app.clock.now(), errors.iter().map(|error| (error.project_id, error.fingerprint)));
    let mut tickets = tickets_of(&app.db, caller.team()?, &ids.collect::<Vec<_>>(), (now, now)).await?;
    let errors = errors.into_iter().map(|error| dto::ErrorCluster {
        issue: tickets.remove(&(error.project_id, error.fingerprint)).map(Into::into),
        message: error.message,
        variants: error.variants,
        count: error.failures,
        test_names: error.test_names,
        first_seen: error.first_seen,
        last_seen: error.last_seen,
        fingerprint: error.fingerprint,
        tests: error.tests,
        branches: error.branches,
        project_id: error.project_id,
    });
    Ok(Json(dto::Errors { errors: errors.collect() }))
}

/// Read how long results took
#[utoipa::path(get, path = "/api/v1/analytics/duration-distribution", operation_id = "get_duration_distribution", tag = "analytics",
    params(
        ("start" = Option<String>, Query, description = "RFC 3339, inclusive, by the quarter of an hour; 30 days ago otherwise."),
        ("end" = Option<String>, Query, description = "RFC 3339, inclusive; now otherwise."),
        ("project" = Option<String>, Query, description = "Name or id."), ("branch" = Option<String>, Query),
        ("environment" = Option<String>, Query), ("tag" = Option<String>, Query, description = "One of the upload's tags."),
    ),
    responses((status = 200, body = dto::DurationDistribution), (status = 401, body = ErrorBody)))]
pub(super) async fn get_duration_distribution(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<History>,
) -> Result<Json<dto::DurationDistribution>, ApiError> {
    caller.scope(Scope::Read)?;
    let span = span(&app, &pairs);
    let counts = queries::duration_distribution(&app.db, caller.team()?, &narrow(&pairs), span).await?;
    let ends = scaledtest_projections::history::RANGES;
    let from = [0].into_iter().chain(ends);
    let to = ends.into_iter().chain([ENDLESS]);
    let distribution = RANGES.into_iter().zip(from.zip(to)).zip(counts);
    let distribution =
        distribution.map(|((range, (min_ms, max_ms)), count)| dto::DurationBucket { range, min_ms, max_ms, count });
    Ok(Json(dto::DurationDistribution { distribution: distribution.collect() }))
}

/// List the slowest tests
///
/// By the 95th percentile of their newest runs that passed at once.
#[utoipa::path(get, path = "/api/v1/analytics/slowest-tests", operation_id = "list_slowest_tests", tag = "analytics",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 500; 20 otherwise."),
        ("project" = Option<String>, Query, description = "Name or id."),
        ("branch" = Option<String>, Query, description = "The default branch otherwise."),
        ("tag" = Option<String>, Query, description = "One of the test's tags."),
    ),
    responses((status = 200, body = dto::SlowestTests), (status = 401, body = ErrorBody)))]
pub(super) async fn list_slowest_tests(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<History>,
) -> Result<Json<dto::SlowestTests>, ApiError> {
    caller.scope(Scope::Read)?;
    let text = |name| pairs.get(name).map(str::to_owned);
    let filter = TestFilter {
        project: text("project"),
        branch: text("branch"),
        tag: text("tag"),
        timed: true,
        ..TestFilter::default()
    };
    let (rows, ..) = queries::list_tests(&app.db, caller.team()?, &filter, Sort::P95, (limit(&pairs), None)).await?;
    Ok(Json(dto::SlowestTests { slowest_tests: rows.into_iter().map(tests::test).collect() }))
}

fn limit(pairs: &Pairs) -> u32 {
    u32::try_from(pairs.number("limit", 20, 1, MOST)).unwrap_or(20)
}

fn span(app: &App, pairs: &Pairs) -> Span {
    let time = |name| pairs.get(name).and_then(|text| text.parse::<DateTime<Utc>>().ok());
    // What the database cannot hold is as good as for ever.
    let held = |at: DateTime<Utc>| at.clamp(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::days(100_000));
    let end = held(time("end").unwrap_or_else(|| app.clock.now()));
    let start = held(time("start").unwrap_or(end - TimeDelta::days(WINDOW)));
    Span { start, end }
}

/// Per cent, two decimals.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn percent(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 0.0 } else { (part as f64 / whole as f64 * 10_000.0).round() / 100.0 }
}

fn flaky(row: TestRow) -> dto::FlakyTest {
    let (flip_count, total_runs) = queries::flips(&row);
    let suite = row.suite.0.join(" > ");
    dto::FlakyTest {
        suite: Some(suite).filter(|suite| !suite.is_empty()),
        flip_count,
        total_runs,
        flip_rate: if total_runs < 2 { 0.0 } else { f64::from(flip_count) / f64::from(total_runs - 1) },
        last_status: row.last().status(),
        state: tests::state(row.state()),
        since: row.since,
        score: row.score,
        score_low: row.score_low,
        score_high: row.score_high,
        test_id: row.id,
        project: dto::Project { id: row.project_id, name: row.project },
        branch: row.branch,
        variant_id: row.variant.to_string(),
        name: row.name,
        file_path: row.file_path,
    }
}
