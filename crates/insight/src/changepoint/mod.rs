//! Since when a test fails: Bayesian change points as in LUCI's analysis service (re-implemented from its description).
//!
//! A segment's marginal likelihood is `ln L(x, n) = ln B(α+x, β+n−x) − ln B(α, β)`, once for "the run had a failure" with
//! Beta(0.3, 0.5) and once for "it failed again when it was retried" with Beta(0.5, 0.5). A split is accepted if
//! `ln L(left) + ln L(right) − ln L(all) + ln 10⁻⁴ > 0`, and of all ways to split the one with the largest sum is taken.
//! Only places where the result changes can be best. After 20 clean runs it takes 4 failing ones, after 50 to 100 three,
//! after 500 two.
//!
//! Ours beside it is the rise: a segment with no failure in its first m ≥ 50 runs and x failures in the n from there on, at least
//! four, is split there if `ln L(0, m) + ln R(x, n) − ln L(x, m + n) > ln 10³`, where R has the prior Beta(2, 8): between 4
//! and 43 % of the runs fail (90 %). Beta(0.3, 0.5) has its mass near 0 and 1 and expects such a rate least.

mod duration;

use crate::{
    Mass, Observation,
    special::{RETRY_FAILS, RISEN_RUN_FAILS, RUN_FAILS, SequenceLikelihood},
};
pub use duration::{DurationChange, duration_changes};
use serde::{Deserialize, Serialize};

/// ln 10⁻⁴: what a split has to win by.
const LN_THRESHOLD: f64 = -9.210_340_371_976_182;
/// ln 10⁻³: what a rise has to win by. At no steady rate is it a false alarm once in 10,000 runs.
const LN_RISE_THRESHOLD: f64 = -6.907_755_278_982_137;
/// Failures from which it may be a rise. After fewer a test that fails always from now on is found, and in its place.
const LEAST_RISE: u32 = 4;
/// Runs without a failure before it. A window that slides over a test that fails often starts with shorter ones by chance.
const LEAST_CLEAN: usize = 50;
/// Changes of result up to which the best segmentation is searched for; beyond, it is approached split by split.
const MOST_EXACT: usize = 150;
/// Left out at either end of the interval for a start.
const TAIL: f64 = 0.005;
/// Share of failing runs from which a segment is failing.
pub const FAILING: f64 = 0.8;
/// Share of failing runs up to which a segment is clean again.
pub const CLEAN: f64 = 0.15;

/// A stretch of a series with one probability of failing. Indices are those of the slice of observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// First observation, the likeliest.
    pub start: usize,
    /// Behind the last one.
    pub end: usize,
    /// With 99 % it starts at or after this one.
    pub earliest: usize,
    /// With 99 % it starts at or before this one.
    pub latest: usize,
    /// Runs, without outages.
    pub runs: u32,
    /// Runs with a failed attempt.
    pub with_failure: u32,
    /// Runs in which every attempt failed.
    pub failed: u32,
    /// Runs in which it failed and was retried.
    pub retried: u32,
}

impl Segment {
    /// Share of runs in which every attempt failed.
    pub fn fail_share(&self) -> f64 {
        if self.runs == 0 { 0.0 } else { f64::from(self.failed) / f64::from(self.runs) }
    }

    /// Share of runs with a failed attempt.
    pub fn failure_share(&self) -> f64 {
        if self.runs == 0 { 0.0 } else { f64::from(self.with_failure) / f64::from(self.runs) }
    }
}

/// What changed between two segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// It fails in 80 % of the runs or more since then.
    StartedFailing,
    /// It failed in 80 % of the runs or more, and in at most 15 % since then.
    Fixed,
    /// It fails more often.
    Worse,
    /// It fails less often.
    Better,
}

/// A change point. "Between" reads: after observation `earliest − 1`, at the latest with `latest`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// First observation of the new segment, the likeliest.
    pub at: usize,
    /// Start of the 99 % interval.
    pub earliest: usize,
    /// End of the 99 % interval, included.
    pub latest: usize,
    /// What it is.
    pub shift: Shift,
    /// Share of runs with a failed attempt before.
    pub before: f64,
    /// And after.
    pub after: f64,
}

