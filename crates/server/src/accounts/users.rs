//! The rows of people.

use crate::{app::App, http::error::ApiError};
use scaledtest_domain::{InstanceRole, UserId};
use scaledtest_projections::access::queries as access;
use sqlx::{PgPool, Row};
use std::collections::HashMap;
use uuid::Uuid;

/// A person with an account. `Debug` shows the id only.
#[derive(Clone)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// As typed.
    pub email: String,
    /// As typed.
    pub display_name: String,
    /// In PHC notation.
    pub(crate) password_hash: String,
    /// Whether the address was proven to be theirs.
    pub email_verified: bool,
    /// Whether the log has the account.
    pub(crate) active: bool,
}

impl User {
    /// Whether they can sign in with a password.
    pub fn has_password(&self) -> bool {
        !self.password_hash.is_empty()
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({})", self.id)
    }
}

fn read(row: &sqlx::postgres::PgRow) -> Result<User, sqlx::Error> {
    let state: String = row.try_get("state")?;
    Ok(User {
        id: UserId(row.try_get("id")?),
        email: row.try_get("email")?,
        display_name: row.try_get("display_name")?,
        password_hash: row.try_get("password_hash")?,
        email_verified: row.try_get("email_verified")?,
        active: state == "active",
    })
}

/// By address, whatever its case.
///
/// # Errors
/// What the database says.
pub async fn by_email(app: &App, email: &str) -> Result<Option<User>, ApiError> {
    Ok(find_by_email(&app.db, email).await?)
}

/// As [`by_email`], for who has no more than the database.
pub(crate) async fn find_by_email(db: &PgPool, email: &str) -> Result<Option<User>, sqlx::Error> {
    let row = sqlx::query(
        "select id, email, display_name, password_hash, state, email_verified_at is not null as email_verified
         from auth.users where lower(email) = lower($1)",
    )
    .bind(email.trim())
    .fetch_optional(db)
    .await?;
    row.as_ref().map(read).transpose()
}

/// By id.
///
/// # Errors
/// What the database says.
pub async fn by_id(app: &App, user: UserId) -> Result<Option<User>, ApiError> {
    Ok(find_by_id(&app.db, user).await?)
}

/// As [`by_id`], for who has no more than the database.
pub(crate) async fn find_by_id(db: &PgPool, user: UserId) -> Result<Option<User>, sqlx::Error> {
    let row = sqlx::query(
        "select id, email, display_name, password_hash, state, email_verified_at is not null as email_verified
         from auth.users where id = $1",
    )
    .bind(user.0)
    .fetch_optional(db)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Several, by id; who has no account is left out.
///
/// # Errors
/// What the database says.
pub async fn by_ids(app: &App, users: &[UserId]) -> Result<HashMap<UserId, User>, ApiError> {
    let ids: Vec<Uuid> = users.iter().map(|user| user.0).collect();
    let rows = sqlx::query(
        "select id, email, display_name, password_hash, state, email_verified_at is not null as email_verified
         from auth.users where id = any($1)",
    )
    .bind(ids)
    .fetch_all(&app.db)
    .await?;
    let users: Vec<User> = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(users.into_iter().map(|user| (user.id, user)).collect())
}

/// Changes the name that is shown; `None` when there is no such account.
///
/// # Errors
/// What the database says.
pub async fn rename(app: &App, user: UserId, display_name: &str) -> Result<Option<User>, ApiError> {
    let row = sqlx::query(
        "update auth.users set display_name = $2, updated_at = $3 where id = $1
         returning id, email, display_name, password_hash, state, email_verified_at is not null as email_verified",
    )
    .bind(user.0)
    .bind(display_name)
    .bind(app.clock.now())
    .fetch_optional(&app.db)
    .await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// The account's standing on the instance; a member's while the read model lags.
///
/// # Errors
/// What the database says.
pub async fn instance_role(app: &App, user: UserId) -> Result<InstanceRole, ApiError> {
    let account = access::account(&app.db, user).await?;
    Ok(account.map_or(InstanceRole::Member, |account| account.instance_role))
}

/// Whether the account is switched off.
///
/// # Errors
/// What the database says.
pub async fn is_disabled(app: &App, user: UserId) -> Result<bool, ApiError> {
    Ok(access::account(&app.db, user).await?.is_some_and(|account| account.is_disabled))
}
