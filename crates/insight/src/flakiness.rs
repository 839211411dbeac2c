//! How likely a test is to fail although nothing is wrong: a small form of Meta's probabilistic flakiness score.
//!
//! A pass proves that code and environment were good (a real regression always fails). So only groups of attempts on one
//! commit with at least one pass say anything, and that selection is corrected for:
//!
//! `ln L(f) = Σ w·[x ln f + (n − x) ln(1 − f) − ln(1 − f^N)]`, `w = 2^(−age / 14 days)`
//!
//! with x failed of n attempts, and N the most attempts that could have happened. A group with N = 1 says nothing. The
//! posterior is taken on a fixed grid under a prior Beta(a, b). Without the correction one retry makes 0.19 of a
//! true 0.30.

use crate::{
    DAY, Observation,
    changepoint::Segment,
    observation::{ByCommit, by_commit},
};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Days after which an observation counts half.
pub const HALF_LIFE_DAYS: f64 = 14.0;

/// Points of the grid, even in the logit.
const POINTS: usize = 112;
/// Logit of the smallest and of the largest f: 1e-5 and 0.995.
const LOGITS: (f64, f64) = (-11.512_915, 5.293_305);
/// Most attempts of which N is kept apart; f^N is next to nothing beyond.
const MOST_ATTEMPTS: usize = 32;

struct Grid {
    f: [f64; POINTS],
    ln_f: [f64; POINTS],
    ln_pass: [f64; POINTS],
    /// `ln(1 − f^N)` for N = 2, 3, ...
    ln_some_pass: Vec<[f64; POINTS]>,
}

static GRID: LazyLock<Grid> = LazyLock::new(|| {
    let step = step();
    let logit: [f64; POINTS] = std::array::from_fn(|i| LOGITS.0 + step * i as f64);
    let f = logit.map(|logit| 1.0 / (1.0 + (-logit).exp()));
    let ln_f = logit.map(|logit| -((-logit).exp().ln_1p()));
    let ln_pass = logit.map(|logit| -(logit.exp().ln_1p()));
    let ln_some_pass = (2..=MOST_ATTEMPTS).map(|n| ln_f.map(|ln_f| (-(ln_f * n as f64).exp()).ln_1p())).collect();
    Grid { f, ln_f, ln_pass, ln_some_pass }
});

fn step() -> f64 {
    (LOGITS.1 - LOGITS.0) / (POINTS - 1) as f64
}

/// What is believed of a test before it was seen: Beta(a, b).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// Pseudo-failures.
    pub a: f64,
    /// Pseudo-passes.
    pub b: f64,
}

impl Default for Prior {
    /// A mostly healthy suite: one attempt in 200 fails, in few tests.
    fn default() -> Self {
        Self { a: 0.1, b: 20.0 }
    }
}

impl Prior {
    /// Mean of f for a test with `passes` passed attempts and no failed one: the score of a test that never failed.
    pub fn mean_after(&self, passes: u64) -> f64 {
        let Prior { a, b } = self.clamped();
        a / (a + b + passes as f64)
    }

    fn clamped(self) -> Self {
        let clamp = |value: f64, low, high, default| if value.is_finite() { value.clamp(low, high) } else { default };
        Self { a: clamp(self.a, 0.02, 50.0, 0.1), b: clamp(self.b, 0.1, 5_000.0, 20.0) }
    }
}

/// Weighted sufficient statistics: all that the posterior needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    fails: f64,
    passes: f64,
    /// Weight of the groups by N.
    groups: Vec<(usize, f64)>,
}

impl Tally {
    /// Adds a group with at least one pass of `possible` attempts. Groups that say nothing are left out.
    pub fn add(&mut self, fails: u32, passes: u32, possible: u32, weight: f64) {
        if passes == 0 || possible < 2 || !(weight > 0.0 && weight <= 1.0) {
            return;
        }
        self.add_free(fails, passes, weight);
        let n = (possible as usize).clamp(2, MOST_ATTEMPTS);
        match self.groups.iter_mut().find(|group| group.0 == n) {
            Some(group) => group.1 += weight,
            None => self.groups.push((n, weight)),
        }
    }

    /// Adds attempts that were not selected by their outcome, so that nothing has to be corrected.
    fn add_free(&mut self, fails: u32, passes: u32, weight: f64) {
        self.fails += weight * f64::from(fails);
        self.passes += weight * f64::from(passes);
    }

    /// The groups of a series: its runs by commit, without mass failures.
    pub fn of(observations: &[Observation], now: i64) -> Self {
        Self::by(&by_commit(observations), observations, &weights(observations, now))
    }

