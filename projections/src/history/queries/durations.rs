//! Since when a test takes longer, or less long: change points of the durations that a series keeps.

use super::test::Point;
use crate::history::seen::{Entry, Seen};
use scaledtest_insight::{changepoint::duration_changes, durations};
use std::collections::HashMap;

/// Where a test's duration changed for good. As everywhere, durations are those of first attempts that passed.
#[derive(Debug, Clone)]
pub struct DurationShift {
    /// The first run of the new duration, most likely.
    pub at: Point,
    /// The first run of it, at the earliest (99 %).
    pub earliest: Point,
    /// The first run of it, at the latest (99 %).
    pub latest: Point,
    /// The last run that is surely before it; none if the series keeps no duration from so far back.
    pub before: Option<Point>,
    /// Medians before and after, milliseconds, within 6 %.
    pub medians_ms: (f64, f64),
}

/// The durations that are kept, milliseconds, by the number of their report: those of the newest runs that passed at once.
pub(super) fn timed(entries: &[Entry], codes: &[u8]) -> HashMap<u32, u32> {
    let passed = entries.iter().rev().filter(|entry| entry.seen == Seen::Passed);
    let ms = |code: &u8| u32::try_from(durations::decode(*code)).unwrap_or(u32::MAX);
    passed.zip(codes.iter().rev()).map(|(entry, code)| (entry.seq, ms(code))).collect()
}

/// The changes among them, newest first.
pub(super) fn shifts(timed: &HashMap<u32, u32>, points: &HashMap<u32, Point>) -> Vec<DurationShift> {
    let mut runs: Vec<(&Point, u32)> =
        timed.iter().filter_map(|(seq, ms)| points.get(seq).map(|point| (point, *ms))).collect();
    runs.sort_unstable_by_key(|(point, _)| point.order());
    let durations: Vec<u32> = runs.iter().map(|(_, ms)| *ms).collect();
    let point = |index: usize| runs.get(index).map(|(point, _)| (*point).clone());
    let shift = |change: scaledtest_insight::changepoint::DurationChange| {
        Some(DurationShift {
            at: point(change.at)?,
            earliest: point(change.earliest)?,
            latest: point(change.latest)?,
            before: change.earliest.checked_sub(1).and_then(point),
            medians_ms: (change.before_ms, change.after_ms),
        })
    };
    duration_changes(&durations).into_iter().rev().filter_map(shift).collect()
}
