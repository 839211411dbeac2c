//! Small formulas around flakiness.

use crate::{Observation, Outcome};

/// Share of neighbouring runs with different results, `transitions / (n − 1)`, over runs that were no mass failure; a
/// flake in a run counts as passed. `None` for fewer than two runs. (Apple, "Modeling and ranking flaky tests", 2020.)
pub fn flip_rate(observations: &[Observation]) -> Option<f64> {
    let mut ordinary = observations.iter().filter(|seen| !seen.no_evidence()).map(Observation::failed);
    let mut last = ordinary.next()?;
    let (mut flips, mut pairs) = (0u32, 0u32);
    for failed in ordinary {
        pairs += 1;
        flips += u32::from(failed != last);
        last = failed;
    }
    (pairs > 0).then(|| f64::from(flips) / f64::from(pairs))
}

/// The flip rate of a new window laid over that of the earlier ones: `λ·new + (1 − λ)·earlier`, λ clamped to 0..=1.
pub fn smoothed_flip_rate(earlier: f64, new: f64, lambda: f64) -> f64 {
    let lambda = if lambda.is_nan() { 0.1 } else { lambda.clamp(0.0, 1.0) };
    lambda * share(new) + (1.0 - lambda) * share(earlier)
}

/// Entropy in bits of failing with probability `p`: `−p log2 p − (1−p) log2(1−p)`. 0 is certain, 1 is a coin. (Apple 2020.)
pub fn entropy(p: f64) -> f64 {
    let p = share(p);
    let part = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    (part(p) + part(1.0 - p)).clamp(0.0, 1.0)
}

/// [`entropy`] of the runs' failing share: how undecided a test is inside one version of the code.
pub fn entropy_of(observations: &[Observation]) -> f64 {
    let failed = observations.iter().filter(|seen| seen.outcome == Outcome::Failed).count();
    if observations.is_empty() { 0.0 } else { entropy(failed as f64 / observations.len() as f64) }
}

/// Wilson's interval for a share `x / n` at `z` standard deviations (1.96 for 95 %); (0, 1) for n = 0. For display, not
/// for ranking: its lower bound puts 1 of 2 above 5 of 100.
pub fn wilson(x: u64, n: u64, z: f64) -> (f64, f64) {
    if n == 0 || !z.is_finite() {
        return (0.0, 1.0);
    }
    let (x, n) = (x.min(n) as f64, n as f64);
    let (p, square) = (x / n, z * z);
    let middle = p + square / (2.0 * n);
    let half = z.abs() * (p * (1.0 - p) / n + square / (4.0 * n * n)).sqrt();
    let scale = 1.0 + square / n;
    (((middle - half) / scale).clamp(0.0, 1.0), ((middle + half) / scale).clamp(0.0, 1.0))
}

/// Probability that a clean commit goes green: `Π(1 − f)` over the flake probability of each test, where one that is
/// retried `retries` times fails with `f^(retries + 1)`.
pub fn green_probability(flake_rates: impl IntoIterator<Item = f64>, retries: u16) -> f64 {
    let attempts = i32::from(retries) + 1;
    let ln: f64 = flake_rates.into_iter().map(|f| (-share(f).powi(attempts)).ln_1p()).sum();
    ln.exp()
}

/// How often a new or changed test is run again, by its duration in milliseconds: 10 times under 5 s, 5 under 10 s, 3
/// under 30 s, 2 under 5 minutes, else not. (Datadog, early flake detection.)
pub fn burn_in_reruns(duration_ms: i64) -> u32 {
    match duration_ms {
        ..5_000 => 10,
        5_000..10_000 => 5,
        10_000..30_000 => 3,
        30_000..300_000 => 2,
        _ => 0,
    }
}

/// Probability that `runs` runs show both a pass and a failure of a test that fails with probability `f`:
/// `1 − (fⁿ + (1−f)ⁿ)`.
pub fn burn_in_power(f: f64, runs: u32) -> f64 {
    let f = share(f);
    let n = f64::from(runs);
    if runs == 0 { 0.0 } else { (1.0 - (f.powf(n) + (1.0 - f).powf(n))).clamp(0.0, 1.0) }
}

/// As a share: NaN is 0.
fn share(p: f64) -> f64 {
    if p.is_nan() { 0.0 } else { p.clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::testing::{any_series, series};
    use proptest::prelude::*;

    fn near(left: f64, right: f64, by: f64) -> bool {
        (left - right).abs() <= by
    }

    #[test]
    fn flips_ignore_retries_and_outages() {
        assert_eq!(flip_rate(&series("PPFFP", 1)), Some(0.5));
        assert_eq!(flip_rate(&series("PfPXP", 1)), Some(0.0));
        assert_eq!(flip_rate(&series("P", 1)), None);
    }

    #[test]
    fn burn_in_powers_of_the_literature() {
        for (f, n, power) in [(0.1, 10, 0.65), (0.01, 10, 0.10), (0.1, 20, 0.88), (0.01, 20, 0.18)] {
            assert!(near(burn_in_power(f, n), power, 0.005), "{f} {n} {}", burn_in_power(f, n));
        }
        assert_eq!([1, 5_000, 12_000, 60_000, 300_000].map(burn_in_reruns), [10, 5, 3, 2, 0]);
    }

    #[test]
    fn a_thousand_tests_at_one_in_a_thousand_turn_two_builds_of_three_red() {
        assert!(near(1.0 - green_probability([0.001; 1_000], 0), 0.63, 0.005));
        assert!(near(1.0 - green_probability([0.001; 5_000], 0), 0.99, 0.005));
        assert!(green_probability([0.001; 5_000], 1) > 0.99);
    }

    #[test]
    fn wilson_ranks_one_of_two_above_five_of_a_hundred() {
        assert!(near(wilson(1, 2, 1.96).0, 0.094, 0.001));
        assert!(near(wilson(5, 100, 1.96).0, 0.021, 0.001));
        assert_eq!(wilson(3, 0, 1.96), (0.0, 1.0));
    }

    #[test]
    fn a_coin_has_one_bit() {
        assert_eq!((entropy(0.5), entropy(0.0), entropy(1.0)), (1.0, 0.0, 0.0));
        assert_eq!(entropy_of(&series("PF", 1)), 1.0);
    }

    proptest! {
        #[test]
        fn always_shares(series in any_series(), f in any::<f64>(), n in any::<u32>(), x in any::<u64>(), m in any::<u64>()) {
            let (low, high) = wilson(x, m, 1.96);
            prop_assert!(low <= high);
            for value in [
                flip_rate(&series).unwrap_or(0.0), entropy(f), entropy_of(&series), burn_in_power(f, n), low, high,
                green_probability([f, 0.5], 1), smoothed_flip_rate(f, 0.5, f),
            ] {
                prop_assert!((0.0..=1.0).contains(&value), "{value}");
            }
        }
    }
}
