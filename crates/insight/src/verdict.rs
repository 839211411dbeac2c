//! What a failing test means for the change that it failed on.

use crate::State;
use serde::{Deserialize, Serialize};

/// What is known of one failing test. The branch that is merged into (or the run's own branch, when it is no pull
/// request) is called the target; its runs at or before the base commit are the base.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The worker was lost, or the run is an outage ([`crate::Mass::Outage`]).
    pub infra: bool,
    /// A quarantine rule covers the test.
    pub quarantined: bool,
    /// An open ticket is linked to this failure's fingerprint (not just to the test).
    pub known_issue: bool,
    /// The test has failed with this fingerprint before, on any branch; true if the failure has no fingerprint.
    pub fingerprint_known: bool,
    /// It passed on retry, or in an earlier run of the same commit.
    pub passed_on_this_code: bool,
    /// It has run on the target.
    pub has_history: bool,
    /// The target's current segment is failing ([`crate::Assessment::failing_now`]).
    pub failing_on_target: bool,
    /// It failed with the same fingerprint in one of the last runs of the base (three; outages apart).
    pub failed_on_base: bool,
    /// State on the target.
    pub state: State,
    /// This fingerprint was seen in an earlier flake of this test.
    pub fingerprint_flaked: bool,
    /// [`crate::Assessment::flake_rate`] on the target.
    pub flake_rate: f64,
    /// Attempts that failed in this run, at least 1.
    pub failing_attempts: u16,
    /// Probability that a change breaks a given test; see [`BREAKS`].
    pub breaks: f64,
}

/// The prior for [`Facts::breaks`]: one change in 200 breaks a given test.
pub const BREAKS: f64 = 0.005;

impl Default for Facts {
    /// A first failure, once, of a test with a clean history.
    fn default() -> Self {
        Self {
            infra: false,
            quarantined: false,
            known_issue: false,
            fingerprint_known: false,
            passed_on_this_code: false,
            has_history: true,
            failing_on_target: false,
            failed_on_base: false,
            state: State::Healthy,
            fingerprint_flaked: false,
            flake_rate: 0.0,
            failing_attempts: 1,
            breaks: BREAKS,
        }
    }
}

/// What a failure is. The first that matches, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The machinery failed, not the test.
    Infra,
    /// Muted by policy.
    Quarantined,
    /// There is a ticket for it.
    KnownIssue,
    /// It passed on the same code.
    FlakyInRun,
    /// It fails without the change too.
    BrokenOnBase,
    /// A known flake failed in its known way.
    FlakyKnown,
    /// It is new and fails.
    NewTestFailing,
    /// The change broke it, with this probability.
    Regression {
        /// From 0 to 1.
        probability: f64,
    },
}

impl Verdict {
    /// The word used in JSON and in the database.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Infra => "infra",
            Self::Quarantined => "quarantined",
            Self::KnownIssue => "known_issue",
            Self::FlakyInRun => "flaky_in_run",
            Self::BrokenOnBase => "broken_on_base",
            Self::FlakyKnown => "flaky_known",
            Self::NewTestFailing => "new_test_failing",
            Self::Regression { .. } => "regression",
        }
    }

    /// One sentence for people.
    pub fn reason(&self) -> String {
        match self {
            Self::Infra => "The worker was lost, or the run failed as a whole.".to_owned(),
            Self::Quarantined => "The test is quarantined, and failed in a way that is known.".to_owned(),
            Self::KnownIssue => "A ticket is open for this failure.".to_owned(),
            Self::FlakyInRun => "It passed on the same code.".to_owned(),
            Self::BrokenOnBase => "It fails on the base too.".to_owned(),
            Self::FlakyKnown => "The test is flaky, and failed as it did before.".to_owned(),
            Self::NewTestFailing => "The test is new and fails.".to_owned(),
            Self::Regression { probability } => {
                format!("Its history is clean: a regression with {:.1} %.", probability * 100.0)
            }
        }
    }

    /// Whether it counts as a new failure: a new test that fails, or a regression that is likelier than chance.
    pub fn is_new_failure(&self) -> bool {
        match self {
            Self::NewTestFailing => true,
            Self::Regression { probability } => *probability >= 0.5,
            _ => false,
        }
    }
}

/// Judges a failing test.
///
/// A quarantined test that fails in a way never seen before is not excused, and neither is a flaky one. The regression's
/// probability is the posterior `P = π / (π + (1 − π)·f^k)` with π = [`Facts::breaks`], f the flake rate and k the failing
/// attempts: a real regression fails every time.
pub fn judge(facts: &Facts) -> Verdict {
    if facts.infra {
        Verdict::Infra
    } else if facts.quarantined && facts.fingerprint_known {
        Verdict::Quarantined
    } else if facts.known_issue {
        Verdict::KnownIssue
    } else if facts.passed_on_this_code {
        Verdict::FlakyInRun
    } else if facts.has_history && (facts.failed_on_base || facts.failing_on_target && facts.fingerprint_known) {
        Verdict::BrokenOnBase
    } else if facts.state == State::Flaky && facts.fingerprint_flaked {
        Verdict::FlakyKnown
    } else if !facts.has_history {
        Verdict::NewTestFailing
    } else {
        Verdict::Regression { probability: regression_probability(facts) }
    }
}

