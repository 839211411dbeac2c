//! Results become chunks of the log.

use crate::http::error::ApiError;
use scaledtest_domain::{
    events::report::Chunks,
    report::{Chunk, TestResult},
};
use scaledtest_eventlog::ChunkWriter;
use tokio::runtime::Handle;

/// Where the results of one upload go.
pub(super) struct Packer<'a> {
    handle: &'a Handle,
    chunk: Chunk,
    writer: ChunkWriter,
}

impl<'a> Packer<'a> {
    pub fn new(handle: &'a Handle, writer: ChunkWriter) -> Self {
        Self { handle, chunk: Chunk::default(), writer }
    }

    pub fn push(&mut self, result: &TestResult) -> Result<(), ApiError> {
        if self.chunk.push(result).map_err(|error| ApiError::internal(&error))? {
            return Ok(());
        }
        self.send()?;
        // The first result of a chunk always fits.
        self.chunk.push(result).map(drop).map_err(|error| ApiError::internal(&error))
    }

    fn send(&mut self) -> Result<(), ApiError> {
        let packed = std::mem::take(&mut self.chunk).finish().map_err(|error| ApiError::internal(&error))?;
        self.handle.block_on(self.writer.push(packed)).map_err(ApiError::from)
    }

    /// Waits until every chunk is in the log.
    pub fn finish(mut self) -> Result<Chunks, ApiError> {
        if self.chunk.results() > 0 {
            self.send()?;
        }
        self.handle.block_on(self.writer.finish()).map_err(ApiError::from)
    }
}
