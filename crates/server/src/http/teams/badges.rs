//! Who sees the badges of a team's projects.

use super::{answer, execute};
use crate::{
    app::AppState,
    http::{
        error::ApiError,
        extract::{Caller, JsonBody, PathId, RequestId},
    },
};
use axum::{extract::State, http::HeaderMap, response::Response};
use scaledtest_commands::team::Command;
use scaledtest_domain::{TeamId, TeamRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether anybody sees the badges.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = TeamBadges)]
pub(super) struct BadgesBody {
    /// To anybody who knows a project's id; else to nobody.
    public: bool,
}

/// Show the badges of a team's projects to anybody, or to nobody
#[utoipa::path(put, path = "/api/v1/teams/{team_id}/badges", operation_id = "show_badges", tag = "teams", request_body = BadgesBody,
    params(("team_id" = uuid::Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "So it is", body = BadgesBody),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "Only maintainers and owners, and not through an API token"),
        (status = 404, description = "team_not_found: none of the caller's"),
    ))]
pub(super) async fn show_badges(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): PathId<TeamId>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<BadgesBody>,
) -> Result<Response, ApiError> {
    let role = caller.role_in(team)?;
    caller.person()?;
    if role < TeamRole::Maintainer {
        return Err(ApiError::forbidden("forbidden", "only maintainers and owners can make badges public or private"));
    }
    let command = Command::ShowBadges { team, is_public: body.public };
    let executed = execute(&app, team, command, &caller.meta(&app, &request)).await?;
    Ok(answer(&app, &headers, &executed, body).await)
}
