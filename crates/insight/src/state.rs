//! Healthy, flaky or broken, with hysteresis.
//!
//! | state | entered | left |
//! |---|---|---|
//! | broken | 6 of the last 10 runs failed with at most one pass after the first of them; or a change point: k failing runs after a clean stretch | 3 of the last 5 runs passed |
//! | flaky | 2 flaky verdicts within 14 days (28 if these hold fewer than 100 runs), and in at least 1 % of these runs; or 2 at any time, and the lower bound of the flakiness score is above 1 % | 14 days without one, and 30 passes |
//! | healthy | else | |
//!
//! Starting values as in LUCI, Trunk and Codecov. Broken goes before flaky: a broken test is never flaky. A test that is
//! known to be flaky is broken only when chance does not explain the failures: `r^k ≤ 10⁻³`, with r its failing share
//! before and k the failing runs in a row.

use crate::{
    DAY, Mass, Observation,
    changepoint::{self, FAILING, Segment},
    evidence::Evidence,
    flakiness::Score,
};
use serde::{Deserialize, Serialize};

/// The state of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing speaks against it.
    #[default]
    Healthy,
    /// It fails although nothing is wrong.
    Flaky,
    /// It fails.
    Broken,
}

impl State {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Flaky => "flaky",
            Self::Broken => "broken",
        }
    }
}

/// The rule that decided, with the numbers that it saw.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// Nothing was found.
    Clean,
    /// Flaky verdicts within a window.
    FlakyVerdicts {
        /// Verdicts.
        verdicts: u32,
        /// Runs in the window.
        runs: u32,
        /// Its length.
        days: u32,
    },
    /// Flaky verdicts a while ago: not yet 14 days and 30 passes without one.
    Recovering {
        /// Passes since the last verdict.
        passes: u32,
    },
    /// The lower bound of the flakiness score.
    Score {
        /// The bound.
        low: f64,
    },
    /// Failing runs among the last ten.
    FailingRuns {
        /// How many failed.
        failed: u32,
        /// Of how many.
        runs: u32,
    },
    /// A change point: the current segment fails.
    ChangePoint {
        /// Failing runs of the segment.
        failed: u32,
        /// Its runs.
        runs: u32,
    },
}

impl Rule {
    /// The formula in words, for people.
    pub fn formula(&self) -> String {
        match self {
            Self::Clean => "no rule applies".to_owned(),
            Self::FlakyVerdicts { verdicts, runs, days } => {
                format!("{verdicts} flaky verdicts in {runs} runs within {days} days (at least 2, and 1 %)")
            }
            Self::Recovering { passes } => {
                format!("{passes} passes since the last flaky verdict (until 14 days and 30 passes)")
            }
            Self::Score { low } => format!("95 % sure to fail by chance in more than {:.1} % (1 %)", low * 100.0),
            Self::FailingRuns { failed, runs } => format!("{failed} of the last {runs} runs failed (6 of 10)"),
            Self::ChangePoint { failed, runs } => {
                format!("{failed} of {runs} runs failed since the change point (80 %, chance below 1 in 10,000)")
            }
        }
    }
}

/// What the fold comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The state at the newest observation.
    pub state: State,
    /// Since when, seconds since the epoch; `None` if it was never anything else.
    pub since: Option<i64>,
    /// Why.
    pub rule: Rule,
}

/// Window of flaky verdicts, and the longer one of tests that run seldom.
const WINDOWS: [i64; 2] = [14, 28];
/// Runs below which the longer window is used.
const ENOUGH_RUNS: u32 = 100;
/// Without evidence for so long, and so many passes, a test has recovered.
const RECOVERY: (i64, u32) = (14 * DAY, 30);
/// Share of the runs that flaky verdicts have to reach, and the score's lower bound.
const LEAST_RATE: f64 = 0.01;
/// Chance that is no explanation any more.
const NO_CHANCE: f64 = 1e-3;

/// The state of a series, given its [`crate::evidence::evidence`], its [`changepoint::segments`] and its score.
pub fn classify(
    observations: &[Observation],
    evidence: &[Evidence],
    segments: &[Segment],
    score: Option<&Score>,
    now: i64,
) -> Verdict {
    let mut fold = Fold::new(observations, evidence);
    for (index, seen) in observations.iter().enumerate() {
        if seen.mass != Mass::Outage {
            fold.step(index);
        }
    }
    fold.finish(segments, score, now)
}

struct Fold<'a> {
    observations: &'a [Observation],
    evidence: &'a [Evidence],
    /// Verdicts known so far.
    known: usize,
    /// For each window: the first verdict and the first observation inside it.
    windows: [(usize, usize); 2],
    /// The last runs, newest in the lowest bit; 1 is failed.
    recent: u32,
    seen: u32,
    /// Clean runs before the failing streak, and its length.
    clean: u32,
    streak: u32,
    /// Runs and failing runs before the streak.
    before: (u32, u32),
    passes_since_evidence: u32,
    flaky: Option<Rule>,
    broken: Option<Rule>,
    state: State,
    since: Option<i64>,
}

