//! Who may do what.

mod invitations;
mod members;
mod publishers;
mod shares;

pub use invitations::{Invitation, invitation, invitations_of};
pub use members::{Member, Team, deleted_teams_with_reports, members_of, retention, team};
pub use publishers::{Publisher, publisher, publishers_for, publishers_of};
pub use shares::{Share, share, shares_of};

use chrono::{DateTime, Utc};
use scaledtest_domain::{InstanceRole, Scope, TeamId, TeamRole, TokenId, UserId};
use sqlx::{FromRow, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

/// A team as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamOf {
    /// Which.
    pub id: TeamId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// What the member may do in it.
    pub role: TeamRole,
    /// When they joined.
    pub joined_at: DateTime<Utc>,
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Which.
    pub id: TokenId,
    /// The only team that it is good for.
    pub team_id: TeamId,
    /// Its creator.
    pub user_id: UserId,
    /// Its name.
    pub name: String,
    /// The first digits of its secret.
    pub prefix: String,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// Until when.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// An account, without the person's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub user_id: UserId,
    /// On the whole instance.
    pub instance_role: InstanceRole,
    /// Whether it is switched off.
    pub is_disabled: bool,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

fn word<T: std::str::FromStr>(row: &PgRow, column: &str) -> Result<T, sqlx::Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let word: String = row.try_get(column)?;
    word.parse().map_err(|source| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) })
}

impl FromRow<'_, PgRow> for TeamOf {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: TeamId(row.try_get("id")?),
            name: row.try_get("name")?,
            created_at: row.try_get("created_at")?,
            role: word(row, "role")?,
            joined_at: row.try_get("joined_at")?,
        })
    }
}

impl FromRow<'_, PgRow> for Token {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let scopes: Vec<String> = row.try_get("scopes")?;
        Ok(Self {
            id: TokenId(row.try_get("id")?),
            team_id: TeamId(row.try_get("team_id")?),
            user_id: UserId(row.try_get("user_id")?),
            name: row.try_get("name")?,
            prefix: row.try_get("prefix")?,
            // A scope that this version doesn't know allows nothing.
            scopes: scopes.iter().filter_map(|scope| scope.parse().ok()).collect(),
            expires_at: row.try_get("expires_at")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

impl FromRow<'_, PgRow> for Account {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let role: String = row.try_get("instance_role")?;
        let instance_role = if role == "owner" { InstanceRole::Owner } else { InstanceRole::Member };
        Ok(Self {
            user_id: UserId(row.try_get("user_id")?),
            instance_role,
            is_disabled: row.try_get("is_disabled")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

/// The teams that a user belongs to, the oldest membership first.
///
/// # Errors
/// What the database says.
pub async fn teams_of(pool: &PgPool, user: UserId) -> Result<Vec<TeamOf>, sqlx::Error> {
    sqlx::query_as(
        "select team.id, team.name, team.created_at, member.role, member.joined_at
         from access.member join access.team on team.id = member.team_id
         where member.user_id = $1 order by member.no, team.no",
    )
    .bind(user.0)
    .fetch_all(pool)
    .await
}

/// What a user may do in a team; `None` if they don't belong to it, or their account is switched off.
///
/// # Errors
/// What the database says.
pub async fn membership(pool: &PgPool, user: UserId, team: TeamId) -> Result<Option<TeamRole>, sqlx::Error> {
    let role: Option<String> = sqlx::query_scalar(
        "select role from access.member where team_id = $1 and user_id = $2
         and not exists (select from access.account where account.user_id = $2 and is_disabled)",
    )
    .bind(team.0)
    .bind(user.0)
    .fetch_optional(pool)
    .await?;
    Ok(role.and_then(|role| role.parse().ok()))
}

/// The team of a user's oldest membership.
///
/// # Errors
/// What the database says.
pub async fn oldest_team(pool: &PgPool, user: UserId) -> Result<Option<TeamId>, sqlx::Error> {
    let team: Option<Uuid> =
        sqlx::query_scalar("select team_id from access.member where user_id = $1 order by no limit 1")
            .bind(user.0)
            .fetch_optional(pool)
            .await?;
    Ok(team.map(TeamId))
}

/// A team's tokens, newest first.
///
/// # Errors
/// What the database says.
pub async fn tokens_of(pool: &PgPool, team: TeamId) -> Result<Vec<Token>, sqlx::Error> {
    sqlx::query_as(
        "select id, team_id, user_id, name, prefix, scopes, expires_at, created_at
         from access.token where team_id = $1 order by no desc",
    )
    .bind(team.0)
    .fetch_all(pool)
    .await
}

/// A token that was not revoked.
///
/// # Errors
/// What the database says.
pub async fn token(pool: &PgPool, token: TokenId) -> Result<Option<Token>, sqlx::Error> {
    sqlx::query_as(
        "select id, team_id, user_id, name, prefix, scopes, expires_at, created_at from access.token where id = $1",
    )
    .bind(token.0)
    .fetch_optional(pool)
    .await
}

/// An account.
///
/// # Errors
/// What the database says.
pub async fn account(pool: &PgPool, user: UserId) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as("select user_id, instance_role, is_disabled, created_at from access.account where user_id = $1")
        .bind(user.0)
        .fetch_optional(pool)
        .await
}
