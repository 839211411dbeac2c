//! Links through which anybody may read one run.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind, ShareId,
    events::share::{Created, Event, Revoked},
};

/// Decides about one link.
#[derive(Debug)]
pub struct Share;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The link, as it was made.
    pub created: Option<Created>,
    /// Whether it was revoked since.
    pub is_revoked: bool,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Share a run.
    Create(Created),
    /// Make the link useless.
    Revoke {
        /// Which.
        share: ShareId,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// There is no such link.
    #[error("share not found")]
    NotFound,
    /// It would be born expired.
    #[error("expires_at must be in the future")]
    Expired,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Expired => ErrorKind::Invalid,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "share_not_found",
            Self::Expired => "share_expired",
        }
    }
}

impl Decider for Share {
    const KIND: Kind = Kind::Share;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        match command {
            Command::Create(_) if state.created.is_some() => Ok(Vec::new()),
            Command::Create(created) if created.expires_at <= at => Err(Reject::Expired),
            Command::Create(created) => Ok(vec![Event::Created(created)]),
            Command::Revoke { .. } if state.created.is_none() => Err(Reject::NotFound),
            Command::Revoke { .. } if state.is_revoked => Ok(Vec::new()),
            Command::Revoke { share } => Ok(vec![Event::Revoked(Revoked { share })]),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Created(created) => state.created = Some(created.clone()),
            Event::Revoked(_) => state.is_revoked = true,
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{after, decide, history, noon};
    use chrono::TimeDelta;
    use scaledtest_domain::{ProjectId, RunId, UserId};

    fn id() -> ShareId {
        ShareId::derived(&[b"share"])
    }

    fn create(seconds: i64) -> Command {
        Command::Create(Created {
            share: id(),
            user: UserId::derived(&[b"ada"]),
            project: ProjectId::derived(&[b"shop"]),
            run: RunId::derived(&[b"build-7"]),
            expires_at: noon() + TimeDelta::seconds(seconds),
        })
    }

    #[test]
    fn a_link_is_made_once_and_revoked_once() {
        let revoke = || Command::Revoke { share: id() };
        assert_eq!(decide::<Share>(&[], revoke()), Err(Reject::NotFound));
        let events = history::<Share>(vec![create(1)]);
        assert_eq!((events.len(), decide::<Share>(&events, create(1))), (1, Ok(vec![])));
        let events = history::<Share>(vec![create(1), revoke()]);
        assert_eq!(events.last(), Some(&Event::Revoked(Revoked { share: id() })));
        assert_eq!(decide::<Share>(&events, revoke()), Ok(vec![]), "revoking twice changes nothing");
        assert_eq!(decide::<Share>(&events, create(1)), Ok(vec![]), "a revoked link never comes back");
        assert!(after::<Share>(&events).is_revoked);
    }

    #[test]
    fn a_link_that_would_be_born_expired_is_refused() {
        assert_eq!(decide::<Share>(&[], create(0)), Err(Reject::Expired));
        assert!(decide::<Share>(&[], create(1)).is_ok());
    }
}
