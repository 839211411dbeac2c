//! Making, renaming, giving away and deleting teams.

use super::{PlainBody, answer, execute, owner};
use crate::{
    accounts::teams,
    app::AppState,
    http::{
        accounts::MessageBody,
        error::ApiError,
        extract::{Caller, Faults, JsonBody, PathId, RequestId, after_write, idempotency_key, prefers_async},
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use scaledtest_commands::team::Command;
use scaledtest_domain::{CommandId, Hash16, TeamId, UserId};
use scaledtest_projections::access::queries as access;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NameTeam)]
pub(super) struct NameBody {
    #[serde(default)]
    #[schema(required, min_length = 1, max_length = 255)]
    name: String,
}

impl NameBody {
    fn checked(self) -> Result<String, ApiError> {
        let mut faults = Faults::default();
        faults.check_name("name", &self.name);
        faults.finish().map(|()| self.name)
    }
}

/// Make a team; the caller is its first owner
#[utoipa::path(post, path = "/api/v1/teams", tag = "teams", request_body = NameBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the first answer")),
    responses(
        (status = 201, description = "The team", body = PlainBody),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "token_not_allowed: not through an API token"),
        (status = 422, description = "idempotency_key_reused: the key came with another body"),
    ))]
pub(super) async fn create_team(
    State(app): State<AppState>,
    caller: Caller,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<NameBody>,
) -> Result<Response, ApiError> {
    let user = caller.person()?;
    let name = body.checked()?;
    let (mut meta, mut team) = (caller.meta(&app, &request), TeamId::new());
    if let Some(key) = idempotency_key(&headers)? {
        let parts: [&[u8]; 3] = [b"create_team", user.0.as_bytes(), key.as_bytes()];
        (team, meta.command) = (TeamId::derived(&parts), CommandId::derived(&parts));
        meta.request = Some(Hash16::of(name.as_bytes()));
    }
    let executed = execute(&app, team, Command::Create { team, name: name.clone(), owner: user }, &meta).await?;
    let written = after_write(&app, executed.position, &["access"], prefers_async(&headers)).await;
    let body = PlainBody { id: team, name, created_at: executed.at };
    Ok((StatusCode::CREATED, written, Json(body)).into_response())
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RenamedTeam)]
pub(super) struct RenamedBody {
    team: PlainBody,
}

/// Give a team another name
#[utoipa::path(patch, path = "/api/v1/teams/{team_id}", tag = "teams", request_body = NameBody,
    params(("team_id" = uuid::Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "The renamed team", body = RenamedBody),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "Only team owners, and not through an API token"),
        (status = 404, description = "team_not_found: none of the caller's"),
    ))]
pub(super) async fn rename_team(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): PathId<TeamId>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<NameBody>,
) -> Result<Response, ApiError> {
    owner(&caller, team, "only team owners can rename teams")?;
    let name = body.checked()?;
    let gone = || ApiError::not_found("team_not_found", "team not found");
    let created_at = access::team(&app.db, team).await?.ok_or_else(gone)?.created_at;
    let executed = execute(&app, team, Command::Rename { name: name.clone() }, &caller.meta(&app, &request)).await?;
    let body = RenamedBody { team: PlainBody { id: team, name, created_at } };
    Ok(answer(&app, &headers, &executed, body).await)
}

/// Delete a team, with its members, tokens, invitations and reports
///
/// Nobody reaches it from now on; its reports are erased in the background.
#[utoipa::path(delete, path = "/api/v1/teams/{team_id}", tag = "teams",
    params(("team_id" = uuid::Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "Deleted", body = MessageBody),
        (status = 403, description = "Only team owners, and not through an API token"),
        (status = 404, description = "team_not_found: none of the caller's"),
    ))]
pub(super) async fn delete_team(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): PathId<TeamId>,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    owner(&caller, team, "only team owners can delete teams")?;
    let executed = execute(&app, team, Command::Delete { team }, &caller.meta(&app, &request)).await?;
    teams::forget(&app, team).await?;
    Ok(answer(&app, &headers, &executed, MessageBody { message: "team deleted" }).await)
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TransferTeam)]
pub(super) struct TransferBody {
    /// The member who becomes owner.
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
}

/// Make another member owner, and oneself a maintainer
#[utoipa::path(post, path = "/api/v1/teams/{team_id}/transfer", tag = "teams", request_body = TransferBody,
    params(("team_id" = uuid::Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "Transferred", body = MessageBody),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "Only team owners, and not through an API token"),
        (status = 404, description = "team_not_found, or member_not_found: the other one is no member"),
    ))]
pub(super) async fn transfer_team(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): PathId<TeamId>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<TransferBody>,
) -> Result<Response, ApiError> {
    let from = owner(&caller, team, "only team owners can transfer teams")?;
    let command = Command::Transfer { from, to: body.user_id };
    let executed = execute(&app, team, command, &caller.meta(&app, &request)).await?;
    Ok(answer(&app, &headers, &executed, MessageBody { message: "team transferred" }).await)
}
