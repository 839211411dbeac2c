//! A project's quarantine policy.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind,
    events::policy::{Event, Rules, Set},
};
use std::convert::Infallible;

/// Decides about one project's policy.
#[derive(Debug)]
pub struct Policy;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    /// The policy, if one was ever set.
    pub rules: Option<Rules>,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Have this policy from now on.
    Set(Set),
}

/// Why not: whoever may set it may set any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Reject(#[from] Infallible);

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self.0 {}
    }
    fn code(&self) -> &'static str {
        match self.0 {}
    }
}

impl Decider for Policy {
    const KIND: Kind = Kind::Policy;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        let Command::Set(set) = command;
        Ok(if state.rules.as_ref() == Some(&set.rules) { Vec::new() } else { vec![Event::Set(set)] })
    }

    fn evolve(_state: State, event: &Event) -> State {
        let Event::Set(set) = event;
        State { rules: Some(set.rules.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{decide, history};
    use scaledtest_domain::{ProjectId, UserId};

    #[test]
    fn what_is_set_again_changes_nothing() {
        let set = |rules| {
            let (project, user) = (ProjectId::derived(&[b"p"]), UserId::derived(&[b"ada"]));
            Command::Set(Set { project, user, rules })
        };
        let events = history::<Policy>(vec![set(Rules::default())]);
        assert_eq!(events.len(), 1, "also what is so by default");
        assert_eq!(decide::<Policy>(&events, set(Rules::default())), Ok(vec![]));
        let on = Rules { enabled: true, ..Rules::default() };
        assert_eq!(decide::<Policy>(&events, set(on)).unwrap().len(), 1);
    }
}
