use crate::{
    LogError,
    memory::Memory,
    nats::{EV, Nats, NatsOptions, RAW, RES},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use scaledtest_domain::{Commit, CommitId, Hash16, Position, StreamId};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A commit and its place in the log.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its stream sequence.
    pub n: u64,
    /// The commit.
    pub commit: Arc<Commit>,
    /// Hash of its JSON: what the aggregate's next commit names as `prev`.
    pub hash: Hash16,
}

/// How a remembered position stands to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The log still holds what was remembered.
    Current,
    /// It doesn't: an older copy of the store was put back, or a new epoch began.
    Rewound {
        /// What was found, for the operator.
        reason: String,
    },
}

/// What the log takes, bytes; an in-memory log takes nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoredBytes {
    /// Commits.
    pub events: u64,
    /// Bodies of reports, and roll-ups.
    pub results: u64,
    /// Original documents.
    pub documents: u64,
}

/// The log. A cheap handle: clone it.
#[derive(Clone)]
pub struct EventLog {
    pub(crate) backend: Backend,
    deadline: Duration,
}

#[derive(Clone)]
pub(crate) enum Backend {
    Nats(Arc<Nats>),
    Memory(Arc<Memory>),
}

/// A message as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub n: u64,
    pub subject: String,
    /// `Nats-Msg-Id`.
    pub id: String,
    pub payload: Bytes,
    pub at: DateTime<Utc>,
}

/// How long reads retry and writes stay unknown before they fail.
const DEADLINE: Duration = Duration::from_secs(10);

impl EventLog {
    /// Connects to NATS: checks the server's version, creates the streams that are missing and compares those that
    /// are there with what this program needs.
    ///
    /// # Errors
    /// [`LogError::Configuration`] with a sentence for the operator; [`LogError::Unavailable`] after
    /// [`NatsOptions::connect_timeout`].
    pub async fn connect(options: NatsOptions) -> Result<Self, LogError> {
        let backend = Backend::Nats(Nats::connect(options).await?);
        Ok(Self { backend, deadline: DEADLINE })
    }

    /// A log that lives as long as its last handle, for tests.
    pub fn in_memory() -> Self {
        Self { backend: Backend::Memory(Arc::default()), deadline: DEADLINE }
    }

    /// The same log, but a write whose outcome stays unknown and a read that gets no answer fail after `deadline`
    /// (10 s otherwise).
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    pub(crate) fn until(&self) -> Instant {
        Instant::now() + self.deadline
    }

    /// The current epoch, as last read: at connecting and reconnecting, at [`Self::begin_epoch`] and [`Self::last`].
    pub fn epoch(&self) -> u64 {
        match &self.backend {
            Backend::Nats(nats) => nats.epoch(),
            Backend::Memory(memory) => memory.epoch(),
        }
    }

    /// Begins a new epoch, `max(current, at_least) + 1`: positions of older ones say nothing any more.
    ///
    /// # Errors
    /// When the stream's metadata cannot be changed.
    pub async fn begin_epoch(&self, at_least: u64) -> Result<u64, LogError> {
        match &self.backend {
            Backend::Nats(nats) => nats.begin_epoch(at_least, self.until()).await,
            Backend::Memory(memory) => Ok(memory.begin_epoch(at_least)),
        }
    }

