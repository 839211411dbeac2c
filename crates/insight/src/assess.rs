//! Everything about one series in one call.

use crate::{
    Observation, State,
    changepoint::{self, Change, Segment},
    evidence::{self, Evidence},
    flakiness::{self, Prior, Score, Tally},
    observation::by_commit,
    signals,
    state::{self, Rule},
};

/// What is found about a test on a branch.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// Its state at the newest observation.
    pub state: State,
    /// Since when; `None` if it was never anything else.
    pub since: Option<i64>,
    /// The rule that decided.
    pub rule: Rule,
    /// Every flaky verdict in the slice, oldest first.
    pub evidence: Vec<Evidence>,
    /// Probabilistic flakiness.
    pub score: Score,
    /// The same without help of retries.
    pub retry_free: Score,
    /// `transitions / (n − 1)`; `None` below two runs.
    pub flip_rate: Option<f64>,
    /// Stretches with one probability of failing.
    pub segments: Vec<Segment>,
    /// Between them.
    pub changes: Vec<Change>,
}

impl Assessment {
    /// The best single estimate of the probability that an attempt fails although nothing is wrong: the score where
    /// most runs say something about it (they are retried, or their commits are run again), else the retry-free one.
    pub fn flake_rate(&self) -> f64 {
        self.best().mean
    }

    /// The score that [`Self::flake_rate`] is taken from.
    pub fn best(&self) -> &Score {
        if self.score.weight > 0.0 && self.score.weight >= 0.5 * self.retry_free.weight {
            &self.score
        } else {
            &self.retry_free
        }
    }

    /// The newest change point, if the current segment begins with one.
    pub fn latest_change(&self) -> Option<&Change> {
        self.changes.last()
    }

    /// Whether the newest segment fails in 80 % of its runs or more.
    pub fn failing_now(&self) -> bool {
        self.state == State::Broken
            || self.segments.last().is_some_and(|last| last.fail_share() >= changepoint::FAILING)
    }
}

/// Assesses a series: one test, variant and branch, ordered by run time, at most about a thousand observations. `now` is
/// the time of the newest observation or later, in seconds.
///
/// A series without any failure is healthy; for it, [`Prior::mean_after`] is all that there is to know.
pub fn assess(observations: &[Observation], prior: Prior, now: i64) -> Assessment {
    let commits = by_commit(observations);
    let evidence = evidence::evidence_by(&commits, observations);
    let segments = changepoint::segments(observations);
    let weights = flakiness::weights(observations, now);
    let score = Tally::by(&commits, observations, &weights).score(prior);
    let retry_free = flakiness::retry_free_by(&weights, observations, &segments, prior);
    let found = state::classify(observations, &evidence, &segments, Some(&score), now);
    Assessment {
        state: found.state,
        since: found.since,
        rule: found.rule,
        evidence,
        score,
        retry_free,
        flip_rate: signals::flip_rate(observations),
        changes: changepoint::changes(&segments),
        segments,
    }
}