impl<'a> Fold<'a> {
    fn new(observations: &'a [Observation], evidence: &'a [Evidence]) -> Self {
        Self {
            observations,
            evidence,
            known: 0,
            windows: [(0, 0); 2],
            recent: 0,
            seen: 0,
            clean: 0,
            streak: 0,
            before: (0, 0),
            passes_since_evidence: 0,
            flaky: None,
            broken: None,
            state: State::Healthy,
            since: None,
        }
    }

    fn step(&mut self, index: usize) {
        let failed = self.observations[index].failed();
        self.count(failed);
        self.take_evidence(index);
        self.judge_flaky(self.observations[index].at, index);
        self.judge_broken(failed);
        self.settle(self.observations[index].at);
    }

    fn count(&mut self, failed: bool) {
        self.recent = (self.recent << 1) | u32::from(failed);
        self.seen += 1;
        if failed {
            self.streak += 1;
            return;
        }
        if self.streak > 0 {
            self.before = (self.before.0 + self.streak, self.before.1 + self.streak);
            (self.streak, self.clean) = (0, 0);
        }
        self.before.0 += 1;
        self.clean += 1;
        self.passes_since_evidence += 1;
    }

    fn take_evidence(&mut self, index: usize) {
        while self.evidence.get(self.known).is_some_and(|verdict| verdict.known <= index) {
            self.known += 1;
            self.passes_since_evidence = 0;
        }
    }

    fn judge_flaky(&mut self, now: i64, index: usize) {
        for (window, days) in self.windows.iter_mut().zip(WINDOWS) {
            let oldest = now.saturating_sub(days * DAY);
            let old = |i: usize| self.observations.get(i).is_some_and(|seen| seen.at < oldest);
            while window.0 < self.known && old(self.evidence[window.0].known) {
                window.0 += 1;
            }
            while window.1 < index && old(window.1) {
                window.1 += 1;
            }
        }
        let wide = usize::from(((index - self.windows[0].1 + 1) as u32) < ENOUGH_RUNS);
        let (first_verdict, first_run) = self.windows[wide];
        let (verdicts, runs) = ((self.known - first_verdict) as u32, (index - first_run + 1) as u32);
        if verdicts >= 2 && f64::from(verdicts) >= LEAST_RATE * f64::from(runs) {
            self.flaky = Some(Rule::FlakyVerdicts { verdicts, runs, days: WINDOWS[wide] as u32 });
        } else if self.flaky.is_some() {
            self.flaky = (!self.recovered(now)).then_some(Rule::Recovering { passes: self.passes_since_evidence });
        }
    }

    fn recovered(&self, now: i64) -> bool {
        let last = self.known.checked_sub(1).map_or(i64::MIN, |last| self.observations[self.evidence[last].known].at);
        now.saturating_sub(last) >= RECOVERY.0 && self.passes_since_evidence >= RECOVERY.1
    }

    fn judge_broken(&mut self, failed: bool) {
        let last = |runs: u32| (self.recent & ((1 << runs) - 1)).count_ones();
        if self.broken.is_some() && !failed && last(5) <= 2 {
            self.broken = None;
        }
        if !failed {
            return;
        }
        let runs = self.seen.min(10);
        let window = self.recent & ((1 << runs) - 1);
        let since_first_failure = u32::BITS - window.leading_zeros();
        if self.broken.is_none() && self.explained_by_chance() {
            return;
        }
        if window.count_ones() >= 6 && since_first_failure - window.count_ones() <= 1 {
            self.broken = Some(Rule::FailingRuns { failed: window.count_ones(), runs });
        } else if self.flaky.is_none() && changepoint::is_jump(self.clean, self.streak) {
            self.broken = Some(Rule::ChangePoint { failed: self.streak, runs: self.streak });
        }
    }

    /// Whether a flaky test may well fail so often in a row.
    fn explained_by_chance(&self) -> bool {
        let rate = f64::from(self.before.1 + 1) / f64::from(self.before.0 + 2);
        self.flaky.is_some() && rate.powf(f64::from(self.streak)) > NO_CHANCE
    }

    fn settle(&mut self, at: i64) {
        let state = match (self.broken, self.flaky) {
            (Some(_), _) => State::Broken,
            (None, Some(_)) => State::Flaky,
            (None, None) => State::Healthy,
        };
        if state != self.state {
            (self.state, self.since) = (state, Some(at));
        }
    }

