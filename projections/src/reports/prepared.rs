//! Rows that were made while the results were at hand: what the ingestion of this process has parsed need not be read
//! back from the log and decoded. All that is missing is the position that the commit will have.

use super::rows::{FIELD_COUNT, Place, write_attempt, write_result};
use crate::copy::{Rows, saturate};
use chrono::NaiveDate;
use scaledtest_domain::report::TestResult;

/// Bytes of rows kept of one upload, at most. Larger ones are read back, a chunk at a time.
const LARGEST: usize = 2 * 1024 * 1024;
/// Overwritten when the place is known.
const NOWHERE: Place = Place { report_no: 0, month: NaiveDate::MIN };

/// The rows of one upload.
#[derive(Debug, Default)]
pub struct PreparedRows {
    results: Part,
    attempts: Part,
    /// There would have been too many, or one could not be written: there are none.
    is_given_up: bool,
}

/// Rows, and where each begins.
#[derive(Debug, Default)]
struct Part {
    rows: Rows,
    starts: Vec<usize>,
}

impl Part {
    fn begin(&mut self) -> &mut Rows {
        self.starts.push(self.rows.len());
        &mut self.rows
    }

    fn write(&self, place: Place, into: &mut Rows) {
        let (mut there, first) = (Rows::default(), into.len());
        place.write(&mut there);
        into.extend(self.rows.as_slice());
        for start in &self.starts {
            into.overwrite(first + start + FIELD_COUNT, &there);
        }
    }
}

impl PreparedRows {
    /// With room for so many bytes; none if they are too many to be kept anyway.
    pub fn with_capacity(bytes: usize) -> Option<Self> {
        let rows = (bytes <= LARGEST).then(|| Rows::with_capacity(bytes))?;
        Some(Self { results: Part { rows, starts: Vec::new() }, ..Self::default() })
    }

    /// Writes the next result.
    pub fn push(&mut self, result: &TestResult) {
        if self.is_given_up {
            return;
        }
        let idx = saturate(self.results.starts.len() as u64);
        let mut written = write_result(self.results.begin(), NOWHERE, idx, result);
        for attempt in &result.attempts {
            written = written.and_then(|()| write_attempt(self.attempts.begin(), NOWHERE, idx, attempt));
        }
        if written.is_err() || self.bytes() > LARGEST {
            *self = Self { is_given_up: true, ..Self::default() };
        }
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        self.results.rows.len() + self.attempts.rows.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.results.rows.is_empty()
    }

    pub(super) fn write(&self, place: Place, results: &mut Rows, attempts: &mut Rows) {
        self.results.write(place, results);
        self.attempts.write(place, attempts);
    }
}