/// The segments of a series, in order, covering it; outages are passed over. Empty for a series without observations.
pub fn segments(observations: &[Observation]) -> Vec<Segment> {
    let counts = Counts::new(observations);
    let n = counts.index.len();
    if n == 0 {
        return Vec::new();
    }
    let bounds = if counts.transitions.len() <= MOST_EXACT { counts.best_bounds(n) } else { counts.greedy_bounds(n) };
    let bounds = counts.with_rises(&bounds);
    (1..bounds.len()).map(|i| counts.segment(&bounds, i, observations.len())).collect()
}

/// The change points between segments.
pub fn changes(segments: &[Segment]) -> Vec<Change> {
    let pairs = segments.windows(2);
    pairs
        .map(|pair| {
            let (old, new) = (&pair[0], &pair[1]);
            let shift = if new.fail_share() >= FAILING && old.fail_share() < FAILING {
                Shift::StartedFailing
            } else if old.fail_share() >= FAILING && new.fail_share() <= CLEAN {
                Shift::Fixed
            } else if new.failure_share() > old.failure_share() || new.fail_share() > old.fail_share() {
                Shift::Worse
            } else {
                Shift::Better
            };
            let (before, after) = (old.failure_share(), new.failure_share());
            Change { at: new.start, earliest: new.earliest, latest: new.latest, shift, before, after }
        })
        .collect()
}

/// Whether `k` failing runs right after `clean` passing ones (and nothing else) are a change point.
pub fn is_jump(clean: u32, k: u32) -> bool {
    if clean == 0 || k == 0 {
        return false;
    }
    let fails = &*RUN_FAILS;
    fails.ln(0, clean) + fails.ln(k, k) - fails.ln(k, clean.saturating_add(k)) + LN_THRESHOLD > 0.0
}

/// Running counts over the observations that are no outage.
struct Counts {
    /// Index of each in the slice.
    index: Vec<usize>,
    /// Before each, and after the last: how many had a failure, failed, were retried after a failure, failed again.
    sums: Vec<[u32; 4]>,
    /// Places where something differs from the one before.
    transitions: Vec<usize>,
    /// Looked up so often that asking each time whether they are made already would tell.
    run_fails: &'static SequenceLikelihood,
    retry_fails: &'static SequenceLikelihood,
}

impl Counts {
    fn new(observations: &[Observation]) -> Self {
        let n = observations.len();
        let mut sums = Vec::with_capacity(n + 1);
        sums.push([0; 4]);
        let (index, transitions) = (Vec::with_capacity(n), Vec::new());
        let mut counts = Self { index, sums, transitions, run_fails: &RUN_FAILS, retry_fails: &RETRY_FAILS };
        let (mut last, mut sum) = (None, [0u32; 4]);
        for (index, seen) in observations.iter().enumerate().filter(|(_, seen)| seen.mass != Mass::Outage) {
            let retried = seen.had_failure() && seen.attempts() > 1;
            let kind = [seen.had_failure(), seen.failed(), retried, seen.failed() && retried];
            if last.is_some_and(|last| last != kind) {
                counts.transitions.push(counts.index.len());
            }
            last = Some(kind);
            counts.index.push(index);
            sum.iter_mut().zip(kind).for_each(|(sum, yes)| *sum += u32::from(yes));
            counts.sums.push(sum);
        }
        counts
    }

    fn between(&self, from: usize, to: usize) -> [u32; 4] {
        let (before, after) = (&self.sums[from], &self.sums[to]);
        std::array::from_fn(|i| after[i] - before[i])
    }

    fn ln_likelihood(&self, from: usize, to: usize) -> f64 {
        let [with_failure, _, retried, failed_again] = self.between(from, to);
        let ln = self.run_fails.ln(with_failure, (to - from) as u32);
        if retried == 0 { ln } else { ln + self.retry_fails.ln(failed_again, retried) }
    }

    /// The bounds with the largest sum of likelihoods less the threshold for each change, by dynamic programming
    /// (Jackson and others, 2005). Finds a regression that was repaired soon, which no single split betters.
    fn best_bounds(&self, n: usize) -> Vec<usize> {
        let ends: Vec<usize> = self.transitions.iter().copied().chain([n]).collect();
        // By end: the best sum, and where its last segment begins (0, or the end before).
        let mut best: Vec<(f64, Option<usize>)> = Vec::with_capacity(ends.len());
        for end in &ends {
            let mut found = (self.ln_likelihood(0, *end), None);
            for (i, before) in best.iter().enumerate() {
                let sum = before.0 + self.ln_likelihood(ends[i], *end) + LN_THRESHOLD;
                if sum > found.0 {
                    found = (sum, Some(i));
                }
            }
            best.push(found);
        }
        let mut bounds = vec![n];
        let mut last = best.last().and_then(|found| found.1);
        while let Some(i) = last {
            bounds.push(ends[i]);
            last = best[i].1;
        }
        bounds.push(0);
        bounds.reverse();
        bounds
    }

