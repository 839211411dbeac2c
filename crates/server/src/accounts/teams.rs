//! What else is known of teams that are gone.

use super::tokens;
use crate::{app::App, http::error::ApiError};
use scaledtest_domain::TeamId;
use uuid::Uuid;

/// Removes the rows of a deleted team: its tokens' and its invitations'.
///
/// # Errors
/// What the database says; [`purge`] carries on.
pub async fn forget(app: &App, team: TeamId) -> Result<(), ApiError> {
    tokens::forget_team(app, team).await?;
    sqlx::query("delete from auth.invitations where team_id = $1").bind(team.0).execute(&app.db).await?;
    Ok(())
}

/// Removes what a crash left of deleted teams, or somebody added in their last moment.
///
/// # Errors
/// What the database says.
pub(crate) async fn purge(app: &App) -> Result<(), ApiError> {
    let left: Vec<Uuid> = sqlx::query_scalar(
        "select team_id from access.deleted_team
         where exists (select from auth.api_tokens t where t.team_id = deleted_team.team_id)
            or exists (select from auth.invitations i where i.team_id = deleted_team.team_id)",
    )
    .fetch_all(&app.db)
    .await?;
    for team in left {
        forget(app, TeamId(team)).await?;
    }
    Ok(())
}
