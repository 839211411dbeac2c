//! Looking at teams.

use super::PlainBody;
use crate::{
    app::AppState,
    http::{
        error::ApiError,
        extract::{Caller, PathId},
        read_models::WaitMin,
        words::TeamRole,
    },
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use scaledtest_domain::{Scope, TeamId};
use scaledtest_projections::access::queries as access;
use serde::Serialize;
use utoipa::ToSchema;

/// A team, as one of its members sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Team)]
pub(super) struct TeamBody {
    #[schema(value_type = uuid::Uuid)]
    id: TeamId,
    name: String,
    created_at: DateTime<Utc>,
    /// The caller's role in it.
    role: TeamRole,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeamList)]
pub(super) struct ListBody {
    /// The oldest membership first.
    teams: Vec<TeamBody>,
}

/// The teams that the caller belongs to; of an API token its only team
#[utoipa::path(get, path = "/api/v1/teams", tag = "teams", responses(
    (status = 200, description = "The oldest membership first", body = ListBody),
    (status = 403, description = "insufficient_scope: the API token cannot read"),
))]
pub(super) async fn list_teams(
    State(app): State<AppState>,
    caller: Caller,
    _wait: WaitMin,
) -> Result<Json<ListBody>, ApiError> {
    caller.scope(Scope::Read)?;
    let teams = access::teams_of(&app.db, caller.user).await?;
    let visible = teams.into_iter().filter(|team| caller.role_in(team.id).is_ok());
    let teams = visible
        .map(|team| TeamBody { id: team.id, name: team.name, created_at: team.created_at, role: team.role.into() })
        .collect();
    Ok(Json(ListBody { teams }))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeamDetail)]
pub(super) struct DetailBody {
    team: PlainBody,
    /// The caller's role in it.
    role: TeamRole,
    /// How many belong to it.
    members: i64,
    /// Whether anybody may see the badges of its projects.
    badges_public: bool,
    /// For how many days the results of new reports are kept.
    retention: RetentionBody,
}

/// How long results are kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeamRetentionChoice)]
struct RetentionBody {
    /// What the team chose: 30, 90 or 400 days; null if it didn't.
    chosen_days: Option<u16>,
    /// What counts.
    days: u16,
}

/// A team
#[utoipa::path(get, path = "/api/v1/teams/{team_id}", tag = "teams",
    params(("team_id" = uuid::Uuid, Path, description = "The team")),
    responses(
        (status = 200, description = "The team, and the caller's role in it", body = DetailBody),
        (status = 403, description = "insufficient_scope: the API token cannot read"),
        (status = 404, description = "team_not_found: none of the caller's"),
    ))]
pub(super) async fn get_team(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): PathId<TeamId>,
    _wait: WaitMin,
) -> Result<Json<DetailBody>, ApiError> {
    let role = caller.role_in(team)?;
    caller.scope(Scope::Read)?;
    let gone = || ApiError::not_found("team_not_found", "team not found");
    let team = access::team(&app.db, team).await?.ok_or_else(gone)?;
    Ok(Json(DetailBody {
        members: team.members,
        badges_public: team.badges_public,
        retention: RetentionBody {
            chosen_days: team.retention.map(u16::from),
            days: team.retention.unwrap_or(app.config.retention_days).days(),
        },
        team: team.into(),
        role: role.into(),
    }))
}
