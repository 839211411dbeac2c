//! How long results are kept.
//!
//! Results lie in parts, by class and week, and a part is dropped as a whole. A report says itself to which part it belongs,
//! so that a later change of the team's class or of the instance's setting touches no report that is there.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Seconds of a week.
const WEEK: i64 = 7 * 86_400;
/// A part's number is the days of its class times this, plus the weeks since 1970.
const CLASS_STEP: i32 = 10_000;

/// For how many days the results of a report are kept, at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum Retention {
    /// 30 days.
    Days30,
    /// 90 days.
    Days90,
    /// 400 days: a year, and the same week of it again.
    #[default]
    Days400,
}

impl Retention {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::Days30, Self::Days90, Self::Days400];

    /// Its days.
    pub fn days(self) -> u16 {
        match self {
            Self::Days30 => 30,
            Self::Days90 => 90,
            Self::Days400 => 400,
        }
    }
}

impl From<Retention> for u16 {
    fn from(class: Retention) -> Self {
        class.days()
    }
}

/// A number of days that is no class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("results are kept for 30, 90 or 400 days, not for {0}")]
pub struct NoRetention(pub u16);

impl TryFrom<u16> for Retention {
    type Error = NoRetention;
    fn try_from(days: u16) -> Result<Self, NoRetention> {
        Self::ALL.into_iter().find(|class| class.days() == days).ok_or(NoRetention(days))
    }
}

impl std::str::FromStr for Retention {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let days = text.parse::<u16>().map_err(|_| format!("{text:?} is no number of days: give 30, 90 or 400"))?;
        Self::try_from(days).map_err(|error| error.to_string())
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.days().fmt(f)
    }
}

/// A part of all results: what is dropped together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Part(pub i32);

impl Part {
    /// No class has a part before it: what is kept lies there.
    pub const FIRST: Self = Self(CLASS_STEP);

    /// That of a report of `created_at` which is taken in now: one that is older than its class keeps results counts from now.
    pub fn of(class: Retention, created_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let is_too_old = created_at + TimeDelta::days(class.days().into()) < now;
        let week = if is_too_old { now } else { created_at }.timestamp().div_euclid(WEEK);
        // Four digits hold the weeks of two hundred years.
        let week = i32::try_from(week.clamp(0, i64::from(CLASS_STEP - 1))).unwrap_or_default();
        Self(i32::from(class.days()) * CLASS_STEP + week)
    }

    /// Where what must not be dropped is kept beyond its time.
    pub fn kept(self) -> Self {
        Self(self.0 % CLASS_STEP)
    }

    /// Whether it is such a place.
    pub fn is_kept(self) -> bool {
        self.0 < CLASS_STEP
    }

    /// Its class in days; 0 if it is kept for good.
    pub fn days(self) -> i32 {
        self.0 / CLASS_STEP
    }

    /// When its week begins.
    pub fn begins(self) -> DateTime<Utc> {
        DateTime::from_timestamp(i64::from(self.0 % CLASS_STEP) * WEEK, 0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// When the last of its results may be dropped; never if it is kept.
    pub fn expires(self) -> Option<DateTime<Utc>> {
        let days = TimeDelta::days(i64::from(self.days()) + 7);
        (!self.is_kept()).then(|| self.begins() + days)
    }

    /// The id of the aggregate that says what became of it.
    pub fn id(self) -> Uuid {
        crate::ids::PartId::derived(&[&self.0.to_be_bytes()]).0
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    proptest! {
        #[test]
        fn a_part_is_not_due_before_each_of_its_reports_is(
            created in 0..4_000_000_000_i64,
            late in 0..60_000_000_i64,
            class in prop::sample::select(Retention::ALL.to_vec()),
        ) {
            let (created, now) = (at(created), at(created + late));
            let part = Part::of(class, created, now);
            prop_assert_eq!(part.days(), i32::from(class.days()));
            let expires = part.expires().expect("it is not kept");
            // Nothing is dropped earlier than its class says, nor more than a week later than that, nor before it came.
            prop_assert!(expires >= created + TimeDelta::days(class.days().into()));
            prop_assert!(expires >= now);
            let counts_from = if created + TimeDelta::days(class.days().into()) < now { now } else { created };
            prop_assert!(expires <= counts_from + TimeDelta::days(i64::from(class.days()) + 7));
            prop_assert!(part.kept().is_kept() && part.kept().expires().is_none());
            prop_assert_eq!(part.kept().begins(), part.begins());
        }
    }

    #[test]
    fn other_numbers_of_days_are_refused() {
        assert_eq!(Retention::try_from(31), Err(NoRetention(31)));
        assert_eq!("400".parse(), Ok(Retention::Days400));
        assert!("a".parse::<Retention>().is_err());
    }
}
