//! Invitations, without addresses and secrets.

use super::word;
use chrono::{DateTime, Utc};
use scaledtest_domain::{InvitationId, TeamId, TeamRole, UserId};
use sqlx::{FromRow, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

/// An invitation that was not taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Which.
    pub id: InvitationId,
    /// Into which team.
    pub team_id: TeamId,
    /// As what.
    pub role: TeamRole,
    /// By whom.
    pub invited_by: Option<UserId>,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
    /// When it was.
    pub accepted_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for Invitation {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let invited_by: Option<Uuid> = row.try_get("invited_by")?;
        Ok(Self {
            id: InvitationId(row.try_get("id")?),
            team_id: TeamId(row.try_get("team_id")?),
            role: word(row, "role")?,
            invited_by: invited_by.map(UserId),
            expires_at: row.try_get("expires_at")?,
            accepted_at: row.try_get("accepted_at")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

/// A team's invitations, newest first.
///
/// # Errors
/// What the database says.
pub async fn invitations_of(pool: &PgPool, team: TeamId) -> Result<Vec<Invitation>, sqlx::Error> {
    sqlx::query_as(
        "select id, team_id, role, invited_by, expires_at, accepted_at, created_at
         from access.invitation where team_id = $1 order by no desc",
    )
    .bind(team.0)
    .fetch_all(pool)
    .await
}

/// One invitation; `None` if there is none, or it was taken back.
///
/// # Errors
/// What the database says.
pub async fn invitation(pool: &PgPool, invitation: InvitationId) -> Result<Option<Invitation>, sqlx::Error> {
    sqlx::query_as(
        "select id, team_id, role, invited_by, expires_at, accepted_at, created_at from access.invitation where id = $1",
    )
    .bind(invitation.0)
    .fetch_optional(pool)
    .await
}
