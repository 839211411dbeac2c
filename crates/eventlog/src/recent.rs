//! The chunks that this process wrote last: its own projection wants them a moment later, and need not fetch them again.

use bytes::Bytes;
use scaledtest_domain::UploadId;
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
pub(crate) struct Recent(Mutex<VecDeque<(UploadId, Vec<Bytes>)>>);

impl Recent {
    pub fn insert(&self, upload: UploadId, chunks: Vec<Bytes>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((upload, chunks));
        let mut bytes: usize = kept.iter().flat_map(|(_, chunks)| chunks).map(Bytes::len).sum();
        while bytes > CAPACITY
            && let Some((_, oldest)) = kept.pop_front()
        {
            bytes -= oldest.iter().map(Bytes::len).sum::<usize>();
        }
    }

    /// They are asked for once: whoever gets them takes them.
    pub fn take(&self, upload: UploadId) -> Option<Vec<Bytes>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.iter().position(|(candidate, _)| *candidate == upload)?;
        kept.remove(index).map(|(_, chunks)| chunks)
    }
}
