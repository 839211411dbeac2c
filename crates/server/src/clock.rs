//! The one place that asks the system for the time.

use chrono::{DateTime, Utc};
use scaledtest_domain::{Clock, truncate_to_micros};

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        truncate_to_micros(Utc::now())
    }
}
