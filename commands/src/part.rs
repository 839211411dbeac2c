//! Parts of all results: dropped when their time is over.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind,
    events::part::{Dropped, Event},
    retention,
};

/// Decides about one part.
#[derive(Debug)]
pub struct Part;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Whether it was dropped.
    pub dropped: bool,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Drop it. Every report in it is sealed or kept.
    Drop {
        /// Which.
        part: retention::Part,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Its time is not over.
    #[error("the time of this part isn't over")]
    NotDue,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
    fn code(&self) -> &'static str {
        "part_not_due"
    }
}

impl Decider for Part {
    const KIND: Kind = Kind::Part;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    /// Once more if it is asked for again: a report that came in late made it anew.
    fn decide(_state: &State, Command::Drop { part }: Command, at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        match part.expires() {
            Some(expires) if expires <= at => Ok(vec![Event::Dropped(Dropped { part })]),
            _ => Err(Reject::NotDue),
        }
    }

    fn evolve(_state: State, Event::Dropped(_): &Event) -> State {
        State { dropped: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noon;
    use chrono::TimeDelta;
    use scaledtest_domain::retention::Retention;

    #[test]
    fn a_part_is_dropped_when_its_time_is_over_and_one_that_is_kept_never() {
        let part = retention::Part::of(Retention::Days30, noon(), noon());
        let expires = part.expires().unwrap();
        let drop = |part, at| Part::decide(&State::default(), Command::Drop { part }, at);
        assert_eq!(drop(part, expires - TimeDelta::seconds(1)), Err(Reject::NotDue));
        assert_eq!(drop(part, expires), Ok(vec![Event::Dropped(Dropped { part })]));
        assert_eq!(drop(part.kept(), expires), Err(Reject::NotDue));
    }
}
