//! What a projection is, and what it is given.

use crate::{FreshResults, history::DigestedReport};
use bytes::Bytes;
use chrono::DateTime;
use futures_util::future::BoxFuture;
use scaledtest_domain::{Actor, Commit, CommitId, Event, Kind, TeamId, events::report};
use sqlx::PgConnection;
use std::{sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// One read model: its tables, and how a commit changes them.
///
/// Total and dumb: match on the event, set-based SQL, its own tables only, no clock and no randomness, so that a
/// rebuild gives the same rows to the last byte.
pub trait Projection: Send + Sync + 'static {
    /// Its name: a plain lower-case word; also the name of its schema.
    fn name(&self) -> &'static str;

    /// Raised whenever the tables or what is written into them change: the next start rebuilds it.
    fn version(&self) -> i32;

    /// The kinds of aggregates whose commits it wants to see. Others only move its position.
    fn kinds(&self) -> &'static [Kind];

    /// Whether an event of these kinds changes its rows. A commit without one only moves its position, which costs no transaction.
    fn wants(&self, event: &Event) -> bool {
        let _ = event;
        true
    }

    /// Whether it wants the results of a report, not only the event that names them.
    fn needs_bodies(&self) -> bool;

    /// Makes its tables. Names are unqualified: the search path is the schema to fill, which may be a shadow.
    fn ddl(&self) -> &'static str;

    /// Makes the indexes that a rebuild can make last, because replaying does not need them.
    fn indexes(&self) -> &'static str {
        ""
    }

    /// How long the next batch may wait after a small one, so that many small transactions become a few larger ones: for
    /// tables that no request waits for.
    fn linger(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether a transaction waits until the disk has it. One that does not may be gone after PostgreSQL was killed, position
    /// and all: then it is applied again. Worth it where every batch writes much that it has written before.
    fn waits_for_disk(&self) -> bool {
        true
    }

    /// What changes its rows: one for each that follows the log, because it may remember what it wrote.
    fn applier(&self) -> Box<dyn Applier>;
}

/// Changes the rows of a projection. It is the only one that does, for as long as it lives; a transaction that failed ends it.
pub trait Applier: Send {
    /// Changes the rows. Runs in the transaction that also moves the position.
    ///
    /// Once all is settled, applying a batch must have come to the same rows as applying its items one by one.
    ///
    /// # Errors
    /// [`ApplyError::Data`] when an item can never be applied, [`ApplyError::Database`] for all else.
    fn apply<'a>(&'a mut self, conn: &'a mut PgConnection, batch: &'a [Item]) -> BoxFuture<'a, Result<(), ApplyError>>;

    /// Writes what applying has left for later. Runs in the same transaction, after it.
    ///
    /// # Errors
    /// As [`Self::apply`].
    fn settle<'a>(&'a mut self, conn: &'a mut PgConnection, how: Settle) -> BoxFuture<'a, Result<(), ApplyError>> {
        let _ = (conn, how);
        Box::pin(std::future::ready(Ok(())))
    }

    /// Another one that remembers the same, if this one remembers what is in no table yet.
    fn copy(&self) -> Option<Box<dyn Applier>> {
        None
    }

    /// Whether nothing is left for later, as far as it knows: a new one may have to look.
    fn is_settled(&self) -> bool {
        true
    }
}

/// How much of what was left for later is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// Everything: nothing else is to be done.
    All,
    /// What would be lost if the process ended. What follows from that can wait: more will change it soon.
    Facts,
    /// What there is no room for: nobody reads the tables, and if the process ends they are thrown away.
    Overflow,
}

/// A commit, decoded.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its position in the log.
    pub n: u64,
    /// The envelope.
    pub commit: Arc<Commit>,
    /// Its events, in the newest shape; none if the projection doesn't want this kind, or an operator skipped it.
    pub events: Vec<Event>,
    /// The results of the report that it takes in.
    pub body: Body,
    /// Why it cannot be applied: it stands in the log but cannot be read.
    pub poison: Option<String>,
    /// Its share of the memory that bodies in flight may take; given back when the item is dropped.
    pub(crate) share: Option<Arc<OwnedSemaphorePermit>>,
}

