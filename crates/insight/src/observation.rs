//! What one run said of one test.

use crate::mass_failure;
use scaledtest_domain::report::{Status, TestResult};
use serde::{Deserialize, Serialize};

/// How a test ended in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// At the first attempt.
    Passed,
    /// After at least one failed attempt.
    Flaked,
    /// Every attempt failed.
    Failed,
}

pub use mass_failure::Mass;

/// One run's outcome of a test. Skipped, pending and other results never become observations.
///
/// A series (one test, variant and branch) is a slice of these in the order of run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Run time, seconds since the epoch.
    pub at: i64,
    /// Hash of the commit, if it is known.
    pub commit: Option<u64>,
    /// Hash of the change (pull request) that the run belongs to.
    pub change: Option<u64>,
    /// Failed attempts.
    pub fails: u16,
    /// Passed attempts.
    pub passes: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the run as a whole failed out of the ordinary.
    pub mass: Mass,
    /// Cluster or fingerprint of the (first) failure, shortened.
    pub fingerprint: Option<u64>,
}

impl Observation {
    /// With one attempt per pass or failure (a flake has one of each), in an ordinary run of an unknown commit.
    pub fn new(at: i64, outcome: Outcome) -> Self {
        let (fails, passes) = match outcome {
            Outcome::Passed => (0, 1),
            Outcome::Flaked => (1, 1),
            Outcome::Failed => (1, 0),
        };
        Self { at, commit: None, change: None, fails, passes, outcome, mass: Mass::Ordinary, fingerprint: None }
    }

    /// Executions of the test in the run, at least 1.
    pub fn attempts(&self) -> u32 {
        (u32::from(self.fails) + u32::from(self.passes)).max(1)
    }

    /// Whether every attempt failed.
    pub fn failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }

    /// Whether an attempt failed.
    pub fn had_failure(&self) -> bool {
        self.outcome != Outcome::Passed
    }

    /// Whether nothing may be concluded about the test's flakiness: the whole run went wrong.
    pub fn no_evidence(&self) -> bool {
        self.mass != Mass::Ordinary
    }
}

/// Indices of the observations that are evidence, grouped by commit (an unknown commit is its own), each in order. Of a
/// longer series the first 65,536 count.
///
/// Sorted by 48 mixed bits of the hash with the index below them: one machine word each, since this runs often.
pub(crate) fn by_commit(observations: &[Observation]) -> ByCommit {
    let ordinary = observations.iter().enumerate().take(1 << 16).filter(|(_, seen)| !seen.no_evidence());
    let (mut known, mut unknown) = (Vec::with_capacity(observations.len()), Vec::new());
    for (i, seen) in ordinary {
        match seen.commit {
            Some(commit) => known.push(commit.wrapping_mul(MIX) & !0xffff | i as u64),
            None => unknown.push(i),
        }
    }
    known.sort_unstable();
    ByCommit { known, unknown }
}

/// Odd, so that no two commits become one (2⁶⁴ / golden ratio).
const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

/// See [`by_commit`].
pub(crate) struct ByCommit {
    known: Vec<u64>,
    unknown: Vec<usize>,
}

impl ByCommit {
    /// The groups of known commits.
    pub(crate) fn known(&self) -> impl Iterator<Item = impl Iterator<Item = usize> + Clone> {
        let groups = self.known.chunk_by(|left, right| left >> 16 == right >> 16);
        groups.map(|group| group.iter().map(|entry| (entry & 0xffff) as usize))
    }

    /// The observations without one.
    pub(crate) fn unknown(&self) -> &[usize] {
        &self.unknown
    }
}

/// Outcome and attempts of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// How it ended.
    pub outcome: Outcome,
    /// Failed attempts.
    pub fails: u16,
    /// Passed attempts.
    pub passes: u16,
}

/// What a result says; `None` when it was not run to an end (skipped, pending, other).
///
/// Reporters that count retries without listing them are believed.
pub fn attempts_of(result: &TestResult) -> Option<Attempts> {
    let listed = result.attempts.iter().filter(|attempt| attempt.status == Status::Failed).count();
    let earlier = if result.attempts.is_empty() { result.retries as usize } else { listed };
    let earlier = u16::try_from(earlier).unwrap_or(u16::MAX - 1).min(u16::MAX - 1);
    match result.status {
        Status::Passed if result.flaky => Some(Attempts { outcome: Outcome::Flaked, fails: earlier.max(1), passes: 1 }),
        Status::Passed => Some(Attempts { outcome: Outcome::Passed, fails: 0, passes: 1 }),
        Status::Failed => Some(Attempts { outcome: Outcome::Failed, fails: earlier + 1, passes: 0 }),
        Status::Skipped | Status::Pending | Status::Other => None,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Series in tests: one letter per run as in the corpus (`P`, `f`, `F`), `x`/`X` a pass or failure in an outage.
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn series(letters: &str, per_day: i64) -> Vec<Observation> {
        let letters = letters.chars().filter(|letter| !letter.is_whitespace());
        letters
            .enumerate()
            .map(|(i, letter)| {
                let outcome = match letter {
                    'F' | 'X' => Outcome::Failed,
                    'f' => Outcome::Flaked,
                    _ => Outcome::Passed,
                };
                let at = 1_700_000_000 + i as i64 * crate::DAY / per_day;
                let mass = if "xX".contains(letter) { Mass::Outage } else { Mass::Ordinary };
                Observation { commit: Some(i as u64), mass, ..Observation::new(at, outcome) }
            })
            .collect()
    }

    /// Anything at all, also what no run can produce.
    pub(crate) fn any_observation() -> impl Strategy<Value = Observation> {
        let outcome = prop_oneof![Just(Outcome::Passed), Just(Outcome::Flaked), Just(Outcome::Failed)];
        let mass = prop_oneof![6 => Just(Mass::Ordinary), 1 => Just(Mass::Unusual), 1 => Just(Mass::Outage)];
        let at = prop_oneof![9 => 1_700_000_000i64..1_710_000_000, 1 => any::<i64>()];
        let small = || prop_oneof![9 => 0u16..4, 1 => any::<u16>()];
        let ids = (proptest::option::of(0u64..20), proptest::option::of(0u64..5), proptest::option::of(0u64..4));
        (at, ids, small(), small(), outcome, mass).prop_map(|(at, ids, fails, passes, outcome, mass)| Observation {
            at,
            commit: ids.0,
            change: ids.1,
            fails,
            passes,
            outcome,
            mass,
            fingerprint: ids.2,
        })
    }

    pub(crate) fn any_series() -> impl Strategy<Value = Vec<Observation>> {
        proptest::collection::vec(any_observation(), 0..120)
    }
}