    /// The same, with the commits and [`weights`] at hand.
    pub(crate) fn by(commits: &ByCommit, observations: &[Observation], weights: &[f64]) -> Self {
        let most = observations.iter().map(Observation::attempts).max().unwrap_or(1).min(MOST_ATTEMPTS as u32);
        let mut tally = Self::default();
        let run = |i: usize| (&observations[i], weights[i]);
        for group in commits.known() {
            tally.add_runs(group.map(run), most);
        }
        for i in commits.unknown() {
            tally.add_runs(std::iter::once(run(*i)), most);
        }
        tally
    }

    /// Adds the runs of one commit, in which up to `most` attempts each could have happened; the newest has most weight.
    fn add_runs<'a>(&mut self, runs: impl Iterator<Item = (&'a Observation, f64)>, most: u32) {
        let (mut fails, mut passes, mut possible, mut newest) = (0u32, 0u32, 0u32, 0.0f64);
        for (seen, weight) in runs {
            fails += u32::from(seen.fails);
            passes += u32::from(seen.passes);
            possible = possible.saturating_add(most);
            newest = newest.max(weight);
        }
        if passes > 0 && possible > 1 {
            self.add(fails, passes, possible, newest);
        }
    }

    /// Weight of the groups that say something.
    pub fn weight(&self) -> f64 {
        self.groups.iter().map(|group| group.1).sum()
    }

    /// The posterior under a prior.
    pub fn score(&self, prior: Prior) -> Score {
        let prior = prior.clamped();
        let grid = &*GRID;
        let (a, b) = (prior.a + self.fails, prior.b + self.passes);
        let mut density: [f64; POINTS] = std::array::from_fn(|i| a * grid.ln_f[i] + b * grid.ln_pass[i]);
        for (n, weight) in &self.groups {
            let corrections = &grid.ln_some_pass[n - 2];
            density.iter_mut().zip(corrections).for_each(|(density, correction)| *density -= weight * correction);
        }
        let top = density.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        density.iter_mut().for_each(|density| *density = (*density - top).exp());
        // Below the grid the density falls like f^a in the logit, so its mass there is known.
        let below = density[0] / (a * step());
        let total = below + density.iter().sum::<f64>();
        let mean = density.iter().zip(&grid.f).map(|(density, f)| density * f).sum::<f64>() / total;
        let quantile = |share: f64| quantile(&density, below, share * total);
        Score { mean, low: quantile(0.025), high: quantile(0.975), weight: self.weight() }
    }
}

/// The f below which this much of the mass lies; 0 when that is below the grid.
fn quantile(density: &[f64; POINTS], below: f64, mass: f64) -> f64 {
    if mass <= below {
        return 0.0;
    }
    let mut sum = below;
    for (i, density) in density.iter().enumerate() {
        if sum + density >= mass {
            let inside = ((mass - sum) / density.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
            let logit = LOGITS.0 + step() * (i as f64 - 0.5 + inside);
            return 1.0 / (1.0 + (-logit).exp());
        }
        sum += density;
    }
    GRID.f[POINTS - 1]
}

/// How much each observation counts.
pub(crate) fn weights(observations: &[Observation], now: i64) -> Vec<f64> {
    observations.iter().map(|seen| weight(seen.at, now)).collect()
}

/// `2^(−age / half-life)`; 1 for what is newer than now.
fn weight(at: i64, now: i64) -> f64 {
    let age = now.saturating_sub(at).max(0) as f64 / DAY as f64;
    (-age / HALF_LIFE_DAYS).exp2().max(f64::MIN_POSITIVE)
}

/// What is believed of the probability that an attempt fails although nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean of the posterior.
    pub mean: f64,
    /// 2.5 % quantile.
    pub low: f64,
    /// 97.5 % quantile.
    pub high: f64,
    /// Weight of the runs or commits that say something; 0 leaves the prior alone.
    pub weight: f64,
}

/// The probabilistic flakiness of a series. Says little without retries or reruns of a commit: see [`retry_free`].
pub fn score(observations: &[Observation], prior: Prior, now: i64) -> Score {
    Tally::of(observations, now).score(prior)
}

/// The second estimate, which needs no retries: share of first attempts that failed, over the runs in segments whose
/// runs mostly pass (below 50 % failing), with the same prior and weights. Differs from [`score`] where healthy segments
/// hold real regressions, or where retries do not behave like first attempts.
pub fn retry_free(observations: &[Observation], segments: &[Segment], prior: Prior, now: i64) -> Score {
    retry_free_by(&weights(observations, now), observations, segments, prior)
}

