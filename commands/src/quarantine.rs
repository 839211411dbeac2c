//! A test's stays in quarantine: one at a time, and none for ever.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind, QuarantineId, UserId,
    events::quarantine::{By, Changed, Entered, Event, Released, Terms, Why},
};

/// Decides about one test.
#[derive(Debug)]
pub struct Quarantine;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    /// The newest stay, as it began.
    pub entered: Option<Entered>,
    /// Its terms now.
    pub terms: Option<Terms>,
    /// Why it ended, if it was ended.
    pub released: Option<Why>,
}

impl State {
    /// The stay that lasts at `at`.
    fn current(&self, at: DateTime<Utc>) -> Option<(&Entered, &Terms)> {
        let (entered, terms) = (self.entered.as_ref()?, self.terms.as_ref()?);
        (self.released.is_none() && at < terms.expires_at).then_some((entered, terms))
    }

    /// Whether `quarantine` is the newest stay.
    fn is_about(&self, quarantine: QuarantineId) -> bool {
        self.entered.as_ref().is_some_and(|entered| entered.quarantine == quarantine)
    }
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Put the test into quarantine.
    Enter(Box<Entered>),
    /// Change the terms of a stay.
    Change {
        /// Which.
        quarantine: QuarantineId,
        /// All of them.
        terms: Terms,
    },
    /// End a stay.
    Release {
        /// Which.
        quarantine: QuarantineId,
        /// Why; `Expired` only ends what has expired, `Broken` only what the policy began.
        why: Why,
        /// Who; nobody for what the server does by itself.
        user: Option<UserId>,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// There is no such stay.
    #[error("quarantine not found")]
    NotFound,
    /// The test is there already.
    #[error("the test is in quarantine already: change that entry, or release it first")]
    Already,
    /// The stay is over.
    #[error("the test is not in this quarantine any more: quarantine it again")]
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
            Self::NotFound => "quarantine_not_found",
            Self::Already => "already_quarantined",
            Self::Over => "quarantine_over",
            Self::Past => "invalid_request",
        }
    }
}

impl Decider for Quarantine {
    const KIND: Kind = Kind::Quarantine;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        match command {
            Command::Enter(entered) => enter(state, *entered, at),
            Command::Change { quarantine, terms } => change(state, quarantine, terms, at),
            Command::Release { quarantine, why, user } => {
                if !state.is_about(quarantine) {
                    return Err(Reject::NotFound);
                }
                let by_policy = state.entered.as_ref().is_some_and(|entered| entered.by == By::Policy);
                let holds = match why {
                    Why::Expired => state.current(at).is_none(),
                    Why::Broken => by_policy,
                    Why::Hand | Why::Recovered => true,
                };
                if state.released.is_some() || !holds {
                    return Ok(Vec::new());
                }
                // Whoever ends what is over already, ends nothing.
                let is_over = state.current(at).is_none();
                let (why, user) = if is_over { (Why::Expired, None) } else { (why, user) };
                Ok(vec![Event::Released(Released { quarantine, why, user })])
            }
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Entered(entered) => {
                let terms = Some(entered.terms.clone());
                state = State { entered: Some(entered.clone()), terms, released: None };
            }
            Event::Changed(changed) => state.terms = Some(changed.terms.clone()),
            Event::Released(released) => state.released = Some(released.why),
        }
        state
    }
}

fn enter(state: &State, entered: Entered, at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
    if state.is_about(entered.quarantine) {
        return Ok(Vec::new());
    }
    if state.current(at).is_some() {
        return Err(Reject::Already);
    }
    if entered.terms.expires_at <= at {
        return Err(Reject::Past);
    }
    let mut events = Vec::with_capacity(2);
    // The sweep has not noted yet that the stay before is over.
    if let (Some(earlier), None) = (&state.entered, state.released) {
        events.push(Event::Released(Released { quarantine: earlier.quarantine, why: Why::Expired, user: None }));
    }
    events.push(Event::Entered(entered));
    Ok(events)
}

