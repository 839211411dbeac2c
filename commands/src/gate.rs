//! Quality gates of a team.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, GateId, Kind, UserId, WaiverId,
    events::gate::{Changed, Created, Deleted, Event, RuleWaived, WaiverRevoked},
    gate::{Definition, LONGEST_WAIVER, Waiver},
};

/// Waivers of a gate that hold at a time.
pub const MOST_WAIVERS: usize = 100;

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
    /// Every waiver there was, and until when it holds; none once it is revoked.
    pub waivers: Vec<(WaiverId, Option<DateTime<Utc>>)>,
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
    /// Let one of its rules pass for a while.
    Waive {
        /// Its id.
        gate: GateId,
        /// Which rule, where, why and until when.
        waiver: Box<Waiver>,
    },
    /// Take a waiver back.
    Revoke {
        /// Its id.
        gate: GateId,
        /// Which.
        waiver: WaiverId,
        /// Who.
        by: UserId,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// There is no such gate.
    #[error("quality gate not found")]
    NotFound,
    /// It does not ask that.
    #[error("the gate has no such rule now; send one of its rules as they are read from it")]
    NoSuchRule,
    /// The waiver would not end soon enough, or has ended.
    #[error("expires_at must be in the future, and at most {} days away", LONGEST_WAIVER.num_days())]
    Expiry,
    /// So many waivers leave nothing of a gate.
    #[error("a gate has at most {MOST_WAIVERS} waivers at a time: revoke one first")]
    TooManyWaivers,
    /// There is no such waiver.
    #[error("waiver not found")]
    NoSuchWaiver,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound | Self::NoSuchWaiver => ErrorKind::NotFound,
            Self::NoSuchRule | Self::TooManyWaivers => ErrorKind::Conflict,
            Self::Expiry => ErrorKind::Invalid,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "gate_not_found",
            Self::NoSuchRule => "rule_not_found",
            Self::Expiry => "invalid_expiry",
            Self::TooManyWaivers => "too_many_waivers",
            Self::NoSuchWaiver => "waiver_not_found",
        }
    }
}

impl Decider for Gate {
    const KIND: Kind = Kind::Gate;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        let lives = state.definition.is_some() && !state.is_deleted;
        Ok(match command {
            // Made before, by the same request: what became of it since stands.
            Command::Create { .. } if state.definition.is_some() => Vec::new(),
            Command::Create { gate, definition } => vec![Event::Created(Created { gate, definition })],
            _ if !lives => return Err(Reject::NotFound),
            Command::Change { definition, .. } if state.definition.as_ref() == Some(&definition) => Vec::new(),
            Command::Change { gate, definition } => vec![Event::Changed(Changed { gate, definition })],
            Command::Delete { gate } => vec![Event::Deleted(Deleted { gate })],
            Command::Waive { gate, waiver } => waive(state, gate, *waiver, at)?,
            Command::Revoke { gate, waiver, by } => match state.waivers.iter().find(|(id, _)| *id == waiver) {
                None => return Err(Reject::NoSuchWaiver),
                Some((_, None)) => Vec::new(),
                Some(_) => vec![Event::WaiverRevoked(WaiverRevoked { gate, waiver, by })],
            },
        })
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Created(Created { definition, .. }) | Event::Changed(Changed { definition, .. }) => {
                state.definition = Some(definition.clone());
                state.version = state.version.saturating_add(1);
            }
            Event::Deleted(_) => state.is_deleted = true,
            Event::RuleWaived(waived) => state.waivers.push((waived.waiver.id, Some(waived.waiver.expires_at))),
            Event::WaiverRevoked(revoked) => {
                let found = state.waivers.iter_mut().filter(|(id, _)| *id == revoked.waiver);
                found.for_each(|(_, until)| *until = None);
            }
        }
        state
    }
}

