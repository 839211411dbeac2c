//! Since when a test is slower: change points of the logarithm of its duration.

use crate::{mass_failure::median, special::ln_gamma};
use serde::{Deserialize, Serialize};

/// A lasting change of a duration. Indices are those of the slice of durations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DurationChange {
    /// First duration of the new level, the likeliest.
    pub at: usize,
    /// With 99 % it starts at or after this one.
    pub earliest: usize,
    /// With 99 % it starts at or before this one.
    pub latest: usize,
    /// Median before, milliseconds.
    pub before_ms: f64,
    /// Median after, milliseconds.
    pub after_ms: f64,
}

impl DurationChange {
    /// After / before; above 1 it became slower.
    pub fn ratio(&self) -> f64 {
        self.after_ms / self.before_ms.max(1.0)
    }
}

/// Durations on each side of a change, at least.
const LEAST: usize = 5;
/// Changes below this ratio, or below this many milliseconds, are nobody's business.
const LEAST_RATIO: f64 = 1.2;
const LEAST_MS: f64 = 10.0;
/// What a split has to win by: −ln 10⁻⁴, as for pass and fail.
const PENALTY: f64 = 9.210_340_371_976_182;
/// Durations looked at, the newest.
const MOST: usize = 2_000;
/// Strength of the prior in observations: of the mean (κ₀), and of the variance (2·a₀).
const KAPPA: f64 = 0.05;
const SHAPE: f64 = 1.5;
/// Smallest standard deviation of the logarithm: what [`crate::durations`] rounds by.
const LEAST_DEVIATION: f64 = 0.06;

/// The change points in durations (milliseconds, in the order of run time; best those of first attempts that passed).
///
/// Each level is normal in `y = ln(ms + 1)` with unknown mean and variance; with the conjugate normal-inverse-gamma prior
/// its marginal likelihood is closed (Murphy, "Conjugate Bayesian analysis of the Gaussian distribution", 2007, section 3):
///
/// `ln m = ln Γ(aₙ) − ln Γ(a₀) + a₀ ln b₀ − aₙ ln bₙ + ½(ln κ₀ − ln κₙ) − n/2 ln 2π`, with `κₙ = κ₀ + n`,
/// `aₙ = a₀ + n/2`, `bₙ = b₀ + SS/2 + κ₀ n (ȳ − m₀)²/(2 κₙ)`.
///
/// m₀ is the series' mean, b₀ its scatter from one run to the next (by the median, so that a step does not count). Single
/// outliers are pulled to three deviations from their neighbours' median first. Splits are accepted as for pass and fail,
/// if the medians differ by 20 % and 10 ms.
pub fn duration_changes(durations_ms: &[u32]) -> Vec<DurationChange> {
    let skipped = durations_ms.len().saturating_sub(MOST);
    let durations = &durations_ms[skipped..];
    if durations.len() < 2 * LEAST {
        return Vec::new();
    }
    let model = Model::new(durations);
    let mut bounds = vec![0, durations.len()];
    let mut open = vec![(0, durations.len())];
    while let Some((from, to)) = open.pop() {
        if let Some(split) = model.best_split(from, to) {
            bounds.push(split);
            open.extend([(from, split), (split, to)]);
        }
    }
    bounds.sort_unstable();
    let level = |from: usize, to: usize| median(durations[from..to].iter().map(|ms| f64::from(*ms)).collect());
    let mut changes = Vec::new();
    for bound in bounds.windows(3) {
        let [from, at, to] = [bound[0], bound[1], bound[2]];
        let (before_ms, after_ms) = (level(from, at), level(at, to));
        let (small, large) = (before_ms.min(after_ms), before_ms.max(after_ms));
        if large - small >= LEAST_MS && large >= LEAST_RATIO * small {
            let (earliest, latest) = model.interval(from, at, to);
            let [at, earliest, latest] = [at, earliest, latest].map(|i| i + skipped);
            changes.push(DurationChange { at, earliest, latest, before_ms, after_ms });
        }
    }
    changes
}

/// The median of the three before, this one, and the three after.
fn middle_of_seven(logs: &[f64], i: usize) -> f64 {
    let near = &logs[i.saturating_sub(3)..(i + 4).min(logs.len())];
    let mut sorted = [f64::INFINITY; 7];
    sorted[..near.len()].copy_from_slice(near);
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[near.len() / 2]
}

struct Model {
    /// Σ y and Σ y², centred on the mean of all.
    sums: Vec<(f64, f64)>,
    /// ln Γ(a₀ + n/2).
    ln_gamma: Vec<f64>,
    ln_n: Vec<f64>,
    scale: f64,
}

