//! Keeps every projection level with the log: one task per projection, one active instance over all processes.
//!
//! A projection follows the log by itself, so one that halts or is rebuilt holds up no other. A commit is small and is
//! decoded by each that wants its kind; the bodies, which are large, are read and decoded only for a projection that
//! needs them, and that is one.

use crate::checkpoint::{self, Checkpoint, Stored, Wish};
use crate::drive::{Driver, Poison};
use crate::feed::Feed;
use crate::rebuild::{self, Held};
use crate::rewind::{self, Found};
use crate::session::{self, Failure, Lock};
use crate::{Fresh, Positions, Projection, RebuildError, Settle, schema};
use scaledtest_domain::Position;
use scaledtest_eventlog::{EventLog, LogError};
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// How often a standby tries to take over, and a halted projection looks whether it may go on.
const STANDBY: Duration = Duration::from_secs(1);
/// Commits in a batch after which the next one is fetched at once: there is more than a trickle.
const LARGE: usize = 100;
/// How often an idle projection asks the database whether a rebuild wants its tables.
const IDLE: Duration = Duration::from_millis(500);
/// After so long without a commit what was left for later is found.
const QUIET: Duration = Duration::from_millis(250);
/// After so many idle rounds the checkpoint is compared with the log, as after a reconnect.
const CHECK_EVERY: u32 = 10;
/// How long that may take.
const LOOK: Duration = Duration::from_secs(30);
/// Pauses between failures grow from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What the runner needs.
#[derive(Clone)]
pub struct Setup {
    /// The database; each projection opens one connection beside the pool.
    pub pool: PgPool,
    /// The log.
    pub log: EventLog,
    /// Told after each commit.
    pub positions: Positions,
    /// What the ingestion of this process has prepared.
    pub fresh: Fresh,
    /// What to run: [`crate::all`].
    pub projections: Vec<Arc<dyn Projection>>,
}

/// The running projections.
pub struct Runner {
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Runner {
    /// Starts every projection in the background, on a thread of its own: each batch is a dozen short waits for the database,
    /// and behind a busy server's other tasks every one of them would be a long one.
    pub fn start(setup: Setup) -> Self {
        let cancel = CancellationToken::new();
        let tasks = TaskTracker::new();
        for projection in &setup.projections {
            let task = Task { projection: projection.clone(), setup: setup.clone(), cancel: cancel.clone() };
            start_thread(task, tasks.token());
        }
        tasks.close();
        Self { cancel, tasks }
    }

    /// Lets every projection finish its batch and give up its lock.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Runs the projection until it is cancelled; `token` is dropped then.
fn start_thread(task: Task, token: TaskTrackerToken) {
    let name = task.name();
    let run = move || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(supervise(task));
        drop(token);
        Ok(())
    };
    let log = move |result: std::io::Result<()>| {
        if let Err(error) = result {
            tracing::error!(projection = name, %error, "a projection cannot be started");
        }
    };
    let started = std::thread::Builder::new().name(format!("{name} rows")).spawn(move || log(run()));
    log(started.map(drop));
}

/// A panic is a defect of one projection; the others and the process go on, and it is tried again.
async fn supervise(task: Task) {
    let cancel = task.cancel.clone();
    while !cancel.is_cancelled() {
        if let Err(error) = tokio::spawn(task.clone().run()).await {
            tracing::error!(projection = task.projection.name(), %error, "a projection panicked");
            pause(&cancel, BACKOFF.1).await;
        }
    }
}

async fn pause(cancel: &CancellationToken, duration: Duration) {
    tokio::select! {
        () = cancel.cancelled() => {}
        () = tokio::time::sleep(duration) => {}
    }
}

/// What [`Task::prepare`] came to.
#[derive(Debug)]
enum Prepared {
    /// The tables are right; follow from there.
    Ready(Checkpoint),
    /// A rebuild runs: let go and try again later.
    Busy,
    /// They would have to be rebuilt, but a commit stands in the way.
    Poisoned(Poison),
}

/// Why following ended without a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The process stops.
    Stopped,
    /// Another instance is active, or a rebuild wants to swap: try again in a while.
    Standby,
    /// Look at the checkpoint again.
    Again,
}

#[derive(Clone)]
struct Task {
    setup: Setup,
    projection: Arc<dyn Projection>,
    cancel: CancellationToken,
}

