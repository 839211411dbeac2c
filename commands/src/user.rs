//! Accounts. The person's data stands in the schema `auth`; the log knows ids only.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, InstanceRole, Kind, UserId,
    events::user::{Event, Registered},
};

/// Decides about one account.
#[derive(Debug)]
pub struct User;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Set once the account exists.
    pub registered: Option<InstanceRole>,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make the account.
    Register {
        /// Who.
        user: UserId,
        /// Looked up beforehand: owner exactly if this account holds the claim on being the first.
        instance_role: InstanceRole,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// It exists with another instance role.
    #[error("this account exists already")]
    Exists,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
    fn code(&self) -> &'static str {
        "user_exists"
    }
}

impl Decider for User {
    const KIND: Kind = Kind::User;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        let Command::Register { user, instance_role } = command;
        match state.registered {
            None => Ok(vec![Event::Registered(Registered { user, instance_role })]),
            Some(role) if role == instance_role => Ok(Vec::new()),
            Some(_) => Err(Reject::Exists),
        }
    }

    fn evolve(_state: State, event: &Event) -> State {
        let Event::Registered(registered) = event;
        State { registered: Some(registered.instance_role) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{decide, history};

    fn register(instance_role: InstanceRole) -> Command {
        Command::Register { user: UserId::derived(&[b"ada"]), instance_role }
    }

    #[test]
    fn an_account_is_registered_once() {
        let events = decide::<User>(&[], register(InstanceRole::Member)).unwrap();
        let user = UserId::derived(&[b"ada"]);
        assert_eq!(events, [Event::Registered(Registered { user, instance_role: InstanceRole::Member })]);
        assert_eq!(decide::<User>(&events, register(InstanceRole::Member)), Ok(vec![]));
    }

    #[test]
    fn registering_again_never_changes_the_instance_role() {
        let events = history::<User>(vec![register(InstanceRole::Member)]);
        assert_eq!(decide::<User>(&events, register(InstanceRole::Owner)), Err(Reject::Exists));
    }
}
