//! Guessing passwords takes longer and longer, per account: also for addresses without one, so that nobody learns which have.

use crate::{app::App, http::error::ApiError};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::ErrorKind;

/// Failures that cost nothing.
const FREE: i32 = 5;
/// The longest wait.
const LONGEST: TimeDelta = TimeDelta::minutes(15);
/// After this long without a failure the count begins anew.
const FORGOTTEN: TimeDelta = TimeDelta::hours(24);

/// Counts an attempt as failed before anything is checked, unless the account has to wait: so that of many at once no more pass
/// than of as many in a row. From the sixth on the account waits, twice as long each time. [`succeeded`] takes it back.
///
/// # Errors
/// 429 `too_many_attempts`, saying for how long; what the database says.
pub async fn begin(app: &App, email: &str) -> Result<(), ApiError> {
    if app.config.disable_rate_limit {
        return Ok(());
    }
    let now = app.clock.now();
    // The address in lower case as the database has it, which is how accounts are found: whatever leads to the same account
    // counts as one.
    let counted = sqlx::query(
        "insert into auth.sign_in_failures as f (account_hash, failures, at)
         values (sha256(convert_to(lower($1), 'UTF8')), 1, $2)
         on conflict (account_hash) do update set
             at = $2,
             failures = case when f.at < $3 then 1 else f.failures + 1 end,
             blocked_until = case when f.at >= $3 and f.failures >= $4
                 then $2 + least($5, interval '1 second' * power(2, least(f.failures - $4, 30))) end
         where f.blocked_until is null or f.blocked_until <= $2",
    )
    .bind(email.trim())
    .bind(now)
    .bind(now - FORGOTTEN)
    .bind(FREE)
    .bind(LONGEST)
    .execute(&app.db)
    .await?;
    if counted.rows_affected() == 1 { Ok(()) } else { Err(refusal(app, email, now).await?) }
}

async fn refusal(app: &App, email: &str, now: DateTime<Utc>) -> Result<ApiError, sqlx::Error> {
    let until: Option<Option<DateTime<Utc>>> = sqlx::query_scalar(
        "select blocked_until from auth.sign_in_failures where account_hash = sha256(convert_to(lower($1), 'UTF8'))",
    )
    .bind(email.trim())
    .fetch_optional(&app.db)
    .await?;
    let until = until.flatten().unwrap_or(now);
    let seconds = u32::try_from((until - now).num_milliseconds().max(0) / 1000 + 1).unwrap_or(u32::MAX);
    let message = format!("too many failed attempts; try again in {seconds} seconds");
    Ok(ApiError::new(ErrorKind::RateLimited, "too_many_attempts", message).with_retry_after(seconds))
}

/// Forgets the failures of whoever has proven who they are.
///
/// # Errors
/// What the database says.
pub async fn succeeded(app: &App, email: &str) -> Result<(), ApiError> {
    sqlx::query("delete from auth.sign_in_failures where account_hash = sha256(convert_to(lower($1), 'UTF8'))")
        .bind(email.trim())
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
