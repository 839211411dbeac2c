//! The log in memory: the same promises, for tests.

use crate::{
    Follow,
    execute::{Append, Appended},
    log::Stored,
    nats::Outgoing,
};
use bytes::Bytes;
use chrono::Utc;
use futures_util::stream::{self, BoxStream, StreamExt};
use scaledtest_domain::Position;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{broadcast, watch};

/// Announcements kept for a listener that is slow.
const ANNOUNCEMENTS: usize = 256;

pub(crate) struct Memory {
    inner: Mutex<Inner>,
    last: watch::Sender<u64>,
    announcements: broadcast::Sender<(String, Position)>,
}

struct Inner {
    epoch: u64,
    /// Message `n` is at `n - 1`: commits are never erased.
    commits: Vec<Stored>,
    of_subject: HashMap<String, Vec<u64>>,
    commit_ids: HashMap<String, u64>,
    chunks: BTreeMap<u64, Stored>,
    chunk_ids: HashMap<String, u64>,
    last_chunk: u64,
    raw: HashMap<String, Bytes>,
}

impl Default for Memory {
    fn default() -> Self {
        let inner = Inner {
            epoch: 1,
            commits: Vec::new(),
            of_subject: HashMap::new(),
            commit_ids: HashMap::new(),
            chunks: BTreeMap::new(),
            chunk_ids: HashMap::new(),
            last_chunk: 0,
            raw: HashMap::new(),
        };
        let (last, announcements) = (watch::channel(0).0, broadcast::channel(ANNOUNCEMENTS).0);
        Self { inner: Mutex::new(inner), last, announcements }
    }
}

impl Memory {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // No holder of the lock leaves it half-changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn epoch(&self) -> u64 {
        self.inner().epoch
    }

    pub fn begin_epoch(&self, at_least: u64) -> u64 {
        let mut inner = self.inner();
        inner.epoch = inner.epoch.max(at_least) + 1;
        inner.epoch
    }

    pub fn last(&self) -> Position {
        let inner = self.inner();
        Position { epoch: inner.epoch, n: inner.commits.len() as u64 }
    }

    pub fn commit_at(&self, n: u64) -> Option<Stored> {
        self.inner().commit(n)
    }

    pub fn load(&self, subject: &str) -> Vec<Stored> {
        let inner = self.inner();
        inner.of_subject.get(subject).into_iter().flatten().filter_map(|n| inner.commit(*n)).collect()
    }

    pub fn last_of(&self, subject: &str) -> u64 {
        self.inner().last_of(subject)
    }

    pub fn last_matching(&self, filter: Follow) -> u64 {
        let inner = self.inner();
        let matching = inner.of_subject.iter().filter(|(subject, _)| filter.matches(subject));
        matching.filter_map(|(_, of)| of.last().copied()).max().unwrap_or(0)
    }

    /// First the expectation, then the id: as a single NATS node does.
    pub fn append(&self, append: Append) -> Appended {
        let mut inner = self.inner();
        if inner.last_of(&append.subject) != append.expected {
            return Appended::Conflict;
        }
        if inner.commit_ids.contains_key(&append.id) {
            return Appended::Duplicate;
        }
        let n = inner.commits.len() as u64 + 1;
        inner.commit_ids.insert(append.id.clone(), n);
        inner.of_subject.entry(append.subject.clone()).or_default().push(n);
        let Append { subject, id, payload, .. } = append;
        inner.commits.push(Stored { n, subject, id, payload, at: Utc::now() });
        drop(inner);
        self.last.send_modify(|last| *last = n.max(*last));
        Appended::At(n)
    }

    /// Waits for a commit after `after` that matches; then those that are there, at most `max`.
    pub async fn follow(self: Arc<Self>, after: u64, filter: Follow, max: usize) -> Vec<Stored> {
        let mut last = self.last.subscribe();
        loop {
            last.borrow_and_update();
            let found = self.after(after, filter, max);
            // The sender lives in `self`, so there is no end to wait for.
            if !found.is_empty() || last.changed().await.is_err() {
                return found;
            }
        }
    }

    fn after(&self, after: u64, filter: Follow, max: usize) -> Vec<Stored> {
        let inner = self.inner();
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        inner.commits.iter().skip(skip).filter(|commit| filter.matches(&commit.subject)).take(max).cloned().collect()
    }

    pub fn publish_chunk(&self, message: Outgoing) -> u64 {
        let mut inner = self.inner();
        let Outgoing { subject, id, payload, .. } = message;
        if let Some(n) = inner.chunk_ids.get(&id) {
            return *n;
        }
        inner.last_chunk += 1;
        let n = inner.last_chunk;
        inner.chunk_ids.insert(id.clone(), n);
        inner.chunks.insert(n, Stored { n, subject, id, payload, at: Utc::now() });
        n
    }

    pub fn chunks(&self, subject: &str, first: u64, last: u64) -> Vec<Stored> {
        let inner = self.inner();
        inner
            .chunks
            .range(first..=last)
            .map(|(_, chunk)| chunk)
            .filter(|chunk| chunk.subject == subject)
            .cloned()
            .collect()
    }

    pub fn erase_chunks(&self, subject: &str, (first, last): (u64, u64)) {
        self.inner().chunks.retain(|n, chunk| chunk.subject != subject || *n < first || *n > last);
    }

    pub fn chunk_subjects(&self) -> Vec<String> {
        let mut subjects: Vec<_> = self.inner().chunks.values().map(|chunk| chunk.subject.clone()).collect();
        subjects.sort_unstable();
        subjects.dedup();
        subjects
    }

    pub fn put_raw(&self, name: String, document: Bytes) {
        self.inner().raw.insert(name, document);
    }

    pub fn get_raw(&self, name: &str) -> Option<Bytes> {
        self.inner().raw.get(name).cloned()
    }

    pub fn delete_raw(&self, name: &str) {
        self.inner().raw.remove(name);
    }

    pub fn announce(&self, projection: &str, position: Position) {
        // Nobody listening is fine.
        let _ = self.announcements.send((projection.to_owned(), position));
    }

    pub fn announcements(&self) -> BoxStream<'static, (String, Position)> {
        stream::unfold(self.announcements.subscribe(), |mut receiver| async move {
            loop {
                match receiver.recv().await {
                    Ok(announcement) => return Some((announcement, receiver)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
        .boxed()
    }
}

impl Inner {
    fn commit(&self, n: u64) -> Option<Stored> {
        let index = usize::try_from(n.checked_sub(1)?).ok()?;
        self.commits.get(index).cloned()
    }

    fn last_of(&self, subject: &str) -> u64 {
        self.of_subject.get(subject).and_then(|of| of.last()).copied().unwrap_or(0)
    }
}
