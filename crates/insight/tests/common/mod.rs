//! Random numbers, and the formulas that ours are compared with.
#![allow(dead_code, missing_docs, reason = "each test file uses its part")]

use scaledtest_insight::Observation;

/// SplitMix64: always the same numbers.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0..1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn yes(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// What was found against what there is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hits {
    pub right: u32,
    pub wrong: u32,
    pub missed: u32,
}

impl Hits {
    pub fn count(&mut self, found: bool, there: bool) {
        self.right += u32::from(found && there);
        self.wrong += u32::from(found && !there);
        self.missed += u32::from(!found && there);
    }

    pub fn precision(&self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.wrong).max(1))
    }

    pub fn recall(&self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }

    pub fn f1(&self) -> f64 {
        2.0 * f64::from(self.right) / f64::from((2 * self.right + self.wrong + self.missed).max(1))
    }
}

/// The formula of the original: neighbouring statuses that differ, of any of the five, all branches in one sequence, over
/// the last days (7 unless it is told otherwise) and at least 5 runs; one is enough.
pub fn flips_of_the_original(statuses: &[(i64, char)], now: i64, days: i64) -> bool {
    let recent: Vec<char> =
        statuses.iter().filter(|(at, _)| now - at <= days * 86_400).map(|(_, status)| *status).collect();
    recent.len() >= 5 && recent.windows(2).any(|pair| pair[0] != pair[1])
}

/// The flip rate of one branch over these days, passed or failed only, outages included.
pub fn plain_flip_rate(series: &[Observation], now: i64, days: i64) -> f64 {
    let recent: Vec<bool> =
        series.iter().filter(|seen| now - seen.at <= days * 86_400).map(Observation::failed).collect();
    let flips = recent.windows(2).filter(|pair| pair[0] != pair[1]).count();
    if recent.len() < 5 { 0.0 } else { flips as f64 / (recent.len() - 1) as f64 }
}
