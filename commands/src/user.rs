//! Accounts. The person's data stands in the schema `auth`; the log knows ids only.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, InstanceRole, Kind, UserId,
    events::user::{Disabled, Enabled, Event, InstanceRoleChanged, Registered},
};

/// Decides about one account.
#[derive(Debug)]
pub struct User;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What the account was made as; none if there is no account.
    pub registered: Option<InstanceRole>,
    /// What it is now.
    pub instance_role: Option<InstanceRole>,
    /// Whether it is switched off.
    pub is_disabled: bool,
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
    /// Switch the account off.
    Disable {
        /// Whose.
        user: UserId,
    },
    /// Switch it on again.
    Enable {
        /// Whose.
        user: UserId,
    },
    /// Make somebody an owner of the instance, or no longer one. That one is left is the caller's to see to.
    ChangeInstanceRole {
        /// Who.
        user: UserId,
        /// What they shall be.
        instance_role: InstanceRole,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// It exists with another instance role.
    #[error("this account exists already")]
    Exists,
    /// There is no such account.
    #[error("user not found")]
    NotFound,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists => ErrorKind::Conflict,
            Self::NotFound => ErrorKind::NotFound,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Exists => "user_exists",
            Self::NotFound => "user_not_found",
        }
    }
}

impl Decider for User {
    const KIND: Kind = Kind::User;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        let event = match command {
            Command::Register { user, instance_role } => match state.registered {
                None => Event::Registered(Registered { user, instance_role }),
                Some(role) if role == instance_role => return Ok(Vec::new()),
                Some(_) => return Err(Reject::Exists),
            },
            _ if state.registered.is_none() => return Err(Reject::NotFound),
            Command::Disable { user } if !state.is_disabled => Event::Disabled(Disabled { user }),
            Command::Enable { user } if state.is_disabled => Event::Enabled(Enabled { user }),
            Command::ChangeInstanceRole { user, instance_role } if state.instance_role != Some(instance_role) => {
                Event::InstanceRoleChanged(InstanceRoleChanged { user, instance_role })
            }
            Command::Disable { .. } | Command::Enable { .. } | Command::ChangeInstanceRole { .. } => {
                return Ok(Vec::new());
            }
        };
        Ok(vec![event])
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Registered(registered) => {
                let role = Some(registered.instance_role);
                (state.registered, state.instance_role) = (role, role);
            }
            Event::Disabled(_) => state.is_disabled = true,
            Event::Enabled(_) => state.is_disabled = false,
            Event::InstanceRoleChanged(changed) => state.instance_role = Some(changed.instance_role),
        }
        state
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

    #[test]
    fn switching_off_and_on_happens_once_each() {
        let user = UserId::derived(&[b"ada"]);
        let (off, on) = (Command::Disable { user }, Command::Enable { user });
        let events = history::<User>(vec![register(InstanceRole::Member)]);
        assert_eq!(decide::<User>(&events, on.clone()), Ok(vec![]));
        let events = history::<User>(vec![register(InstanceRole::Member), off.clone()]);
        assert_eq!(decide::<User>(&events, off.clone()), Ok(vec![]));
        assert_eq!(decide::<User>(&events, on), Ok(vec![Event::Enabled(Enabled { user })]));
        assert_eq!(decide::<User>(&[], off), Err(Reject::NotFound));
    }

    #[test]
    fn an_account_that_was_promoted_can_be_registered_again_as_it_was_made() {
        let user = UserId::derived(&[b"ada"]);
        let promote = Command::ChangeInstanceRole { user, instance_role: InstanceRole::Owner };
        let events = history::<User>(vec![register(InstanceRole::Member), promote.clone()]);
        assert_eq!(decide::<User>(&events, promote), Ok(vec![]));
        assert_eq!(decide::<User>(&events, register(InstanceRole::Member)), Ok(vec![]));
    }
}
