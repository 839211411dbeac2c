//! Links through which anybody may read a run.

use chrono::{DateTime, Utc};
use scaledtest_domain::{RunId, ShareId, TeamId, UserId};
use sqlx::{FromRow, PgPool, Row, postgres::PgRow};

/// A link that was not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Which.
    pub id: ShareId,
    /// Whose.
    pub team_id: TeamId,
    /// Who made it.
    pub user_id: UserId,
    /// The only run that it shows.
    pub run_id: RunId,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for Share {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: ShareId(row.try_get("id")?),
            team_id: TeamId(row.try_get("team_id")?),
            user_id: UserId(row.try_get("user_id")?),
            run_id: RunId(row.try_get("run_id")?),
            expires_at: row.try_get("expires_at")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

/// The links to a team's run that are still good at `now`, newest first.
///
/// # Errors
/// What the database says.
pub async fn shares_of(pool: &PgPool, team: TeamId, run: RunId, now: DateTime<Utc>) -> Result<Vec<Share>, sqlx::Error> {
    sqlx::query_as(
        "select id, team_id, user_id, run_id, expires_at, created_at
         from access.share where team_id = $1 and run_id = $2 and expires_at > $3 order by no desc",
    )
    .bind(team.0)
    .bind(run.0)
    .bind(now)
    .fetch_all(pool)
    .await
}

/// One link, whether it has expired or not; `None` if it was revoked.
///
/// # Errors
/// What the database says.
pub async fn share(pool: &PgPool, share: ShareId) -> Result<Option<Share>, sqlx::Error> {
    sqlx::query_as("select id, team_id, user_id, run_id, expires_at, created_at from access.share where id = $1")
        .bind(share.0)
        .fetch_optional(pool)
        .await
}
