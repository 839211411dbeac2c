//! Applying a batch: rows and position in one transaction, and finding the one commit that cannot be applied.

use crate::checkpoint::{self, Checkpoint, Wish};
use crate::session::{self, Failure};
use crate::{ApplyError, Item, Projection};
use scaledtest_domain::{CommitId, Position};
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};

/// A transaction takes milliseconds; one with a report of a million tests takes seconds.
const LIMIT: Duration = Duration::from_secs(15 * 60);

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

/// Applies items to the tables that the connection's search path points at, whose checkpoint is named `row`.
///
/// A batch that cannot be applied is halved until the commit at fault is found; those before it are applied.
pub(crate) async fn apply(
    conn: &mut PgConnection,
    projection: &dyn Projection,
    row: &str,
    items: &[Item],
    from: Checkpoint,
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
        let transaction = transact(conn, projection, row, now, &applied.checkpoint);
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

type Transacted = Result<(Checkpoint, Wish), String>;

/// The inner error says why these items can never be applied; the outer ones go away by themselves.
async fn transact(
    conn: &mut PgConnection,
    projection: &dyn Projection,
    row: &str,
    items: &[Item],
    from: &Checkpoint,
) -> Result<Transacted, Failure> {
    let Some(last) = items.last() else { return Ok(Ok((*from, Wish::Active))) };
    let began = Instant::now();
    let to = Checkpoint { position: Position { epoch: from.position.epoch, n: last.n }, commit: last.id() };
    let mut tx = conn.begin().await?;
    if items.iter().any(|item| !item.events.is_empty())
        && let Err(error) = projection.apply(&mut tx, items).await
    {
        let transient = error.is_transient();
        return match error {
            ApplyError::Database(error) if transient => Err(error.into()),
            permanent => {
                tx.rollback().await?;
                Ok(Err(permanent.to_string()))
            }
        };
    }
    let Some(wish) = checkpoint::advance(&mut tx, row, from, &to).await? else { return Err(Failure::Lost) };
    tx.commit().await?;
    let rows: usize = items.iter().map(Item::rows).sum();
    metrics::histogram!("projection_apply_seconds", "projection" => projection.name()).record(began.elapsed());
    metrics::counter!("projection_rows_total", "projection" => projection.name()).increment(rows as u64);
    Ok(Ok((to, wish)))
}