fn change(state: &State, quarantine: QuarantineId, terms: Terms, at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
    if !state.is_about(quarantine) {
        return Err(Reject::NotFound);
    }
    let Some((_, now)) = state.current(at) else { return Err(Reject::Over) };
    if *now == terms {
        return Ok(Vec::new());
    }
    // What was judged while it was muted stays judged: an entry is shortened from now on, never backwards.
    if terms.expires_at <= at {
        return Err(Reject::Past);
    }
    Ok(vec![Event::Changed(Changed { quarantine, terms })])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{after, decide, history, noon};
    use chrono::TimeDelta;
    use scaledtest_domain::{ProjectId, TestId, events::quarantine::Mode};

    fn id(name: &str) -> QuarantineId {
        QuarantineId::derived(&[name.as_bytes()])
    }

    fn terms(days: i64) -> Terms {
        let expires_at = noon() + TimeDelta::days(days);
        Terms { mode: Mode::Mute, reason: "slow".into(), owner: None, ticket: None, expires_at }
    }

    fn entered(name: &str, by: By, days: i64) -> Entered {
        let (project, test) = (ProjectId::derived(&[b"p"]), TestId::derived(&[b"t"]));
        Entered { quarantine: id(name), project, test, by, terms: terms(days), evidence: None }
    }

    fn ada() -> By {
        By::Person { user: UserId::derived(&[b"ada"]) }
    }

    fn enter(name: &str, by: By) -> Command {
        Command::Enter(Box::new(entered(name, by, 14)))
    }

    fn release(name: &str, why: Why) -> Command {
        Command::Release { quarantine: id(name), why, user: None }
    }

    fn released(name: &str, why: Why) -> Event {
        Event::Released(Released { quarantine: id(name), why, user: None })
    }

    fn at(events: &[Event], command: Command, days: i64) -> Result<Vec<Event>, Reject> {
        Quarantine::decide(&after::<Quarantine>(events), command, noon() + TimeDelta::days(days))
    }

    #[test]
    fn a_test_is_in_quarantine_once() {
        let events = history::<Quarantine>(vec![enter("a", ada())]);
        assert_eq!(events, [Event::Entered(entered("a", ada(), 14))]);
        assert_eq!(decide::<Quarantine>(&events, enter("a", ada())), Ok(vec![]), "the same again");
        assert_eq!(decide::<Quarantine>(&events, enter("b", By::Policy)), Err(Reject::Already));
    }

    #[test]
    fn nobody_enters_or_is_changed_into_the_past() {
        let past = Command::Enter(Box::new(entered("a", ada(), 0)));
        assert_eq!(decide::<Quarantine>(&[], past), Err(Reject::Past));
        let events = history::<Quarantine>(vec![enter("a", ada())]);
        let change = Command::Change { quarantine: id("a"), terms: terms(1) };
        assert_eq!(at(&events, change, 2), Err(Reject::Past));
    }

    #[test]
    fn a_stay_is_changed_while_it_lasts() {
        let events = history::<Quarantine>(vec![enter("a", ada())]);
        let change = |name, days| Command::Change { quarantine: id(name), terms: terms(days) };
        assert_eq!(decide::<Quarantine>(&events, change("a", 14)), Ok(vec![]), "nothing new");
        assert_eq!(decide::<Quarantine>(&events, change("b", 20)), Err(Reject::NotFound));
        let changed = vec![Event::Changed(Changed { quarantine: id("a"), terms: terms(20) })];
        assert_eq!(at(&events, change("a", 20), 13), Ok(changed));
        assert_eq!(at(&events, change("a", 20), 14), Err(Reject::Over));
    }

    #[test]
    fn a_stay_ends_once() {
        assert_eq!(decide::<Quarantine>(&[], release("a", Why::Hand)), Err(Reject::NotFound));
        let events = history::<Quarantine>(vec![enter("a", ada()), release("a", Why::Recovered)]);
        assert_eq!(events[1..], [released("a", Why::Recovered)]);
        assert_eq!(decide::<Quarantine>(&events, release("a", Why::Hand)), Ok(vec![]));
        let change = Command::Change { quarantine: id("a"), terms: terms(20) };
        assert_eq!(decide::<Quarantine>(&events, change), Err(Reject::Over));
        assert_eq!(decide::<Quarantine>(&events, enter("b", ada())).unwrap().len(), 1);
    }

    #[test]
    fn time_ends_it_and_nothing_earlier_does_so_for_time() {
        let events = history::<Quarantine>(vec![enter("a", ada())]);
        assert_eq!(at(&events, release("a", Why::Expired), 13), Ok(vec![]), "extended meanwhile");
        assert_eq!(at(&events, release("a", Why::Expired), 14), Ok(vec![released("a", Why::Expired)]));
        assert_eq!(at(&events, release("a", Why::Hand), 15), Ok(vec![released("a", Why::Expired)]));
    }

    #[test]
    fn what_has_expired_makes_room_before_the_sweep_has_noted_it() {
        let events = history::<Quarantine>(vec![enter("a", ada())]);
        let again = Entered { quarantine: id("b"), ..entered("b", ada(), 30) };
        let expected = vec![released("a", Why::Expired), Event::Entered(again.clone())];
        assert_eq!(at(&events, Command::Enter(Box::new(again)), 14), Ok(expected));
    }

    #[test]
    fn only_what_the_policy_began_ends_because_it_is_broken() {
        let events = history::<Quarantine>(vec![enter("a", ada())]);
        assert_eq!(decide::<Quarantine>(&events, release("a", Why::Broken)), Ok(vec![]));
        let events = history::<Quarantine>(vec![enter("a", By::Policy)]);
        assert_eq!(decide::<Quarantine>(&events, release("a", Why::Broken)), Ok(vec![released("a", Why::Broken)]));
    }
}
