//! Sums: over a report, over a quarter of an hour of a slice.

use super::place::{RANGES, range};
use super::said::Said;
use crate::copy::saturate8;
use scaledtest_domain::report::Counts;

/// What is added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub reports: i64,
    pub tests: i64,
    pub passed: i64,
    pub failed: i64,
    pub skipped: i64,
    pub pending: i64,
    pub other: i64,
    pub flaky: i64,
    pub duration_ms: i64,
    pub durations: [i64; RANGES.len() + 1],
}

impl Sums {
    /// Of one report, whose results are still to be added.
    pub fn of(counts: &Counts) -> Self {
        Self {
            reports: 1,
            tests: saturate8(counts.tests),
            passed: saturate8(counts.passed),
            failed: saturate8(counts.failed),
            skipped: saturate8(counts.skipped),
            pending: saturate8(counts.pending),
            other: saturate8(counts.other),
            flaky: saturate8(counts.flaky),
            ..Self::default()
        }
    }

    pub fn add_result(&mut self, said: &Said) {
        self.duration_ms = self.duration_ms.saturating_add(said.duration_ms);
        self.durations[range(said.duration_ms)] += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.numbers_mut().into_iter().zip(other.numbers()) {
            *sum = sum.saturating_add(more);
        }
        for (sum, more) in self.durations.iter_mut().zip(other.durations) {
            *sum = sum.saturating_add(more);
        }
    }

    /// In the order of the columns.
    pub fn numbers(&self) -> [i64; 9] {
        let Self { reports, tests, passed, failed, skipped, pending, other, flaky, duration_ms, .. } = *self;
        [reports, tests, passed, failed, skipped, pending, other, flaky, duration_ms]
    }

    fn numbers_mut(&mut self) -> [&mut i64; 9] {
        let Self { reports, tests, passed, failed, skipped, pending, other, flaky, duration_ms, .. } = self;
        [reports, tests, passed, failed, skipped, pending, other, flaky, duration_ms]
    }
}
