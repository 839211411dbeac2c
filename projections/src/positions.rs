//! Waiting until read models have passed a position.

use crate::checkpoint;
use futures_util::StreamExt;
use scaledtest_domain::Position;
use scaledtest_eventlog::EventLog;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often a waiter looks into the database itself, should every hint be lost.
const POLL: Duration = Duration::from_millis(250);
/// How long until hints are asked for again after the log's connection failed.
const RESUBSCRIBE: Duration = Duration::from_secs(1);

/// Where every projection stands, as far as this process knows. Cheap to clone.
///
/// Fed by the runner of this process, by hints that runners elsewhere send over the log's connection, and by the
/// database while somebody waits.
#[derive(Clone)]
pub struct Positions(Arc<Inner>);

struct Inner {
    pool: PgPool,
    known: Mutex<HashMap<String, watch::Sender<Position>>>,
    /// When the database was last asked; held while asking, so that a crowd of waiters asks once.
    polled: tokio::sync::Mutex<Instant>,
}

const BEFORE_ALL: Position = Position { epoch: 0, n: 0 };

impl Positions {
    /// Knows nothing yet.
    pub fn new(pool: PgPool) -> Self {
        let known = Mutex::default();
        Self(Arc::new(Inner { pool, known, polled: tokio::sync::Mutex::new(Instant::now()) }))
    }

    fn sender<R>(&self, projection: &str, with: impl FnOnce(&watch::Sender<Position>) -> R) -> R {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(projection) {
            known.insert(projection.to_owned(), watch::Sender::new(BEFORE_ALL));
        }
        // The entry was just made sure of; a fallback keeps this free of panics.
        match known.get(projection) {
            Some(sender) => with(sender),
            None => with(&watch::Sender::new(BEFORE_ALL)),
        }
    }

    /// A projection has committed rows up to here. Older news is ignored.
    pub fn advance(&self, projection: &str, position: Position) {
        self.sender(projection, |sender| {
            sender.send_if_modified(|known| {
                let newer = position > *known;
                if newer {
                    *known = position;
                }
                newer
            })
        });
    }

    /// A projection begins to follow from here, whatever was known: a database that lost its last moments stands further back.
    pub(crate) fn restart(&self, projection: &str, position: Position) {
        self.sender(projection, |sender| sender.send_replace(position));
    }

    /// The last known position.
    pub fn get(&self, projection: &str) -> Position {
        self.sender(projection, |sender| *sender.borrow())
    }

    /// Waits until all of the projections have passed `position`; false when they did not within `limit`.
    ///
    /// A position of an older epoch counts as passed: its history was rebuilt.
    pub async fn wait(&self, projections: &[&str], position: Position, limit: Duration) -> bool {
        let all = async {
            for projection in projections {
                self.wait_one(projection, position).await;
            }
        };
        tokio::time::timeout(limit, all).await.is_ok()
    }

    async fn wait_one(&self, projection: &str, position: Position) {
        let mut receiver = self.sender(projection, watch::Sender::subscribe);
        loop {
            let changed = tokio::time::timeout(POLL, receiver.wait_for(|known| *known >= position));
            // The sender lives as long as `self`, so the inner error cannot be.
            if changed.await.is_ok() {
                return;
            }
            self.poll().await;
        }
    }

    async fn poll(&self) {
        let mut polled = self.0.polled.lock().await;
        if polled.elapsed() < POLL {
            return;
        }
        match checkpoint::positions(&self.0.pool).await {
            Ok(positions) => positions.iter().for_each(|(name, position)| self.advance(name, *position)),
            Err(error) => tracing::debug!(%error, "asking for the projections' positions"),
        }
        *polled = Instant::now();
    }

    /// Listens to the hints of other processes' runners until cancelled.
    pub async fn listen(self, log: EventLog, cancel: CancellationToken) {
        let listening = async {
            loop {
                match log.announcements().await {
                    Ok(hints) => {
                        let mut hints = std::pin::pin!(hints);
                        while let Some((projection, position)) = hints.next().await {
                            self.advance(&projection, position);
                        }
                    }
                    Err(error) => tracing::debug!(%error, "listening to the projections' positions"),
                }
                tokio::time::sleep(RESUBSCRIBE).await;
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            () = listening => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn news_of_the_past_is_ignored_unless_a_projection_begins_anew() {
        let positions = Positions::new(PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap());
        let at = |n| Position { epoch: 1, n };
        positions.advance("reports", at(9));
        positions.advance("reports", at(5));
        assert_eq!(positions.get("reports"), at(9));
        positions.restart("reports", at(5));
        assert_eq!(positions.get("reports"), at(5));
    }
}
