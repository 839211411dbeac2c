//! The caller's teams.

use crate::{
    app::{App, AppState},
    http::{
        error::ApiError,
        extract::{Caller, WaitMin},
        words::TeamRole,
    },
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use scaledtest_domain::{Scope, TeamId};
use scaledtest_projections::access::queries as access;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_teams))
}

/// A team, as one of its members sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Team)]
struct TeamBody {
    #[schema(value_type = uuid::Uuid)]
    id: TeamId,
    name: String,
    created_at: DateTime<Utc>,
    /// The caller's role in it.
    role: TeamRole,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeamList)]
struct ListBody {
    /// The oldest membership first.
    teams: Vec<TeamBody>,
}

/// The teams that the caller belongs to; of an API token its only team
#[utoipa::path(get, path = "/api/v1/teams", tag = "teams", responses(
    (status = 200, description = "The oldest membership first", body = ListBody),
    (status = 403, description = "insufficient_scope: the API token cannot read"),
))]
async fn list_teams(State(app): State<AppState>, caller: Caller, _wait: WaitMin) -> Result<Json<ListBody>, ApiError> {
    caller.scope(Scope::Read)?;
    let teams = access::teams_of(&app.db, caller.user).await?;
    let visible = teams.into_iter().filter(|team| caller.role_in(team.id).is_ok());
    let teams = visible
        .map(|team| TeamBody { id: team.id, name: team.name, created_at: team.created_at, role: team.role.into() })
        .collect();
    Ok(Json(ListBody { teams }))
}
