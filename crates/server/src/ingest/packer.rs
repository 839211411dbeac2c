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
    /// For the projections of this process.
    results: Option<Vec<TestResult>>,
}

impl<'a> Packer<'a> {
    /// For a document of so many bytes; `keeps`: whether the results are wanted afterwards.
    pub fn new(handle: &'a Handle, writer: ChunkWriter, bytes: usize, keeps: bool) -> Self {
        // JSON is mostly somewhat larger than the document.
        let room = bytes.saturating_add(bytes / 2);
        Self { handle, chunk: Chunk::with_capacity(room), writer, results: keeps.then(Vec::new) }
    }

    pub fn push(&mut self, result: TestResult) -> Result<(), ApiError> {
        if !self.chunk.push(&result).map_err(|error| ApiError::internal(&error))? {
            self.send()?;
            // The first result of a chunk always fits.
            self.chunk.push(&result).map_err(|error| ApiError::internal(&error))?;
        }
        if let Some(results) = &mut self.results {
            results.push(result);
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), ApiError> {
        let packed = self.chunk.finish().map_err(|error| ApiError::internal(&error))?;
        self.handle.block_on(self.writer.push(packed)).map_err(ApiError::from)
    }

    /// Waits until every chunk is in the log.
    pub fn finish(mut self) -> Result<(Chunks, Option<Vec<TestResult>>), ApiError> {
        if self.chunk.results() > 0 {
            self.send()?;
        }
        let chunks = self.handle.block_on(self.writer.finish()).map_err(ApiError::from)?;
        Ok((chunks, self.results))
    }
}