/// The same, with the [`weights`] at hand.
pub(crate) fn retry_free_by(
    weights: &[f64],
    observations: &[Observation],
    segments: &[Segment],
    prior: Prior,
) -> Score {
    let mut tally = Tally::default();
    let mut total = 0.0;
    for segment in segments.iter().filter(|segment| segment.fail_share() < 0.5) {
        let range = segment.start..segment.end.min(observations.len());
        let seen = observations.get(range.clone()).unwrap_or_default().iter().zip(&weights[range]);
        for (seen, weight) in seen.filter(|(seen, _)| !seen.no_evidence()) {
            let weight = *weight;
            let failed = u32::from(seen.had_failure());
            tally.add_free(failed, 1 - failed, weight);
            total += weight;
        }
    }
    Score { weight: total, ..tally.score(prior) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Outcome, changepoint,
        observation::testing::{any_series, series},
    };
    use proptest::prelude::*;

    /// Uniform numbers in 0..1, always the same.
    fn random(mut state: u64) -> impl FnMut() -> f64 {
        move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    /// Runs of a test that fails with `f` and is retried `retries` times, one commit each.
    fn simulated(f: f64, retries: u32, runs: u64, seed: u64) -> Vec<Observation> {
        let mut random = random(seed);
        let run = |i: u64| {
            let mut fails = 0;
            while fails <= retries && random() < f {
                fails += 1;
            }
            let passes = u16::from(fails <= retries);
            let outcome = match (passes, fails) {
                (0, _) => Outcome::Failed,
                (_, 0) => Outcome::Passed,
                _ => Outcome::Flaked,
            };
            Observation { fails: fails as u16, passes, commit: Some(i), ..Observation::new(0, outcome) }
        };
        (0..runs).map(run).collect()
    }

    #[test]
    fn the_true_rate_is_recovered_with_honest_intervals() {
        let prior = Prior { a: 0.5, b: 0.5 };
        for (f, retries) in [(0.02, 1), (0.1, 1), (0.3, 1), (0.5, 1), (0.3, 2), (0.5, 2)] {
            let scores: Vec<Score> = (0..60).map(|seed| score(&simulated(f, retries, 300, seed), prior, 0)).collect();
            let mean = scores.iter().map(|score| score.mean).sum::<f64>() / 60.0;
            let covered = scores.iter().filter(|score| (score.low..=score.high).contains(&f)).count();
            assert!((mean - f).abs() < 0.015 + 0.01 * f, "true {f}, {retries} retries: {mean}");
            assert!(covered >= 53, "true {f}, {retries} retries: {covered} of 60");
        }
    }

    #[test]
    fn five_of_a_hundred_rank_above_one_of_two() {
        let rank = |fails: u32, passes: u32| {
            let mut tally = Tally::default();
            tally.add_free(fails, passes, 1.0);
            tally.score(Prior::default()).low
        };
        let (one, five) = (rank(1, 1), rank(5, 95));
        assert!(five > 5.0 * one, "{five} and {one}");
    }

    #[test]
    fn one_attempt_per_commit_leaves_the_prior() {
        let score = score(&series("PPFPPPFP", 1), Prior::default(), 0);
        assert_eq!(score.weight, 0.0);
        assert!((score.mean - 0.1 / 20.1).abs() < 3e-4, "{}", score.mean);
    }

    #[test]
    fn reruns_of_a_commit_are_evidence_without_retries() {
        let mut runs = series("PFPPPF", 1);
        runs.iter_mut().for_each(|run| run.commit = Some(1));
        let score = score(&runs, Prior { a: 0.5, b: 0.5 }, runs[5].at);
        assert!(score.weight > 0.9 && (0.2..0.5).contains(&score.mean), "{score:?}");
    }

    #[test]
    fn old_evidence_fades() {
        let runs = series(&"fPP".repeat(10), 1);
        let now = runs[29].at;
        let (fresh, stale) = (Tally::of(&runs, now), Tally::of(&runs, now + 14 * DAY));
        assert!((fresh.weight() / stale.weight() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn without_retries_the_healthy_segments_tell() {
        let runs = series(&("PPPPFPPPPP".repeat(8) + &"F".repeat(20)), 10);
        let now = runs[99].at;
        let estimate = retry_free(&runs, &changepoint::segments(&runs), Prior::default(), now);
        assert!((0.06..0.11).contains(&estimate.mean), "{estimate:?}");
    }

    proptest! {
        #[test]
        fn ordered_shares_for_any_series(series in any_series(), a in any::<f64>(), b in any::<f64>(), now in any::<i64>()) {
            let segments = changepoint::segments(&series);
            for score in [
                score(&series, Prior { a, b }, now),
                retry_free(&series, &segments, Prior { a, b }, now),
            ] {
                prop_assert!(0.0 <= score.low && score.low <= score.high && score.high <= 1.0);
                prop_assert!((0.0..=1.0).contains(&score.mean) && score.weight.is_finite());
            }
        }
    }
}
