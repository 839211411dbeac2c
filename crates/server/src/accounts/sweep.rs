//! Finishes or removes what a crash left between a row and its commit, and removes what has expired. Once a minute.

use super::{attempts, invitations, links, registration, sessions, teams, tokens, usage, workflows};
use crate::{
    app::{App, AppState},
    http::error::ApiError,
    mail, rate_limit,
};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::UserId;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often.
const EVERY: Duration = Duration::from_secs(60);
/// A row younger than this may belong to a request that is still running: longer than any request may take.
const SETTLED: TimeDelta = TimeDelta::minutes(2);
/// Rows of a kind taken on at once.
const BATCH: i64 = 100;
/// How long sign-ins and failures are kept.
const AUDIT: TimeDelta = TimeDelta::days(365);

/// What a sweep did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Registrations finished or removed.
    pub accounts: usize,
    /// API tokens finished or removed.
    pub tokens: usize,
    /// Invitations finished or taken back.
    pub invitations: usize,
}

/// Sweeps once.
///
/// # Errors
/// 503 when log or database are away; the next sweep carries on.
pub async fn sweep(app: &App) -> Result<Swept, ApiError> {
    // At the very first start the read models are still to be made, and there is nothing to sweep.
    let known = "select to_regclass('access.deleted_team') is not null";
    if !sqlx::query_scalar::<_, bool>(known).fetch_one(&app.db).await? {
        return Ok(Swept::default());
    }
    let before = app.clock.now() - SETTLED;
    let swept = Swept {
        accounts: accounts(app, before).await?,
        tokens: tokens::settle_all(app, before, BATCH).await?,
        invitations: invitations::settle_all(app, before, BATCH).await?,
    };
    sessions::purge(app).await?;
    teams::purge(app).await?;
    attempts::purge(app).await?;
    rate_limit::purge(app).await?;
    usage::purge(app).await?;
    links::purge(app).await?;
    mail::purge(app).await?;
    workflows::purge(app).await?;
    sqlx::query("delete from auth.audit where at <= $1").bind(app.clock.now() - AUDIT).execute(&app.db).await?;
    Ok(swept)
}

async fn accounts(app: &App, before: DateTime<Utc>) -> Result<usize, ApiError> {
    let pending: Vec<Uuid> = sqlx::query_scalar(
        "select id from auth.users where state = 'pending' and created_at < $1 order by created_at limit $2",
    )
    .bind(before)
    .bind(BATCH)
    .fetch_all(&app.db)
    .await?;
    let mut settled = 0;
    for id in pending {
        settled += usize::from(registration::settle(app, UserId(id), before).await?);
    }
    Ok(settled)
}

/// Sweeps every minute until `stop` is cancelled.
pub(crate) async fn run(app: AppState, stop: CancellationToken) {
    loop {
        match stop.run_until_cancelled(sweep(&app)).await {
            None => return,
            Some(Err(error)) => tracing::warn!(%error, "the sweep of accounts will be tried again"),
            Some(Ok(swept)) if swept != Swept::default() => tracing::info!(?swept, "swept"),
            Some(Ok(_)) => {}
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}
