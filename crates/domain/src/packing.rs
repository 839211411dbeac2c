//! zstd at level 1: what commits, chunks and documents are compressed with. It stands on the path of every upload; level 3 is
//! slower, and did not make a 500-test report smaller.

use crate::DecodeError;
use std::sync::{Mutex, PoisonError};
use zstd::bulk::{Compressor, Decompressor};

const LEVEL: i32 = 1;

// Making a context costs more than compressing a chunk, so some are kept; one per thread would be many megabytes.
static COMPRESSORS: Pool<Compressor<'static>> = Pool(Mutex::new(Vec::new()));
static DECOMPRESSORS: Pool<Decompressor<'static>> = Pool(Mutex::new(Vec::new()));

/// One frame. Several, one after the other, are the frames of their contents one after the other.
///
/// # Errors
/// When zstd cannot allocate.
pub fn compress(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut compressor = COMPRESSORS.take(|| Compressor::new(LEVEL)).map_err(failed)?;
    let packed = compressor.compress(bytes).map_err(failed);
    COMPRESSORS.give_back(compressor);
    packed
}

/// Undoes [`compress`], also of several frames, refusing to inflate to more than `limit` bytes.
///
/// # Errors
/// When it is not zstd or would be larger than `limit`.
pub fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut decompressor = DECOMPRESSORS.take(Decompressor::new).map_err(failed)?;
    let unpacked = decompressor.decompress(bytes, limit).map_err(failed);
    DECOMPRESSORS.give_back(decompressor);
    unpacked
}

fn failed(error: std::io::Error) -> DecodeError {
    DecodeError::Compression(error.to_string())
}

/// Contexts waiting to be used again.
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Pool<T> {
    /// Kept, at most; more work at once makes its own.
    const KEPT: usize = 4;

    fn take(&self, make: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.map_or_else(make, Ok)
    }

    fn give_back(&self, context: T) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < Self::KEPT {
            kept.push(context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_are_read_back_as_one(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6)) {
            let packed: Vec<u8> = pieces.iter().flat_map(|piece| compress(piece).unwrap()).collect();
            let all = pieces.concat();
            prop_assert_eq!(&decompress(&packed, all.len()).unwrap(), &all);
            if let Some(less) = all.len().checked_sub(1) {
                prop_assert!(decompress(&packed, less).is_err());
            }
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let packed = compress(b"some text").unwrap();
        for broken in [&packed[..packed.len() - 1], &[packed.as_slice(), b"x"].concat(), b"text"] {
            assert!(decompress(broken, 1024).is_err());
        }
    }
}
