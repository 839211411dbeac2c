//! Finishes or removes what a crash left between a row and its commit, and removes what has expired. Once a minute.

use super::{attempts, invitations, links, registration, sessions, teams, tokens, usage, workflows};
use crate::{
    app::{App, AppState},
    http::error::ApiError,
    mail, rate_limit,
};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::{ErrorKind, UserId};
use std::{fmt::Display, time::Duration};
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

/// Sweeps once. What one step cannot do keeps no other from its work: the step is logged and tried again by the next sweep.
///
/// # Errors
/// 503 when the database is away.
pub async fn sweep(app: &App) -> Result<Swept, ApiError> {
    // At the very first start the read models are still to be made, and there is nothing to sweep.
    let known = "select to_regclass('access.deleted_team') is not null";
    if !sqlx::query_scalar::<_, bool>(known).fetch_one(&app.db).await? {
        return Ok(Swept::default());
    }
    let before = app.clock.now() - SETTLED;
    let swept = Swept {
        accounts: step("accounts", accounts(app, before).await).unwrap_or_default(),
        tokens: step("tokens", tokens::settle_all(app, before, BATCH).await).unwrap_or_default(),
        invitations: step("invitations", invitations::settle_all(app, before, BATCH).await).unwrap_or_default(),
    };
    step("sessions", sessions::purge(app).await);
    step("teams", teams::purge(app).await);
    step("attempts", attempts::purge(app).await);
    step("rate limits", rate_limit::purge(app).await);
    step("addresses of tokens", usage::purge(app).await);
    step("links", links::purge(app).await);
    step("mail", mail::purge(app).await);
    step("workflow tokens", workflows::purge(app).await);
    let old = sqlx::query("delete from auth.audit where at <= $1").bind(app.clock.now() - AUDIT);
    step("audit log", old.execute(&app.db).await);
    Ok(swept)
}

fn step<T, E: Display>(what: &'static str, done: Result<T, E>) -> Option<T> {
    done.inspect_err(|error| tracing::warn!(what, %error, "this part of the sweep will be tried again")).ok()
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
        settled +=
            usize::from(one("account", id, registration::settle(app, UserId(id), before).await)?.unwrap_or(false));
    }
    Ok(settled)
}

/// What became of one row; `None` if that went wrong in a way that is the row's own: it must not keep the others waiting.
///
/// # Errors
/// When log or database are away.
pub(super) fn one<T>(what: &'static str, id: Uuid, done: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
        Err(error) => {
            tracing::error!(what, %id, %error, "what was interrupted here cannot be carried on");
            Ok(None)
        }
    }
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
