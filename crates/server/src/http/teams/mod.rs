//! Teams and who belongs to them.

mod badges;
mod change;
mod members;
mod retention;
mod show;

use crate::{
    app::App,
    http::{
        error::ApiError,
        extract::{Caller, after_write, prefers_async},
    },
};
use axum::{
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scaledtest_commands::{Team, team};
use scaledtest_domain::{Kind, StreamId, TeamId, TeamRole, UserId};
use scaledtest_eventlog::{CommandMeta, Executed};
use scaledtest_projections::access::queries as access;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show::list_teams, change::create_team))
        .routes(routes!(show::get_team, change::rename_team, change::delete_team))
        .routes(routes!(change::transfer_team))
        .routes(routes!(badges::show_badges))
        .routes(routes!(retention::change_retention))
        .routes(routes!(members::list_members))
        .routes(routes!(members::change_member, members::remove_member))
}

/// A team.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlainTeam)]
struct PlainBody {
    #[schema(value_type = uuid::Uuid)]
    id: TeamId,
    name: String,
    created_at: DateTime<Utc>,
}

impl From<access::Team> for PlainBody {
    fn from(team: access::Team) -> Self {
        Self { id: team.id, name: team.name, created_at: team.created_at }
    }
}

/// Only in person, and only owners: a token that could do this would outlive its own limits.
fn owner(caller: &Caller, team: TeamId, refusal: &'static str) -> Result<UserId, ApiError> {
    let role = caller.role_in(team)?;
    let user = caller.person()?;
    if role < TeamRole::Owner {
        return Err(ApiError::forbidden("forbidden", refusal));
    }
    Ok(user)
}

/// Carries a command out on a team.
async fn execute(
    app: &App,
    team: TeamId,
    command: team::Command,
    meta: &CommandMeta,
) -> Result<Executed<Team>, ApiError> {
    let stream = StreamId::of(team, Kind::Team, team);
    app.log.execute::<Team>(stream, command, meta).await.map_err(ApiError::from_execute)
}

/// Answers once the change is visible.
async fn answer<B: Serialize>(app: &App, headers: &HeaderMap, executed: &Executed<Team>, body: B) -> Response {
    let written = after_write(app, executed.position, &["access"], prefers_async(headers)).await;
    (written, axum::Json(body)).into_response()
}
