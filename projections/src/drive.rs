//! Applying a batch: rows and position in one transaction, and finding the one commit that cannot be applied.

use crate::checkpoint::{self, Checkpoint, Wish};
use crate::session::{self, Failure};
use crate::{Applier, ApplyError, Item, Projection, Settle};
use scaledtest_domain::{CommitId, Position};
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};

/// A transaction takes milliseconds; one with a report of a million tests takes seconds.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// How long something may be left for later while there is more to apply: between these, and so that finding it takes a small
/// part of the time.
const UNSETTLED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// How many times as long as it took the last time.
const SHARE: u32 = 20;

/// Where a batch got to.
#[derive(Debug)]
pub(crate) struct Applied {
    pub checkpoint: Checkpoint,
    pub wish: Wish,
    /// The commit that stopped it.
    pub poison: Option<Poison>,
}

/// A commit that can never be applied, and why.
#[derive(Debug)]
pub(crate) struct Poison {
    pub position: Position,
    /// Unknown when the message cannot be read at all.
    pub commit: Option<CommitId>,
    pub error: String,
}

impl Poison {
    fn new(epoch: u64, item: &Item, error: String) -> Self {
        Self { position: Position { epoch, n: item.n }, commit: item.id(), error }
    }
}

/// Applies commits to one copy of a projection's tables.
pub(crate) struct Driver<'a> {
    projection: &'a dyn Projection,
    /// The name of its checkpoint.
    row: &'a str,
    applier: Box<dyn Applier>,
    /// Since when something is left for later.
    unsettled: Option<Instant>,
    /// How long it took to settle everything the last time.
    settling: Duration,
}

impl<'a> Driver<'a> {
    /// For the tables that the connection's search path points at.
    pub fn new(projection: &'a dyn Projection, row: &'a str) -> Self {
        Self { projection, row, applier: projection.applier(), unsettled: None, settling: Duration::ZERO }
    }

    /// How much longer what is left for later can wait; none if nothing is.
    pub fn left(&self) -> Option<Duration> {
        let most = (self.settling * SHARE).clamp(UNSETTLED.0, UNSETTLED.1);
        self.unsettled.map(|since| most.saturating_sub(since.elapsed()))
    }

    /// Applies items. `how` is asked once they are applied.
    ///
    /// A batch that cannot be applied is halved until the commit at fault is found; those before it are applied.
    pub async fn apply(
        &mut self,
        conn: &mut PgConnection,
        items: &[Item],
        from: Checkpoint,
        how: &(dyn Fn(&Self) -> Settle + Sync),
    ) -> Result<Applied, Failure> {
        let mut applied = Applied { checkpoint: from, wish: Wish::Active, poison: None };
        let mut todo = vec![items];
        while let Some(slice) = todo.pop() {
            let readable = slice.iter().position(|item| item.poison.is_some()).unwrap_or(slice.len());
            let (now, later) = slice.split_at(readable);
            if now.is_empty() {
                let Some(item) = later.first() else { continue };
                let error = item.poison.clone().unwrap_or_default();
                applied.poison = Some(Poison::new(from.position.epoch, item, error));
                break;
            }
            let transaction = self.transact(conn, now, &applied.checkpoint, how);
            match session::within(LIMIT, transaction).await? {
                Ok((checkpoint, wish)) => {
                    (applied.checkpoint, applied.wish) = (checkpoint, wish);
                    todo.push(later);
                }
                Err(error) if now.len() == 1 => {
                    applied.poison = Some(Poison::new(from.position.epoch, &now[0], error));
                    break;
                }
                Err(_) => {
                    let (first, second) = now.split_at(now.len() / 2);
                    todo.extend([later, second, first]);
                }
            }
        }
        Ok(applied)
    }

    /// Writes all that was left for later, perhaps by one before, and stays where it is.
    pub async fn settle(&mut self, conn: &mut PgConnection, at: &Checkpoint) -> Result<(), Failure> {
        if self.applier.is_settled() {
            return Ok(());
        }
        session::within(LIMIT, async {
            let mut tx = conn.begin().await?;
            match self.applier.settle(&mut tx, Settle::All).await {
                Ok(()) => {}
                Err(ApplyError::Database(error)) => return Err(error.into()),
                Err(ApplyError::Data(error)) => return Err(sqlx::Error::Decode(error.into()).into()),
            }
            checkpoint::advance(&mut tx, self.row, at, at).await?.ok_or(Failure::Lost)?;
            tx.commit().await?;
            self.unsettled = None;
            Ok(())
        })
        .await
    }

    /// The inner error says why these items can never be applied; the outer ones go away by themselves, with a new driver.
    async fn transact(
        &mut self,
        conn: &mut PgConnection,
        items: &[Item],
        from: &Checkpoint,
        how: &(dyn Fn(&Self) -> Settle + Sync),
    ) -> Result<Transacted, Failure> {
        let Some(last) = items.last() else { return Ok(Ok((*from, Wish::Active))) };
        let began = Instant::now();
        let to = Checkpoint { position: Position { epoch: from.position.epoch, n: last.n }, commit: last.id() };
        // What it remembers of this batch is in no table should that fail; what it remembers of others must not be lost with it.
        let before = self.applier.copy();
        let mut tx = conn.begin().await?;
        if let Err(error) = self.write(&mut tx, items, how).await {
            let transient = error.is_transient();
            return match error {
                ApplyError::Database(error) if transient => Err(error.into()),
                permanent => {
                    tx.rollback().await?;
                    self.applier = before.unwrap_or_else(|| self.projection.applier());
                    Ok(Err(permanent.to_string()))
                }
            };
        }
        let Some(wish) = checkpoint::advance(&mut tx, self.row, from, &to).await? else { return Err(Failure::Lost) };
        tx.commit().await?;
        self.unsettled = if self.applier.is_settled() { None } else { self.unsettled.or(Some(began)) };
        let (name, rows) = (self.projection.name(), items.iter().map(Item::rows).sum::<usize>());
        metrics::histogram!("projection_apply_seconds", "projection" => name).record(began.elapsed());
        metrics::counter!("projection_rows_total", "projection" => name).increment(rows as u64);
        Ok(Ok((to, wish)))
    }

    async fn write(
        &mut self,
        conn: &mut PgConnection,
        items: &[Item],
        how: &(dyn Fn(&Self) -> Settle + Sync),
    ) -> Result<(), ApplyError> {
        if items.iter().all(|item| item.events.is_empty()) {
            return Ok(());
        }
        self.applier.apply(conn, items).await?;
        let (how, began) = (how(self), Instant::now());
        self.applier.settle(conn, how).await?;
        if how == Settle::All {
            self.settling = began.elapsed();
        }
        Ok(())
    }
}

type Transacted = Result<(Checkpoint, Wish), String>;
