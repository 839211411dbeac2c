//! A report in normalised form: what every format becomes and what the log's chunks hold.

use crate::{DecodeError, TestId, compress, decompress};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{iter::Sum, ops::AddAssign};

/// Results in one chunk, at most.
pub const CHUNK_RESULTS: usize = 500;
/// Bytes of JSON in one chunk before compression, at most (unless a single result is larger).
pub const CHUNK_BYTES: usize = 256 * 1024;
/// Bytes of a message, a trace, or an output stream, at most; head and tail are kept.
pub const MAX_TEXT: usize = 64 * 1024;
/// Attempts kept of one test, at most; the first and the last are.
pub const MAX_ATTEMPTS: usize = 20;
/// A chunk inflates to at most this many bytes (one result may hold some bounded texts per attempt).
const MAX_CHUNK_INFLATED: usize = 64 * 1024 * 1024;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It did what it should.
    Passed,
    /// It did not.
    Failed,
    /// It was left out on purpose.
    Skipped,
    /// It is not finished or not written.
    Pending,
    /// Anything else.
    Other,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 5] = [Self::Passed, Self::Failed, Self::Skipped, Self::Pending, Self::Other];

    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Pending => "pending",
            Self::Other => "other",
        }
    }

    /// Reads exactly one of the five words.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// What a test ran on. Part of a test's history key beside its identity: the same test in two browsers is two tests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Variant {
    /// Browser, as the report names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    /// Device, as the report names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Operating system platform, from the report's environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
}

/// One execution of a test before the final one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub attempt: u32,
    /// How it ended.
    pub status: Status,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// Start, milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ms: Option<i64>,
    /// Failure text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Line in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Source excerpt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
    /// Standard output, lines joined by `\n`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// Standard error, lines joined by `\n`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// A file that the reporter names. Only its metadata: the path belongs to another machine and is never opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its path or URL, as written.
    pub path: String,
    /// Whatever else was said of it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// A step inside a test. Flat; its status does not decide the test's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What it does.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// Whatever else was said of it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// One test of a report: its final execution and the attempts before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// Identity across runs, see [`crate::identity`].
    pub test_id: TestId,
    /// As written (only cleaned of what no database keeps).
    pub name: String,
    /// Outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suite: Vec<String>,
    /// As written; may be absolute on the machine that ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    /// Line in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How it ended.
    pub status: Status,
    /// The tool's own word, when it differs from `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_status: Option<String>,
    /// Milliseconds, never negative.
    pub duration_ms: i64,
    /// Start, milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ms: Option<i64>,
    /// End, milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_ms: Option<i64>,
    /// Executions after the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// Passed after at least one failed execution.
    #[serde(default, skip_serializing_if = "is_false")]
    pub flaky: bool,
    /// What the reporter said of flakiness, kept apart from our own finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_flaky: Option<bool>,
    /// What it ran on.
    #[serde(default)]
    pub variant: Variant,
    /// Free words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Failure text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Source excerpt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
    /// Standard output, lines joined by `\n`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// Standard error, lines joined by `\n`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// Executions before the final one, ascending; at most [`MAX_ATTEMPTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Every other field of the test (`type`, `threadId`, `parameters`, `labels`, `extra`, unknown ones), by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Counts of a report's results, by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All.
    pub tests: u64,
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Skipped.
    pub skipped: u64,
    /// Pending.
    pub pending: u64,
    /// Other.
    pub other: u64,
    /// Flaky; part of passed.
    #[serde(default)]
    pub flaky: u64,
}

