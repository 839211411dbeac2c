//! Who belongs to a team.

use super::{answer, execute, owner};
use crate::{
    accounts::{tokens, users},
    app::AppState,
    http::{
        accounts::MessageBody,
        error::ApiError,
        extract::{Caller, Faults, JsonBody, PathId, PathIds, RequestId},
        read_models::WaitMin,
        words::TeamRole,
    },
};
use axum::{Json, extract::State, http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use scaledtest_commands::team::Command;
use scaledtest_domain::{self as domain, Scope, TeamId, UserId};
use scaledtest_projections::access::queries as access;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Somebody in a team.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(super) struct MemberBody {
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    /// Not for API tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    display_name: String,
    role: TeamRole,
    joined_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MemberList)]
pub(super) struct ListBody {
    /// The oldest membership first.
    members: Vec<MemberBody>,
}

/// Who belongs to a team
#[utoipa::path(get, path = "/api/v1/teams/{team_id}/members", tag = "teams",
    params(("team_id" = uuid::Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "The oldest membership first", body = ListBody),
        (status = 403, description = "insufficient_scope: the API token cannot read"),
        (status = 404, description = "team_not_found: none of the caller's"),
    ))]
pub(super) async fn list_members(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): PathId<TeamId>,
    _wait: WaitMin,
) -> Result<Json<ListBody>, ApiError> {
    caller.role_in(team)?;
    caller.scope(Scope::Read)?;
    let members = access::members_of(&app.db, team).await?;
    let ids: Vec<UserId> = members.iter().map(|member| member.user_id).collect();
    let mut people = users::by_ids(&app, &ids).await?;
    let body = |member: access::Member| {
        // The row of an account that is going away may be gone first.
        let (email, display_name) =
            people.remove(&member.user_id).map(|user| (user.email, user.display_name)).unwrap_or_default();
        let email = Some(email).filter(|email| !caller.via_token && !email.is_empty());
        let (user_id, role, joined_at) = (member.user_id, member.role.into(), member.joined_at);
        MemberBody { user_id, email, display_name, role, joined_at }
    };
    Ok(Json(ListBody { members: members.into_iter().map(body).collect() }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChangeMember)]
pub(super) struct ChangeBody {
    /// `readonly`, `maintainer` or `owner`.
    #[serde(default)]
    #[schema(required)]
    role: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangedMember)]
pub(super) struct ChangedBody {
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    role: TeamRole,
}

/// Give a member another role
#[utoipa::path(patch, path = "/api/v1/teams/{team_id}/members/{user_id}", tag = "teams", request_body = ChangeBody,
    params(
        ("team_id" = uuid::Uuid, Path, description = "The team"),
        ("user_id" = uuid::Uuid, Path, description = "The member"),
    ),
    responses(
        (status = 200, description = "The member's role now", body = ChangedBody),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "Only team owners, and not through an API token"),
        (status = 404, description = "team_not_found or member_not_found"),
        (status = 409, description = "last_owner: a team keeps at least one"),
    ))]
pub(super) async fn change_member(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(team, user): PathIds<TeamId, UserId>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ChangeBody>,
) -> Result<Response, ApiError> {
    owner(&caller, team, "only team owners can change roles")?;
    let role: domain::TeamRole =
        body.role.parse().map_err(|_| Faults::one("role", "must be readonly, maintainer or owner"))?;
    let executed = execute(&app, team, Command::ChangeRole { user, role }, &caller.meta(&app, &request)).await?;
    Ok(answer(&app, &headers, &executed, ChangedBody { user_id: user, role: role.into() }).await)
}

/// Remove a member, or leave
#[utoipa::path(delete, path = "/api/v1/teams/{team_id}/members/{user_id}", tag = "teams",
    params(
        ("team_id" = uuid::Uuid, Path, description = "The team"),
        ("user_id" = uuid::Uuid, Path, description = "The member; oneself to leave"),
    ),
    responses(
        (status = 200, description = "Removed; what they made stays, their API tokens of this team are revoked", body = MessageBody),
        (status = 403, description = "Only team owners remove others, and not through an API token"),
        (status = 404, description = "team_not_found or member_not_found"),
        (status = 409, description = "last_owner: a team keeps at least one"),
    ))]
pub(super) async fn remove_member(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(team, user): PathIds<TeamId, UserId>,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    caller.role_in(team)?;
    if caller.person()? != user {
        owner(&caller, team, "only team owners can remove members")?;
    }
    let mut executed = execute(&app, team, Command::Remove { user }, &caller.meta(&app, &request)).await?;
    match tokens::revoke_of(&app, team, user, caller.actor, Some(request.correlation())).await {
        Ok(revoked) => executed.position = revoked.map_or(executed.position, |at| at.max(executed.position)),
        // They are out, and so are their tokens.
        Err(error) => tracing::warn!(%team, %user, %error, "the sweep will revoke the tokens of who has left"),
    }
    Ok(answer(&app, &headers, &executed, MessageBody { message: "member removed" }).await)
}
