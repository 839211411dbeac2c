//! What goes into the log is packed on one thread beside the parser: the original document, then the results as they come.

use super::spool::Spooled;
use crate::http::error::ApiError;
use bytes::Bytes;
use scaledtest_domain::{
    Hash16, ReportId, TeamId, UploadId,
    report::{Attachment, Attempt, Chunk, Step, TestResult},
};
use scaledtest_eventlog::{ChunkWriter, EventLog, LogError};
use serde_json::{Map, Value};
use std::sync::{
    Arc,
    mpsc::{Receiver, SyncSender, sync_channel},
};
use tokio::{runtime::Handle, task::JoinHandle};

/// Results that are handed over at once.
const BATCH: usize = 128;
/// As soon as they take about so many bytes they are handed over, however few they are.
const BATCH_BYTES: usize = 256 * 1024;
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
        self.batch_bytes += weight(&result);
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

/// About the bytes that a result takes in memory: many small parts take far more than their text.
fn weight(result: &TestResult) -> usize {
    let attachments = result.attempts.iter().flat_map(|attempt| &attempt.attachments).chain(&result.attachments);
    let attached: usize = attachments.map(|one| size_of::<Attachment>() + weight_of_map(&one.extra)).sum();
    let steps: usize = result.steps.iter().map(|step| size_of::<Step>() + weight_of_map(&step.extra)).sum();
    let attempts = result.attempts.len() * size_of::<Attempt>();
    size_of::<TestResult>() + result.text_bytes() + attempts + steps + attached + weight_of_map(&result.extra)
}

fn weight_of_map(map: &Map<String, Value>) -> usize {
    map.iter().map(|(name, value)| size_of::<String>() + name.len() + weight_of(value)).sum()
}

fn weight_of(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(weight_of).sum(),
            Value::Object(values) => weight_of_map(values),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
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

#[cfg(test)]
mod tests {
    use super::*;
    use scaledtest_domain::TestId;
    use serde_json::json;

    fn result(extra: &Value) -> TestResult {
        let test_id = TestId::derived(&[b"a"]);
        let result = json!({"test_id": test_id, "name": "a", "status": "passed", "duration_ms": 1, "extra": extra});
        serde_json::from_value(result).unwrap()
    }

    #[test]
    fn many_small_values_weigh_what_they_take() {
        let plain = weight(&result(&json!({})));
        let lists = vec![json!([]); 1000];
        assert!(plain >= size_of::<TestResult>());
        assert!(weight(&result(&json!({"lists": lists}))) >= plain + 1000 * size_of::<Value>());
        assert!(weight(&result(&json!({"deep": {"lists": lists}}))) >= plain + 1000 * size_of::<Value>());
    }
}
