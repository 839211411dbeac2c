//! Results become chunks of the log.

use crate::http::error::ApiError;
use scaledtest_domain::{
    events::report::Chunks,
    report::{Chunk, TestResult},
};
use scaledtest_eventlog::ChunkWriter;
use scaledtest_projections::reports::PreparedRows;
use tokio::runtime::Handle;

/// Where the results of one upload go.
pub(super) struct Packer<'a> {
    handle: &'a Handle,
    chunk: Chunk,
    writer: ChunkWriter,
    /// For the projector of this process.
    rows: Option<PreparedRows>,
    /// What is in the chunk, as long as rows are to be made of it.
    results: Vec<TestResult>,
}

impl<'a> Packer<'a> {
    /// For a document of so many bytes; `prepares`: whether rows are wanted as well.
    pub fn new(handle: &'a Handle, writer: ChunkWriter, bytes: usize, prepares: bool) -> Self {
        // JSON and rows are mostly somewhat larger than the document.
        let room = bytes.saturating_add(bytes / 2);
        let rows = if prepares { PreparedRows::with_capacity(room) } else { None };
        Self { handle, chunk: Chunk::with_capacity(room), writer, rows, results: Vec::new() }
    }

    pub fn push(&mut self, result: TestResult) -> Result<(), ApiError> {
        if !self.chunk.push(&result).map_err(|error| ApiError::internal(&error))? {
            self.send()?;
            // The first result of a chunk always fits.
            self.chunk.push(&result).map_err(|error| ApiError::internal(&error))?;
        }
        if self.rows.is_some() {
            self.results.push(result);
        }
        Ok(())
    }

    /// Sends the chunk, and makes rows of what is in it while the log stores it.
    fn send(&mut self) -> Result<(), ApiError> {
        let packed = self.chunk.finish().map_err(|error| ApiError::internal(&error))?;
        self.handle.block_on(self.writer.push(packed)).map_err(ApiError::from)?;
        if let Some(rows) = &mut self.rows {
            self.results.drain(..).for_each(|result| rows.push(&result));
        }
        Ok(())
    }

    /// Waits until every chunk is in the log.
    pub fn finish(mut self) -> Result<(Chunks, Option<PreparedRows>), ApiError> {
        if self.chunk.results() > 0 {
            self.send()?;
        }
        let chunks = self.handle.block_on(self.writer.finish()).map_err(ApiError::from)?;
        Ok((chunks, self.rows))
    }
}
