//! Uniqueness: the aggregate's id is a hash of the value, so that only one can hold it.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Hash16, Kind,
    events::claim::{Claimed, Event, Released},
};
use uuid::Uuid;

/// Decides about one value.
#[derive(Debug)]
pub struct Claim;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Who holds the value, if anybody does.
    pub held: Option<Claimed>,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Hold the value.
    Take {
        /// Who.
        holder: Uuid,
        /// Hash of the holder's content, where the same holder may come with another.
        content: Option<Hash16>,
    },
    /// Give it up.
    Release {
        /// Who; releasing what another holds changes nothing.
        holder: Uuid,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// It is taken, by another or with other content.
    #[error("this value is taken")]
    Held {
        /// Who holds it.
        holder: Uuid,
        /// With what content.
        content: Option<Hash16>,
    },
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
    fn code(&self) -> &'static str {
        "value_taken"
    }
}

impl Decider for Claim {
    const KIND: Kind = Kind::Claim;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        match (command, &state.held) {
            (Command::Take { holder, content }, None) => Ok(vec![Event::Claimed(Claimed { holder, content })]),
            (Command::Take { holder, content }, Some(held)) => {
                if held.holder == holder && held.content == content {
                    return Ok(Vec::new());
                }
                Err(Reject::Held { holder: held.holder, content: held.content })
            }
            (Command::Release { holder }, Some(held)) if held.holder == holder => {
                Ok(vec![Event::Released(Released { holder })])
            }
            (Command::Release { .. }, _) => Ok(Vec::new()),
        }
    }

    fn evolve(_state: State, event: &Event) -> State {
        match event {
            Event::Claimed(claimed) => State { held: Some(claimed.clone()) },
            Event::Released(_) => State { held: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{after, decide, history};
    use proptest::prelude::*;

    fn take(holder: u128, content: &[u8]) -> Command {
        Command::Take { holder: Uuid::from_u128(holder), content: Some(Hash16::of(content)) }
    }

    fn release(holder: u128) -> Command {
        Command::Release { holder: Uuid::from_u128(holder) }
    }

    #[test]
    fn the_first_takes_it_and_the_same_again_changes_nothing() {
        let events = history::<Claim>(vec![take(1, b"a")]);
        assert_eq!(events.len(), 1);
        assert_eq!(decide::<Claim>(&events, take(1, b"a")), Ok(vec![]));
    }

    #[test]
    fn another_holder_or_other_content_learns_who_holds_it() {
        let events = history::<Claim>(vec![take(1, b"a")]);
        let held = Err(Reject::Held { holder: Uuid::from_u128(1), content: Some(Hash16::of(b"a")) });
        assert_eq!(decide::<Claim>(&events, take(2, b"a")), held);
        assert_eq!(decide::<Claim>(&events, take(1, b"b")), held);
    }

    #[test]
    fn only_the_holder_can_release_and_then_it_is_free() {
        let events = history::<Claim>(vec![take(1, b"a"), release(2)]);
        assert_eq!(events.len(), 1);
        let events = history::<Claim>(vec![take(1, b"a"), release(1), take(2, b"b")]);
        assert_eq!(after::<Claim>(&events).held.unwrap().holder, Uuid::from_u128(2));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn takes_and_releases_alternate_and_match(steps in prop::collection::vec((any::<bool>(), 0..3_u128), 0..20)) {
            let commands = steps.iter().map(|(taking, who)| if *taking { take(*who, b"x") } else { release(*who) });
            let mut holder = None;
            for event in history::<Claim>(commands.collect()) {
                match event {
                    Event::Claimed(claimed) => prop_assert_eq!(holder.replace(claimed.holder), None),
                    Event::Released(released) => prop_assert_eq!(holder.take(), Some(released.holder)),
                }
            }
        }
    }
}
