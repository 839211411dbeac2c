//! CI workflows that a team trusts to upload without a secret.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind, PublisherId, UserId,
    events::publisher::{Event, Removed, Rule, Trusted},
};

/// Decides about one rule.
#[derive(Debug)]
pub struct Publisher;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The rule, as it was made.
    pub trusted: Option<Trusted>,
    /// Whether it holds no longer.
    pub is_removed: bool,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Trust workflows.
    Trust {
        /// The rule's id.
        publisher: PublisherId,
        /// Who says so.
        user: UserId,
        /// Which workflows.
        rule: Rule,
    },
    /// Trust them no longer.
    Remove {
        /// The rule's id.
        publisher: PublisherId,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// There is no such rule.
    #[error("publisher not found")]
    NotFound,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        ErrorKind::NotFound
    }
    fn code(&self) -> &'static str {
        "publisher_not_found"
    }
}

impl Decider for Publisher {
    const KIND: Kind = Kind::Publisher;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        match command {
            Command::Trust { publisher, user, rule } if state.trusted.is_none() => {
                Ok(vec![Event::Trusted(Trusted { publisher, user, rule })])
            }
            Command::Remove { .. } if state.trusted.is_none() => Err(Reject::NotFound),
            Command::Remove { publisher } if !state.is_removed => Ok(vec![Event::Removed(Removed { publisher })]),
            Command::Trust { .. } | Command::Remove { .. } => Ok(Vec::new()),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Trusted(trusted) => state.trusted = Some(trusted.clone()),
            Event::Removed(_) => state.is_removed = true,
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{decide, history};

    #[test]
    fn a_rule_is_made_once_and_removed_once() {
        let publisher = PublisherId::derived(&[b"p"]);
        let rule = Rule { issuer: "https://ci".into(), repository: "a/b".into(), branch: None, environment: None };
        let trust = Command::Trust { publisher, user: UserId::derived(&[b"ada"]), rule };
        let remove = Command::Remove { publisher };
        assert_eq!(decide::<Publisher>(&[], remove.clone()), Err(Reject::NotFound));
        let events = history::<Publisher>(vec![trust.clone()]);
        assert_eq!((events.len(), decide::<Publisher>(&events, trust.clone())), (1, Ok(vec![])));
        let events = history::<Publisher>(vec![trust.clone(), remove.clone()]);
        assert_eq!((events.len(), decide::<Publisher>(&events, remove)), (2, Ok(vec![])));
        assert_eq!(decide::<Publisher>(&events, trust), Ok(vec![]));
    }
}
