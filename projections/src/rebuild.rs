//! Rebuilding a projection from the log while it serves.
//!
//! The same code fills a second schema, `<name>_next`, beside the live one; its large indexes are made at the end, which
//! is much faster than keeping them up. When it is nearly level, the runner, wherever it is, is asked to let go of the
//! projection; the last commits are applied, and the two schemas change names in one transaction.

use crate::checkpoint::{self, Checkpoint, Wish};
use crate::session::{self, Failure, Lock};
use crate::{
    Fresh, Projection, Settle,
    drive::{Driver, Poison},
    feed::Feed,
    schema,
};
use scaledtest_domain::{CommitId, Position};
use scaledtest_eventlog::{EventLog, LogError};
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the live runner may take to finish its batch.
const YIELD_LIMIT: Duration = Duration::from_secs(60);
/// How often its lock is tried meanwhile.
const YIELD_POLL: Duration = Duration::from_millis(25);
/// The log must deliver something in this time while commits are known to be ahead.
const SILENCE: Duration = Duration::from_secs(60);

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Position reached.
    pub done: u64,
    /// Position to reach, as known now.
    pub total: u64,
    /// Test results written so far.
    pub results: u64,
}

/// What a rebuild did.
#[derive(Debug, Clone, Copy)]
pub struct Rebuilt {
    /// Where the new tables stand.
    pub position: Position,
    /// Test results written.
    pub results: u64,
    /// Time of replaying the log, without the indexes.
    pub replay: Duration,
    /// Time of making the indexes.
    pub index: Duration,
    pub(crate) checkpoint: Checkpoint,
}

/// Why a rebuild ended early. The live tables are untouched.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// One at a time.
    #[error("another rebuild is running")]
    Busy,
    /// The event can't be applied by the rebuild either.
    #[error("the commit at position {n} cannot be applied: {error}")]
    Poison {
        /// Its position.
        n: u64,
        /// The log's epoch.
        epoch: u64,
        /// Its commit, unless the message cannot be read at all.
        commit: Option<CommitId>,
        /// Why.
        error: String,
    },
    /// The live runner did not let go.
    #[error("the running projection did not let go of its tables")]
    NotYielded,
    /// The log sent nothing although commits are ahead.
    #[error("the log delivers nothing after position {0}")]
    Silent(u64),
    /// The database or the log.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<Poison> for RebuildError {
    fn from(Poison { position, commit, error }: Poison) -> Self {
        Self::Poison { n: position.n, epoch: position.epoch, commit, error }
    }
}

impl From<sqlx::Error> for RebuildError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failure(error.into())
    }
}

impl From<LogError> for RebuildError {
    fn from(error: LogError) -> Self {
        Self::Failure(error.into())
    }
}

/// Who holds the lock of the live tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Perhaps a runner; it is asked to let go.
    ByRunner,
    /// The caller, for as long as the rebuild takes.
    ByCaller,
}

/// Rebuilds one projection from the log's beginning, while a server may be running, here or in another process.
///
/// Interrupted at any time, it leaves the live tables as they were; what it leaves behind the next rebuild removes.
///
/// # Errors
/// See [`RebuildError`].
pub async fn rebuild(
    pool: &PgPool,
    log: &EventLog,
    projection: &Arc<dyn Projection>,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<Rebuilt, RebuildError> {
    Box::pin(into_shadow(pool, log, projection, &progress, Held::ByRunner)).await
}

pub(crate) async fn into_shadow(
    pool: &PgPool,
    log: &EventLog,
    projection: &Arc<dyn Projection>,
    progress: &(impl Fn(Progress) + Send + Sync),
    held: Held,
) -> Result<Rebuilt, RebuildError> {
    let shadow = schema::shadow(projection.name());
    let mut conn = session::connect(pool, &shadow).await?;
    if !session::try_lock(&mut conn, Lock::Rebuild).await? {
        session::close(conn).await;
        return Err(RebuildError::Busy);
    }
    // Lost rows would be lost together with the checkpoint; the swap waits for the disk.
    sqlx::raw_sql("set synchronous_commit = off; set statement_timeout = 0").execute(&mut conn).await?;
    let mut work = Work { log, projection, progress, conn, row: shadow, results: 0 };
    let rebuilt = work.run(held).await;
    if rebuilt.is_err() && held == Held::ByRunner {
        // Let the runner go on with what it has. Should this fail too, it finds out by itself that no rebuild runs.
        let _ = work.resume_runner().await;
    }
    if let Err(RebuildError::Poison { .. }) = &rebuilt {
        // It may be long until the next one. What cannot be removed now, that one removes.
        let _ = schema::clean(&mut work.conn, projection.name()).await;
    }
    session::close(work.conn).await;
    rebuilt
}

/// A message that cannot be read will not be readable the next time.
fn unreadable(failure: Failure, epoch: u64) -> RebuildError {
    match failure {
        Failure::Log(LogError::Decode { n, source }) => {
            Poison { position: Position { epoch, n }, commit: None, error: source.to_string() }.into()
        }
        failure => failure.into(),
    }
}

struct Work<'a, P> {
    log: &'a EventLog,
    projection: &'a Arc<dyn Projection>,
    progress: &'a P,
    conn: PgConnection,
    row: String,
    results: u64,
}

