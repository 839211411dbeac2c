//! How the projections are doing, for `/readyz`, metrics and operators.

use crate::Positions;
use crate::checkpoint::{self, Wish, signed};
use scaledtest_domain::Position;
use scaledtest_eventlog::{EventLog, LogError};
use sqlx::PgPool;
use uuid::Uuid;

/// What a projection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It follows the log.
    Active,
    /// It met a commit that it cannot apply; the others go on.
    Halted,
    /// A rebuild is about to replace its tables.
    Yielding,
}

/// One projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionStatus {
    /// Its name; `<name>_next` is one that is being rebuilt.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// Where the log ends.
    pub last: Position,
    /// Commits between the two; all of the log while it is of an older epoch.
    pub lag: u64,
    /// What it is doing.
    pub state: State,
    /// Why it halted.
    pub error: Option<String>,
    /// The commit at which it halted.
    pub halted_at: Option<u64>,
}

/// Why the status is unknown.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The log.
    #[error("log: {0}")]
    Log(#[from] LogError),
}

type Row = (String, i64, i64, String, Option<String>, Option<i64>);

/// Reads every projection's status and sets the gauges `projection_lag` and `projection_halted`. What `positions` knows
/// counts as well: a projection that a commit does not concern has passed it before the database says so.
///
/// # Errors
/// When the database or the log is not reachable.
pub async fn status(
    pool: &PgPool,
    log: &EventLog,
    positions: &Positions,
) -> Result<Vec<ProjectionStatus>, StatusError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select name, epoch, position, state, error, halted_at_position from ops.projection order by name",
    )
    .fetch_all(pool)
    .await?;
    // Before the log is asked where it ends: they go on, and none may seem to be ahead of it.
    let known: Vec<_> = rows.iter().map(|(name, ..)| positions.get(name)).collect();
    let last = log.last().await?;
    let status: Vec<_> = rows.into_iter().zip(known).map(|(row, known)| read(row, known, last)).collect();
    for projection in &status {
        let name = projection.name.clone();
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("projection_lag", "projection" => name.clone()).set(projection.lag as f64);
        let halted = if projection.state == State::Halted { 1.0 } else { 0.0 };
        metrics::gauge!("projection_halted", "projection" => name).set(halted);
    }
    Ok(status)
}

fn read((name, epoch, n, state, error, halted_at): Row, known: Position, last: Position) -> ProjectionStatus {
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    let position = known.max(Position { epoch: unsigned(epoch), n: unsigned(n) });
    let lag = if position.epoch == last.epoch { last.n.saturating_sub(position.n) } else { last.n };
    let state = match state.as_str() {
        "halted" => State::Halted,
        "yield" => State::Yielding,
        _ => State::Active,
    };
    ProjectionStatus { name, position, last, lag, state, error, halted_at: halted_at.map(unsigned) }
}

/// Why a commit was not skipped.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    /// Only the commit at which a projection halted can be skipped.
    #[error("projection {name} is not halted at position {n}")]
    NotHalted {
        /// The projection.
        name: String,
        /// The position asked for.
        n: u64,
    },
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Leaves a commit out of a halted projection for ever, in rebuilds and later epochs too, and lets it go on. Who and why is
/// recorded. (A message that cannot be read at all is left out of this epoch only: there is no commit to know it by.)
///
/// # Errors
/// [`SkipError::NotHalted`] when the projection did not halt at this position.
pub async fn skip(pool: &PgPool, name: &str, n: u64, by: &str, reason: &str) -> Result<(), SkipError> {
    let mut tx = pool.begin().await?;
    let halted: Option<(i64, Option<Uuid>)> = sqlx::query_as(
        "select coalesce(halted_at_epoch, epoch), halted_at_commit from ops.projection
         where name = $1 and state = 'halted' and halted_at_position = $2 for update",
    )
    .bind(name)
    .bind(signed(n))
    .fetch_optional(&mut *tx)
    .await?;
    let Some((epoch, commit)) = halted else { return Err(SkipError::NotHalted { name: name.to_owned(), n }) };
    checkpoint::set_wish(&mut tx, name, Wish::Active).await?;
    sqlx::query(
        "insert into ops.projection_skip (name, epoch, position, commit_id, by, reason) values ($1, $2, $3, $4, $5, $6)
         on conflict (name, epoch, position) do update set commit_id = excluded.commit_id",
    )
    .bind(name)
    .bind(epoch)
    .bind(signed(n))
    .bind(commit)
    .bind(by)
    .bind(reason)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    tracing::warn!(projection = name, position = n, by, reason, "a commit is skipped for ever");
    Ok(())
}
