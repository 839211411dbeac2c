//! Runs in which something other than the tests went wrong.

use serde::{Deserialize, Serialize};

/// How a run failed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mass {
    /// As runs do.
    #[default]
    Ordinary,
    /// Clearly more than usual, as when one file's service was away or a commit broke a module: no evidence of
    /// flakiness, but it counts for regressions and broken tests.
    Unusual,
    /// An outage: counts for nothing, and its failures are `infra`.
    Outage,
}

/// Passed and failed tests of a complete run; a test that passed on retry passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunCounts {
    /// Tests that failed.
    pub failed: u32,
    /// Tests that passed or failed.
    pub ran: u32,
}

impl RunCounts {
    /// Share of failed tests; 0 if none ran.
    pub fn share(self) -> f64 {
        if self.ran == 0 { 0.0 } else { f64::from(self.failed.min(self.ran)) / f64::from(self.ran) }
    }
}

/// A share of failures that no suite has by itself (Trunk).
pub const OUTAGE_SHARE: f64 = 0.8;
/// Points above the suite's usual share from which it is an outage.
const OUTAGE_POINTS: f64 = 0.2;
/// Points above the suite's usual share from which it is unusual.
const UNUSUAL_POINTS: f64 = 0.01;
/// Failing tests more than usual, at least: a handful of tests is no mass.
const EXTRA_TESTS: f64 = 5.0;
/// Runs that say what is usual, at most.
pub const COMPARED: usize = 20;
/// Runs needed to know what is usual.
const BASELINE_RUNS: usize = 5;

/// Judges a run by the runs before it on the same branch (newest last, any kind; the last 20 are used).
///
/// An outage when more than 80 % failed; else, with five runs to compare to, when the failing share is more than three
/// scaled median absolute deviations (3 · 1.4826 · MAD), five tests and 20 points above the median: unusual with one point.
/// A commit that breaks many tests for good becomes the usual after some ten runs.
pub fn judge(run: RunCounts, earlier: &[RunCounts]) -> Mass {
    if run.ran >= 2 && run.share() > OUTAGE_SHARE {
        return Mass::Outage;
    }
    let recent = &earlier[earlier.len().saturating_sub(COMPARED)..];
    if recent.len() < BASELINE_RUNS || f64::from(run.failed) < EXTRA_TESTS {
        return Mass::Ordinary;
    }
    let mut shares = [0.0; COMPARED];
    let shares = &mut shares[..recent.len()];
    shares.iter_mut().zip(recent).for_each(|(share, run)| *share = run.share());
    let usual = middle(shares);
    shares.iter_mut().for_each(|share| *share = (*share - usual).abs());
    let spread = 1.4826 * middle(shares);
    let extra = run.share() - usual;
    if extra <= 3.0 * spread || extra * f64::from(run.ran) < EXTRA_TESTS {
        Mass::Ordinary
    } else if extra >= OUTAGE_POINTS {
        Mass::Outage
    } else if extra >= UNUSUAL_POINTS {
        Mass::Unusual
    } else {
        Mass::Ordinary
    }
}

/// The middle of a list, 0 if it is empty.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    middle(&mut values)
}

/// The same, which sorts them.
fn middle(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => 0.0,
        _ if n % 2 == 1 => values[n / 2],
        _ => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn runs(failed: &[u32], ran: u32) -> Vec<RunCounts> {
        failed.iter().map(|&failed| RunCounts { failed, ran }).collect()
    }

    #[test]
    fn almost_everything_failing_is_an_outage_without_any_history() {
        assert_eq!(judge(RunCounts { failed: 9, ran: 10 }, &[]), Mass::Outage);
        assert_eq!(judge(RunCounts { failed: 8, ran: 10 }, &[]), Mass::Ordinary);
        assert_eq!(judge(RunCounts { failed: 1, ran: 1 }, &[]), Mass::Ordinary);
    }

    #[test]
    fn a_small_suite_is_compared_with_itself() {
        let usual = runs(&[1, 1, 2, 3, 4, 1], 40);
        assert_eq!(judge(RunCounts { failed: 6, ran: 40 }, &usual), Mass::Ordinary);
        assert_eq!(judge(RunCounts { failed: 8, ran: 40 }, &usual), Mass::Unusual);
        assert_eq!(judge(RunCounts { failed: 16, ran: 40 }, &usual), Mass::Outage);
        assert_eq!(judge(RunCounts { failed: 16, ran: 40 }, &usual[..4]), Mass::Ordinary);
    }

    #[test]
    fn a_large_suite_that_loses_one_file_is_unusual() {
        let usual = runs(&[8, 11, 9, 14, 10, 12], 1_000);
        assert_eq!(judge(RunCounts { failed: 55, ran: 1_000 }, &usual), Mass::Unusual);
        assert_eq!(judge(RunCounts { failed: 20, ran: 1_000 }, &usual), Mass::Ordinary);
    }

    #[test]
    fn what_stays_broken_becomes_usual() {
        let mut history = runs(&[1; 20], 100);
        for _ in 0..11 {
            history.push(RunCounts { failed: 30, ran: 100 });
        }
        assert_eq!(judge(RunCounts { failed: 30, ran: 100 }, &history), Mass::Ordinary);
    }

    proptest! {
        #[test]
        fn total(failed in any::<u32>(), ran in any::<u32>(), rest in proptest::collection::vec(any::<(u32, u32)>(), 0..30)) {
            let rest: Vec<RunCounts> = rest.into_iter().map(|(failed, ran)| RunCounts { failed, ran }).collect();
            judge(RunCounts { failed, ran }, &rest);
        }
    }
}
