//! What speaks for flakiness: runs in which a test failed although the code was good.

use crate::{
    Observation, Outcome,
    observation::{ByCommit, by_commit},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Why a failure is taken for a flake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// It failed and passed within one run.
    Attempt,
    /// It failed and passed in different runs of one commit.
    Commit,
    /// It failed without a second attempt in fewer than six runs in a row, and passed before and after.
    Flip,
}

/// A flaky verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Index of the failing observation.
    pub index: usize,
    /// Index of the observation that completed the verdict: not before `index`.
    pub known: usize,
    /// Which signal it is.
    pub signal: Signal,
}

/// Failing runs in a row from which it is no flip any more: as many as make a test broken.
pub const FLIP_LENGTH: usize = 6;

/// The flaky verdicts of a series, by `known`: at most one per change, per commit, and per streak of failing runs (which
/// has one cause); none in runs that failed as a whole.
pub fn evidence(observations: &[Observation]) -> Vec<Evidence> {
    evidence_by(&by_commit(observations), observations)
}

/// The same, with the commits at hand.
pub(crate) fn evidence_by(commits: &ByCommit, observations: &[Observation]) -> Vec<Evidence> {
    if observations.iter().all(|seen| !seen.had_failure()) {
        return Vec::new();
    }
    let mut found = attempt_flakes(observations);
    commit_flakes(commits, observations, &mut found);
    flips(observations, &mut found);
    found.sort_by_key(|verdict| (verdict.known, verdict.index));
    let (mut changes, mut commits) = (BTreeSet::new(), BTreeSet::new());
    let streaks = streaks(observations);
    let mut used = vec![false; observations.len() + 1];
    found.retain(|verdict| {
        let seen = &observations[verdict.index];
        let fresh = seen.change.is_none_or(|change| !changes.contains(&change))
            && seen.commit.is_none_or(|commit| !commits.contains(&commit))
            && !std::mem::replace(&mut used[streaks[verdict.index]], true);
        if fresh {
            changes.extend(seen.change);
            commits.extend(seen.commit);
        }
        fresh
    });
    found
}

/// A number for each observation: failing runs in a row share one, passes over mass failures.
fn streaks(observations: &[Observation]) -> Vec<usize> {
    let mut streak = 0;
    let mut failing = false;
    let number = |seen: &Observation| {
        if !seen.no_evidence() {
            streak += usize::from(!(failing && seen.failed()));
            failing = seen.failed();
        }
        streak
    };
    observations.iter().map(number).collect()
}

fn attempt_flakes(observations: &[Observation]) -> Vec<Evidence> {
    let flaked = |(_, seen): &(usize, &Observation)| seen.outcome == Outcome::Flaked && !seen.no_evidence();
    let flakes = observations.iter().enumerate().filter(flaked);
    flakes.map(|(index, _)| Evidence { index, known: index, signal: Signal::Attempt }).collect()
}

fn commit_flakes(commits: &ByCommit, observations: &[Observation], found: &mut Vec<Evidence>) {
    for runs in commits.known() {
        let first = |failed: bool| runs.clone().find(|i| observations[*i].failed() == failed);
        if let (Some(failed), Some(passed)) = (first(true), first(false)) {
            found.push(Evidence { index: failed, known: failed.max(passed), signal: Signal::Commit });
        }
    }
}

fn flips(observations: &[Observation], found: &mut Vec<Evidence>) {
    let mut passed_before = false;
    let (mut start, mut length, mut single) = (0, 0, true);
    for (index, seen) in observations.iter().enumerate().filter(|(_, seen)| !seen.no_evidence()) {
        if seen.failed() {
            if length == 0 {
                (start, single) = (index, true);
            }
            length += 1;
            single &= seen.attempts() == 1;
        } else {
            if passed_before && single && (1..FLIP_LENGTH).contains(&length) {
                found.push(Evidence { index: start, known: index, signal: Signal::Flip });
            }
            (passed_before, length) = (true, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::testing::{any_series, series};
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn signals(observations: &[Observation]) -> Vec<(usize, Signal)> {
        evidence(observations).iter().map(|verdict| (verdict.index, verdict.signal)).collect()
    }

    #[test]
    fn a_pass_on_retry_and_an_isolated_failure_are_evidence() {
        assert_eq!(signals(&series("PPfPFPPFFP", 1)), [(2, Signal::Attempt), (4, Signal::Flip), (7, Signal::Flip)]);
    }

    #[test]
    fn a_regression_is_none() {
        assert_eq!(signals(&series("FFPPFFFFFFPPF", 1)), []);
        let mut retried = series("PPFPP", 1);
        retried[2].fails = 3;
        assert_eq!(signals(&retried), [], "it failed at every attempt");
    }

    #[test]
    fn a_commit_that_failed_and_passed_is_evidence_once() {
        let mut runs = series("PPFPFP", 1);
        runs.iter_mut().for_each(|run| run.commit = Some(7));
        assert_eq!(signals(&runs), [(2, Signal::Commit)]);
    }

    /// One service was away in the second and third run, at commits that were run before and after.
    #[test]
    fn failing_runs_in_a_row_are_one_verdict() {
        let mut runs = series("PPFFPP", 1);
        (runs[2].commit, runs[3].commit) = (runs[1].commit, runs[4].commit);
        assert_eq!(signals(&runs), [(2, Signal::Commit)]);
    }

    #[test]
    fn one_change_gives_one_verdict() {
        let mut runs = series("PfPfPfP", 1);
        runs.iter_mut().for_each(|run| run.change = Some(7));
        assert_eq!(signals(&runs), [(1, Signal::Attempt)]);
    }

    #[test]
    fn outages_give_none() {
        assert_eq!(signals(&series("PPXPXXPP", 1)), []);
        let mut rerun = series("PPXPP", 1);
        rerun[3].commit = rerun[2].commit;
        assert_eq!(signals(&rerun), []);
    }

    proptest! {
        #[test]
        fn in_bounds_and_in_order(series in any_series()) {
            let found = evidence(&series);
            prop_assert!(found.is_sorted_by_key(|verdict| verdict.known));
            for verdict in &found {
                prop_assert!(verdict.index <= verdict.known && verdict.known < series.len());
                prop_assert!(series[verdict.index].had_failure());
            }
            let changes: Vec<u64> = found.iter().filter_map(|verdict| series[verdict.index].change).collect();
            let distinct: HashSet<u64> = changes.iter().copied().collect();
            prop_assert_eq!(changes.len(), distinct.len());
        }
    }
}
