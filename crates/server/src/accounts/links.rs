//! Links that prove something, once. What a link holds follows from its id and the instance's key; only its hash is kept.

use super::{digest, users::User};
use crate::{
    app::App,
    secrets::{Secrets, hex},
};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::UserId;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// What a link is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Setting a new password, within an hour.
    ResetPassword,
    /// Proving an address, within a day.
    VerifyEmail,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset_password",
            Self::VerifyEmail => "verify_email",
        }
    }

    fn life(self) -> TimeDelta {
        match self {
            Self::ResetPassword => TimeDelta::hours(1),
            Self::VerifyEmail => TimeDelta::hours(24),
        }
    }
}

/// A link that was just made: the only time that its secret is known.
pub struct Link {
    /// 64 hex digits.
    pub token: String,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
}

/// The page that a link opens.
pub fn url(base_url: &str, purpose: Purpose, token: &str) -> String {
    let page = match purpose {
        Purpose::ResetPassword => "reset-password",
        Purpose::VerifyEmail => "verify-email",
    };
    format!("{base_url}/{page}/{token}")
}

/// Makes a link for somebody, beside those they have.
///
/// # Errors
/// What the database says.
pub async fn make(
    db: &PgPool,
    secrets: &Secrets,
    user: &User,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Link, sqlx::Error> {
    let (id, expires_at) = (Uuid::now_v7(), now + purpose.life());
    let token = hex(&secrets.derive(&[b"link", purpose.as_str().as_bytes(), id.as_bytes()]));
    sqlx::query(
        "insert into auth.links (id, user_id, purpose, token_hash, email, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(user.id.0)
    .bind(purpose.as_str())
    .bind(digest(&token).as_slice())
    .bind(&user.email)
    .bind(now)
    .bind(expires_at)
    .execute(db)
    .await?;
    Ok(Link { token, expires_at })
}

/// Whether a link is good; it stays so.
///
/// # Errors
/// What the database says.
pub async fn is_good(app: &App, token: &str, purpose: Purpose) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from auth.links where token_hash = $1 and purpose = $2 and expires_at > $3)",
    )
    .bind(digest(token).as_slice())
    .bind(purpose.as_str())
    .bind(app.clock.now())
    .fetch_one(&app.db)
    .await
}

/// Uses a link up: whose it is, and the address that it proves. `None` if it is unknown, used or too old.
///
/// # Errors
/// What the database says.
pub(crate) async fn redeem(
    conn: &mut PgConnection,
    token: &str,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Option<(UserId, String)>, sqlx::Error> {
    let found: Option<(Uuid, String)> = sqlx::query_as(
        "delete from auth.links where token_hash = $1 and purpose = $2 and expires_at > $3 returning user_id, email",
    )
    .bind(digest(token).as_slice())
    .bind(purpose.as_str())
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|(user, email)| (UserId(user), email)))
}

/// Makes all of somebody's links of a kind useless.
///
/// # Errors
/// What the database says.
pub(crate) async fn forget(conn: &mut PgConnection, user: UserId, purpose: Purpose) -> Result<(), sqlx::Error> {
    sqlx::query("delete from auth.links where user_id = $1 and purpose = $2")
        .bind(user.0)
        .bind(purpose.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes what has expired.
///
/// # Errors
/// What the database says.
pub(crate) async fn purge(app: &App) -> Result<(), sqlx::Error> {
    sqlx::query("delete from auth.links where expires_at <= $1").bind(app.clock.now()).execute(&app.db).await?;
    Ok(())
}
