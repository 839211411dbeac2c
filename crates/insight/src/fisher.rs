//! Whether a branch or an environment fails more than another: Fisher's exact test, with Sippy's rules around it.

use crate::special::ln_factorial;
use serde::{Deserialize, Serialize};

/// Failing and passing runs of a test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// Failed.
    pub failed: u32,
    /// Passed.
    pub passed: u32,
}

impl Runs {
    /// All.
    pub fn total(self) -> u64 {
        u64::from(self.failed) + u64::from(self.passed)
    }

    /// Share that passed; 1 for none.
    pub fn pass_rate(self) -> f64 {
        if self.total() == 0 { 1.0 } else { f64::from(self.passed) / self.total() as f64 }
    }
}

/// What counts as a regression.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// p has to be below 1 − confidence.
    pub confidence: f64,
    /// Drops of the pass rate smaller than this (a share) are forgiven.
    pub pity: f64,
    /// Failures in the sample, at least.
    pub min_failures: u32,
    /// A larger drop is extreme.
    pub extreme: f64,
    /// Runs from which a test without a basis is judged.
    pub min_new_runs: u64,
    /// The pass rate that it must reach.
    pub new_pass_rate: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { confidence: 0.95, pity: 0.05, min_failures: 2, extreme: 0.15, min_new_runs: 6, new_pass_rate: 0.9 }
    }
}

/// How the sample compares with the basis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Comparison {
    /// Too few runs on a side.
    NotEnough,
    /// No significant difference.
    Same {
        /// Of failing more often in the sample.
        p: f64,
    },
    /// The sample fails more often.
    Regressed {
        /// One-sided.
        p: f64,
        /// By more than the extreme drop.
        extreme: bool,
    },
    /// The sample fails less often.
    Improved {
        /// One-sided.
        p: f64,
    },
    /// Without a basis: it reaches the required pass rate, or not.
    New {
        /// Whether it does.
        good: bool,
    },
}

/// Compares a sample (a branch, an environment, the newest days) with its basis.
pub fn compare(sample: Runs, base: Runs, rules: &Rules) -> Comparison {
    if base.total() == 0 {
        if sample.total() < rules.min_new_runs {
            return Comparison::NotEnough;
        }
        return Comparison::New { good: sample.pass_rate() >= rules.new_pass_rate };
    }
    if sample.total() == 0 {
        return Comparison::NotEnough;
    }
    let worse = fails_more(sample, base);
    let drop = base.pass_rate() - sample.pass_rate();
    let significant = 1.0 - rules.confidence;
    if worse < significant && drop >= rules.pity && sample.failed >= rules.min_failures {
        return Comparison::Regressed { p: worse, extreme: drop > rules.extreme };
    }
    let better = fails_more(base, sample);
    if better < significant && -drop >= rules.pity && base.failed >= rules.min_failures {
        return Comparison::Improved { p: better };
    }
    Comparison::Same { p: worse }
}

/// One-sided p of Fisher's exact test: the probability of at least so many failures in the sample if both fail alike.
///
/// `Σ_{i ≥ a} C(a+c, i)·C(b+d, a+b−i) / C(a+b+c+d, a+b)` for sample (a failed, b passed) and base (c, d), summed in
/// logarithms and away from the mode, so that the terms fall and the sum may stop early.
pub fn fails_more(sample: Runs, base: Runs) -> f64 {
    let (a, b) = (u64::from(sample.failed), u64::from(sample.passed));
    let (c, d) = (u64::from(base.failed), u64::from(base.passed));
    let table = Hypergeometric { drawn: a + b, marked: a + c, all: a + b + c + d };
    if table.all == 0 {
        return 1.0;
    }
    let mean = table.drawn as f64 * table.marked as f64 / table.all as f64;
    let p =
        if a as f64 > mean { table.sum(a, true) } else { 1.0 - a.checked_sub(1).map_or(0.0, |i| table.sum(i, false)) };
    p.clamp(0.0, 1.0)
}

struct Hypergeometric {
    drawn: u64,
    marked: u64,
    all: u64,
}

impl Hypergeometric {
    /// Smallest and largest possible count.
    fn bounds(&self) -> (u64, u64) {
        ((self.drawn + self.marked).saturating_sub(self.all), self.drawn.min(self.marked))
    }

    fn ln_probability(&self, i: u64) -> f64 {
        ln_choose(self.marked, i) + ln_choose(self.all - self.marked, self.drawn - i) - ln_choose(self.all, self.drawn)
    }

    /// From `i` upwards or downwards.
    fn sum(&self, mut i: u64, up: bool) -> f64 {
        let (low, high) = self.bounds();
        if i < low || i > high {
            return 0.0;
        }
        let (mut term, mut sum) = (self.ln_probability(i).exp(), 0.0);
        loop {
            sum += term;
            let end = if up { i == high } else { i == low };
            if end || term <= sum * 1e-15 {
                return sum;
            }
            // The ratio of neighbouring terms needs no logarithms.
            let next = if up { i + 1 } else { i };
            let more = (self.marked - next + 1) as f64 * (self.drawn - next + 1) as f64;
            let less = next as f64 * (self.all + next - self.marked - self.drawn) as f64;
            term *= if up { more / less } else { less / more };
            i = if up { i + 1 } else { i - 1 };
        }
    }
}

fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn runs(failed: u32, passed: u32) -> Runs {
        Runs { failed, passed }
    }

    #[test]
    fn two_of_ten_against_two_of_two_hundred() {
        assert!((fails_more(runs(2, 8), runs(2, 198)) - 0.0117).abs() < 5e-5);
        assert!((fails_more(runs(1, 9), runs(2, 198)) - 0.137).abs() < 5e-4);
    }

    #[test]
    fn small_drops_and_single_failures_are_forgiven() {
        let rules = Rules::default();
        let regressed = compare(runs(2, 8), runs(2, 198), &rules);
        assert!(matches!(regressed, Comparison::Regressed { extreme: true, .. }), "{regressed:?}");
        assert!(matches!(compare(runs(40, 960), runs(10, 990), &rules), Comparison::Same { .. }), "3 points");
        assert!(matches!(compare(runs(1, 2), runs(0, 500), &rules), Comparison::Same { .. }), "one failure");
        assert!(matches!(compare(runs(2, 198), runs(20, 80), &rules), Comparison::Improved { .. }));
        assert_eq!(compare(runs(1, 5), runs(0, 0), &rules), Comparison::New { good: false });
        assert_eq!(compare(runs(1, 4), runs(0, 0), &rules), Comparison::NotEnough);
    }

    /// By counting, for small tables.
    fn counted(a: u64, b: u64, c: u64, d: u64) -> f64 {
        let choose = |n: u64, k: u64| (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64);
        let terms = (a..=(a + b).min(a + c)).filter(|i| a + b - i <= b + d);
        terms.map(|i| choose(a + c, i) * choose(b + d, a + b - i)).sum::<f64>() / choose(a + b + c + d, a + b)
    }

    proptest! {
        #[test]
        fn equals_counting(a in 0u32..15, b in 0u32..15, c in 0u32..15, d in 0u32..15) {
            let expected = counted(a.into(), b.into(), c.into(), d.into());
            prop_assert!((fails_more(runs(a, b), runs(c, d)) - expected).abs() < 1e-9);
        }

        #[test]
        fn a_share_for_any_counts(a in any::<u32>(), b in any::<u32>(), c in any::<u32>(), d in any::<u32>()) {
            prop_assert!((0.0..=1.0).contains(&fails_more(runs(a, b), runs(c, d))));
            compare(runs(a, b), runs(c, d), &Rules::default());
        }
    }
}