fn regression_probability(facts: &Facts) -> f64 {
    let share = |value: f64, default: f64| if value.is_nan() { default } else { value.clamp(1e-6, 1.0 - 1e-6) };
    let (breaks, flake_rate) = (share(facts.breaks, BREAKS), share(facts.flake_rate, 0.0));
    let by_chance = (1.0 - breaks) * flake_rate.powi(i32::from(facts.failing_attempts.max(1)));
    breaks / (breaks + by_chance)
}

/// What the verdicts of a run's failing tests come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Nothing failed, or only what passed on the same code.
    Mergeable,
    /// Something failed, but nothing that the change has done as far as is known. Holds infra failures too: what was
    /// lost is unknown, so a gate must not pass on it.
    Neutral,
    /// At least one new test fails, or a test regressed.
    Regressions,
}

impl RunOutcome {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mergeable => "mergeable",
            Self::Neutral => "neutral",
            Self::Regressions => "regressions",
        }
    }
}

/// The run's outcome. Every regression counts, however improbable: [`Verdict::Regression`] is reached only by tests that
/// nothing excuses.
pub fn outcome<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> RunOutcome {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::FlakyInRun => 0,
        Verdict::NewTestFailing | Verdict::Regression { .. } => 2,
        _ => 1,
    };
    match verdicts.into_iter().map(rank).max() {
        None | Some(0) => RunOutcome::Mergeable,
        Some(1) => RunOutcome::Neutral,
        Some(_) => RunOutcome::Regressions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_match_wins() {
        let known = Facts { fingerprint_known: true, ..Facts::default() };
        let everything = Facts {
            infra: true,
            quarantined: true,
            known_issue: true,
            passed_on_this_code: true,
            failing_on_target: true,
            state: State::Flaky,
            fingerprint_flaked: true,
            ..known
        };
        type Step = fn(&mut Facts);
        let steps: [(Step, &str); 8] = [
            (|_| {}, "infra"),
            (|facts| facts.infra = false, "quarantined"),
            (|facts| facts.quarantined = false, "known_issue"),
            (|facts| facts.known_issue = false, "flaky_in_run"),
            (|facts| facts.passed_on_this_code = false, "broken_on_base"),
            (|facts| facts.failing_on_target = false, "flaky_known"),
            (|facts| facts.state = State::Healthy, "regression"),
            (|facts| facts.has_history = false, "new_test_failing"),
        ];
        let mut facts = everything;
        for (step, expected) in steps {
            step(&mut facts);
            assert_eq!(judge(&facts).as_str(), expected);
        }
    }

    #[test]
    fn a_new_way_to_fail_is_not_excused() {
        let flaky = Facts { state: State::Flaky, flake_rate: 0.01, ..Facts::default() };
        assert!(judge(&Facts { failing_attempts: 3, ..flaky }).is_new_failure());
        assert_eq!(judge(&Facts { fingerprint_flaked: true, ..flaky }), Verdict::FlakyKnown);
        assert!(judge(&Facts { quarantined: true, failing_attempts: 2, ..flaky }).is_new_failure());
    }

    #[test]
    fn the_probability_follows_flakiness_and_attempts() {
        let probability =
            |flake_rate, failing_attempts| match judge(&Facts { flake_rate, failing_attempts, ..Facts::default() }) {
                Verdict::Regression { probability } => probability,
                other => panic!("{other:?}"),
            };
        assert!(probability(0.001, 1) > 0.8);
        assert!(probability(0.3, 1) < 0.02);
        assert!(probability(0.3, 1) < probability(0.3, 3));
        assert!(probability(0.05, 3) > 0.97);
    }

    #[test]
    fn outcomes() {
        assert_eq!(outcome([]), RunOutcome::Mergeable);
        assert_eq!(outcome([&Verdict::FlakyInRun]), RunOutcome::Mergeable);
        assert_eq!(outcome([&Verdict::FlakyInRun, &Verdict::BrokenOnBase]), RunOutcome::Neutral);
        assert_eq!(outcome([&Verdict::Infra]), RunOutcome::Neutral);
        assert_eq!(outcome([&Verdict::Infra, &Verdict::NewTestFailing]), RunOutcome::Regressions);
    }

    proptest! {
        #[test]
        fn a_probability_for_any_numbers(flake_rate in any::<f64>(), breaks in any::<f64>(), failing_attempts in any::<u16>()) {
            let verdict = judge(&Facts { flake_rate, breaks, failing_attempts, ..Facts::default() });
            let Verdict::Regression { probability } = verdict else { panic!("{verdict:?}") };
            prop_assert!((0.0..=1.0).contains(&probability) && !verdict.reason().is_empty());
        }
    }
}
