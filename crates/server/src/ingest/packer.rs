//! Results become chunks of the log, packed on another thread while the next ones are parsed.

use crate::http::error::ApiError;
use scaledtest_domain::{
    events::report::Chunks,
    report::{Chunk, TestResult},
};
use scaledtest_eventlog::ChunkWriter;
use std::sync::mpsc::{SyncSender, sync_channel};
use tokio::{runtime::Handle, task::JoinHandle};

/// Chunks that wait to be packed.
const WAITING: usize = 2;

/// Where the results of one upload go.
pub(super) struct Packer<'a> {
    handle: &'a Handle,
    chunk: Chunk,
    place: Place,
}

enum Place {
    /// So far everything fits into one chunk.
    Here(ChunkWriter),
    /// Another thread packs and sends.
    There(SyncSender<Chunk>, JoinHandle<Result<ChunkWriter, ApiError>>),
    /// It failed; the error was told.
    Nowhere,
}

impl<'a> Packer<'a> {
    pub fn new(handle: &'a Handle, writer: ChunkWriter) -> Self {
        Self { handle, chunk: Chunk::default(), place: Place::Here(writer) }
    }

    pub fn push(&mut self, result: &TestResult) -> Result<(), ApiError> {
        if self.chunk.push(result).map_err(|error| ApiError::internal(&error))? {
            return Ok(());
        }
        self.hand_over()?;
        // The first result of a chunk always fits.
        self.chunk.push(result).map(drop).map_err(|error| ApiError::internal(&error))
    }

    fn hand_over(&mut self) -> Result<(), ApiError> {
        let chunk = std::mem::take(&mut self.chunk);
        let (sender, packing) = match std::mem::replace(&mut self.place, Place::Nowhere) {
            Place::Here(writer) => self.start(writer),
            Place::There(sender, packing) => (sender, packing),
            Place::Nowhere => return Err(ApiError::internal("chunks after a failed one")),
        };
        if sender.send(chunk).is_ok() {
            self.place = Place::There(sender, packing);
            return Ok(());
        }
        // It only stops early with an error.
        Err(self.join(packing).err().unwrap_or_else(|| ApiError::internal("packing ended early")))
    }

    fn start(&self, mut writer: ChunkWriter) -> (SyncSender<Chunk>, JoinHandle<Result<ChunkWriter, ApiError>>) {
        let (sender, chunks) = sync_channel::<Chunk>(WAITING);
        let handle = self.handle.clone();
        let packing = self.handle.spawn_blocking(move || {
            for chunk in chunks {
                send(&handle, &mut writer, chunk)?;
            }
            Ok(writer)
        });
        (sender, packing)
    }

    fn join(&self, packing: JoinHandle<Result<ChunkWriter, ApiError>>) -> Result<ChunkWriter, ApiError> {
        self.handle.block_on(packing).map_err(|error| ApiError::internal(&error))?
    }

    /// Waits until every chunk is in the log.
    pub fn finish(mut self) -> Result<Chunks, ApiError> {
        let chunk = std::mem::take(&mut self.chunk);
        let writer = match std::mem::replace(&mut self.place, Place::Nowhere) {
            Place::Here(mut writer) => {
                if chunk.results() > 0 {
                    send(self.handle, &mut writer, chunk)?;
                }
                writer
            }
            Place::There(sender, packing) => {
                // Should it have failed, joining it says why.
                let _ = sender.send(chunk);
                drop(sender);
                self.join(packing)?
            }
            Place::Nowhere => return Err(ApiError::internal("the end after a failed chunk")),
        };
        self.handle.block_on(writer.finish()).map_err(ApiError::from)
    }
}

fn send(handle: &Handle, writer: &mut ChunkWriter, chunk: Chunk) -> Result<(), ApiError> {
    let packed = chunk.finish().map_err(|error| ApiError::internal(&error))?;
    handle.block_on(writer.push(packed)).map_err(ApiError::from)
}
