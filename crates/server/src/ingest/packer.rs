//! Results become chunks of the log, on a thread of their own: beside the parser that they come from.

use crate::http::error::ApiError;
use scaledtest_domain::report::{Chunk, TestResult};
use scaledtest_eventlog::ChunkWriter;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
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
#[derive(Debug)]
pub(super) struct Stopped;

/// What became of the results.
pub(super) struct Packed {
    /// Has sent every chunk; not all may be acknowledged.
    pub writer: ChunkWriter,
    /// For the projections of this process, if they want them.
    pub results: Option<Vec<TestResult>>,
}

impl Packer {
    /// For a document of so many bytes; `keeps`: whether the results are wanted afterwards.
    pub fn start(handle: &Handle, writer: ChunkWriter, bytes: usize, keeps: bool) -> Self {
        let (batches, waiting) = sync_channel(BATCHES);
        let packing = Packing {
            handle: handle.clone(),
            // JSON is mostly somewhat larger than the document.
            chunk: Chunk::with_capacity(bytes.saturating_add(bytes / 2)),
            packed: Packed { writer, results: keeps.then(Vec::new) },
        };
        let thread = handle.spawn_blocking(move || packing.run(&waiting));
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
    fn run(mut self, batches: &Receiver<Vec<TestResult>>) -> Result<Packed, ApiError> {
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
        Ok(self.packed)
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
