//! Changing the terms of a stay, and ending it.

use super::{
    WRITTEN, dto, not_found,
    terms::{Wanted, checked},
};
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Faults, JsonBody, PathId, RequestId, after_write, prefers_async},
    },
};
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scaledtest_commands::{Quarantine, quarantine::Command};
use scaledtest_domain::{Kind, QuarantineId, Scope, StreamId, TeamId, TeamRole, events::quarantine::Why};
use scaledtest_eventlog::CommandMeta;
use scaledtest_projections::quarantine::queries;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChangeQuarantine)]
pub(super) struct Body {
    /// `mute` or `skip`.
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 500)]
    reason: Option<String>,
    /// Who sees to it; an empty one is nobody.
    #[serde(default)]
    #[schema(max_length = 100)]
    owner: Option<String>,
    /// An http(s) link or a key; an empty one is none.
    #[serde(default)]
    #[schema(max_length = 500)]
    ticket: Option<String>,
    /// At most 90 days from now. Must be given when `skip` begins.
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
}

/// Change the terms of a stay
///
/// What is absent stays as it is.
#[utoipa::path(patch, path = "/api/v1/quarantine/{id}", operation_id = "change_quarantine", tag = "quarantine",
    request_body = Body, params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = dto::Entry),
        (status = 400, description = "Faulty fields, each named in details", body = ErrorBody),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "quarantine_not_found", body = ErrorBody),
        (status = 409, description = "quarantine_over: quarantine the test again", body = ErrorBody),
    ))]
pub(super) async fn change_quarantine(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<QuarantineId>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, ApiError> {
    let (team, stream) = stream(&app, &caller, id).await?;
    let state = app.log.state::<Quarantine>(&stream).await?;
    let mut faults = Faults::default();
    let Body { mode, reason, owner, ticket, expires_at } = body;
    let wanted = Wanted { mode, reason, owner, ticket, expires_at };
    let terms = checked(wanted, state.terms.as_ref(), app.clock.now(), &mut faults);
    faults.finish()?;
    let command = Command::Change { quarantine: id, terms };
    execute(&app, (team, stream), id, command, &caller.meta(&app, &request), &headers).await
}

/// Release a test from quarantine
///
/// Its failures count again, from now on. Releasing again changes nothing.
#[utoipa::path(post, path = "/api/v1/quarantine/{id}/release", operation_id = "release_quarantine", tag = "quarantine",
    params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = dto::Entry),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "quarantine_not_found", body = ErrorBody),
    ))]
pub(super) async fn release_quarantine(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<QuarantineId>,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (team, stream) = stream(&app, &caller, id).await?;
    let command = Command::Release { quarantine: id, why: Why::Hand, user: Some(caller.user) };
    execute(&app, (team, stream), id, command, &caller.meta(&app, &request), &headers).await
}

/// The caller's team, and where the stay is recorded.
async fn stream(app: &App, caller: &Caller, id: QuarantineId) -> Result<(TeamId, StreamId), ApiError> {
    caller.scope(Scope::Write)?;
    let team = caller.require(TeamRole::Maintainer)?;
    let row = queries::entry(&app.db, team, id).await?.ok_or_else(not_found)?;
    Ok((team, StreamId::of(team, Kind::Quarantine, row.entered_test_id)))
}

async fn execute(
    app: &App,
    (team, stream): (TeamId, StreamId),
    id: QuarantineId,
    command: Command,
    meta: &CommandMeta,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let executed = app.log.execute::<Quarantine>(stream, command, meta).await.map_err(ApiError::from_execute)?;
    let written = after_write(app, executed.position, WRITTEN, prefers_async(headers)).await;
    let row = queries::entry(&app.db, team, id).await?.ok_or_else(not_found)?;
    let mut body = dto::Entry::of(&row, app.clock.now());
    // The read model may lag behind what was decided.
    if let Some(terms) = executed.state.terms
        && terms.expires_at != row.expires_at
    {
        body = body.with_terms(terms, executed.at);
    }
    if let Some(why) = executed.state.released
        && body.release.is_none()
    {
        (body.state, body.release, body.released_at) = (dto::State::Released, Some(why.into()), Some(executed.at));
    }
    Ok((written, Json(body)).into_response())
}