/// What a `report.ingested` refers to.
#[derive(Debug, Clone, Default)]
pub enum Body {
    /// Not a report, or the projection doesn't need bodies.
    #[default]
    None,
    /// The chunks as they stand in the log, compressed; see [`scaledtest_domain::report::decode_chunk`].
    Chunks(Vec<Bytes>),
    /// The results themselves, from this process's own ingestion.
    Fresh(Arc<FreshResults>),
    /// Dropped: what histories need of them, from a roll-up that a later commit names.
    Digested(Arc<DigestedReport>),
    /// Erased: a later commit deletes the report. As if it had never been.
    Gone,
}

impl Item {
    /// A commit that needs no body.
    pub fn new(n: u64, commit: Arc<Commit>, events: Vec<Event>) -> Self {
        Self { n, commit, events, body: Body::None, poison: None, share: None }
    }

    /// A message that cannot be read and that an operator skipped: its commit is blank, and nobody looks into it.
    pub(crate) fn unreadable(n: u64) -> Self {
        let commit = Commit {
            v: 0,
            commit: Uuid::nil().into(),
            cmd: Uuid::nil().into(),
            req: None,
            team: None,
            kind: Kind::Report,
            id: Uuid::nil(),
            version: 0,
            prev: None,
            at: DateTime::UNIX_EPOCH,
            actor: Actor::System,
            corr: None,
            cause: None,
            events: Vec::new(),
        };
        Self::new(n, Arc::new(commit), Vec::new())
    }

    /// Its commit; none if it cannot be read.
    pub fn id(&self) -> Option<CommitId> {
        Some(self.commit.commit).filter(|id| !id.0.is_nil())
    }

    /// The team that the commit belongs to.
    ///
    /// # Errors
    /// [`ApplyError::Data`] when it belongs to none.
    pub(crate) fn team(&self) -> Result<TeamId, ApplyError> {
        self.commit.team.ok_or_else(|| ApplyError::Data(format!("the commit at position {} has no team", self.n)))
    }

    /// Bytes of its body as it is held in memory.
    pub fn bytes(&self) -> usize {
        match &self.body {
            Body::Chunks(chunks) => chunks.iter().map(Bytes::len).sum(),
            Body::Fresh(results) => results.bytes,
            Body::None | Body::Gone | Body::Digested(_) => 0,
        }
    }

    /// Test results that it brings.
    pub fn results(&self) -> u64 {
        let results = self.events.iter().map(|event| match event {
            Event::Report(report::Event::Ingested(ingested)) if !matches!(self.body, Body::Gone) => {
                ingested.counts.tests
            }
            _ => 0,
        });
        results.sum()
    }

    /// 1 if it changes something, else 0.
    pub(crate) fn changes(&self) -> usize {
        usize::from(!self.events.is_empty())
    }

    /// Roughly how many rows it becomes.
    pub fn rows(&self) -> usize {
        usize::try_from(self.results()).unwrap_or(usize::MAX).saturating_add(self.events.len())
    }
}

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It can never be: the data are wrong, or the code is. The projection halts at the item.
    #[error("{0}")]
    Data(String),
    /// The database refused; by its code it is known whether trying again helps.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl ApplyError {
    /// Whether the same batch may pass later: connection lost, serialisation, disk full, shutting down.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Data(_) => false,
            Self::Database(sqlx::Error::Database(error)) => {
                // 0A unsupported, 21 cardinality, 22 data, 23 integrity, 42 syntax or unknown name, 54 over a limit of the
                // program (an index entry that is too long), XX internal.
                let class = error.code().map(|code| code.chars().take(2).collect::<String>()).unwrap_or_default();
                !matches!(class.as_str(), "0A" | "21" | "22" | "23" | "42" | "54" | "XX")
            }
            Self::Database(
                sqlx::Error::Encode(_)
                | sqlx::Error::Decode(_)
                | sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::ColumnNotFound(_)
                | sqlx::Error::RowNotFound,
            ) => false,
            Self::Database(_) => true,
        }
    }
}
