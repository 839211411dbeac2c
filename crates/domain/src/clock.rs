use chrono::{DateTime, SubsecRound, Utc};

/// Where the present comes from. Production reads the system clock; tests hold the hands.
pub trait Clock: Send + Sync + 'static {
    /// The present, in UTC, at microsecond precision (what Postgres keeps).
    fn now(&self) -> DateTime<Utc>;
}

/// Cuts a time to microseconds, so that a value survives the round trip through Postgres unchanged.
pub fn truncate_to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}
