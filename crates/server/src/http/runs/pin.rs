//! Runs whose results are kept beyond their time.

use super::not_found;
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, PathId, RequestId, after_write, prefers_async},
        reports::dto,
    },
};
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use scaledtest_commands::run::{Command, Run};
use scaledtest_domain::{Kind, RunId, Scope, StreamId, TeamRole};
use scaledtest_projections::reports::queries;

/// Keep the results of a run for good
///
/// Also those of reports that join it later. Pinning again changes nothing.
#[utoipa::path(put, path = "/api/v1/runs/{id}/pin", operation_id = "pin_run", tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = dto::Retention), (status = 401, body = ErrorBody),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "run_not_found", body = ErrorBody),
        (status = 409, description = "results_dropped: there is nothing left to keep", body = ErrorBody)))]
pub(super) async fn pin_run(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<RunId>,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    pin(&app, &caller, id, &request, &headers, true).await
}

/// Keep the results of a run no longer than others
///
/// If their time is over, they are dropped within the hour.
#[utoipa::path(delete, path = "/api/v1/runs/{id}/pin", operation_id = "unpin_run", tag = "runs",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = dto::Retention), (status = 401, body = ErrorBody),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "run_not_found", body = ErrorBody)))]
pub(super) async fn unpin_run(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<RunId>,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    pin(&app, &caller, id, &request, &headers, false).await
}

async fn pin(
    app: &App,
    caller: &Caller,
    run: RunId,
    request: &RequestId,
    headers: &HeaderMap,
    keep: bool,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Write)?;
    let team = caller.require(TeamRole::Maintainer)?;
    let found = queries::get_run(&app.db, team, run).await?.ok_or_else(not_found)?;
    let is_dropped = queries::kept(&app.db, team, run).await?.dropped;
    let command = Command::Pin { run, project: found.project_id, keep, is_dropped };
    let stream = StreamId::of(team, Kind::Run, run);
    let executed = app.log.execute::<Run>(stream, command, &caller.meta(app, request)).await;
    let executed = executed.map_err(ApiError::from_execute)?;
    let written = after_write(app, executed.position, &["reports"], prefers_async(headers)).await;
    let mut kept = queries::kept(&app.db, team, run).await?;
    // The read model may lag behind what was decided.
    if kept.pinned_at.is_some() != keep {
        kept.pinned_at = keep.then_some(executed.at);
    }
    Ok((written, Json(dto::Retention::from(kept))).into_response())
}