    /// The same split by split, for series that go back and forth so often that trying all would cost too much.
    fn greedy_bounds(&self, n: usize) -> Vec<usize> {
        let mut bounds = vec![0, n];
        let mut open = vec![(0, n)];
        while let Some((from, to)) = open.pop() {
            if let Some(split) = self.best_split(from, to) {
                bounds.push(split);
                open.extend([(from, split), (split, to)]);
            }
        }
        bounds.sort_unstable();
        bounds
    }

    fn best_split(&self, from: usize, to: usize) -> Option<usize> {
        let first = self.transitions.partition_point(|place| *place <= from);
        let places = self.transitions[first..].iter().copied().take_while(|place| *place < to);
        let whole = self.ln_likelihood(from, to);
        let mut best = (LN_THRESHOLD.abs(), None);
        for place in places {
            let gain = self.ln_likelihood(from, place) + self.ln_likelihood(place, to) - whole;
            if gain > best.0 {
                best = (gain, Some(place));
            }
        }
        best.1
    }

    /// The bounds, and where between two of them a rise begins: at the first failure of a segment that was clean until then.
    fn with_rises(&self, bounds: &[usize]) -> Vec<usize> {
        let rises = bounds.windows(2).filter_map(|pair| self.rise(pair[0], pair[1]));
        let mut all: Vec<usize> = bounds.iter().copied().chain(rises).collect();
        all.sort_unstable();
        all
    }

    fn rise(&self, from: usize, to: usize) -> Option<usize> {
        let first = self.transitions.partition_point(|place| *place <= from);
        let at = self.transitions.get(first).copied().filter(|at| *at < to)?;
        let (clean, risen) = (self.between(from, at), self.between(at, to));
        if at - from < LEAST_CLEAN || clean[0] > 0 || risen[0] < LEAST_RISE {
            return None;
        }
        // What retries say is the same on both sides: all of it is in the rise.
        let [before, after, all] = [at - from, to - at, to - from].map(|runs| runs as u32);
        let gain = RUN_FAILS.ln(0, before) + RISEN_RUN_FAILS.ln(risen[0], after) - RUN_FAILS.ln(risen[0], all);
        (gain + LN_RISE_THRESHOLD > 0.0).then_some(at)
    }

    fn segment(&self, bounds: &[usize], i: usize, length: usize) -> Segment {
        let (from, to) = (bounds[i - 1], bounds[i]);
        let (earliest, latest) = if i == 1 { (0, 0) } else { self.interval(bounds[i - 2], from, to) };
        let [with_failure, failed, retried, _] = self.between(from, to);
        Segment {
            start: if i == 1 { 0 } else { self.index[from] },
            end: self.index.get(to).copied().unwrap_or(length),
            earliest: if i == 1 { 0 } else { self.index[earliest] },
            latest: if i == 1 { 0 } else { self.index[latest] },
            runs: (to - from) as u32,
            with_failure,
            failed,
            retried,
        }
    }

