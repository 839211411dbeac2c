//! The mathematics behind the history of tests: how flaky one is, since when it fails, which failures are the same, and
//! what a failure means for a change.
//!
//! Pure and total: no I/O, no clock ("now" is passed in or is the newest observation), no panic and no NaN on any input.
//! What each number means, its formula and its source are in `docs/insight.md`.

mod assess;
pub mod changepoint;
pub mod disk;
pub mod durations;
pub mod evidence;
pub mod fingerprint;
pub mod fisher;
pub mod flakiness;
pub mod gate;
pub mod glob;
pub mod mass_failure;
mod observation;
pub mod owners;
pub mod rename;
pub mod signals;
pub mod special;
pub mod state;
pub mod text;
pub mod verdict;

pub use assess::{Assessment, assess};
pub use observation::{Attempts, Mass, Observation, Outcome, attempts_of};
pub use state::State;

/// Seconds in a day.
pub const DAY: i64 = 86_400;
