//! What has to happen in the world because of what stands in the log.
//!
//! A *reactor* does something once per event; a *reconciler* makes the world match, on a timer, and is harmless to repeat.
//! So far there are five reconcilers, [`remove_orphan_chunks`], [`erase_deleted_teams`], [`drop_old_results`], [`GateSweep`] and
//! the quarantine's [`Keeper`], and [`send_mail`], which empties a queue in Postgres.

mod delete_report;
mod drop_old_results;
mod erase_deleted_teams;
mod evaluate_gates;
mod remove_orphan_chunks;
mod rollups;
pub mod send_mail;
mod tend_quarantine;

pub use delete_report::delete_report;
pub use drop_old_results::{DropError, Dropped, drop_old_results};
pub use erase_deleted_teams::{EraseError, erase_deleted_teams};
pub use evaluate_gates::{Cause, GateError, GateSweep, evaluate_gate, evaluate_gates};
pub use remove_orphan_chunks::{GRACE, Janitor, Removed, remove_orphan_chunks};
pub use rollups::RollupError;
pub use tend_quarantine::{Keeper, TendError, Tended};

use scaledtest_domain::Clock;
use scaledtest_eventlog::EventLog;
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often orphaned chunks are looked for.
const JANITOR: Duration = Duration::from_secs(10 * 60);
/// How often deleted teams are.
const TEAMS: Duration = Duration::from_secs(5);
/// How often results whose time is over are.
const RETENTION: Duration = Duration::from_secs(60 * 60);
/// How often reports that no gate has judged are.
const GATES: Duration = Duration::from_secs(5);
/// How often quarantine is tended, without a nudge.
const QUARANTINE: Duration = Duration::from_secs(60);
/// How long it rests at least.
const REST: Duration = Duration::from_secs(2);

/// What tells the reconcilers of this process that there is something to do before their time.
#[derive(Debug, Clone, Default)]
pub struct Nudges {
    /// A quarantine policy was set.
    pub quarantine: Arc<Notify>,
}

/// Runs every reconciler, at start and then on its timer, until cancelled.
pub async fn run(log: EventLog, pool: PgPool, clock: Arc<dyn Clock>, nudges: Nudges, stop: CancellationToken) {
    let work = async {
        tokio::join!(
            sweep_chunks(&log, &*clock),
            sweep_teams(&log, &pool, &*clock),
            sweep_results(&log, &pool, &*clock),
            sweep_gates(&log, &pool, &*clock),
            tend_quarantine(&log, &pool, &*clock, &nudges.quarantine)
        )
    };
    stop.run_until_cancelled(Box::pin(work)).await;
}

async fn sweep_chunks(log: &EventLog, clock: &dyn Clock) {
    let mut janitor = Janitor::default();
    loop {
        match janitor.round(log, clock.now(), GRACE).await {
            Ok(removed) if removed.uploads > 0 => {
                tracing::info!(uploads = removed.uploads, "removed orphaned chunks")
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "removing orphaned chunks; trying again later"),
        }
        tokio::time::sleep(JANITOR).await;
    }
}

async fn sweep_teams(log: &EventLog, pool: &PgPool, clock: &dyn Clock) {
    loop {
        tokio::time::sleep(TEAMS).await;
        match erase_deleted_teams(log, pool, clock.now()).await {
            Ok(0) => {}
            Ok(reports) => tracing::info!(reports, "erased the reports of deleted teams"),
            Err(error) => tracing::warn!(%error, "erasing the reports of deleted teams; trying again soon"),
        }
    }
}

async fn sweep_results(log: &EventLog, pool: &PgPool, clock: &dyn Clock) {
    // At the very first start the tables are being made.
    tokio::time::sleep(REST).await;
    loop {
        match drop_old_results(log, pool, clock.now()).await {
            Ok(dropped) if dropped != Dropped::default() => {
                tracing::info!(?dropped, "dropped results whose time is over")
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "dropping results whose time is over; trying again later"),
        }
        tokio::time::sleep(RETENTION).await;
    }
}

async fn sweep_gates(log: &EventLog, pool: &PgPool, clock: &dyn Clock) {
    let mut sweep = GateSweep::default();
    loop {
        tokio::time::sleep(GATES).await;
        match sweep.round(log, pool, clock.now()).await {
            Ok(0) => {}
            Ok(reports) => tracing::info!(reports, "evaluated gates that nobody had evaluated"),
            Err(error) => tracing::warn!(%error, "evaluating gates; trying again soon"),
        }
    }
}

async fn tend_quarantine(log: &EventLog, pool: &PgPool, clock: &dyn Clock, nudge: &Notify) {
    let mut keeper = Keeper::default();
    loop {
        tokio::time::sleep(REST).await;
        match keeper.round(log, pool, clock.now()).await {
            Ok(tended) if tended != Tended::default() => tracing::info!(?tended, "tended the quarantine"),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "tending the quarantine; trying again soon"),
        }
        let _ = tokio::time::timeout(QUARANTINE, nudge.notified()).await;
    }
}
