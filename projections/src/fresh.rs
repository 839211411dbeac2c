//! What this process's own ingestion has just parsed: its projections want it a moment later, and need not read it back from
//! the log and decode it.

use scaledtest_domain::{Position, UploadId, events::report::Chunks, report::TestResult};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// Bytes of documents whose results are kept, at most.
const CAPACITY: usize = 8 * 1024 * 1024;
/// Results of one document that are kept, at most: each takes half a KiB, however little it says.
const MOST: usize = 10_000;
/// The results of one upload.
#[derive(Debug)]
pub struct FreshResults {
    /// In the order of the report, some at a time.
    pub parts: Vec<Vec<TestResult>>,
    /// Bytes of the document that they come from: about what they take.
    pub bytes: usize,
}

/// The results of the newest uploads, until every projection has taken them or newer ones need the room. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fresh {
    kept: Arc<Mutex<VecDeque<Kept>>>,
    way: watch::Sender<Way>,
    takers: usize,
}

/// What this process sends to the log.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    /// Uploads that are not answered yet.
    open: usize,
    /// Those of them that are not in the log yet.
    coming: usize,
    /// Where the newest one stands that is there.
    arrived: Option<Position>,
}

impl Way {
    /// Whether something will soon follow on what stands there in the log.
    fn leads_past(self, at: Position) -> bool {
        self.coming > 0 || self.arrived.is_some_and(|arrived| arrived.epoch == at.epoch && arrived.n > at.n)
    }
}

/// An upload, from when it was received until this is dropped: then it is answered.
#[derive(Debug)]
pub struct Coming {
    way: watch::Sender<Way>,
    is_there: bool,
}

impl Coming {
    /// It stands in the log.
    pub fn arrive(&mut self, at: Position) {
        let was_there = std::mem::replace(&mut self.is_there, true);
        self.way.send_modify(|way| {
            way.coming -= usize::from(!was_there);
            way.arrived = way.arrived.max(Some(at));
        });
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.way.send_modify(|way| {
            way.open -= 1;
            way.coming -= usize::from(!self.is_there);
        });
    }
}

#[derive(Debug)]
struct Kept {
    upload: UploadId,
    /// What was written to the log: whoever asks for anything else has to look there.
    chunks: Chunks,
    results: Arc<FreshResults>,
    takers_left: usize,
}

impl Default for Fresh {
    /// For every projection that needs results.
    fn default() -> Self {
        Self::for_takers(crate::all().iter().filter(|projection| projection.needs_bodies()).count())
    }
}

impl Fresh {
    /// Bytes of a document whose results are kept, at most. Those of larger ones are read back, a chunk at a time.
    const LARGEST: usize = 2 * 1024 * 1024;

    /// Whether the results of a document of so many bytes and tests are kept: a test may be written in two bytes.
    pub fn keeps(bytes: usize, tests: usize) -> bool {
        bytes <= Self::LARGEST && tests <= MOST
    }

    fn for_takers(takers: usize) -> Self {
        Self { kept: Arc::default(), way: watch::Sender::default(), takers }
    }

    /// An upload will soon be in the log: what follows from those before it can wait until it is there.
    pub fn announce(&self) -> Coming {
        self.way.send_modify(|way| (way.open, way.coming) = (way.open + 1, way.coming + 1));
        Coming { way: self.way.clone(), is_there: false }
    }

    /// Whether several upload at the moment: each will send the next one once it is answered.
    pub(crate) fn is_busy(&self) -> bool {
        self.way.borrow().open > 1
    }

    /// Whether an upload is on its way, or stands in the log already, behind what stands there.
    pub(crate) fn is_coming_after(&self, at: Position) -> bool {
        self.way.borrow().leads_past(at)
    }

    /// Waits until none is.
    pub(crate) async fn none_is_coming_after(&self, at: Position) {
        // The sender lives as long as this.
        let _ = self.way.subscribe().wait_for(|way| !way.leads_past(at)).await;
    }

    /// Keeps the results of an upload whose chunks are in the log.
    pub fn insert(&self, upload: UploadId, chunks: Chunks, results: FreshResults) {
        if results.parts.is_empty() || results.bytes > Self::LARGEST {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Kept { upload, chunks, results: Arc::new(results), takers_left: self.takers });
        let mut bytes: usize = kept.iter().map(|kept| kept.results.bytes).sum();
        while bytes > CAPACITY
            && let Some(oldest) = kept.pop_front()
        {
            bytes -= oldest.results.bytes;
        }
    }

    /// Each projection wants them once: the last one takes them away.
    pub(crate) fn take(&self, upload: UploadId, chunks: &Chunks) -> Option<Arc<FreshResults>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.iter().position(|kept| kept.upload == upload)?;
        let found = kept.get_mut(index)?;
        let results = (found.chunks == *chunks).then(|| Arc::clone(&found.results));
        found.takers_left = found.takers_left.saturating_sub(1);
        if found.takers_left == 0 {
            kept.remove(index);
        }
        results
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scaledtest_domain::{Hash16, TestId};
    use serde_json::json;

    fn results(bytes: usize) -> FreshResults {
        let result = json!({"test_id": TestId::derived(&[b"a"]), "name": "a", "status": "passed", "duration_ms": 1});
        FreshResults { parts: vec![vec![serde_json::from_value(result).unwrap()]], bytes }
    }

    fn chunks(last: u64) -> Chunks {
        Chunks { count: 1, first: 1, last, hash: Hash16::of(b"") }
    }

    #[test]
    fn results_are_given_once_to_each_and_only_for_the_chunks_they_were_written_to() {
        let (fresh, upload) = (Fresh::for_takers(2), UploadId::new());
        fresh.insert(upload, chunks(1), results(1));
        assert!(fresh.take(UploadId::new(), &chunks(1)).is_none());
        assert!(fresh.take(upload, &chunks(1)).is_some());
        assert!(fresh.take(upload, &chunks(1)).is_some());
        assert!(fresh.take(upload, &chunks(1)).is_none());
        fresh.insert(upload, chunks(1), results(1));
        assert!(fresh.take(upload, &chunks(2)).is_none());
    }

    #[tokio::test]
    async fn an_upload_is_coming_until_it_was_read_where_it_stands() {
        let (fresh, at) = (Fresh::for_takers(1), |n| Position { epoch: 2, n });
        assert!(!fresh.is_coming_after(at(0)));
        let (mut first, second) = (fresh.announce(), fresh.announce());
        first.arrive(at(7));
        assert!(fresh.is_coming_after(at(7)) && fresh.is_busy());
        drop(second);
        assert!(!fresh.is_busy());
        assert!(fresh.is_coming_after(at(6)) && !fresh.is_coming_after(at(7)));
        // A log that was rewound counts anew.
        assert!(!fresh.is_coming_after(Position { epoch: 3, n: 1 }));
        fresh.none_is_coming_after(at(7)).await;
    }

    #[test]
    fn the_oldest_make_room_and_those_of_large_documents_are_not_kept() {
        let fresh = Fresh::for_takers(1);
        let uploads: Vec<UploadId> = (0..9).map(|_| UploadId::new()).collect();
        for upload in &uploads {
            fresh.insert(*upload, chunks(1), results(CAPACITY / 7));
        }
        let there: Vec<bool> = uploads.iter().map(|upload| fresh.take(*upload, &chunks(1)).is_some()).collect();
        assert_eq!(there, [[false; 2].as_slice(), &[true; 7]].concat());
        let upload = UploadId::new();
        fresh.insert(upload, chunks(1), results(Fresh::LARGEST + 1));
        assert!(fresh.take(upload, &chunks(1)).is_none());
    }
}
