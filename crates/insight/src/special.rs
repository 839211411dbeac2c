//! The gamma function's logarithm, as far as the models here need it.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// ln Γ(x) for x > 0, to about 14 digits; infinite for anything else.
///
/// Stirling's series at x ≥ 10, reached by Γ(x) = Γ(x + 1) / x (Abramowitz and Stegun 6.1.41 and 6.1.15).
pub fn ln_gamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::INFINITY;
    }
    let (mut x, mut product) = (x, 1.0);
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + series - product.ln()
}

/// ln B(a, b) for a, b > 0.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// ln n! .
pub fn ln_factorial(n: u64) -> f64 {
    ln_gamma(n as f64 + 1.0)
}

/// ln B(α + x, β + n − x) − ln B(α, β) for counts, from tables: the marginal likelihood of a sequence with `x` of `n`.
pub(crate) struct SequenceLikelihood {
    alpha: Table,
    beta: Table,
    both: Table,
    ln_prior: f64,
}

impl SequenceLikelihood {
    pub(crate) fn new(alpha: f64, beta: f64) -> Self {
        let ln_prior = ln_beta(alpha, beta);
        Self { alpha: Table::new(alpha), beta: Table::new(beta), both: Table::new(alpha + beta), ln_prior }
    }

    /// `x` is at most `n`.
    #[inline]
    pub(crate) fn ln(&self, x: u32, n: u32) -> f64 {
        self.alpha.at(x) + self.beta.at(n.saturating_sub(x)) - self.both.at(n) - self.ln_prior
    }
}

/// ln Γ(offset + i).
struct Table {
    offset: f64,
    values: Vec<f64>,
}

impl Table {
    /// Windows hold about a thousand observations.
    const LENGTH: u32 = 1_100;

    fn new(offset: f64) -> Self {
        Self { offset, values: (0..Self::LENGTH).map(|i| ln_gamma(offset + f64::from(i))).collect() }
    }

    #[inline]
    fn at(&self, i: u32) -> f64 {
        self.values.get(i as usize).copied().unwrap_or_else(|| ln_gamma(self.offset + f64::from(i)))
    }
}

/// Prior Beta(0.3, 0.5): "the run had a failure" (LUCI).
pub(crate) static RUN_FAILS: LazyLock<SequenceLikelihood> = LazyLock::new(|| SequenceLikelihood::new(0.3, 0.5));
/// Prior Beta(2, 8): the same of a test that was clean and is not any more (ours).
pub(crate) static RISEN_RUN_FAILS: LazyLock<SequenceLikelihood> = LazyLock::new(|| SequenceLikelihood::new(2.0, 8.0));
/// Prior Beta(0.5, 0.5): "it failed again when it was retried" (LUCI).
pub(crate) static RETRY_FAILS: LazyLock<SequenceLikelihood> = LazyLock::new(|| SequenceLikelihood::new(0.5, 0.5));

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        for (x, expected) in [
            (1.0, 0.0),
            (2.0, 0.0),
            (0.5, 0.572_364_942_924_700_1),
            (0.3, 1.095_797_994_818_077_5),
            (10.0, 12.801_827_480_081_469),
            (100.5, 361.435_540_467_777_3),
        ] {
            assert!((ln_gamma(x) - expected).abs() < 1e-11, "{x}: {} {expected}", ln_gamma(x));
        }
        assert_eq!(ln_gamma(0.0), f64::INFINITY);
        assert_eq!(ln_gamma(f64::NAN), f64::INFINITY);
        assert!((ln_factorial(5) - 120f64.ln()).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn gamma_of_the_next_is_gamma_times_x(x in 1e-3f64..1e6) {
            let (left, right) = (ln_gamma(x + 1.0), ln_gamma(x) + x.ln());
            prop_assert!((left - right).abs() <= 1e-10 * left.abs().max(1.0));
        }

        #[test]
        fn tables_agree_with_the_function(x in 0u32..3_000, more in 0u32..3_000) {
            let n = x + more;
            let direct = ln_beta(0.3 + f64::from(x), 0.5 + f64::from(n - x)) - ln_beta(0.3, 0.5);
            prop_assert!((RUN_FAILS.ln(x, n) - direct).abs() < 1e-8);
        }
    }
}
