//! What a renamed test is called now.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind, TestId, UserId,
    events::alias::{Accepted, Dismissed, Event, Removed},
};
use std::collections::BTreeSet;

/// Decides about one old test.
#[derive(Debug)]
pub struct Alias;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    /// As which test it goes on, if it was joined with one.
    pub accepted: Option<Box<Accepted>>,
    /// As which ones it does not.
    pub dismissed: BTreeSet<TestId>,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Join it with another test.
    Accept {
        /// With which, and why.
        accepted: Box<Accepted>,
        /// What the other one has itself become, step by step.
        leads: Vec<TestId>,
    },
    /// Say that another test is not what became of it.
    Dismiss(Dismissed),
    /// Separate it again from what it was joined with.
    Remove {
        /// Who wants it.
        user: UserId,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// It is not joined with any.
    #[error("the test is not joined with another one")]
    NotFound,
    /// A test cannot be renamed to itself.
    #[error("from and to are the same test: name two")]
    Itself,
    /// The other one leads back to it.
    #[error("to was itself joined with from: separate these first, or swap from and to")]
    Cycle,
    /// It is another one already.
    #[error("from is joined with another test already: separate these first")]
    Already,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Itself => ErrorKind::Invalid,
            Self::Cycle | Self::Already => ErrorKind::Conflict,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "rename_not_found",
            Self::Itself => "invalid_request",
            Self::Cycle => "rename_cycle",
            Self::Already => "already_renamed",
        }
    }
}

impl Decider for Alias {
    const KIND: Kind = Kind::Alias;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        let to = state.accepted.as_ref().map(|accepted| accepted.to);
        match command {
            Command::Accept { accepted, .. } if accepted.from == accepted.to => Err(Reject::Itself),
            Command::Accept { accepted, .. } if to == Some(accepted.to) => Ok(Vec::new()),
            Command::Accept { .. } if to.is_some() => Err(Reject::Already),
            Command::Accept { accepted, leads } if leads.contains(&accepted.from) => Err(Reject::Cycle),
            Command::Accept { accepted, .. } => Ok(vec![Event::Accepted(accepted)]),
            Command::Dismiss(dismissed) if dismissed.from == dismissed.to => Err(Reject::Itself),
            Command::Dismiss(dismissed) if to == Some(dismissed.to) => Err(Reject::Already),
            Command::Dismiss(dismissed) if state.dismissed.contains(&dismissed.to) => Ok(Vec::new()),
            Command::Dismiss(dismissed) => Ok(vec![Event::Dismissed(dismissed)]),
            Command::Remove { user } => {
                let Accepted { alias, project, from, to, .. } = **state.accepted.as_ref().ok_or(Reject::NotFound)?;
                Ok(vec![Event::Removed(Removed { alias, project, from, to, user })])
            }
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Accepted(accepted) => {
                state.dismissed.remove(&accepted.to);
                state.accepted = Some(accepted.clone());
            }
            Event::Dismissed(dismissed) => {
                state.dismissed.insert(dismissed.to);
            }
            Event::Removed(_) => state.accepted = None,
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{decide, history};
    use scaledtest_domain::{
        AliasId, ProjectId,
        events::alias::{Evidence, Named, Reason},
    };

    fn test(name: &str) -> TestId {
        TestId::derived(&[name.as_bytes()])
    }

    fn ids() -> (AliasId, ProjectId, UserId) {
        (AliasId::derived(&[b"old"]), ProjectId::derived(&[b"p"]), UserId::derived(&[b"ada"]))
    }

    fn accepted(to: &str) -> Box<Accepted> {
        let named = |name: &str| Named { name: name.into(), suite: Vec::new(), file_path: None };
        let (alias, project, user) = ids();
        let evidence = Evidence { from: named("old"), to: named(to), similarity: 0.9, reason: Reason::Similar };
        Box::new(Accepted { alias, project, from: test("old"), to: test(to), user, evidence })
    }

    fn accept(to: &str) -> Command {
        Command::Accept { accepted: accepted(to), leads: Vec::new() }
    }

    fn dismissed(to: &str) -> Dismissed {
        let (alias, project, user) = ids();
        Dismissed { alias, project, from: test("old"), to: test(to), user }
    }

    fn remove() -> Command {
        Command::Remove { user: ids().2 }
    }

    #[test]
    fn a_test_becomes_one_other() {
        let events = history::<Alias>(vec![accept("new")]);
        assert_eq!(events, [Event::Accepted(accepted("new"))]);
        assert_eq!(decide::<Alias>(&events, accept("new")), Ok(vec![]), "the same again");
        assert_eq!(decide::<Alias>(&events, accept("other")), Err(Reject::Already));
        assert_eq!(decide::<Alias>(&[], accept("old")), Err(Reject::Itself));
    }

    #[test]
    fn it_never_comes_back_to_itself() {
        let around = |leads: &[&str]| Command::Accept {
            accepted: accepted("new"),
            leads: leads.iter().map(|name| test(name)).collect(),
        };
        assert_eq!(decide::<Alias>(&[], around(&["newer", "old"])), Err(Reject::Cycle));
        assert_eq!(decide::<Alias>(&[], around(&["newer", "newest"])).unwrap().len(), 1);
    }

    #[test]
    fn what_was_joined_is_separated_once() {
        assert_eq!(decide::<Alias>(&[], remove()), Err(Reject::NotFound));
        let events = history::<Alias>(vec![accept("new"), remove()]);
        let (alias, project, user) = ids();
        let removed = Removed { alias, project, from: test("old"), to: test("new"), user };
        assert_eq!(events[1..], [Event::Removed(removed)]);
        assert_eq!(decide::<Alias>(&events, remove()), Err(Reject::NotFound));
        assert_eq!(decide::<Alias>(&events, accept("other")).unwrap().len(), 1, "and may become another");
    }

    #[test]
    fn what_was_dismissed_may_still_be_accepted() {
        let events = history::<Alias>(vec![Command::Dismiss(dismissed("new"))]);
        assert_eq!(events, [Event::Dismissed(dismissed("new"))]);
        assert_eq!(decide::<Alias>(&events, Command::Dismiss(dismissed("new"))), Ok(vec![]));
        assert_eq!(decide::<Alias>(&events, Command::Dismiss(dismissed("other"))).unwrap().len(), 1);
        let events = history::<Alias>(vec![Command::Dismiss(dismissed("new")), accept("new")]);
        assert_eq!(events.len(), 2);
        assert_eq!(decide::<Alias>(&events, Command::Dismiss(dismissed("new"))), Err(Reject::Already));
    }
}
