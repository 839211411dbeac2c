//! Links through which anybody may read one run: made, listed and revoked by the team, and read without an account.

mod dto;
mod public;
mod token;

pub(super) use public::{is_shared, public_routes};

use super::accounts::MessageBody;
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Faults, JsonBody, PathId, RequestId, after_write, idempotency_key, prefers_async},
        read_models::{Reports, WaitMin},
        reports::pages,
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use scaledtest_commands::share::{self, Command};
use scaledtest_domain::{
    CommandId, ErrorKind, Hash16, Kind, RunId, Scope, ShareId, StreamId, TeamId, TeamRole, events::share::Created,
    truncate_to_micros,
};
use scaledtest_eventlog::{CommandMeta, Executed};
use scaledtest_projections::{access::queries as access, reports::queries};
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Links that may lead to a run at once.
const MOST: usize = 20;
/// Days that a link can be good at most.
const MOST_DAYS: i64 = 365;
/// What a write waits for.
const MODELS: &[&str] = &["access"];

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_shares, create_share)).routes(routes!(revoke_share))
}

fn missing() -> ApiError {
    ApiError::not_found("share_not_found", "share not found")
}

/// The run, if the team has it.
async fn find_run(app: &App, team: TeamId, run: RunId) -> Result<queries::Run, ApiError> {
    let missing = || ApiError::not_found("run_not_found", "run not found");
    queries::get_run(&app.db, team, run).await?.ok_or_else(missing)
}

fn body(app: &App, share: access::Share) -> dto::Share {
    let token = token::token(&app.secrets, share.id);
    dto::Share {
        id: share.id.0,
        run_id: share.run_id.0,
        url: pages(&app.config, "shared", &token),
        token,
        created_by: share.user_id.0,
        created_at: share.created_at,
        expires_at: share.expires_at,
    }
}

/// The links to a run
///
/// Those that are good, with what they hold: every member may hand them on.
#[utoipa::path(get, path = "/api/v1/runs/{id}/shares", tag = "runs",
    params(("id" = uuid::Uuid, Path, description = "The run")),
    responses((status = 200, description = "Newest first", body = dto::Shares),
        (status = 403, description = "insufficient_scope: the API token cannot read", body = ErrorBody),
        (status = 404, description = "run_not_found", body = ErrorBody)))]
async fn list_shares(
    State(app): State<AppState>,
    caller: Caller,
    PathId(run): PathId<RunId>,
    _wait: WaitMin<Reports>,
) -> Result<Json<dto::Shares>, ApiError> {
    caller.scope(Scope::Read)?;
    let team = caller.team()?;
    find_run(&app, team, run).await?;
    let found = access::shares_of(&app.db, team, run, app.clock.now()).await?;
    Ok(Json(dto::Shares { shares: found.into_iter().map(|share| body(&app, share)).collect() }))
}

/// Share a run
///
/// Makes a link through which anybody may read the run and its results, without an account, until it expires or is revoked.
#[utoipa::path(post, path = "/api/v1/runs/{id}/shares", tag = "runs", request_body = dto::CreateShare,
    params(
        ("id" = uuid::Uuid, Path, description = "The run"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the first answer"),
    ),
    responses(
        (status = 201, description = "The link", body = dto::Share),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "maintainers and owners only; insufficient_scope"),
        (status = 404, description = "run_not_found"),
        (status = 409, description = "too_many_shares: revoke one first; share_revoked: the link of the key was revoked, use a new key"),
        (status = 422, description = "idempotency_key_reused: the key came with another body"),
    ))]
async fn create_share(
    State(app): State<AppState>,
    caller: Caller,
    PathId(run): PathId<RunId>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(wanted): JsonBody<dto::CreateShare>,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Write)?;
    let team = caller.require(TeamRole::Maintainer)?;
    let days = wanted.expires_in_days;
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Faults::one("expires_in_days", format!("must be a whole number from 1 to {MOST_DAYS}")));
    }
    let project = find_run(&app, team, run).await?.project_id;
    let key = idempotency_key(&headers)?;
    let (id, command) = match &key {
        Some(key) => {
            let parts: [&[u8]; 5] =
                [b"create_share", team.0.as_bytes(), run.0.as_bytes(), caller.user.0.as_bytes(), key.as_bytes()];
            (ShareId::derived(&parts), CommandId::derived(&parts))
        }
        None => (ShareId::new(), CommandId::new()),
    };
    let meta = caller.meta(&app, &request);
    let live = access::shares_of(&app.db, team, run, meta.at).await?;
    if live.iter().filter(|share| share.id != id).count() >= MOST {
        let message = format!("a run has at most {MOST} links: revoke one first");
        return Err(ApiError::new(ErrorKind::Conflict, "too_many_shares", message));
    }
    let expires_at = truncate_to_micros(meta.at + TimeDelta::days(days));
    let wanted = Created { share: id, user: caller.user, project, run, expires_at };
    let meta = CommandMeta { command, request: key.map(|_| Hash16::of(days.to_string().as_bytes())), ..meta };
    let made = execute(&app, team, id, Command::Create(wanted), &meta).await?;
    if made.state.is_revoked {
        let message = "the link of this idempotency key was revoked; use a new key for a new link";
        return Err(ApiError::new(ErrorKind::Conflict, "share_revoked", message));
    }
    let written = after_write(&app, made.position, MODELS, prefers_async(&headers)).await;
    let created = made.state.created.ok_or_else(|| ApiError::internal("a run was shared without an event"))?;
    let share = access::Share {
        id: created.share,
        team_id: team,
        user_id: created.user,
        run_id: created.run,
        expires_at: created.expires_at,
        created_at: made.at,
    };
    Ok((StatusCode::CREATED, written, Json(body(&app, share))).into_response())
}

/// Revoke a link to a run, at once
///
/// For maintainers and owners, and for whoever made it.
#[utoipa::path(delete, path = "/api/v1/shares/{share_id}", tag = "runs",
    params(("share_id" = uuid::Uuid, Path, description = "The link's id, not what it holds")),
    responses(
        (status = 200, description = "It leads nowhere any more", body = MessageBody),
        (status = 403, description = "maintainers and owners only; insufficient_scope"),
        (status = 404, description = "share_not_found"),
    ))]
async fn revoke_share(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<ShareId>,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Write)?;
    let team = caller.team()?;
    let known = access::share(&app.db, id).await?.filter(|share| share.team_id == team);
    if known.as_ref().is_none_or(|share| share.user_id != caller.user) {
        caller.require(TeamRole::Maintainer)?;
    }
    known.ok_or_else(missing)?;
    let revoked = execute(&app, team, id, Command::Revoke { share: id }, &caller.meta(&app, &request)).await?;
    let written = after_write(&app, revoked.position, MODELS, prefers_async(&headers)).await;
    Ok((written, Json(MessageBody { message: "share revoked" })).into_response())
}

async fn execute(
    app: &App,
    team: TeamId,
    id: ShareId,
    command: Command,
    meta: &CommandMeta,
) -> Result<Executed<scaledtest_commands::Share>, ApiError> {
    let stream = StreamId::of(team, Kind::Share, id);
    let executed = app.log.execute::<scaledtest_commands::Share>(stream, command, meta).await;
    executed.map_err(ApiError::from_execute::<share::Reject>)
}
