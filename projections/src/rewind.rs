//! Noticing that the log is not the one that the tables were made from.
//!
//! An older copy of the log's store may have been put back under a newer database. Then positions mean other commits,
//! or none yet, and following on would skip events for ever. So the checkpoint names its commit, and it is looked up.

use crate::checkpoint::{self, Checkpoint, signed};
use crate::session::{self, Failure, Lock};
use scaledtest_domain::Position;
use scaledtest_eventlog::{EventLog, LogError};
use sqlx::{PgConnection, PgPool};
use std::time::Duration;

/// How long the check at start waits for whoever begins an epoch meanwhile.
const SETTLE: Duration = Duration::from_secs(60);

/// Compares every projection's checkpoint with the log and begins a new epoch if one does not fit.
///
/// To be called before a server takes requests: a write into a rewound log would get a position that the tables seem to
/// have passed already, and its answer would say that it is visible.
///
/// # Errors
/// What the database or the log says; [`Failure::Database`] also when it takes longer than a minute.
pub async fn notice_rewind(pool: &PgPool, log: &EventLog) -> Result<(), Failure> {
    session::within(SETTLE, async {
        let mut conn = session::connect(pool, "ops").await?;
        let noticed = notice(&mut conn, pool, log).await;
        session::close(conn).await;
        noticed
    })
    .await
}

async fn notice(conn: &mut PgConnection, pool: &PgPool, log: &EventLog) -> Result<(), Failure> {
    for (name, _) in checkpoint::positions(pool).await? {
        let Some(stored) = checkpoint::read(conn, &name).await? else { continue };
        if let Found::Rewound(reason) = check(log, &stored.checkpoint).await? {
            begin_epoch(conn, log, &stored.checkpoint, &reason).await?;
        }
    }
    Ok(())
}

/// How the log relates to a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The commit is where it was.
    Same,
    /// The log is already in a newer epoch: another projection or process noticed first.
    Newer(u64),
    /// The commit is gone or another one: how it was seen.
    Rewound(String),
}

/// Compares a checkpoint with the log.
pub(crate) async fn check(log: &EventLog, checkpoint: &Checkpoint) -> Result<Found, Failure> {
    let Position { epoch, n } = checkpoint.position;
    // Asking for the last commit also reads the epoch anew.
    let last = log.last().await?;
    let present = last.epoch;
    if present > epoch {
        return Ok(Found::Newer(present));
    }
    if present < epoch {
        return Ok(Found::Rewound(format!("the log is in epoch {present}, the tables are of epoch {epoch}")));
    }
    if n == 0 {
        return Ok(Found::Same);
    }
    if last.n < n {
        return Ok(Found::Rewound(format!("the log ends at {}, the tables were at {n}", last.n)));
    }
    let found = match (log.commit_at(n).await, checkpoint.commit) {
        // Whatever cannot be read and was skipped: that something stands there is all that is known.
        (Ok(Some(_)) | Err(LogError::Decode { .. }), None) => return Ok(Found::Same),
        (found, _) => found?.map(|recorded| recorded.commit.commit),
    };
    if found.is_some() && found == checkpoint.commit {
        return Ok(Found::Same);
    }
    Ok(Found::Rewound(format!("position {n} holds another commit than the one that was applied")))
}

/// Begins a new epoch, once however many projections and processes notice: the first one under the lock does it.
pub(crate) async fn begin_epoch(
    conn: &mut PgConnection,
    log: &EventLog,
    stale: &Checkpoint,
    reason: &str,
) -> Result<u64, Failure> {
    while !session::try_lock(conn, Lock::Epoch).await? {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let begun = begin_locked(conn, log, stale, reason).await;
    session::unlock(conn, Lock::Epoch).await?;
    begun
}

async fn begin_locked(
    conn: &mut PgConnection,
    log: &EventLog,
    stale: &Checkpoint,
    reason: &str,
) -> Result<u64, Failure> {
    let present = log.last().await?.epoch;
    if present > stale.position.epoch {
        return Ok(present);
    }
    let highest: i64 = sqlx::query_scalar(
        "select greatest((select coalesce(max(epoch), 0) from ops.epoch),
                         (select coalesce(max(epoch), 0) from ops.projection))",
    )
    .fetch_one(&mut *conn)
    .await?;
    let epoch = log.begin_epoch(u64::try_from(highest).unwrap_or(0)).await?;
    sqlx::query("insert into ops.epoch (epoch, reason) values ($1, $2) on conflict do nothing")
        .bind(signed(epoch))
        .bind(reason)
        .execute(&mut *conn)
        .await?;
    tracing::error!(epoch, reason, "the log was rewound: a new epoch begins and every projection is rebuilt from it");
    Ok(epoch)
}
