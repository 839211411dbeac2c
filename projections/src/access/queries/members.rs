//! Teams and who is in them.

use super::word;
use chrono::{DateTime, Utc};
use scaledtest_domain::{TeamId, TeamRole, UserId, retention::Retention};
use sqlx::{FromRow, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

/// A team, for whoever may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Which.
    pub id: TeamId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// How many belong to it.
    pub members: i64,
    /// Whether anybody may see the badges of its projects.
    pub badges_public: bool,
    /// For how many days the results of new reports are kept; as the instance says if absent.
    pub retention: Option<Retention>,
}

/// Somebody in a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// As what.
    pub role: TeamRole,
    /// Since when.
    pub joined_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for Team {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: TeamId(row.try_get("id")?),
            name: row.try_get("name")?,
            created_at: row.try_get("created_at")?,
            members: row.try_get("members")?,
            badges_public: row.try_get("badges_public")?,
            retention: class(row.try_get("retention_days")?),
        })
    }
}

impl FromRow<'_, PgRow> for Member {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            user_id: UserId(row.try_get("user_id")?),
            role: word(row, "role")?,
            joined_at: row.try_get("joined_at")?,
        })
    }
}

/// A team; `None` if there is none, or no longer.
///
/// # Errors
/// What the database says.
pub async fn team(pool: &PgPool, team: TeamId) -> Result<Option<Team>, sqlx::Error> {
    sqlx::query_as(
        "select id, name, created_at, badges_public, retention_days, (select count(*) from access.member where team_id = id) as members
         from access.team where id = $1",
    )
    .bind(team.0)
    .fetch_optional(pool)
    .await
}

/// How long a team keeps the results of new reports; as the instance says if absent.
///
/// # Errors
/// What the database says.
pub async fn retention(pool: &PgPool, team: TeamId) -> Result<Option<Retention>, sqlx::Error> {
    let days = sqlx::query_scalar("select retention_days from access.team where id = $1").bind(team.0);
    Ok(class(days.fetch_optional(pool).await?.flatten()))
}

fn class(days: Option<i16>) -> Option<Retention> {
    Retention::try_from(u16::try_from(days?).ok()?).ok()
}

/// Who is in a team, the oldest membership first.
///
/// # Errors
/// What the database says.
pub async fn members_of(pool: &PgPool, team: TeamId) -> Result<Vec<Member>, sqlx::Error> {
    sqlx::query_as("select user_id, role, joined_at from access.member where team_id = $1 order by no, user_id")
        .bind(team.0)
        .fetch_all(pool)
        .await
}

/// Deleted teams of which there still are reports.
///
/// # Errors
/// What the database says.
pub async fn deleted_teams_with_reports(pool: &PgPool) -> Result<Vec<TeamId>, sqlx::Error> {
    let teams: Vec<Uuid> = sqlx::query_scalar(
        "select team_id from access.deleted_team
         where exists (select from reports.report where report.team_id = deleted_team.team_id) order by no",
    )
    .fetch_all(pool)
    .await?;
    Ok(teams.into_iter().map(TeamId).collect())
}
