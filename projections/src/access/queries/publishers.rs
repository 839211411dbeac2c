//! CI workflows that teams trust.

use chrono::{DateTime, Utc};
use scaledtest_domain::{PublisherId, TeamId, UserId, events::publisher::Rule};
use sqlx::{FromRow, PgPool, Row, postgres::PgRow};

/// A rule that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// Which.
    pub id: PublisherId,
    /// Whose.
    pub team_id: TeamId,
    /// Who made it.
    pub user_id: UserId,
    /// Which workflows are meant.
    pub rule: Rule,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for Publisher {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: PublisherId(row.try_get("id")?),
            team_id: TeamId(row.try_get("team_id")?),
            user_id: UserId(row.try_get("user_id")?),
            rule: Rule {
                issuer: row.try_get("issuer")?,
                repository: row.try_get("repository")?,
                branch: row.try_get("branch")?,
                environment: row.try_get("environment")?,
            },
            created_at: row.try_get("created_at")?,
        })
    }
}

/// A team's rules, newest first.
///
/// # Errors
/// What the database says.
pub async fn publishers_of(pool: &PgPool, team: TeamId) -> Result<Vec<Publisher>, sqlx::Error> {
    sqlx::query_as(
        "select id, team_id, user_id, issuer, repository, branch, environment, created_at
         from access.publisher where team_id = $1 order by no desc",
    )
    .bind(team.0)
    .fetch_all(pool)
    .await
}

/// The rules of all teams for a repository, the oldest first. Names of repositories are compared without case.
///
/// # Errors
/// What the database says.
pub async fn publishers_for(pool: &PgPool, issuer: &str, repository: &str) -> Result<Vec<Publisher>, sqlx::Error> {
    sqlx::query_as(
        "select id, team_id, user_id, issuer, repository, branch, environment, created_at
         from access.publisher where issuer = $1 and lower(repository) = lower($2) order by no",
    )
    .bind(issuer)
    .bind(repository)
    .fetch_all(pool)
    .await
}

/// One rule; `None` if it holds no longer.
///
/// # Errors
/// What the database says.
pub async fn publisher(pool: &PgPool, publisher: PublisherId) -> Result<Option<Publisher>, sqlx::Error> {
    sqlx::query_as(
        "select id, team_id, user_id, issuer, repository, branch, environment, created_at
         from access.publisher where id = $1",
    )
    .bind(publisher.0)
    .fetch_optional(pool)
    .await
}
