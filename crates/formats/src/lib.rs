//! Test report formats, read as real tools write them, into the one normalised report of [`scaledtest_domain::report`].
//!
//! Two passes over the same bytes, so that a test takes no more memory than its place in them: [`open`] refuses what
//! is no report and reads everything but the tests, [`Document::read_tests`] hands them out one by one. Several threads may
//! read parts of them: [`Document::read_part`].
//! Pure: no I/O, no clock.

mod clean;
mod ctrf;
mod cut;
mod detect;
pub mod error;
mod loose;
mod notes;

use chrono::{DateTime, Utc};
pub use ctrf::Tally;
pub use ctrf::Writer;
use detect::Format;
pub use error::{FormatError, ReadError};
use notes::Notes;
use scaledtest_domain::{
    ProjectId,
    events::report::Origin,
    report::{Counts, Diagnostic, ReportMeta, TestResult},
};
use std::ops::Range;

/// What a document may hold at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Tests.
    pub max_tests: u64,
    /// Levels of nesting; more than 128 are never read.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_tests: 1_000_000, max_depth: 128 }
    }
}

/// A document that [`open`] has found readable.
#[derive(Debug)]
pub struct Document<B> {
    /// As it came.
    bytes: B,
    /// The same, cleaned, if that was no strict JSON.
    cleaned: Option<String>,
    /// Where each test stands.
    tests: Vec<Range<usize>>,
    format: Format,
}

/// What a document says beside its tests.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Everything but what only the tests tell: `declared` and `partial` are empty, times are as far as known.
    pub meta: ReportMeta,
    /// Where the code came from, as far as the environment says so.
    pub origin: Origin,
    /// Which shard of the run it is.
    pub shard_id: Option<String>,
    /// Operating system platform: part of every test's variant.
    pub os: Option<String>,
    /// How many tests the document lists.
    pub tests: u64,
    /// How many tests the summary says there are.
    pub declared_tests: Option<u64>,
    summary: ctrf::Summary,
    notes: Notes,
}

/// What is known once all tests were read.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Complete.
    pub meta: ReportMeta,
    /// Counted from the tests.
    pub counts: Counts,
    /// What was odd, by kind and place; at most 100.
    pub diagnostics: Vec<Diagnostic>,
}

/// Finds out what a document is and reads all of it but the tests, which are only checked and counted.
///
/// # Errors
/// When it cannot be taken in: see [`error`] for the reasons.
pub fn open<B: AsRef<[u8]>>(bytes: B, limits: Limits) -> Result<(Document<B>, Envelope), FormatError> {
    let format = detect::detect(bytes.as_ref())?;
    let ctrf::Opened { cleaned, tests, envelope } = match format {
        Format::Ctrf => ctrf::open(bytes.as_ref(), limits)?,
    };
    Ok((Document { bytes, cleaned, tests, format }, envelope))
}

impl<B: AsRef<[u8]>> Document<B> {
    /// How many tests it lists.
    pub fn tests(&self) -> usize {
        self.tests.len()
    }

    /// Reads the tests in their order and gives each to `sink` as soon as it is read.
    ///
    /// # Errors
    /// The sink's, at once. A document that [`open`] took has no errors of its own but for syntax that only a full reading
    /// of a test finds and that cannot be cleaned.
    pub fn read_tests<E>(
        &self,
        envelope: &Envelope,
        project: ProjectId,
        sink: impl FnMut(TestResult) -> Result<(), E>,
    ) -> Result<Outcome, ReadError<E>> {
        self.read_part(envelope, project, 0..self.tests(), sink).map(|tally| envelope.complete(tally))
    }

    /// The same for some of the tests, by their places in the list. What all parts tell, put together in their order, completes the
    /// envelope.
    ///
    /// # Errors
    /// As [`Self::read_tests`]; a [`FormatError`] if there are no such tests.
    pub fn read_part<E>(
        &self,
        envelope: &Envelope,
        project: ProjectId,
        part: Range<usize>,
        sink: impl FnMut(TestResult) -> Result<(), E>,
    ) -> Result<Tally, ReadError<E>> {
        let bytes = self.cleaned.as_ref().map_or(self.bytes.as_ref(), String::as_bytes);
        let missing = || FormatError::new(error::UNREADABLE, format!("There are no tests {part:?}."));
        let tests = self.tests.get(part.clone()).ok_or_else(missing)?.iter();
        let tests = tests.map(|test| bytes.get(test.clone()).unwrap_or_default());
        match self.format {
            Format::Ctrf => ctrf::read(tests, part.start, (envelope, project), sink),
        }
    }
}

impl Envelope {
    /// With what the tests tell.
    pub fn complete(&self, tally: Tally) -> Outcome {
        ctrf::complete(self, tally)
    }
}

/// Milliseconds since the epoch.
fn epoch_ms(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}
