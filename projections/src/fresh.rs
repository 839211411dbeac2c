//! What this process's own ingestion has just parsed: its projections want it a moment later, and need not read it back from
//! the log and decode it.

use scaledtest_domain::{UploadId, events::report::Chunks, report::TestResult};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Bytes of documents whose results are kept, at most.
const CAPACITY: usize = 8 * 1024 * 1024;
/// The results of one upload.
#[derive(Debug)]
pub struct FreshResults {
    /// In the order of the report.
    pub list: Vec<TestResult>,
    /// Bytes of the document that they come from: about what they take.
    pub bytes: usize,
}

/// The results of the newest uploads, until every projection has taken them or newer ones need the room. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fresh {
    kept: Arc<Mutex<VecDeque<Kept>>>,
    coming: Arc<AtomicUsize>,
    takers: usize,
}

/// An upload that is on its way into the log, until this is dropped.
#[derive(Debug)]
pub struct Coming(Arc<AtomicUsize>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
    pub const LARGEST: usize = 2 * 1024 * 1024;

    fn for_takers(takers: usize) -> Self {
        Self { kept: Arc::default(), coming: Arc::default(), takers }
    }

    /// An upload will soon be in the log: what follows from those before it can wait until it is there.
    pub fn announce(&self) -> Coming {
        self.coming.fetch_add(1, Ordering::Relaxed);
        Coming(Arc::clone(&self.coming))
    }

    /// Whether an upload is on its way.
    pub(crate) fn is_coming(&self) -> bool {
        self.coming.load(Ordering::Relaxed) > 0
    }

    /// Keeps the results of an upload whose chunks are in the log.
    pub fn insert(&self, upload: UploadId, chunks: Chunks, results: FreshResults) {
        if results.list.is_empty() || results.bytes > Self::LARGEST {
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
        FreshResults { list: vec![serde_json::from_value(result).unwrap()], bytes }
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
