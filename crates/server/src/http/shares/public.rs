//! What whoever holds a link may read: its run, and nothing else.

use super::{dto, token};
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Pairs, PathId, ThreePathIds},
        read_models::{Reports, WaitMin},
        reports::{self, dto as reports_dto},
    },
};
use axum::{Json, extract::State};
use scaledtest_domain::ReportId;
use scaledtest_projections::{access::queries as access, reports::queries};
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Its routes.
pub fn public_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_shared_run))
        .routes(routes!(list_shared_results))
        .routes(routes!(get_shared_result))
}

/// Whether a path is one of a link: of the API, or its page.
pub fn is_shared(path: &str) -> bool {
    path.starts_with("/api/v1/shared/") || path.starts_with("/shared/")
}

/// One answer for a link that never was, has expired, was revoked, or whose run is gone.
fn missing() -> ApiError {
    ApiError::not_found("share_not_found", "this link is not valid, or not any more")
}

/// The share that a token is of, as long as it is good.
async fn find(app: &App, token: &str) -> Result<access::Share, ApiError> {
    let id = token::share(&app.secrets, token).ok_or_else(missing)?;
    let share = access::share(&app.db, id).await?.ok_or_else(missing)?;
    if share.expires_at <= app.clock.now() { Err(missing()) } else { Ok(share) }
}

/// Read a shared run
///
/// For whoever has a link to it.
#[utoipa::path(get, path = "/api/v1/shared/{token}", tag = "runs",
    params(("token" = String, Path, description = "The end of the link: shr_ and 64 hex digits")),
    responses((status = 200, description = "The run, with its reports", body = dto::SharedRun),
        (status = 404, description = "share_not_found: unknown, expired, revoked, or the run is gone", body = ErrorBody)))]
async fn get_shared_run(
    State(app): State<AppState>,
    PathId(token): PathId<String>,
    _wait: WaitMin<Reports>,
) -> Result<Json<dto::SharedRun>, ApiError> {
    let share = find(&app, &token).await?;
    let run = queries::get_run(&app.db, share.team_id, share.run_id).await?.ok_or_else(missing)?;
    let list = queries::reports_of_run(&app.db, share.team_id, share.run_id).await?;
    let run = reports::run(&app.config, run, app.clock.now());
    let list = list.into_iter().map(|row| reports::report(&app.config, row)).collect();
    Ok(Json(dto::SharedRun::of(run, list, share.expires_at)))
}

/// List the results of a shared run
#[utoipa::path(get, path = "/api/v1/shared/{token}/results", tag = "runs",
    params(
        ("token" = String, Path, description = "The end of the link"),
        ("status" = Option<String>, Query, description = "Any of passed, failed, skipped, pending, other, flaky; comma-separated."),
        ("suite" = Option<String>, Query, description = "A part of the suite path."),
        ("text" = Option<String>, Query, description = "Words in name, suite, file path or message."),
        ("tag" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "position (default), status (failed first), duration, -duration or name."),
        ("limit" = Option<i64>, Query, description = "1 to 1000; 100 otherwise."),
        ("offset" = Option<i64>, Query, description = "Entries to leave out; prefer `cursor`."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses((status = 200, body = reports_dto::Results), (status = 400, body = ErrorBody),
        (status = 404, description = "share_not_found", body = ErrorBody)))]
async fn list_shared_results(
    State(app): State<AppState>,
    PathId(token): PathId<String>,
    pairs: Pairs,
    _wait: WaitMin<Reports>,
) -> Result<Json<reports_dto::Results>, ApiError> {
    let share = find(&app, &token).await?;
    let listing = reports::results_listing(&app, share.team_id, queries::Scope::Run(share.run_id), &pairs).await?;
    listing.map(Json).ok_or_else(missing)
}

/// Read one result of a shared run with its trace, attempts, steps and output
#[utoipa::path(get, path = "/api/v1/shared/{token}/results/{report_id}/{result_id}", tag = "runs",
    params(
        ("token" = String, Path, description = "The end of the link"),
        ("report_id" = uuid::Uuid, Path, description = "Its report, one of the run"),
        ("result_id" = String, Path),
    ),
    responses((status = 200, body = reports_dto::ResultDetail),
        (status = 404, description = "share_not_found; result_not_found: the run has no such", body = ErrorBody)))]
async fn get_shared_result(
    State(app): State<AppState>,
    ThreePathIds(token, report, index): ThreePathIds<String, String, String>,
    _wait: WaitMin<Reports>,
) -> Result<Json<reports_dto::ResultDetail>, ApiError> {
    let share = find(&app, &token).await?;
    let unknown = || ApiError::not_found("result_not_found", "result not found");
    let (report, index) = (report.parse::<ReportId>().map_err(|_| unknown())?, index.parse::<i32>());
    let reports = queries::reports_of_run(&app.db, share.team_id, share.run_id).await?;
    if reports.is_empty() {
        return Err(missing());
    }
    if !reports.iter().any(|of_run| of_run.id == report) {
        return Err(unknown());
    }
    let index = index.ok().filter(|index| *index >= 0).ok_or_else(unknown)?;
    let found = queries::get_result(&app.db, share.team_id, report, index).await?;
    found.map(|row| Json(dto::without_extras(reports::result_detail(row)))).ok_or_else(unknown)
}