impl Model {
    fn new(durations: &[u32]) -> Self {
        let mut logs: Vec<f64> = durations.iter().map(|ms| f64::from(*ms).ln_1p()).collect();
        let steps: Vec<f64> = logs.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        let deviation = (1.4826 * median(steps) / 2f64.sqrt()).max(LEAST_DEVIATION);
        let near: Vec<f64> = (0..logs.len()).map(|i| middle_of_seven(&logs, i)).collect();
        for (log, near) in logs.iter_mut().zip(near) {
            *log = log.clamp(near - 3.0 * deviation, near + 3.0 * deviation);
        }
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let mut sums = vec![(0.0, 0.0)];
        let mut sum = (0.0, 0.0);
        for log in &logs {
            sum = (sum.0 + log - mean, sum.1 + (log - mean).powi(2));
            sums.push(sum);
        }
        let n = 0..=logs.len();
        let ln_gamma = n.clone().map(|n| ln_gamma(SHAPE + n as f64 / 2.0)).collect();
        let ln_n = n.map(|n| (KAPPA + n as f64).ln()).collect();
        Self { sums, ln_gamma, ln_n, scale: SHAPE * deviation * deviation }
    }

    /// Without the terms that are the same for every way to split: a₀ ln b₀ and ln Γ(a₀) come once per segment, 2π never.
    fn ln_marginal(&self, from: usize, to: usize) -> f64 {
        let n = (to - from) as f64;
        let sum = self.sums[to].0 - self.sums[from].0;
        let squares = self.sums[to].1 - self.sums[from].1;
        let scatter = (squares - sum * sum / n).max(0.0);
        let shape = SHAPE + n / 2.0;
        let scale = self.scale + scatter / 2.0 + KAPPA * sum * sum / n / (2.0 * (KAPPA + n));
        self.ln_gamma[to - from] - self.ln_gamma[0] + SHAPE * self.scale.ln() - shape * scale.ln()
            + 0.5 * (self.ln_n[0] - self.ln_n[to - from])
    }

    fn gain(&self, from: usize, at: usize, to: usize) -> f64 {
        self.ln_marginal(from, at) + self.ln_marginal(at, to)
    }

    fn best_split(&self, from: usize, to: usize) -> Option<usize> {
        if to - from < 2 * LEAST {
            return None;
        }
        let mut best = (self.ln_marginal(from, to) + PENALTY, None);
        for at in from + LEAST..=to - LEAST {
            let gain = self.gain(from, at, to);
            if gain > best.0 {
                best = (gain, Some(at));
            }
        }
        best.1
    }

    fn interval(&self, from: usize, at: usize, to: usize) -> (usize, usize) {
        let top = self.gain(from, at, to);
        let places = from + LEAST..=to - LEAST;
        let weights: Vec<f64> = places.map(|place| (self.gain(from, place, to) - top).exp()).collect();
        let total: f64 = weights.iter().sum();
        let (mut sum, mut earliest, mut latest) = (0.0, at, at);
        for (place, weight) in (from + LEAST..).zip(&weights) {
            if sum <= 0.005 * total && sum + weight > 0.005 * total {
                earliest = place;
            }
            if sum < 0.995 * total {
                latest = place;
            }
            sum += weight;
        }
        (earliest.min(at), latest.max(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Log-normal noise of about ±20 %, always the same.
    fn noisy(levels: &[(u32, usize)]) -> Vec<u32> {
        let mut state = 7u64;
        let mut noise = || {
            let draws = (0..12).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as f64 / f64::from(1u32 << 31)
            });
            draws.sum::<f64>() - 6.0
        };
        let runs = levels.iter().flat_map(|(ms, runs)| std::iter::repeat_n(*ms, *runs));
        runs.map(|ms| (f64::from(ms) * (0.2 * noise()).exp()) as u32).collect()
    }

    #[test]
    fn a_test_that_became_half_as_slow_again_is_found() {
        let changes = duration_changes(&noisy(&[(400, 60), (600, 40)]));
        assert_eq!(changes.len(), 1, "{changes:?}");
        let change = changes[0];
        assert!((58..=62).contains(&change.at) && change.earliest <= 60 && change.latest >= 60, "{change:?}");
        assert!((1.35..1.65).contains(&change.ratio()), "{change:?}");
    }

    #[test]
    fn noise_and_single_spikes_are_no_change() {
        let mut durations = noisy(&[(400, 300)]);
        for spike in [20, 90, 91, 200] {
            durations[spike] *= 30;
        }
        assert_eq!(duration_changes(&durations), []);
    }

    #[test]
    fn up_and_down_again() {
        let changes = duration_changes(&noisy(&[(100, 40), (300, 20), (100, 40)]));
        assert_eq!(changes.len(), 2, "{changes:?}");
        assert!(changes[0].ratio() > 1.0 && changes[1].ratio() < 1.0);
    }

    #[test]
    fn a_few_milliseconds_do_not_matter() {
        assert_eq!(duration_changes(&[[2u32; 30], [6; 30]].concat()), []);
    }

    proptest! {
        #[test]
        fn total(durations in proptest::collection::vec(prop_oneof![0u32..100, any::<u32>()], 0..200)) {
            for change in duration_changes(&durations) {
                prop_assert!(change.earliest <= change.at && change.at <= change.latest && change.latest < durations.len());
                prop_assert!(change.ratio().is_finite());
            }
        }
    }
}
