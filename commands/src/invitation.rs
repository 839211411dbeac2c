//! Invitations. The address and the secret never come near this crate.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, InvitationId, Kind, TeamRole, UserId,
    events::invitation::{Accepted, Created, Event, Renewed, Revoked},
};

/// Decides about one invitation.
#[derive(Debug)]
pub struct Invitation;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// As it was made.
    pub created: Option<Created>,
    /// Until when it can be accepted.
    pub expires_at: Option<DateTime<Utc>>,
    /// Who accepted it.
    pub accepted: Option<UserId>,
    /// Whether it was taken back.
    pub is_revoked: bool,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Invite somebody.
    Create {
        /// Which.
        invitation: InvitationId,
        /// As what.
        role: TeamRole,
        /// Until when.
        expires_at: DateTime<Utc>,
    },
    /// Send it again, with a new secret.
    Renew {
        /// Which.
        invitation: InvitationId,
        /// Until when now.
        expires_at: DateTime<Utc>,
    },
    /// Accept it.
    Accept {
        /// Which.
        invitation: InvitationId,
        /// By whom.
        user: UserId,
    },
    /// Take it back.
    Revoke {
        /// Which.
        invitation: InvitationId,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// There is none, or no longer.
    #[error("invitation not found")]
    NotFound,
    /// Somebody has accepted it.
    #[error("invitation already accepted")]
    Accepted,
    /// Its time is over.
    #[error("invitation expired")]
    Expired,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Accepted | Self::Expired => ErrorKind::Gone,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "invitation_not_found",
            Self::Accepted => "invitation_accepted",
            Self::Expired => "invitation_expired",
        }
    }
}

impl Decider for Invitation {
    const KIND: Kind = Kind::Invitation;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        let Some(created) = &state.created else {
            return match command {
                Command::Create { invitation, role, expires_at } => {
                    Ok(vec![Event::Created(Created { invitation, role, expires_at })])
                }
                _ => Err(Reject::NotFound),
            };
        };
        match command {
            Command::Create { .. } => Ok(Vec::new()),
            Command::Revoke { .. } if state.is_revoked => Ok(Vec::new()),
            // Of one that was accepted, too: who joined stays, and it leaves the list.
            Command::Revoke { invitation } => Ok(vec![Event::Revoked(Revoked { invitation })]),
            _ if state.is_revoked => Err(Reject::NotFound),
            // The same person's second try finds it done.
            Command::Accept { user, .. } if state.accepted == Some(user) => Ok(Vec::new()),
            _ if state.accepted.is_some() => Err(Reject::Accepted),
            Command::Accept { .. } if state.expires_at.is_none_or(|expiry| expiry <= at) => Err(Reject::Expired),
            Command::Accept { invitation, user } => {
                Ok(vec![Event::Accepted(Accepted { invitation, user, role: created.role })])
            }
            Command::Renew { invitation, expires_at } => Ok(vec![Event::Renewed(Renewed { invitation, expires_at })]),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Created(created) => {
                state.expires_at = Some(created.expires_at);
                state.created = Some(created.clone());
            }
            Event::Renewed(renewed) => state.expires_at = Some(renewed.expires_at),
            Event::Accepted(accepted) => state.accepted = Some(accepted.user),
            Event::Revoked(_) => state.is_revoked = true,
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{decide, history, noon};
    use chrono::TimeDelta;

    fn id() -> InvitationId {
        InvitationId::derived(&[b"i"])
    }

    fn create() -> Command {
        Command::Create { invitation: id(), role: TeamRole::Maintainer, expires_at: noon() + TimeDelta::days(7) }
    }

    fn accept(user: u8) -> Command {
        Command::Accept { invitation: id(), user: UserId::derived(&[&[user]]) }
    }

    #[test]
    fn only_one_person_accepts_and_they_may_say_so_twice() {
        let events = history::<Invitation>(vec![create(), accept(1)]);
        assert_eq!(decide::<Invitation>(&events, accept(1)), Ok(vec![]));
        assert_eq!(decide::<Invitation>(&events, accept(2)), Err(Reject::Accepted));
        let renew = Command::Renew { invitation: id(), expires_at: noon() };
        assert_eq!(decide::<Invitation>(&events, renew), Err(Reject::Accepted));
    }

    #[test]
    fn one_that_was_accepted_can_be_taken_off_the_list_once() {
        let revoke = Command::Revoke { invitation: id() };
        let mut events = history::<Invitation>(vec![create(), accept(1)]);
        let revoked = decide::<Invitation>(&events, revoke.clone()).unwrap();
        assert_eq!(revoked, [Event::Revoked(Revoked { invitation: id() })]);
        events.extend(revoked);
        assert_eq!(decide::<Invitation>(&events, revoke), Ok(vec![]));
        assert_eq!(decide::<Invitation>(&events, accept(1)), Err(Reject::NotFound));
    }

    #[test]
    fn one_that_has_expired_is_accepted_once_it_was_renewed() {
        let renew = |days| Command::Renew { invitation: id(), expires_at: noon() + TimeDelta::days(days) };
        let events = history::<Invitation>(vec![create(), renew(0)]);
        assert_eq!(decide::<Invitation>(&events, accept(1)), Err(Reject::Expired));
        let events = history::<Invitation>(vec![create(), renew(0), renew(1)]);
        assert!(decide::<Invitation>(&events, accept(1)).is_ok());
    }

    #[test]
    fn one_that_was_taken_back_or_never_made_is_not_found() {
        let revoke = Command::Revoke { invitation: id() };
        let events = history::<Invitation>(vec![create(), revoke.clone()]);
        assert_eq!(decide::<Invitation>(&events, revoke.clone()), Ok(vec![]));
        assert_eq!(decide::<Invitation>(&events, accept(1)), Err(Reject::NotFound));
        assert_eq!(decide::<Invitation>(&[], revoke), Err(Reject::NotFound));
    }
}