    /// The position of the last commit, from the stream's leader; `n` is 0 while there is none.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn last(&self) -> Result<Position, LogError> {
        match &self.backend {
            Backend::Nats(nats) => nats.last(self.until()).await,
            Backend::Memory(memory) => Ok(memory.last()),
        }
    }

    /// What the log takes.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn stored_bytes(&self) -> Result<StoredBytes, LogError> {
        match &self.backend {
            Backend::Nats(nats) => Ok(StoredBytes {
                events: nats.stream_bytes(EV, self.until()).await?,
                results: nats.stream_bytes(RES, self.until()).await?,
                documents: nats.stream_bytes(RAW, self.until()).await?,
            }),
            Backend::Memory(_) => Ok(StoredBytes::default()),
        }
    }

    /// The commit at sequence `n`, from the stream's leader.
    ///
    /// # Errors
    /// [`LogError::Unavailable`], [`LogError::Decode`].
    pub async fn commit_at(&self, n: u64) -> Result<Option<Recorded>, LogError> {
        self.stored_at(n).await?.map(|stored| decode(&stored)).transpose()
    }

    async fn stored_at(&self, n: u64) -> Result<Option<Stored>, LogError> {
        match &self.backend {
            _ if n == 0 => Ok(None),
            Backend::Nats(nats) => nats.commit_at(n, self.until()).await,
            Backend::Memory(memory) => Ok(memory.commit_at(n)),
        }
    }

    /// Every commit of an aggregate in order, checked to be complete. On a cluster it may lack the very newest.
    ///
    /// # Errors
    /// [`LogError::Broken`] when a commit is missing or was changed, [`LogError::Decode`], [`LogError::Unavailable`].
    pub async fn load(&self, stream: &StreamId) -> Result<Vec<Recorded>, LogError> {
        let subject = stream.subject();
        let stored = match &self.backend {
            Backend::Nats(nats) => nats.load(&subject, self.until()).await?,
            Backend::Memory(memory) => memory.load(&subject),
        };
        let commits = stored.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        check_chain(stream, &commits)?;
        Ok(commits)
    }

    /// Sequence of the aggregate's last commit, 0 if there is none, from the stream's leader.
    pub(crate) async fn last_of(&self, subject: &str) -> Result<u64, LogError> {
        match &self.backend {
            Backend::Nats(nats) => nats.last_of(subject, self.until()).await,
            Backend::Memory(memory) => Ok(memory.last_of(subject)),
        }
    }

    /// Compares what somebody remembers (the checkpoint of a projection) with the log: the epoch must be the same, and
    /// message `n` must be there, with that commit id if one is given. 0 is before everything.
    ///
    /// # Errors
    /// [`LogError::Unavailable`], [`LogError::Decode`].
    pub async fn check(&self, epoch: u64, n: u64, commit: Option<CommitId>) -> Result<Standing, LogError> {
        let last = self.last().await?;
        let rewound = |reason| Ok(Standing::Rewound { reason });
        if last.epoch != epoch {
            return rewound(format!("epoch {epoch} was remembered, but the log is in epoch {}", last.epoch));
        }
        if n == 0 {
            return Ok(Standing::Current);
        }
        if last.n < n {
            return rewound(format!("position {n} was remembered, but the log ends at {}", last.n));
        }
        let Some(found) = self.stored_at(n).await? else {
            return rewound(format!("position {n} was remembered, but the log has nothing there"));
        };
        // Only then must it be readable: an operator may have stepped over a message that is not.
        let Some(id) = commit else { return Ok(Standing::Current) };
        let there = decode(&found)?.commit.commit;
        if there == id {
            return Ok(Standing::Current);
        }
        rewound(format!("commit {id} was remembered at position {n}, but {there} is there"))
    }

    /// Tells every process how far a projection is. A hint: it may get lost, so whoever waits also looks by itself.
    pub async fn announce(&self, projection: &str, position: Position) {
        match &self.backend {
            Backend::Nats(nats) => nats.announce(projection, position).await,
            Backend::Memory(memory) => memory.announce(projection, position),
        }
    }

    /// The hints of [`Self::announce`], of every process, from now on.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] when subscribing is not possible.
    pub async fn announcements(&self) -> Result<BoxStream<'static, (String, Position)>, LogError> {
        match &self.backend {
            Backend::Nats(nats) => nats.announcements().await,
            Backend::Memory(memory) => Ok(memory.announcements()),
        }
    }

    /// Whether the connection to the log stands at the moment.
    pub async fn connected(&self) -> bool {
        match &self.backend {
            Backend::Nats(nats) => nats.connected(),
            Backend::Memory(_) => true,
        }
    }
}

pub(crate) fn decode(stored: &Stored) -> Result<Recorded, LogError> {
    let (commit, hash) = Commit::decode(&stored.payload).map_err(|source| LogError::Decode { n: stored.n, source })?;
    Ok(Recorded { n: stored.n, commit: Arc::new(commit), hash })
}

/// A hole, a foreign commit or a changed one is seen here, without trusting the log's own numbering.
fn check_chain(stream: &StreamId, commits: &[Recorded]) -> Result<(), LogError> {
    let (mut version, mut prev) = (0, None);
    for recorded in commits {
        link(stream, recorded, version, prev).map_err(|reason| LogError::Broken {
            stream: *stream,
            n: recorded.n,
            reason,
        })?;
        version = recorded.commit.next_version();
        prev = Some(recorded.hash);
    }
    Ok(())
}

/// Does the commit follow from an aggregate at `version` whose last commit has the hash `prev`?
pub(crate) fn link(stream: &StreamId, recorded: &Recorded, version: u64, prev: Option<Hash16>) -> Result<(), String> {
    let commit = &recorded.commit;
    if commit.stream() != *stream {
        return Err(format!("it is a commit of {}", commit.stream().subject()));
    }
    if commit.version != version {
        return Err(format!("it has version {}, but {version} is next", commit.version));
    }
    if commit.prev != prev {
        return Err("the hash of the commit before it is another".to_owned());
    }
    Ok(())
}
