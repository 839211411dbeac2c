//! An error's tickets: one is open at a time.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, IssueId, Kind, UserId,
    events::issue::{Changed, Closed, Event, Linked, Terms},
};

/// Decides about one error.
#[derive(Debug)]
pub struct Issue;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    /// The newest issue, as it began.
    pub linked: Option<Linked>,
    /// Its terms now.
    pub terms: Option<Terms>,
    /// Whether somebody closed it.
    pub is_closed: bool,
}

impl State {
    /// The terms of the issue that is open at `at`.
    fn current(&self, at: DateTime<Utc>) -> Option<&Terms> {
        let terms = self.terms.as_ref()?;
        (!self.is_closed && terms.expires_at.is_none_or(|end| at < end)).then_some(terms)
    }

    /// Whether `issue` is the newest one.
    fn is_about(&self, issue: IssueId) -> bool {
        self.linked.as_ref().is_some_and(|linked| linked.issue == issue)
    }
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Link the error to a ticket.
    Link(Box<Linked>),
    /// Change the terms of an issue.
    Change {
        /// Which.
        issue: IssueId,
        /// Who wants it.
        user: UserId,
        /// All of them.
        terms: Terms,
    },
    /// Close an issue.
    Close {
        /// Which.
        issue: IssueId,
        /// Who wants it.
        user: UserId,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// There is no such issue.
    #[error("issue not found")]
    NotFound,
    /// A ticket is open for it already.
    #[error("the error is linked to a ticket already: change that issue, or close it first")]
    Already,
    /// It is closed, or its time is over.
    #[error("the issue is not open any more: link the error again")]
    Over,
    /// It would end before it begins.
    #[error("expires_at must be in the future")]
    Past,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Already | Self::Over => ErrorKind::Conflict,
            Self::Past => ErrorKind::Invalid,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "issue_not_found",
            Self::Already => "already_linked",
            Self::Over => "issue_over",
            Self::Past => "invalid_request",
        }
    }
}

impl Decider for Issue {
    const KIND: Kind = Kind::Issue;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        // What was judged while it was open stays judged: an issue is shortened from now on, never backwards.
        let past = |terms: &Terms| terms.expires_at.is_some_and(|end| end <= at);
        match command {
            Command::Link(linked) if state.is_about(linked.issue) => Ok(Vec::new()),
            Command::Link(_) if state.current(at).is_some() => Err(Reject::Already),
            Command::Link(linked) if past(&linked.terms) => Err(Reject::Past),
            Command::Link(linked) => Ok(vec![Event::Linked(*linked)]),
            Command::Change { issue, .. } | Command::Close { issue, .. } if !state.is_about(issue) => {
                Err(Reject::NotFound)
            }
            Command::Change { issue, user, terms } => match state.current(at) {
                None => Err(Reject::Over),
                Some(now) if *now == terms => Ok(Vec::new()),
                Some(_) if past(&terms) => Err(Reject::Past),
                Some(_) => Ok(vec![Event::Changed(Changed { issue, user, terms })]),
            },
            // Whoever closes what is over already, closes nothing.
            Command::Close { .. } if state.current(at).is_none() => Ok(Vec::new()),
            Command::Close { issue, user } => Ok(vec![Event::Closed(Closed { issue, user })]),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Linked(linked) => {
                let terms = Some(linked.terms.clone());
                state = State { linked: Some(linked.clone()), terms, is_closed: false };
            }
            Event::Changed(changed) => state.terms = Some(changed.terms.clone()),
            Event::Closed(_) => state.is_closed = true,
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{after, decide, history, noon};
    use chrono::TimeDelta;
    use scaledtest_domain::ProjectId;

    fn id(name: &str) -> IssueId {
        IssueId::derived(&[name.as_bytes()])
    }

    fn ada() -> UserId {
        UserId::derived(&[b"ada"])
    }

    fn terms(ticket: &str, days: Option<i64>) -> Terms {
        let expires_at = days.map(|days| noon() + TimeDelta::days(days));
        Terms { ticket: ticket.into(), note: None, expires_at }
    }

    fn linked(name: &str, days: Option<i64>) -> Linked {
        let (project, fingerprint) = (ProjectId::derived(&[b"p"]), uuid::Uuid::from_u128(7));
        Linked { issue: id(name), project, fingerprint, user: ada(), terms: terms("SHOP-7", days) }
    }

    fn link(name: &str, days: Option<i64>) -> Command {
        Command::Link(Box::new(linked(name, days)))
    }

    fn close(name: &str) -> Command {
        Command::Close { issue: id(name), user: ada() }
    }

    fn change(name: &str, ticket: &str, days: Option<i64>) -> Command {
        Command::Change { issue: id(name), user: ada(), terms: terms(ticket, days) }
    }

    fn at(events: &[Event], command: Command, days: i64) -> Result<Vec<Event>, Reject> {
        Issue::decide(&after::<Issue>(events), command, noon() + TimeDelta::days(days))
    }

    #[test]
    fn one_ticket_is_open_at_a_time() {
        let events = history::<Issue>(vec![link("a", None)]);
        assert_eq!(events, [Event::Linked(linked("a", None))]);
        assert_eq!(decide::<Issue>(&events, link("a", None)), Ok(vec![]), "the same again");
        assert_eq!(at(&events, link("b", None), 1_000), Err(Reject::Already), "it does not end by itself");
        assert_eq!(decide::<Issue>(&[], link("a", Some(0))), Err(Reject::Past));
    }

    #[test]
    fn it_is_closed_once_and_may_be_linked_again() {
        assert_eq!(decide::<Issue>(&[], close("a")), Err(Reject::NotFound));
        let events = history::<Issue>(vec![link("a", None), close("a")]);
        assert_eq!(events[1..], [Event::Closed(Closed { issue: id("a"), user: ada() })]);
        assert_eq!(decide::<Issue>(&events, close("a")), Ok(vec![]));
        assert_eq!(decide::<Issue>(&events, change("a", "SHOP-8", None)), Err(Reject::Over));
        let events = history::<Issue>(vec![link("a", None), close("a"), link("b", None)]);
        assert_eq!(events[2..], [Event::Linked(linked("b", None))]);
        assert_eq!(decide::<Issue>(&events, close("a")), Err(Reject::NotFound), "an earlier one is over");
    }

    #[test]
    fn it_is_changed_while_it_is_open() {
        let events = history::<Issue>(vec![link("a", Some(14))]);
        assert_eq!(at(&events, change("a", "SHOP-7", Some(14)), 1), Ok(vec![]), "nothing new");
        assert_eq!(at(&events, change("b", "SHOP-8", None), 1), Err(Reject::NotFound));
        assert_eq!(at(&events, change("a", "SHOP-7", Some(1)), 1), Err(Reject::Past));
        let changed = Changed { issue: id("a"), user: ada(), terms: terms("SHOP-8", None) };
        assert_eq!(at(&events, change("a", "SHOP-8", None), 13), Ok(vec![Event::Changed(changed)]));
        assert_eq!(at(&events, change("a", "SHOP-8", None), 14), Err(Reject::Over));
    }

    #[test]
    fn time_ends_it() {
        let events = history::<Issue>(vec![link("a", Some(14))]);
        assert_eq!(at(&events, link("b", None), 13), Err(Reject::Already));
        assert_eq!(at(&events, link("b", None), 14), Ok(vec![Event::Linked(linked("b", None))]));
        assert_eq!(at(&events, close("a"), 14), Ok(vec![]));
    }
}
