//! A clock that only moves when it is told to.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use scaledtest_domain::{Clock, truncate_to_micros};

/// Shared by all its clones.
#[derive(Clone, Debug)]
pub struct FakeClock {
    now: Arc<Mutex<DateTime<Utc>>>,
}

impl FakeClock {
    /// Stands at this time.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now: Arc::new(Mutex::new(truncate_to_micros(now))) }
    }

    /// Sets it, backwards too.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = truncate_to_micros(now);
    }

    /// Moves it on and returns the new time.
    pub fn advance(&self, by: TimeDelta) -> DateTime<Utc> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
        *now
    }
}

impl Default for FakeClock {
    /// 2026-01-15 12:00 UTC, far from any change of day, month or year.
    fn default() -> Self {
        Self::at(Utc.timestamp_opt(1_768_478_400, 0).single().unwrap_or_default())
    }
}

impl Clock for FakeClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_only_when_told_and_for_all_clones() {
        let clock = FakeClock::default();
        assert_eq!(clock.now().to_rfc3339(), "2026-01-15T12:00:00+00:00");
        let other = clock.clone();
        clock.advance(TimeDelta::seconds(90));
        assert_eq!(other.now().to_rfc3339(), "2026-01-15T12:01:30+00:00");
    }
}
