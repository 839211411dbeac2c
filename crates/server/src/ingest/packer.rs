//! What goes into the log is packed on one thread beside the parser: the original document, then the results as they come.

use super::spool::Spooled;
use crate::http::error::ApiError;
use bytes::Bytes;
use scaledtest_domain::{
    Hash16, ReportId, TeamId, UploadId,
    report::{Chunk, TestResult},
};
use scaledtest_eventlog::{ChunkWriter, EventLog, LogError};
use std::sync::{
    Arc,
    mpsc::{Receiver, SyncSender, sync_channel},
};
use tokio::{runtime::Handle, task::JoinHandle};

/// Results that are handed over at once.
const BATCH: usize = 128;
/// As soon as their texts take so many bytes they are handed over, however few they are.
const BATCH_BYTES: usize = 128 * 1024;
/// Batches that wait to be packed: with the one at hand and the one being gathered, all that is held.
const BATCHES: usize = 2;

/// Where the parser puts the results of one upload.
pub(super) struct Packer {
    batch: Vec<TestResult>,
    batch_bytes: usize,
    batches: SyncSender<Vec<TestResult>>,
    thread: JoinHandle<Result<Packed, ApiError>>,
}

/// The packing ended before its time: what [`Packer::end`] gives says why.
#[derive(Debug, thiserror::Error)]
#[error("the packing of an upload stopped before its time")]
pub(super) struct Stopped;

/// What is to be packed.
pub(super) struct Parcel {
    pub log: EventLog,
    pub team: TeamId,
    pub report: ReportId,
    pub upload: UploadId,
    pub document: Arc<Spooled>,
    /// Of the document, if it is known already.
    pub hash: Option<Hash16>,
    /// Whether the results are wanted afterwards.
    pub keeps: bool,
}

/// What became of it.
pub(super) struct Packed {
    /// Of the document.
    pub hash: Hash16,
    /// The document, on its way into the log.
    pub document: JoinHandle<Result<(), LogError>>,
    /// Has sent every chunk; not all may be acknowledged.
    pub writer: ChunkWriter,
    /// For the projections of this process, if they want them.
    pub results: Option<Vec<TestResult>>,
}

impl Packer {
    pub fn start(handle: &Handle, parcel: Parcel) -> Self {
        let (batches, waiting) = sync_channel(BATCHES);
        let own = handle.clone();
        let thread = handle.spawn_blocking(move || {
            let mut packing = Packing::start(own, parcel)?;
            let ran = packing.run(&waiting);
            let Packing { handle, packed, .. } = packing;
            if let Err(error) = ran {
                // Nothing may arrive after what has been sent is taken back.
                let _ = handle.block_on(packed.document);
                return Err(error);
            }
            Ok(packed)
        });
        Self { batch: Vec::with_capacity(BATCH), batch_bytes: 0, batches, thread }
    }

    pub fn push(&mut self, result: TestResult) -> Result<(), Stopped> {
        self.batch_bytes += result.text_bytes();
        self.batch.push(result);
        if self.batch.len() < BATCH && self.batch_bytes < BATCH_BYTES {
            return Ok(());
        }
        self.batch_bytes = 0;
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.batches.send(batch).map_err(|_| Stopped)
    }

    /// There are no more results.
    pub fn end(self) -> JoinHandle<Result<Packed, ApiError>> {
        // Should the packing have stopped, it says so itself.
        let _ = self.batches.send(self.batch);
        self.thread
    }
}

/// The work of that thread.
struct Packing {
    handle: Handle,
    chunk: Chunk,
    packed: Packed,
}

impl Packing {
    /// Packs the document, which will be sent meanwhile.
    fn start(handle: Handle, parcel: Parcel) -> Result<Self, ApiError> {
        let Parcel { log, team, report, upload, document, hash, keeps } = parcel;
        let packed = scaledtest_domain::compress(&document).map_err(|error| ApiError::internal(&error))?;
        let bytes = document.len();
        let writer = log.chunk_writer(team, report, upload);
        let sending = async move { log.put_raw(team, report, upload, Bytes::from(packed)).await };
        Ok(Self {
            // JSON is mostly somewhat larger than the document.
            chunk: Chunk::with_capacity(bytes.saturating_add(bytes / 2)),
            packed: Packed {
                document: handle.spawn(sending),
                hash: hash.unwrap_or_else(|| Hash16::of(&document)),
                writer,
                results: keeps.then(Vec::new),
            },
            handle,
        })
    }

    fn run(&mut self, batches: &Receiver<Vec<TestResult>>) -> Result<(), ApiError> {
        while let Ok(batch) = batches.recv() {
            for result in &batch {
                self.push(result)?;
            }
            if let Some(results) = &mut self.packed.results {
                results.extend(batch);
            }
        }
        if self.chunk.results() > 0 {
            self.send()?;
        }
        Ok(())
    }

    fn push(&mut self, result: &TestResult) -> Result<(), ApiError> {
        if !self.chunk.push(result).map_err(|error| ApiError::internal(&error))? {
            self.send()?;
            // The first result of a chunk always fits.
            self.chunk.push(result).map_err(|error| ApiError::internal(&error))?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), ApiError> {
        let chunk = self.chunk.finish().map_err(|error| ApiError::internal(&error))?;
        self.handle.block_on(self.packed.writer.push(chunk)).map_err(ApiError::from)
    }
}
