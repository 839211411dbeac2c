//! Given events, when a command, then events: the words in which deciders are tested.

use chrono::{DateTime, Utc};
use scaledtest_domain::Decider;

/// The moment at which test commands are decided.
pub fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_262_400, 0).unwrap()
}

/// The state after `events`.
pub fn after<D: Decider>(events: &[D::Event]) -> D::State {
    events.iter().fold(D::State::default(), D::evolve)
}

/// What `command` decides after `events`.
pub fn decide<D: Decider>(events: &[D::Event], command: D::Command) -> Result<Vec<D::Event>, D::Reject> {
    D::decide(&after::<D>(events), command, noon())
}

/// Runs commands one after the other, keeping what each decided; refusals change nothing.
pub fn history<D: Decider>(commands: Vec<D::Command>) -> Vec<D::Event> {
    let mut events = Vec::new();
    for command in commands {
        if let Ok(more) = decide::<D>(&events, command) {
            events.extend(more);
        }
    }
    events
}