fn waive(state: &State, gate: GateId, waiver: Waiver, at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
    if state.waivers.iter().any(|(id, _)| *id == waiver.id) {
        return Ok(Vec::new());
    }
    if !state.definition.as_ref().is_some_and(|definition| definition.rules.contains(&waiver.rule)) {
        return Err(Reject::NoSuchRule);
    }
    if waiver.expires_at <= at || waiver.expires_at > at + LONGEST_WAIVER {
        return Err(Reject::Expiry);
    }
    let holds = |(_, until): &&(WaiverId, Option<DateTime<Utc>>)| until.is_some_and(|until| until > at);
    if state.waivers.iter().filter(holds).count() >= MOST_WAIVERS {
        return Err(Reject::TooManyWaivers);
    }
    Ok(vec![Event::RuleWaived(Box::new(RuleWaived { gate, waiver }))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{after, decide, history, noon};
    use chrono::TimeDelta;
    use scaledtest_domain::gate::{Check, Extent, Level, Rule};

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

    fn waiver(number: u8, lasts: TimeDelta) -> Box<Waiver> {
        Box::new(Waiver {
            id: WaiverId::derived(&[&[number]]),
            rule: definition("").rules.remove(0),
            extent: Extent::Branch("main".into()),
            reason: "the provider is down".into(),
            by: UserId::derived(&[b"u"]),
            expires_at: noon() + lasts,
        })
    }

    fn waive(waiver: Box<Waiver>) -> Command {
        Command::Waive { gate: gate(), waiver }
    }

    #[test]
    fn given_a_rule_when_waived_then_it_is_for_at_most_ninety_days_and_once() {
        let events = history::<Gate>(vec![create()]);
        for (lasts, fits) in [(0, false), (1, true), (90, true), (91, false)] {
            let decided = decide::<Gate>(&events, waive(waiver(1, TimeDelta::days(lasts))));
            assert_eq!(decided.err(), (!fits).then_some(Reject::Expiry), "{lasts}");
        }
        let mut other = waiver(1, TimeDelta::days(1));
        other.rule.level = Level::Warn;
        assert_eq!(decide::<Gate>(&events, waive(other)), Err(Reject::NoSuchRule));
        let day = waiver(1, TimeDelta::days(1));
        let events = history::<Gate>(vec![create(), waive(day.clone())]);
        assert_eq!(decide::<Gate>(&events, waive(day)), Ok(vec![]));
    }

    #[test]
    fn given_a_waiver_when_revoked_then_it_is_gone_and_a_second_time_changes_nothing() {
        let by = UserId::derived(&[b"u"]);
        let revoke = |number: u8| Command::Revoke { gate: gate(), waiver: WaiverId::derived(&[&[number]]), by };
        let events = history::<Gate>(vec![create(), waive(waiver(1, TimeDelta::days(1))), revoke(1)]);
        assert_eq!(events.len(), 3);
        assert_eq!(decide::<Gate>(&events, revoke(1)), Ok(vec![]));
        assert_eq!(decide::<Gate>(&events, revoke(2)), Err(Reject::NoSuchWaiver));
    }

    #[test]
    fn given_a_hundred_waivers_when_one_is_revoked_then_there_is_room_for_another() {
        let mut commands = vec![create()];
        commands.extend((0..100).map(|number| waive(waiver(number, TimeDelta::days(1)))));
        let mut events = history::<Gate>(commands);
        let more = || waive(waiver(200, TimeDelta::days(1)));
        assert_eq!(decide::<Gate>(&events, more()), Err(Reject::TooManyWaivers));
        let (waiver, by) = (WaiverId::derived(&[&[7]]), UserId::derived(&[b"u"]));
        events.extend(decide::<Gate>(&events, Command::Revoke { gate: gate(), waiver, by }).unwrap());
        assert_eq!(decide::<Gate>(&events, more()).map(|events| events.len()), Ok(1));
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
            assert_eq!(decide::<Gate>(&events, waive(waiver(1, TimeDelta::days(1)))), Err(Reject::NotFound));
        }
        let events = history::<Gate>(vec![create(), delete]);
        assert_eq!((events.len(), decide::<Gate>(&events, create())), (2, Ok(vec![])));
    }
}
