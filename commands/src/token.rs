//! API tokens. The secret and its hash never come near this crate.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind, Scope, TokenId, UserId,
    events::token::{Created, Event, Revoked},
};

/// Decides about one API token.
#[derive(Debug)]
pub struct Token;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// As it was made.
    pub created: Option<Created>,
    /// Whether it was revoked since.
    pub revoked: bool,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make it.
    Create {
        /// Which.
        token: TokenId,
        /// Its creator.
        user: UserId,
        /// Its name, as typed.
        name: String,
        /// The first 8 hex digits of the secret.
        prefix: String,
        /// What it is good for; put in order and freed of repetitions here.
        scopes: Vec<Scope>,
        /// Until when; for ever if absent.
        expires_at: Option<DateTime<Utc>>,
    },
    /// Make it useless.
    Revoke {
        /// Which.
        token: TokenId,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Another token has this id.
    #[error("this token exists already")]
    Exists,
    /// There is no such token.
    #[error("token not found")]
    NotFound,
    /// It would be good for nothing.
    #[error("a token needs at least one scope")]
    NoScope,
    /// It would be born expired.
    #[error("expires_at must be in the future")]
    Expired,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists => ErrorKind::Conflict,
            Self::NotFound => ErrorKind::NotFound,
            Self::NoScope | Self::Expired => ErrorKind::Invalid,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Exists => "token_exists",
            Self::NotFound => "token_not_found",
            Self::NoScope => "token_without_scope",
            Self::Expired => "token_expired",
        }
    }
}

impl Decider for Token {
    const KIND: Kind = Kind::Token;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        match command {
            Command::Create { token, user, name, prefix, mut scopes, expires_at } => {
                scopes.sort_unstable();
                scopes.dedup();
                let created = Created { token, user, name, prefix, scopes, expires_at };
                match &state.created {
                    Some(present) if *present == created && !state.revoked => return Ok(Vec::new()),
                    Some(_) => return Err(Reject::Exists),
                    None => {}
                }
                if created.scopes.is_empty() {
                    return Err(Reject::NoScope);
                }
                if created.expires_at.is_some_and(|expiry| expiry <= at) {
                    return Err(Reject::Expired);
                }
                Ok(vec![Event::Created(created)])
            }
            Command::Revoke { .. } if state.created.is_none() => Err(Reject::NotFound),
            Command::Revoke { .. } if state.revoked => Ok(Vec::new()),
            Command::Revoke { token } => Ok(vec![Event::Revoked(Revoked { token })]),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Created(created) => state.created = Some(created.clone()),
            Event::Revoked(_) => state.revoked = true,
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{after, decide, history, noon};
    use chrono::TimeDelta;
    use proptest::prelude::*;

    fn id() -> TokenId {
        TokenId::derived(&[b"token"])
    }

    fn create(scopes: &[Scope], expires_in: Option<i64>) -> Command {
        Command::Create {
            token: id(),
            user: UserId::derived(&[b"ada"]),
            name: "CI".into(),
            prefix: "0123abcd".into(),
            scopes: scopes.to_vec(),
            expires_at: expires_in.map(|seconds| noon() + TimeDelta::seconds(seconds)),
        }
    }

    #[test]
    fn scopes_are_kept_in_order_and_once() {
        let events = decide::<Token>(&[], create(&[Scope::Write, Scope::Upload, Scope::Write], None)).unwrap();
        let [Event::Created(created)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(created.scopes, [Scope::Upload, Scope::Write]);
    }

    #[test]
    fn a_token_good_for_nothing_or_born_expired_is_refused() {
        assert_eq!(decide::<Token>(&[], create(&[], None)), Err(Reject::NoScope));
        assert_eq!(decide::<Token>(&[], create(&Scope::ALL, Some(0))), Err(Reject::Expired));
        assert!(decide::<Token>(&[], create(&Scope::ALL, Some(1))).is_ok());
    }

    #[test]
    fn the_same_creation_again_changes_nothing_and_another_is_refused() {
        let events = history::<Token>(vec![create(&Scope::ALL, None)]);
        assert_eq!(decide::<Token>(&events, create(&Scope::ALL, None)), Ok(vec![]));
        assert_eq!(decide::<Token>(&events, create(&[Scope::Read], None)), Err(Reject::Exists));
    }

    #[test]
    fn revoking_needs_a_token_and_revoking_twice_changes_nothing() {
        let revoke = || Command::Revoke { token: id() };
        assert_eq!(decide::<Token>(&[], revoke()), Err(Reject::NotFound));
        let events = history::<Token>(vec![create(&Scope::ALL, None), revoke()]);
        assert_eq!(events.last(), Some(&Event::Revoked(Revoked { token: id() })));
        assert_eq!(decide::<Token>(&events, revoke()), Ok(vec![]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_revoked_token_never_comes_back(revokes in prop::collection::vec(any::<bool>(), 1..10)) {
            let commands = revokes.iter().map(|revoke| {
                if *revoke { Command::Revoke { token: id() } } else { create(&Scope::ALL, None) }
            });
            let events = history::<Token>(commands.collect());
            prop_assert!(events.len() <= 2);
            let first_create = revokes.iter().position(|revoke| !revoke);
            let revoked = first_create.is_some_and(|at| revokes[at..].contains(&true));
            prop_assert_eq!(after::<Token>(&events).revoked, revoked);
        }
    }
}
