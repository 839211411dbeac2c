//! Runs: what a person calls a build's test run, one or more reports.

mod pin;

use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Pairs, PathId},
        read_models::{Reports, WaitMin},
        reports::{self, dto},
    },
};
use axum::{Json, extract::State};
use scaledtest_domain::{RunId, Scope};
use scaledtest_projections::reports::queries;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Its routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_runs))
        .routes(routes!(get_run))
        .routes(routes!(list_run_results))
        .routes(routes!(pin::pin_run, pin::unpin_run))
}

/// List runs
///
/// Newest first.
#[utoipa::path(get, path = "/api/v1/runs", operation_id = "list_runs", tag = "runs",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100; 50 otherwise."),
        ("offset" = Option<i64>, Query, description = "Entries to leave out; prefer `cursor`."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("since" = Option<String>, Query, description = "RFC 3339, inclusive."),
        ("until" = Option<String>, Query, description = "RFC 3339, inclusive."),
        ("project" = Option<String>, Query, description = "Name or id."),
        ("branch" = Option<String>, Query),
        ("status" = Option<String>, Query, description = "passed (no failure), failed, skipped or flaky (any)."),
        ("tool" = Option<String>, Query),
        ("text" = Option<String>, Query, description = "Words in tool, project, branch, build, key; the beginning of commit or id."),
    ),
    responses((status = 200, body = dto::Runs), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
async fn list_runs(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<Reports>,
) -> Result<Json<dto::Runs>, ApiError> {
    caller.scope(Scope::Read)?;
    let page = reports::page(&pairs, 50, 100);
    let listing = queries::list_runs(&app.db, caller.team()?, &reports::filter(&pairs)?, &page).await?;
    let now = app.clock.now();
    Ok(Json(dto::Runs {
        runs: listing.items.into_iter().map(|row| reports::run(&app.config, row, now)).collect(),
        total: i64::try_from(listing.total).unwrap_or(i64::MAX),
        next_cursor: listing.next_cursor,
    }))
}

/// Read a run with its reports
#[utoipa::path(get, path = "/api/v1/runs/{id}", operation_id = "get_run", tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = dto::RunDetail), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn get_run(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<RunId>,
    _: WaitMin<Reports>,
) -> Result<Json<dto::RunDetail>, ApiError> {
    caller.scope(Scope::Read)?;
    let team = caller.team()?;
    let run = queries::get_run(&app.db, team, id).await?.ok_or_else(not_found)?;
    let list = queries::reports_of_run(&app.db, team, id).await?;
    let kept = queries::kept(&app.db, team, id).await?;
    Ok(Json(dto::RunDetail {
        run: reports::run(&app.config, run, app.clock.now()),
        report_list: list.into_iter().map(|row| reports::report(&app.config, row)).collect(),
        retention: kept.into(),
    }))
}

/// List the results of all reports of a run
#[utoipa::path(get, path = "/api/v1/runs/{id}/results", operation_id = "list_run_results", tag = "runs",
    params(
        ("id" = uuid::Uuid, Path),
        ("status" = Option<String>, Query, description = "Any of passed, failed, skipped, pending, other, flaky; comma-separated."),
        ("suite" = Option<String>, Query, description = "A part of the suite path."),
        ("text" = Option<String>, Query, description = "Words in name, suite, file path or message."),
        ("tag" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "position (default), status (failed first), duration, -duration or name."),
        ("limit" = Option<i64>, Query, description = "1 to 1000; 100 otherwise."),
        ("offset" = Option<i64>, Query, description = "Entries to leave out; prefer `cursor`."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses((status = 200, body = dto::Results), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
async fn list_run_results(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<RunId>,
    pairs: Pairs,
    _: WaitMin<Reports>,
) -> Result<Json<dto::Results>, ApiError> {
    caller.scope(Scope::Read)?;
    let listing = reports::results_listing(&app, caller.team()?, queries::Scope::Run(id), &pairs).await?;
    listing.map(Json).ok_or_else(not_found)
}

fn not_found() -> ApiError {
    ApiError::not_found("run_not_found", "run not found")
}
