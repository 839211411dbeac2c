//! The chunks that this process wrote last: its own projection wants them a moment later, and need not fetch them again.

use bytes::Bytes;
use scaledtest_domain::{UploadId, events::report::Chunks};
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// Bytes kept, at most.
const CAPACITY: usize = 4 * 1024 * 1024;
/// A larger upload is not kept.
pub(crate) const LARGEST: usize = 512 * 1024;

/// Whole uploads, oldest first.
#[derive(Default)]
pub(crate) struct Recent(Mutex<VecDeque<Kept>>);

struct Kept {
    upload: UploadId,
    /// What was said of them: whoever asks for anything else has to look in the log.
    said: Chunks,
    payloads: Vec<Bytes>,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.payloads.iter().map(Bytes::len).sum()
    }
}

impl Recent {
    pub fn insert(&self, upload: UploadId, said: Chunks, payloads: Vec<Bytes>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Kept { upload, said, payloads });
        let mut bytes: usize = kept.iter().map(Kept::bytes).sum();
        while bytes > CAPACITY
            && let Some(oldest) = kept.pop_front()
        {
            bytes -= oldest.bytes();
        }
    }

    /// They are asked for once: whoever gets them takes them.
    pub fn take(&self, upload: UploadId, said: &Chunks) -> Option<Vec<Bytes>> {
        self.remove(upload).filter(|kept| kept.said == *said).map(|kept| kept.payloads)
    }

    /// They are erased.
    pub fn forget(&self, upload: UploadId) {
        self.remove(upload);
    }

    fn remove(&self, upload: UploadId) -> Option<Kept> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.iter().position(|candidate| candidate.upload == upload)?;
        kept.remove(index)
    }
}