    /// Where the start at `at`, between the segments' outer ends, lies with 99 %.
    fn interval(&self, from: usize, at: usize, to: usize) -> (usize, usize) {
        let top = self.ln_likelihood(from, at) + self.ln_likelihood(at, to);
        let weights: Vec<f64> = (from + 1..to)
            .map(|place| (self.ln_likelihood(from, place) + self.ln_likelihood(place, to) - top).exp())
            .collect();
        let total: f64 = weights.iter().sum();
        let (mut sum, mut earliest, mut latest) = (0.0, at, at);
        for (i, weight) in weights.iter().enumerate() {
            if sum <= TAIL * total && sum + weight > TAIL * total {
                earliest = from + 1 + i;
            }
            if sum < (1.0 - TAIL) * total {
                latest = from + 1 + i;
            }
            sum += weight;
        }
        (earliest.min(at), latest.max(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::testing::{any_series, series};
    use proptest::prelude::*;

    fn found(letters: &str) -> Vec<(usize, Shift)> {
        changes(&segments(&series(letters, 10))).iter().map(|change| (change.at, change.shift)).collect()
    }

    fn need(clean: usize) -> usize {
        (1..).find(|k| found(&("P".repeat(clean) + &"F".repeat(*k))) == [(clean, Shift::StartedFailing)]).unwrap()
    }

    #[test]
    fn failing_runs_needed_after_clean_ones() {
        assert_eq!([10, 20, 50, 100, 500].map(need), [6, 4, 3, 3, 2]);
        // What always fails is found as without the rise.
        for clean in (1..60).chain((60..1_000).step_by(47)) {
            let k = need(clean) as u32;
            assert!(is_jump(clean as u32, k) && !is_jump(clean as u32, k - 1));
        }
    }

    #[test]
    fn a_regression_and_its_fix_are_two_changes() {
        let letters = "P".repeat(60) + &"F".repeat(10) + &"P".repeat(40);
        assert_eq!(found(&letters), [(60, Shift::StartedFailing), (70, Shift::Fixed)]);
        let segments = segments(&series(&letters, 10));
        assert!(segments[1].earliest >= 57 && segments[1].latest <= 62, "{segments:?}");
        assert_eq!((segments[1].start, segments[1].end, segments[1].runs, segments[1].failed), (60, 70, 10, 10));
    }

    #[test]
    fn an_uncertain_start_has_a_wide_interval() {
        let letters = "P".repeat(200) + &"PPPPF".repeat(20);
        let segments = segments(&series(&letters, 10));
        let last = segments.last().unwrap();
        assert!(last.earliest < last.start && last.start <= 204 && last.latest >= 204, "{last:?}");
    }

    #[test]
    fn a_clean_test_that_begins_to_fail_sometimes_is_a_change_soon() {
        let (clean, rises) = ("P".repeat(100), "PPPPFPPPPFPPPPFPPPPF");
        assert_eq!(found(&(clean.clone() + rises)), [(104, Shift::Worse)]);
        assert_eq!(found(&(clean.clone() + &rises[..15])), [], "three may be one accident");
        assert_eq!(found(&("P".repeat(40) + rises)), [], "nothing rare after 44 passes");
        assert_eq!(found(&("F".repeat(30) + &clean + rises)), [(30, Shift::Fixed), (134, Shift::Worse)]);
        let (back, last) = ("PF".repeat(80), "P".repeat(100));
        let long = found(&(clean + &back + &last + rises));
        assert_eq!(long.last(), Some(&(364, Shift::Worse)), "split by split too: {long:?}");
    }

    #[test]
    fn outages_are_passed_over() {
        assert_eq!(found(&("P".repeat(60) + "XXXX" + &"P".repeat(10))), []);
        let segments = segments(&series(&("P".repeat(60) + "XX" + "FFFFF"), 10));
        assert_eq!((segments[0].end, segments[1].start, segments[1].runs), (62, 62, 5));
    }

    #[test]
    fn retries_that_begin_to_fail_too_are_a_change() {
        let mut runs = series(&("PPPPf".repeat(30) + &"PPPPF".repeat(20)), 10);
        runs.iter_mut().filter(|run| run.failed()).for_each(|run| run.fails = 2);
        let changes = changes(&segments(&runs));
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert!((145..=154).contains(&changes[0].at) && changes[0].shift == Shift::Worse, "{changes:?}");
    }

    proptest! {
        #[test]
        fn segments_cover_any_series(series in any_series()) {
            let segments = segments(&series);
            if let (Some(first), Some(last)) = (segments.first(), segments.last()) {
                prop_assert_eq!((first.start, last.end), (0, series.len()));
            } else {
                prop_assert!(series.iter().all(|seen| seen.mass == Mass::Outage));
            }
            prop_assert!(segments.windows(2).all(|pair| pair[0].end == pair[1].start));
            for segment in &segments {
                prop_assert!(segment.earliest <= segment.start && segment.start <= segment.latest);
                prop_assert!(segment.latest < segment.end && segment.failed <= segment.with_failure);
            }
            prop_assert!(changes(&segments).iter().all(|change| change.before.is_finite() && change.after.is_finite()));
        }
    }
}
