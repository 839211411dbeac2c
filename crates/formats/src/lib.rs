//! Test report formats, read as real tools write them, into the one normalised report of [`scaledtest_domain::report`].
//!
//! Two passes over the same bytes, so that memory stays bounded however many tests there are: [`open`] refuses what
//! is no report and reads everything but the tests, [`Document::read_tests`] hands them out one by one.
//! Pure: no I/O, no clock.

mod clean;
mod ctrf;
mod cut;
mod detect;
pub mod error;
mod loose;
mod notes;

use chrono::{DateTime, Utc};
pub use ctrf::Writer;
use detect::Format;
pub use error::{FormatError, ReadError};
use notes::Notes;
use scaledtest_domain::{
    ProjectId,
    events::report::Origin,
    report::{Counts, Diagnostic, ReportMeta, TestResult},
};
use std::{borrow::Cow, ops::Range};

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
pub struct Document<'a> {
    /// As it came, or a cleaned copy if that was no strict JSON.
    text: Cow<'a, str>,
    /// The list of tests with its brackets; empty if there are none.
    tests: Range<usize>,
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
pub fn open(bytes: &[u8], limits: Limits) -> Result<(Document<'_>, Envelope), FormatError> {
    match detect::detect(bytes)? {
        Format::Ctrf => ctrf::open(bytes, limits),
    }
}

impl Document<'_> {
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
        match self.format {
            Format::Ctrf => ctrf::read_tests(&self.text[self.tests.clone()], envelope, project, sink),
        }
    }
}

/// Milliseconds since the epoch.
fn epoch_ms(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}
