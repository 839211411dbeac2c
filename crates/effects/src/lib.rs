//! What has to happen in the world because of what stands in the log.
//!
//! A *reactor* does something once per event; a *reconciler* makes the world match, on a timer, and is harmless to repeat.
//! So far there is one reconciler, [`remove_orphan_chunks`], and [`send_mail`], which empties a queue in Postgres.

mod remove_orphan_chunks;
pub mod send_mail;

pub use remove_orphan_chunks::{GRACE, Janitor, Removed, remove_orphan_chunks};

use scaledtest_domain::Clock;
use scaledtest_eventlog::EventLog;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often the reconcilers look.
const EVERY: Duration = Duration::from_secs(10 * 60);

/// Runs every reconciler, at start and then every ten minutes, until cancelled.
pub async fn run(log: EventLog, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut janitor = Janitor::default();
    loop {
        let done = stop.run_until_cancelled(janitor.round(&log, clock.now(), GRACE)).await;
        match done {
            None => return,
            Some(Ok(removed)) if removed.uploads > 0 => {
                tracing::info!(uploads = removed.uploads, "removed orphaned chunks")
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => tracing::warn!(%error, "removing orphaned chunks; trying again later"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}