    fn finish(mut self, segments: &[Segment], score: Option<&Score>, now: i64) -> Verdict {
        if self.broken.is_none() && self.recovered(now) && self.flaky.is_some() {
            self.flaky = None;
            self.settle(now);
        }
        let last = segments.last().filter(|last| segments.len() > 1 && last.fail_share() >= FAILING);
        if let (None, None, Some(last)) = (self.broken, self.flaky, last) {
            let at = self.observations.get(last.start).map(|seen| seen.at);
            let rule = Rule::ChangePoint { failed: last.failed, runs: last.runs };
            return Verdict { state: State::Broken, since: at, rule };
        }
        if let (State::Healthy, Some(score), Some(last)) = (self.state, score, self.evidence.last())
            && score.low > LEAST_RATE
            && self.evidence.len() >= 2
            && !self.recovered(now)
        {
            let since = Some(self.observations[last.known].at);
            return Verdict { state: State::Flaky, since, rule: Rule::Score { low: score.low } };
        }
        let rule = self.broken.or(self.flaky).unwrap_or(Rule::Clean);
        Verdict { state: self.state, since: self.since, rule }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        assess,
        flakiness::Prior,
        observation::testing::{any_series, series},
    };
    use proptest::prelude::*;

    fn state(letters: &str, per_day: i64) -> (State, Rule) {
        let series = series(letters, per_day);
        let now = series.last().map_or(0, |seen| seen.at);
        let found = assess(&series, Prior::default(), now);
        (found.state, found.rule)
    }

    #[test]
    fn one_flake_is_not_enough() {
        assert_eq!(state("PPPPPPPPPPPPfPPPPPPP", 1).0, State::Healthy);
        assert_eq!(
            state("PPPPfPPPPPPPfPPPPPPP", 1),
            (State::Flaky, Rule::FlakyVerdicts { verdicts: 2, runs: 20, days: 28 })
        );
    }

    #[test]
    fn flaky_needs_a_share_of_the_runs() {
        let rare = "P".repeat(250) + "f" + &"P".repeat(30) + "f" + &"P".repeat(10);
        assert_eq!(state(&rare, 100).0, State::Healthy);
        assert_eq!(state(&rare, 10).0, State::Flaky);
    }

    #[test]
    fn a_flaky_test_recovers_after_time_and_passes() {
        let flaky = "PfPPfPPf";
        assert_eq!(state(&(flaky.to_owned() + &"P".repeat(29)), 1).0, State::Flaky);
        assert_eq!(state(&(flaky.to_owned() + &"P".repeat(30)), 1).0, State::Healthy);
        assert_eq!(state(&(flaky.to_owned() + &"P".repeat(100)), 10).0, State::Flaky, "only ten days");
    }

    #[test]
    fn six_failures_in_a_row_are_broken_and_three_passes_are_not() {
        assert_eq!(state("PPFFFFF", 1).0, State::Healthy);
        assert_eq!(state("PPFFFFFF", 1).0, State::Broken);
        assert_eq!(state("FFFFFF", 1), (State::Broken, Rule::FailingRuns { failed: 6, runs: 6 }));
        assert_eq!(state("PPFFFFFFFFPP", 1).0, State::Broken);
        assert_eq!(state("PPFFFFFFFFPPP", 1).0, State::Healthy);
    }

    #[test]
    fn after_a_long_clean_history_three_failures_are_broken() {
        let clean = "P".repeat(60);
        assert_eq!(state(&(clean.clone() + "FF"), 1).0, State::Healthy);
        assert_eq!(state(&(clean + "FFF"), 1), (State::Broken, Rule::ChangePoint { failed: 3, runs: 3 }));
    }

    #[test]
    fn a_test_that_goes_both_ways_is_flaky_not_broken() {
        assert_eq!(state(&"PFFPFPPFPFFFPPFPFF".repeat(3), 1).0, State::Flaky);
        assert_eq!(state(&("PPFPPFPPPFP".to_owned() + &"F".repeat(12)), 1).0, State::Broken);
    }

    #[test]
    fn outages_change_nothing() {
        assert_eq!(state("PPPPPPXXXXXXXXXXPPPXPP", 1), (State::Healthy, Rule::Clean));
    }

    proptest! {
        #[test]
        fn total_and_consistent(series in any_series(), now in any::<i64>()) {
            let found = assess(&series, Prior::default(), now);
            prop_assert_eq!(found.state == State::Healthy, found.rule == Rule::Clean);
            prop_assert!(!found.rule.formula().is_empty());
        }

        /// What fails at every attempt from some run on, and was clean before, is never called flaky.
        #[test]
        fn a_broken_test_is_never_flaky(clean in 0usize..200, broken in 1usize..100, fails in 1u16..4) {
            let mut series = series(&("P".repeat(clean) + &"F".repeat(broken)), 10);
            series.iter_mut().filter(|seen| seen.failed()).for_each(|seen| seen.fails = fails);
            let now = series[series.len() - 1].at;
            prop_assert_ne!(assess(&series, Prior::default(), now).state, State::Flaky);
        }
    }
}