impl Counts {
    /// Counts one result.
    pub fn add(&mut self, result: &TestResult) {
        self.tests += 1;
        match result.status {
            Status::Passed => self.passed += 1,
            Status::Failed => self.failed += 1,
            Status::Skipped => self.skipped += 1,
            Status::Pending => self.pending += 1,
            Status::Other => self.other += 1,
        }
        self.flaky += u64::from(result.flaky);
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.tests += other.tests;
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.pending += other.pending;
        self.other += other.other;
        self.flaky += other.flaky;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// The tool that ran the tests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name, never empty.
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Something odd in a report that was accepted nonetheless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Where, the first time: `results.tests[3].suite`.
    pub path: String,
    /// A stable snake_case name.
    pub code: String,
    /// One sentence: what was found and what was done about it.
    pub message: String,
    /// How often it was seen in the report.
    pub count: u64,
}

/// What is known of a report beside its tests: from the document, before the upload's parameters are laid over it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReportMeta {
    /// `ctrf`.
    pub format: String,
    /// The format's own version, as text; tells nothing about the shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_version: Option<String>,
    /// The document's own id (CTRF `reportId`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_id: Option<String>,
    /// CTRF `runId`: shared by the documents of one logical run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_key: Option<String>,
    /// The tool.
    pub tool: Tool,
    /// The environment as written; `None` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Value>,
    /// The summary as declared, where it disagrees with the results; `None` when they agree or it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Counts>,
    /// Fewer results than the summary says: a filtered report.
    #[serde(default, skip_serializing_if = "is_false")]
    pub partial: bool,
    /// Start of the run, milliseconds since the epoch; 0 if unknown.
    pub start_ms: i64,
    /// End of the run, milliseconds since the epoch; 0 if unknown.
    pub stop_ms: i64,
    /// stop - start, else the sum of the tests, milliseconds.
    pub duration_ms: i64,
    /// When the document was made, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<DateTime<Utc>>,
    /// `extra`, `insights`, `baseline`, `generatedBy` and unknown fields of the envelope, bounded.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// The version of the chunk format that we write.
const CHUNK_VERSION: u32 = 1;

#[derive(Deserialize)]
struct ChunkIn {
    v: u32,
    results: Vec<TestResult>,
}

impl TestResult {
    /// Bytes of all of its texts, beside the additional data.
    pub fn text_bytes(&self) -> usize {
        let variant = [&self.variant.browser, &self.variant.device, &self.variant.os];
        let own = [&self.message, &self.trace, &self.snippet, &self.stdout, &self.stderr];
        let words = [&self.file_path, &self.raw_status];
        let lists = self.suite.iter().chain(&self.tags).map(String::len).sum::<usize>();
        let steps = self.steps.iter().map(|step| step.name.len()).sum::<usize>();
        let attempts = self.attempts.iter().map(Attempt::text_bytes).sum::<usize>();
        let attachments = self.attachments.iter().map(Attachment::text_bytes).sum::<usize>();
        let texts = variant.into_iter().chain(own).chain(words).flatten().map(String::len).sum::<usize>();
        self.name.len() + lists + steps + attempts + attachments + texts
    }
}

impl Attempt {
    /// Bytes of all of its texts.
    pub fn text_bytes(&self) -> usize {
        let texts = [&self.message, &self.trace, &self.snippet, &self.stdout, &self.stderr];
        texts.into_iter().flatten().map(String::len).sum::<usize>()
            + self.attachments.iter().map(Attachment::text_bytes).sum::<usize>()
    }
}

impl Attachment {
    /// Bytes of all of its texts.
    pub fn text_bytes(&self) -> usize {
        self.name.len() + self.content_type.len() + self.path.len()
    }
}

/// Bytes of JSON that are compressed at once, so that little is left to do when the last result comes.
const PIECE_BYTES: usize = 64 * 1024;

/// Results on their way to becoming a chunk of the log: each is written as it comes, so that the size is known exactly.
#[derive(Debug, Default)]
pub struct Chunk {
    results: usize,
    /// Compressed already: `packed_from` bytes of JSON.
    packed: Vec<u8>,
    packed_from: usize,
    json: Vec<u8>,
}

impl Chunk {
    /// How many results it holds.
    pub fn results(&self) -> usize {
        self.results
    }

    /// Adds a result, unless the chunk would hold too much then: at most [`CHUNK_RESULTS`], and [`CHUNK_BYTES`] of JSON
    /// except for a single larger one. Tells whether it was added.
    ///
    /// # Errors
    /// When serialising or compressing fails, which well-formed results cannot make happen.
    pub fn push(&mut self, result: &TestResult) -> Result<bool, DecodeError> {
        let before = self.json.len();
        self.append(result)?;
        let bytes = self.packed_from + self.json.len();
        let fits = self.results <= CHUNK_RESULTS && (bytes <= CHUNK_BYTES || self.results == 1);
        if !fits {
            self.json.truncate(before);
            self.results -= 1;
        } else if self.json.len() >= PIECE_BYTES {
            self.pack()?;
        }
        Ok(fits)
    }

    fn append(&mut self, result: &TestResult) -> Result<(), DecodeError> {
        match self.results {
            0 => self.open(),
            _ => self.json.push(b','),
        }
        serde_json::to_writer(&mut self.json, result)?;
        self.results += 1;
        Ok(())
    }

    fn open(&mut self) {
        self.json.extend_from_slice(format!("{{\"v\":{CHUNK_VERSION},\"results\":[").as_bytes());
    }

    fn pack(&mut self) -> Result<(), DecodeError> {
        self.packed.append(&mut compress(&self.json)?);
        self.packed_from += self.json.len();
        self.json.clear();
        Ok(())
    }

    /// The message: JSON, zstd. The chunk is empty then, and keeps its room.
    ///
    /// # Errors
    /// When zstd cannot allocate.
    pub fn finish(&mut self) -> Result<Vec<u8>, DecodeError> {
        if self.results == 0 {
            self.open();
        }
        self.json.extend_from_slice(b"]}");
        self.pack()?;
        (self.results, self.packed_from) = (0, 0);
        Ok(std::mem::take(&mut self.packed))
    }
}

/// Results as one chunk, however many and large.
///
/// # Errors
/// As [`Chunk::push`] and [`Chunk::finish`].
pub fn encode_chunk(results: &[TestResult]) -> Result<Vec<u8>, DecodeError> {
    let mut chunk = Chunk::default();
    for result in results {
        chunk.append(result)?;
    }
    chunk.finish()
}

/// Reads a chunk back.
///
/// # Errors
/// When it is none, or of a newer version.
pub fn decode_chunk(payload: &[u8]) -> Result<Vec<TestResult>, DecodeError> {
    let chunk: ChunkIn = serde_json::from_slice(&decompress(payload, MAX_CHUNK_INFLATED)?)?;
    if chunk.v > CHUNK_VERSION {
        return Err(DecodeError::Envelope(chunk.v));
    }
    Ok(chunk.results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        /// The rows of a rebuild come from what is read back, those of the ingestion from what was parsed.
        #[test]
        fn a_number_in_additional_data_is_read_back_to_the_last_bit(number in prop::num::f64::NORMAL) {
            let result = json!({
                "test_id": TestId::derived(&[b"a"]), "name": "a", "status": "passed", "duration_ms": 1, "extra": {"number": number}
            });
            let result: TestResult = serde_json::from_value(result).unwrap();
            let read = decode_chunk(&encode_chunk(std::slice::from_ref(&result)).unwrap()).unwrap();
            prop_assert_eq!(read, [result]);
        }
    }
}
