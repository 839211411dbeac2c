//! Quality gates of a team.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, GateId, Kind,
    events::gate::{Changed, Created, Deleted, Event},
    gate::Definition,
};

/// Decides about one gate.
#[derive(Debug)]
pub struct Gate;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    /// What it asks; none before it is made.
    pub definition: Option<Definition>,
    /// How often it was defined.
    pub version: u32,
    /// Whether it is gone.
    pub is_deleted: bool,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make it.
    Create {
        /// Its id.
        gate: GateId,
        /// What it asks.
        definition: Definition,
    },
    /// Ask something else, all in all.
    Change {
        /// Its id.
        gate: GateId,
        /// What it asks from now on.
        definition: Definition,
    },
    /// Remove it.
    Delete {
        /// Its id.
        gate: GateId,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// There is no such gate.
    #[error("quality gate not found")]
    NotFound,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        ErrorKind::NotFound
    }
    fn code(&self) -> &'static str {
        "gate_not_found"
    }
}

impl Decider for Gate {
    const KIND: Kind = Kind::Gate;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        let lives = state.definition.is_some() && !state.is_deleted;
        Ok(match command {
            // Made before, by the same request: what became of it since stands.
            Command::Create { .. } if state.definition.is_some() => Vec::new(),
            Command::Create { gate, definition } => vec![Event::Created(Created { gate, definition })],
            Command::Change { .. } | Command::Delete { .. } if !lives => return Err(Reject::NotFound),
            Command::Change { definition, .. } if state.definition.as_ref() == Some(&definition) => Vec::new(),
            Command::Change { gate, definition } => vec![Event::Changed(Changed { gate, definition })],
            Command::Delete { gate } => vec![Event::Deleted(Deleted { gate })],
        })
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Created(Created { definition, .. }) | Event::Changed(Changed { definition, .. }) => {
                state.definition = Some(definition.clone());
                state.version = state.version.saturating_add(1);
            }
            Event::Deleted(_) => state.is_deleted = true,
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{after, decide, history};
    use scaledtest_domain::gate::{Check, Level, Rule};

    fn gate() -> GateId {
        GateId::derived(&[b"g"])
    }

    fn definition(name: &str) -> Definition {
        let rules = vec![Rule { check: Check::ZeroFailures, level: Level::Block, scope: None }];
        Definition { name: name.into(), description: None, rules, branches: Vec::new(), enabled: true }
    }

    fn create() -> Command {
        Command::Create { gate: gate(), definition: definition("Main") }
    }

    #[test]
    fn given_nothing_when_created_then_it_asks_what_was_said() {
        let created = Event::Created(Created { gate: gate(), definition: definition("Main") });
        assert_eq!(decide::<Gate>(&[], create()), Ok(vec![created.clone()]));
        assert_eq!(decide::<Gate>(&[created], create()), Ok(vec![]));
    }

    #[test]
    fn given_a_gate_when_changed_then_the_new_rules_stand_and_the_version_rises() {
        let change = |name| Command::Change { gate: gate(), definition: definition(name) };
        let events = history::<Gate>(vec![create(), change("Main"), change("Release")]);
        assert_eq!(events[1..], [Event::Changed(Changed { gate: gate(), definition: definition("Release") })]);
        let state = after::<Gate>(&events);
        assert_eq!((state.version, state.definition), (2, Some(definition("Release"))));
    }

    #[test]
    fn given_no_gate_or_a_deleted_one_when_changed_or_deleted_then_there_is_none() {
        let delete = Command::Delete { gate: gate() };
        let change = Command::Change { gate: gate(), definition: definition("Other") };
        for events in [vec![], history::<Gate>(vec![create(), delete.clone()])] {
            assert_eq!(decide::<Gate>(&events, delete.clone()), Err(Reject::NotFound));
            assert_eq!(decide::<Gate>(&events, change.clone()), Err(Reject::NotFound));
        }
        let events = history::<Gate>(vec![create(), delete]);
        assert_eq!((events.len(), decide::<Gate>(&events, create())), (2, Ok(vec![])));
    }
}
