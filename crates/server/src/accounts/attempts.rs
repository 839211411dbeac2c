//! Guessing passwords takes longer and longer, per account: also for addresses without one, so that nobody learns which have.

use super::digest;
use crate::{app::App, http::error::ApiError};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::ErrorKind;

/// Failures that cost nothing.
const FREE: i32 = 5;
/// The longest wait.
const LONGEST: TimeDelta = TimeDelta::minutes(15);
/// After this long without a failure the count begins anew.
const FORGOTTEN: TimeDelta = TimeDelta::hours(24);

fn key(email: &str) -> [u8; 32] {
    digest(&email.trim().to_lowercase())
}

/// Passes unless the account has to wait.
///
/// # Errors
/// 429 `too_many_attempts`, saying for how long; what the database says.
pub async fn check(app: &App, email: &str) -> Result<(), ApiError> {
    let now = app.clock.now();
    let blocked: Option<DateTime<Utc>> = sqlx::query_scalar(
        "select blocked_until from auth.sign_in_failures where account_hash = $1 and blocked_until > $2",
    )
    .bind(key(email).as_slice())
    .bind(now)
    .fetch_optional(&app.db)
    .await?;
    let Some(until) = blocked else { return Ok(()) };
    let seconds = u32::try_from((until - now).num_milliseconds().max(0) / 1000 + 1).unwrap_or(u32::MAX);
    let message = format!("too many failed attempts; try again in {seconds} seconds");
    Err(ApiError::new(ErrorKind::RateLimited, "too_many_attempts", message).with_retry_after(seconds))
}

/// Notes a failure: from the sixth on the account waits, twice as long each time.
///
/// # Errors
/// What the database says.
pub async fn failed(app: &App, email: &str) -> Result<(), ApiError> {
    let now = app.clock.now();
    sqlx::query(
        "insert into auth.sign_in_failures as f (account_hash, failures, at) values ($1, 1, $2)
         on conflict (account_hash) do update set
             at = $2,
             failures = case when f.at < $3 then 1 else f.failures + 1 end,
             blocked_until = case when f.at >= $3 and f.failures >= $4
                 then $2 + least($5, interval '1 second' * power(2, least(f.failures - $4, 30))) end",
    )
    .bind(key(email).as_slice())
    .bind(now)
    .bind(now - FORGOTTEN)
    .bind(FREE)
    .bind(LONGEST)
    .execute(&app.db)
    .await?;
    Ok(())
}

/// Forgets the failures of whoever has proven who they are.
///
/// # Errors
/// What the database says.
pub async fn succeeded(app: &App, email: &str) -> Result<(), ApiError> {
    sqlx::query("delete from auth.sign_in_failures where account_hash = $1")
        .bind(key(email).as_slice())
        .execute(&app.db)
        .await?;
    Ok(())
}

/// Removes what is forgotten.
///
/// # Errors
/// What the database says.
pub(crate) async fn purge(app: &App) -> Result<(), sqlx::Error> {
    let old = app.clock.now() - FORGOTTEN;
    sqlx::query("delete from auth.sign_in_failures where at < $1").bind(old).execute(&app.db).await?;
    Ok(())
}
