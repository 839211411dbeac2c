use crate::{
    EventLog, LogError, Recorded, Standing,
    log::{Backend, Stored, decode},
    nats::Source,
};
use scaledtest_domain::{CommitId, TeamId, slot};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Which commits to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// All.
    All,
    /// Those of one team.
    Team(TeamId),
}

impl Follow {
    /// The subjects; empty for all.
    pub(crate) fn filter(self) -> String {
        match self {
            Self::All => String::new(),
            Self::Team(team) => format!("ev.{:x}.{}.>", slot(team), team.0.simple()),
        }
    }

    pub(crate) fn matches(self, subject: &str) -> bool {
        match self {
            Self::All => true,
            Self::Team(_) => subject.starts_with(self.filter().trim_end_matches('>')),
        }
    }
}

/// Reads the log from a position on and never skips a commit.
pub struct Follower {
    log: EventLog,
    filter: Follow,
    epoch: u64,
    after: u64,
    /// The last commit handed out: at `after`.
    commit: Option<CommitId>,
    source: Option<Box<Source>>,
}

/// How long a follower tries to get a consumer before it says that it cannot.
const PATIENCE: Duration = Duration::from_secs(30);

impl EventLog {
    /// Follows the log from `after` on: 0 for all of it, [`EventLog::last`]'s `n` for what comes from now on.
    pub fn follow(&self, after: u64, filter: Follow) -> Follower {
        Follower { log: self.clone(), filter, epoch: self.epoch(), after, commit: None, source: None }
    }
}

impl EventLog {
    /// The sequence of the newest commit that `filter` lets through, 0 if there is none, from the stream's leader.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn last_matching(&self, filter: Follow) -> Result<u64, LogError> {
        match filter {
            Follow::All => Ok(self.last().await?.n),
            Follow::Team(_) => match &self.backend {
                Backend::Nats(_) => self.last_of(&filter.filter()).await,
                Backend::Memory(memory) => Ok(memory.last_matching(filter)),
            },
        }
    }
}

impl Follower {
    /// The sequence of the last commit handed out, or where it started.
    pub fn after(&self) -> u64 {
        self.after
    }

    /// Waits for a commit, however long; then returns it with whatever else has arrived, at most `max` (and at least 1).
    /// A lost connection or a server that restarts is waited out. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] when the log cannot be reached for half a minute: call again. [`LogError::Decode`] at a
    /// message that cannot be read: each further call says the same. [`LogError::Rewound`] when the log is no longer the
    /// one that was followed: this follower is of no use any more.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Recorded>, LogError> {
        let max = max.max(1);
        loop {
            let stored = match &self.log.backend {
                Backend::Memory(memory) => Arc::clone(memory).follow(self.after, self.filter, max).await,
                Backend::Nats(_) => self.pull(max).await?,
            };
            let batch = self.accept(stored)?;
            if !batch.is_empty() {
                return Ok(batch);
            }
        }
    }

    /// Moves on by what can be read. At a message that cannot, the source is dropped, so that the next call sees it again.
    fn accept(&mut self, stored: Vec<Stored>) -> Result<Vec<Recorded>, LogError> {
        let mut batch = Vec::with_capacity(stored.len());
        for stored in stored {
            if stored.n <= self.after || !self.filter.matches(&stored.subject) {
                tracing::warn!(n = stored.n, after = self.after, "the consumer delivered what was not asked for");
                self.source = None;
                break;
            }
            match decode(&stored) {
                Ok(recorded) => {
                    self.after = recorded.n;
                    self.commit = Some(recorded.commit.commit);
                    batch.push(recorded);
                }
                Err(error) => {
                    self.source = None;
                    if batch.is_empty() {
                        return Err(error);
                    }
                    break;
                }
            }
        }
        Ok(batch)
    }

    async fn pull(&mut self, max: usize) -> Result<Vec<Stored>, LogError> {
        let mut until = Instant::now() + PATIENCE;
        let mut pause = Duration::ZERO;
        loop {
            let doubt = match self.source.as_mut() {
                Some(source) => match source.next(max).await {
                    Ok(stored) => return Ok(stored),
                    Err(doubt) => {
                        // It may have waited for hours before.
                        until = Instant::now() + PATIENCE;
                        doubt.0
                    }
                },
                None => match self.open().await {
                    Ok(source) => {
                        self.source = Some(Box::new(source));
                        continue;
                    }
                    Err(error) if !error.is_transient() || Instant::now() >= until => return Err(error),
                    Err(error) => error.to_string(),
                },
            };
            tracing::debug!(reason = doubt, after = self.after, "making a new consumer");
            self.source = None;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).clamp(Duration::from_millis(10), Duration::from_millis(500));
        }
    }

    /// A new consumer, if the log still is the one that was followed.
    async fn open(&self) -> Result<Source, LogError> {
        let Backend::Nats(nats) = &self.log.backend else {
            return Err(LogError::Unavailable("there is no server".to_owned()));
        };
        match self.log.check(self.epoch, self.after, self.commit).await? {
            Standing::Current => Source::open(nats, self.after, self.filter.filter()).await,
            Standing::Rewound { reason } => Err(LogError::Rewound(reason)),
        }
    }
}
