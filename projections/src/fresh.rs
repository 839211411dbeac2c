//! What this process's own ingestion has prepared: its projection wants it a moment later.

use crate::reports::PreparedRows;
use scaledtest_domain::{UploadId, events::report::Chunks};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes kept, at most.
const CAPACITY: usize = 8 * 1024 * 1024;

/// The rows of the newest uploads, until they are taken or newer ones need the room. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Fresh(Arc<Mutex<VecDeque<Kept>>>);

#[derive(Debug)]
struct Kept {
    upload: UploadId,
    /// What was written to the log: whoever asks for anything else has to look there.
    chunks: Chunks,
    rows: PreparedRows,
}

impl Fresh {
    /// Keeps the rows of an upload whose chunks are in the log.
    pub fn insert(&self, upload: UploadId, chunks: Chunks, rows: PreparedRows) {
        if rows.is_empty() {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Kept { upload, chunks, rows });
        let mut bytes: usize = kept.iter().map(|kept| kept.rows.bytes()).sum();
        while bytes > CAPACITY
            && let Some(oldest) = kept.pop_front()
        {
            bytes -= oldest.rows.bytes();
        }
    }

    /// They are wanted once: whoever gets them takes them.
    pub(crate) fn take(&self, upload: UploadId, chunks: &Chunks) -> Option<Arc<PreparedRows>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.iter().position(|kept| kept.upload == upload)?;
        kept.remove(index).filter(|kept| kept.chunks == *chunks).map(|kept| Arc::new(kept.rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scaledtest_domain::{Hash16, TestId, report::TestResult};
    use serde_json::json;

    fn rows(text: &str) -> PreparedRows {
        let result = json!({"test_id": TestId::derived(&[b"a"]), "name": text, "status": "passed", "duration_ms": 1});
        let result: TestResult = serde_json::from_value(result).unwrap();
        let mut rows = PreparedRows::default();
        rows.push(&result);
        rows
    }

    fn chunks(last: u64) -> Chunks {
        Chunks { count: 1, first: 1, last, hash: Hash16::of(b"") }
    }

    #[test]
    fn rows_are_given_once_and_only_for_the_chunks_they_were_made_of() {
        let (fresh, upload) = (Fresh::default(), UploadId::new());
        fresh.insert(upload, chunks(1), rows("a"));
        assert!(fresh.take(UploadId::new(), &chunks(1)).is_none());
        assert!(fresh.take(upload, &chunks(1)).is_some());
        assert!(fresh.take(upload, &chunks(1)).is_none());
        fresh.insert(upload, chunks(1), rows("a"));
        assert!(fresh.take(upload, &chunks(2)).is_none());
    }

    #[test]
    fn the_oldest_make_room_and_too_many_rows_are_not_kept() {
        let (fresh, text) = (Fresh::default(), "x".repeat(1024 * 1024));
        let uploads: Vec<UploadId> = (0..9).map(|_| UploadId::new()).collect();
        for upload in &uploads {
            fresh.insert(*upload, chunks(1), rows(&text));
        }
        let there: Vec<bool> = uploads.iter().map(|upload| fresh.take(*upload, &chunks(1)).is_some()).collect();
        assert_eq!(there, [[false; 2].as_slice(), &[true; 7]].concat());
        let (upload, large) = (UploadId::new(), rows(&text.repeat(3)));
        assert_eq!(large.bytes(), 0);
        fresh.insert(upload, chunks(1), large);
        assert!(fresh.take(upload, &chunks(1)).is_none());
    }
}