impl<P: Fn(Progress) + Send + Sync> Work<'_, P> {
    async fn run(&mut self, held: Held) -> Result<Rebuilt, RebuildError> {
        let name = self.projection.name();
        schema::clean(&mut self.conn, name).await?;
        let epoch = self.log.last().await?.epoch;
        let start = schema::create(&mut self.conn, &self.row, &**self.projection, epoch, false).await?;

        let began = Instant::now();
        let mut checkpoint = self.replay(start).await?;
        let replay = began.elapsed();
        let began = Instant::now();
        sqlx::raw_sql(self.projection.indexes()).execute(&mut self.conn).await?;
        let index = began.elapsed();
        schema::analyze(&mut self.conn).await?;
        checkpoint = self.replay(checkpoint).await?;

        if held == Held::ByRunner {
            self.take_over(name).await?;
        }
        // The runner's position cannot be ahead of what the log holds now that it stands still.
        checkpoint = self.replay(checkpoint).await?;
        schema::swap(&mut self.conn, name, self.projection.version(), &checkpoint).await?;
        self.log.announce(name, checkpoint.position).await;
        if held == Held::ByRunner {
            session::unlock(&mut self.conn, Lock::Projection(name)).await?;
        }
        if let Err(error) = schema::drop_retired(&mut self.conn, name).await {
            tracing::warn!(projection = name, %error, "the old tables are still in use; the next rebuild removes them");
        }
        Ok(Rebuilt { position: checkpoint.position, results: self.results, replay, index, checkpoint })
    }

    /// Applies everything that is in the log now.
    async fn replay(&mut self, mut checkpoint: Checkpoint) -> Result<Checkpoint, RebuildError> {
        let last = self.log.last().await?;
        if last.epoch != checkpoint.position.epoch {
            return Err(LogError::Rewound("a new epoch began during the rebuild".into()).into());
        }
        let total = last.n;
        if checkpoint.position.n >= total {
            return Ok(checkpoint);
        }
        let name = self.projection.name();
        let skips = checkpoint::skips(&mut self.conn, name, checkpoint.position.epoch).await?;
        let mut feed = Feed::start((self.log, &Fresh::default()), self.projection, checkpoint.position, total, skips);
        let mut driver = Driver::new(&**self.projection, &self.row);
        while checkpoint.position.n < total {
            let next = tokio::time::timeout(SILENCE, feed.next()).await;
            let Ok(Some(batch)) = next else { return Err(RebuildError::Silent(checkpoint.position.n)) };
            let batch = batch.map_err(|failure| unreadable(failure, checkpoint.position.epoch))?;
            let applied = driver.apply(&mut self.conn, &batch.items, checkpoint, &|_| Settle::Overflow).await?;
            if let Some(poison) = applied.poison {
                return Err(poison.into());
            }
            checkpoint = applied.checkpoint;
            self.results += batch.items.iter().map(crate::Item::results).sum::<u64>();
            let done = checkpoint.position.n;
            (self.progress)(Progress { done, total: total.max(done), results: self.results });
        }
        driver.settle(&mut self.conn, &checkpoint).await?;
        Ok(checkpoint)
    }

    /// Asks the runner to let go, and takes its lock.
    async fn take_over(&mut self, name: &str) -> Result<(), RebuildError> {
        checkpoint::set_wish(&mut self.conn, name, Wish::Yield).await?;
        let until = Instant::now() + YIELD_LIMIT;
        while !session::try_lock(&mut self.conn, Lock::Projection(name)).await? {
            if Instant::now() > until {
                return Err(RebuildError::NotYielded);
            }
            tokio::time::sleep(YIELD_POLL).await;
        }
        Ok(())
    }

    async fn resume_runner(&mut self) -> Result<(), sqlx::Error> {
        let name = self.projection.name();
        if checkpoint::read(&mut self.conn, name).await?.is_some_and(|stored| stored.wish == Wish::Yield) {
            checkpoint::set_wish(&mut self.conn, name, Wish::Active).await?;
        }
        Ok(())
    }
}