impl Task {
    fn name(&self) -> &'static str {
        self.projection.name()
    }

    async fn run(self) {
        let mut backoff = BACKOFF.0;
        while !self.cancel.is_cancelled() {
            match Box::pin(self.serve()).await {
                Ok(_) => {
                    backoff = BACKOFF.0;
                    pause(&self.cancel, STANDBY).await;
                }
                Err(failure) => {
                    tracing::warn!(projection = self.name(), error = %failure, "a projection pauses and tries again");
                    pause(&self.cancel, backoff).await;
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            }
        }
    }

    /// Takes the lock and works until the process stops, a rebuild asks for the tables, or something fails.
    async fn serve(&self) -> Result<End, Failure> {
        let mut conn = session::connect(&self.setup.pool, self.name()).await?;
        if !session::try_lock(&mut conn, Lock::Projection(self.name())).await? {
            session::close(conn).await;
            return Ok(End::Standby);
        }
        if !self.projection.waits_for_disk() {
            sqlx::raw_sql("set synchronous_commit = off").execute(&mut conn).await?;
        }
        let end = self.work(&mut conn).await;
        session::close(conn).await;
        end
    }

    async fn work(&self, conn: &mut PgConnection) -> Result<End, Failure> {
        // A halted projection gets another chance when an instance takes it over: the program may be a newer one.
        let mut retry_halted = true;
        loop {
            // Preparing may be a long rebuild, which can be dropped at any time; a batch is finished.
            let prepared = tokio::select! {
                prepared = self.prepare(conn, retry_halted) => prepared?,
                () = self.cancel.cancelled() => return Ok(End::Stopped),
            };
            retry_halted = false;
            let end = match prepared {
                Prepared::Busy => End::Standby,
                Prepared::Poisoned(poison) => self.halt(conn, poison).await?,
                Prepared::Ready(checkpoint) => {
                    self.setup.positions.restart(self.name(), checkpoint.position);
                    self.publish(&checkpoint).await;
                    self.follow(conn, checkpoint).await?
                }
            };
            match end {
                End::Again => {}
                end => return Ok(end),
            }
        }
    }

    /// Makes sure that the tables are there, of this version, and of this log.
    async fn prepare(&self, conn: &mut PgConnection, retry_halted: bool) -> Result<Prepared, Failure> {
        let Some(stored) = checkpoint::read(conn, self.name()).await? else {
            let epoch = self.setup.log.last().await?.epoch;
            let made = schema::create(conn, self.name(), &*self.projection, epoch, true).await?;
            return Ok(Prepared::Ready(made));
        };
        match stored.wish {
            Wish::Yield if self.rebuild_is_running(conn).await? => return Ok(Prepared::Busy),
            Wish::Yield => checkpoint::set_wish(conn, self.name(), Wish::Active).await?,
            Wish::Halted if retry_halted => checkpoint::set_wish(conn, self.name(), Wish::Active).await?,
            Wish::Halted | Wish::Active => {}
        }
        if let Some(reason) = self.needs_rebuild(conn, &stored).await? {
            tracing::warn!(projection = self.name(), reason, "rebuilding; the old tables serve meanwhile");
            return self.rebuild().await;
        }
        Ok(Prepared::Ready(stored.checkpoint))
    }

    async fn rebuild_is_running(&self, conn: &mut PgConnection) -> Result<bool, Failure> {
        let free = session::try_lock(conn, Lock::Rebuild).await?;
        if free {
            session::unlock(conn, Lock::Rebuild).await?;
        }
        Ok(!free)
    }

    async fn needs_rebuild(&self, conn: &mut PgConnection, stored: &Stored) -> Result<Option<String>, Failure> {
        match rewind::check(&self.setup.log, &stored.checkpoint).await? {
            Found::Same => {}
            Found::Newer(epoch) => return Ok(Some(format!("the log is in epoch {epoch}"))),
            Found::Rewound(reason) => {
                tracing::error!(projection = self.name(), reason, "the log was rewound");
                rewind::begin_epoch(conn, &self.setup.log, &stored.checkpoint, &reason).await?;
                return Ok(Some(reason));
            }
        }
        let (old, new) = (stored.version, self.projection.version());
        Ok((old != new).then(|| format!("its tables have version {old}, the program has {new}")))
    }

    /// Another rebuild that is running may even be of this projection.
    async fn rebuild(&self) -> Result<Prepared, Failure> {
        let progress = |progress: crate::Progress| {
            tracing::debug!(projection = self.name(), done = progress.done, total = progress.total, "rebuilding");
        };
        let (pool, log) = (&self.setup.pool, &self.setup.log);
        match Box::pin(rebuild::into_shadow(pool, log, &self.projection, &progress, Held::ByCaller)).await {
            Ok(rebuilt) => Ok(Prepared::Ready(rebuilt.checkpoint)),
            Err(RebuildError::Busy) => Ok(Prepared::Busy),
            Err(RebuildError::Poison { n, epoch, commit, error }) => {
                let error = format!("{error} (while the tables are rebuilt; the old ones serve)");
                Ok(Prepared::Poisoned(Poison { position: Position { epoch, n }, commit, error }))
            }
            Err(error) => Err(Failure::Rebuild(Box::new(error))),
        }
    }

    async fn publish(&self, checkpoint: &Checkpoint) {
        self.setup.positions.advance(self.name(), checkpoint.position);
        self.setup.log.announce(self.name(), checkpoint.position).await;
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("projection_position", "projection" => self.name()).set(checkpoint.position.n as f64);
    }

    /// Applies batch after batch.
    async fn follow(&self, conn: &mut PgConnection, mut checkpoint: Checkpoint) -> Result<End, Failure> {
        let skips = checkpoint::skips(conn, self.name(), checkpoint.position.epoch).await?;
        let level = self.setup.log.last().await?.n;
        let source = (&self.setup.log, &self.setup.fresh);
        let mut feed = Feed::start(source, &self.projection, checkpoint.position, level, skips);
        let mut driver = Driver::new(&*self.projection, self.name());
        driver.settle(conn, &checkpoint).await?;
        let mut tick = tokio::time::interval(IDLE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle = 0;
        // Passed, but not written yet: nothing up to there concerns this projection.
        let mut passed: Option<Checkpoint> = None;
        let mut written = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Ok(End::Stopped),
                batch = feed.next() => {
                    let batch = match batch {
                        Some(Ok(batch)) => batch,
                        Some(Err(failure)) => return self.stopped(conn, failure, checkpoint.position.epoch).await,
                        None => return Ok(End::Again),
                    };
                    idle = 0;
                    if written.elapsed() < IDLE && let Some(to) = batch.passes(&checkpoint) {
                        self.publish(&to).await;
                        passed = Some(to);
                        continue;
                    }
                    let how = |driver: &Driver<'_>| match feed.is_more_coming() && driver.left().is_none_or(|left| !left.is_zero()) {
                        true => Settle::Facts,
                        false => Settle::All,
                    };
                    let applied = driver.apply(conn, &batch.items, checkpoint, &how).await?;
                    let is_small = batch.items.len() < LARGE;
                    drop(batch);
                    (passed, written) = (None, Instant::now());
                    if applied.checkpoint != checkpoint {
                        checkpoint = applied.checkpoint;
                        self.publish(&checkpoint).await;
                    }
                    if let Some(poison) = applied.poison {
                        return self.halt(conn, poison).await;
                    }
                    if applied.wish == Wish::Yield {
                        return Ok(End::Standby);
                    }
                    if is_small && !self.projection.linger().is_zero() {
                        self.cancel.run_until_cancelled(tokio::time::sleep(self.projection.linger())).await;
                    }
                }
                () = tokio::time::sleep(driver.left().unwrap_or(QUIET).min(QUIET)), if driver.left().is_some() => {
                    driver.settle(conn, &checkpoint).await?;
                }
                _ = tick.tick() => {
                    idle += 1;
                    if let Some(to) = passed.take() {
                        checkpoint::advance(conn, self.name(), &checkpoint, &to).await?.ok_or(Failure::Lost)?;
                        (checkpoint, written) = (to, Instant::now());
                    }
                    if let Some(end) = session::within(LOOK, self.look_around(conn, &checkpoint, idle)).await? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    /// The feed ended. A message that cannot be read halts the projection, anything else is tried again.
    async fn stopped(&self, conn: &mut PgConnection, failure: Failure, epoch: u64) -> Result<End, Failure> {
        match failure {
            Failure::Log(LogError::Decode { n, source }) => {
                let position = Position { epoch, n };
                self.halt(conn, Poison { position, commit: None, error: source.to_string() }).await
            }
            Failure::Log(LogError::Rewound(reason)) => {
                tracing::warn!(projection = self.name(), reason, "the log has to be compared with the tables again");
                Ok(End::Again)
            }
            failure => Err(failure),
        }
    }

    /// While there is nothing to do: does a rebuild want the tables, is the log still the same?
    async fn look_around(
        &self,
        conn: &mut PgConnection,
        checkpoint: &Checkpoint,
        idle: u32,
    ) -> Result<Option<End>, Failure> {
        let Some(stored) = checkpoint::read(conn, self.name()).await? else { return Ok(Some(End::Again)) };
        if stored.wish == Wish::Yield {
            return Ok(Some(End::Standby));
        }
        if stored.checkpoint != *checkpoint {
            return Err(Failure::Lost);
        }
        if idle.is_multiple_of(CHECK_EVERY) && rewind::check(&self.setup.log, checkpoint).await? != Found::Same {
            return Ok(Some(End::Again));
        }
        Ok(None)
    }

    /// Stops at a commit until an operator skips it, a rebuild takes over, or the process stops.
    async fn halt(&self, conn: &mut PgConnection, poison: Poison) -> Result<End, Failure> {
        let Poison { position: Position { n, .. }, error, .. } = &poison;
        tracing::error!(projection = self.name(), position = n, error, "a commit cannot be applied: projection halted");
        checkpoint::halt(conn, self.name(), &poison).await?;
        metrics::gauge!("projection_halted", "projection" => self.name()).set(1.0);
        let end = loop {
            pause(&self.cancel, STANDBY).await;
            if self.cancel.is_cancelled() {
                break End::Stopped;
            }
            match checkpoint::read(conn, self.name()).await?.map(|stored| stored.wish) {
                Some(Wish::Halted) => {}
                Some(Wish::Yield) => break End::Standby,
                Some(Wish::Active) | None => break End::Again,
            }
        };
        metrics::gauge!("projection_halted", "projection" => self.name()).set(0.0);
        Ok(end)
    }
}
