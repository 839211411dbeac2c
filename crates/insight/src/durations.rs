//! Durations in one byte, their percentiles and their distribution.
//!
//! A code is exact below 16 ms; above, every doubling has eight steps, so that the middle of a code's range is at most
//! 6.25 % away. Code 255 begins at 186 days.

use serde::{Deserialize, Serialize};

/// Durations below are kept exactly, milliseconds.
const EXACT: u32 = 16;

/// The code of a duration in milliseconds; negative ones are 0.
pub fn encode(duration_ms: i64) -> u8 {
    let Ok(ms) = u64::try_from(duration_ms) else { return 0 };
    if ms < u64::from(EXACT) {
        return ms as u8;
    }
    let octave = ms.ilog2();
    let step = (ms >> (octave - 3)) & 7;
    u8::try_from(u64::from(EXACT + (octave - 4) * 8) + step).unwrap_or(u8::MAX)
}

/// Where a code begins, milliseconds.
pub fn lower_bound(code: u8) -> u64 {
    let code = u32::from(code);
    if code < EXACT {
        return u64::from(code);
    }
    let (octave, step) = ((code - EXACT) / 8 + 4, (code - EXACT) % 8);
    u64::from(8 + step) << (octave - 3)
}

/// The duration that a code stands for: the middle of its range, milliseconds.
pub fn decode(code: u8) -> u64 {
    let low = lower_bound(code);
    if u32::from(code) < EXACT {
        return low;
    }
    let width = 1u64 << (low.ilog2() - 3);
    low + width / 2
}

/// The percentile (0 to 100) of durations by the nearest rank, milliseconds; `None` without any. Meant for the last 20
/// to 50 first attempts that passed: failing ones end early.
pub fn percentile(codes: &[u8], percent: f64) -> Option<u64> {
    let mut sorted = codes.to_vec();
    sorted.sort_unstable();
    sorted.get(rank(percent, sorted.len() as u64)? as usize).map(|code| decode(*code))
}

/// Index of the percentile among n sorted values.
fn rank(percent: f64, n: u64) -> Option<u64> {
    let percent = if percent.is_nan() { 50.0 } else { percent.clamp(0.0, 100.0) };
    (n > 0).then(|| ((percent / 100.0 * n as f64).ceil() as u64).clamp(1, n) - 1)
}

/// A distribution of durations: counts by code, sparse, mergeable in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Code and count, by code.
    counts: Vec<(u8, u64)>,
}

impl Histogram {
    /// From codes and counts in any order.
    pub fn from_counts(counts: impl IntoIterator<Item = (u8, u64)>) -> Self {
        let mut histogram = Self::default();
        counts.into_iter().for_each(|(code, count)| histogram.add(code, count));
        histogram
    }

    /// Adds `count` durations of a code.
    pub fn add(&mut self, code: u8, count: u64) {
        if count == 0 {
            return;
        }
        match self.counts.binary_search_by_key(&code, |entry| entry.0) {
            Ok(i) => self.counts[i].1 = self.counts[i].1.saturating_add(count),
            Err(i) => self.counts.insert(i, (code, count)),
        }
    }

    /// Adds another one.
    pub fn merge(&mut self, other: &Self) {
        other.counts.iter().for_each(|(code, count)| self.add(*code, *count));
    }

    /// Code and count, by code.
    pub fn counts(&self) -> &[(u8, u64)] {
        &self.counts
    }

    /// How many durations.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, entry| sum.saturating_add(entry.1))
    }

    /// As [`percentile`].
    pub fn percentile(&self, percent: f64) -> Option<u64> {
        let mut rank = rank(percent, self.total())?;
        for (code, count) in &self.counts {
            if rank < *count {
                return Some(decode(*code));
            }
            rank -= count;
        }
        self.counts.last().map(|(code, _)| decode(*code))
    }

    /// How many durations lie in `from..to` milliseconds; a code counts where its middle is.
    pub fn between(&self, from_ms: u64, to_ms: u64) -> u64 {
        let inside = self.counts.iter().filter(|(code, _)| (from_ms..to_ms).contains(&decode(*code)));
        inside.fold(0, |sum, entry| sum.saturating_add(entry.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_are_ascending_and_come_back() {
        for code in 0..=u8::MAX {
            assert_eq!(encode(lower_bound(code) as i64), code);
            assert_eq!(encode(decode(code) as i64), code);
        }
        assert_eq!([encode(-5), encode(0), encode(15), encode(16), encode(i64::MAX)], [0, 0, 15, 16, 255]);
    }

    #[test]
    fn percentiles_by_nearest_rank() {
        let codes: Vec<u8> = (1..=10).map(encode).collect();
        assert_eq!(percentile(&codes, 50.0), Some(5));
        assert_eq!(percentile(&codes, 95.0), Some(10));
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn a_histogram_counts_ranges() {
        let histogram = Histogram::from_counts([50, 150, 600, 2_000, 50].map(|ms| (encode(ms), 1)));
        assert_eq!((histogram.between(0, 100), histogram.between(100, 500), histogram.total()), (2, 1, 5));
    }

    proptest! {
        #[test]
        fn at_most_a_sixteenth_off(ms in 0i64..17_000_000_000) {
            let back = decode(encode(ms)) as f64;
            prop_assert!((back - ms as f64).abs() <= 0.0625 * ms as f64 + 1e-9, "{ms} {back}");
        }

        #[test]
        fn merging_is_adding(left in proptest::collection::vec(any::<u8>(), 0..50), right in proptest::collection::vec(any::<u8>(), 1..50), p in 0.0f64..100.0) {
            let histogram = |codes: &[u8]| Histogram::from_counts(codes.iter().map(|code| (*code, 1)));
            let mut merged = histogram(&left);
            merged.merge(&histogram(&right));
            let all = [left, right].concat();
            prop_assert_eq!(&merged, &histogram(&all));
            prop_assert_eq!(merged.percentile(p), percentile(&all, p));
        }
    }
}
