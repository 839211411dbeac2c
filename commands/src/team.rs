//! Teams and who belongs to them.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind, TeamId, TeamRole, UserId,
    events::team::{Created, Event, MemberAdded},
};
use std::collections::BTreeMap;

/// Decides about one team.
#[derive(Debug)]
pub struct Team;

/// What deciding needs to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Whether the team exists.
    pub exists: bool,
    /// Everybody in it.
    pub members: BTreeMap<UserId, TeamRole>,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make the team, with its first owner.
    Create {
        /// Which.
        team: TeamId,
        /// Its name, as typed.
        name: String,
        /// Its first member.
        owner: UserId,
    },
    /// Let somebody in.
    AddMember {
        /// Who.
        user: UserId,
        /// As what.
        role: TeamRole,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Somebody else's team has this id.
    #[error("this team exists already")]
    Exists,
    /// There is no such team.
    #[error("team not found")]
    NotFound,
    /// They are in it, with another role.
    #[error("this person is a member already, with the role {}", .0.as_str())]
    AlreadyMember(TeamRole),
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists | Self::AlreadyMember(_) => ErrorKind::Conflict,
            Self::NotFound => ErrorKind::NotFound,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Exists => "team_exists",
            Self::NotFound => "team_not_found",
            Self::AlreadyMember(_) => "already_member",
        }
    }
}

impl Decider for Team {
    const KIND: Kind = Kind::Team;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Reject = Reject;

    fn decide(state: &State, command: Command, _at: DateTime<Utc>) -> Result<Vec<Event>, Reject> {
        match command {
            Command::Create { owner, .. } if state.exists => match state.members.get(&owner) {
                Some(TeamRole::Owner) => Ok(Vec::new()),
                _ => Err(Reject::Exists),
            },
            Command::Create { team, name, owner } => Ok(vec![
                Event::Created(Created { team, name }),
                Event::MemberAdded(MemberAdded { user: owner, role: TeamRole::Owner }),
            ]),
            Command::AddMember { .. } if !state.exists => Err(Reject::NotFound),
            Command::AddMember { user, role } => match state.members.get(&user) {
                None => Ok(vec![Event::MemberAdded(MemberAdded { user, role })]),
                Some(present) if *present == role => Ok(Vec::new()),
                Some(present) => Err(Reject::AlreadyMember(*present)),
            },
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Created(_) => state.exists = true,
            Event::MemberAdded(added) => {
                state.members.insert(added.user, added.role);
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{after, decide, history};
    use proptest::prelude::*;

    fn person(n: u8) -> UserId {
        UserId::derived(&[&[n]])
    }

    fn create(owner: u8) -> Command {
        Command::Create { team: TeamId::derived(&[b"t"]), name: "Ada's team".into(), owner: person(owner) }
    }

    #[test]
    fn a_team_starts_with_its_owner() {
        let events = decide::<Team>(&[], create(1)).unwrap();
        assert_eq!(
            events,
            [
                Event::Created(Created { team: TeamId::derived(&[b"t"]), name: "Ada's team".into() }),
                Event::MemberAdded(MemberAdded { user: person(1), role: TeamRole::Owner }),
            ]
        );
    }

    #[test]
    fn creating_it_again_changes_nothing_for_its_owner_and_is_refused_for_others() {
        let events = history::<Team>(vec![create(1)]);
        assert_eq!(decide::<Team>(&events, create(1)), Ok(vec![]));
        assert_eq!(decide::<Team>(&events, create(2)), Err(Reject::Exists));
    }

    #[test]
    fn nobody_joins_a_team_that_does_not_exist() {
        let join = Command::AddMember { user: person(2), role: TeamRole::Readonly };
        assert_eq!(decide::<Team>(&[], join), Err(Reject::NotFound));
    }

    #[test]
    fn adding_a_member_twice_changes_nothing_and_never_changes_the_role() {
        let join = |role| Command::AddMember { user: person(2), role };
        let events = history::<Team>(vec![create(1), join(TeamRole::Readonly)]);
        assert_eq!(decide::<Team>(&events, join(TeamRole::Readonly)), Ok(vec![]));
        assert_eq!(decide::<Team>(&events, join(TeamRole::Owner)), Err(Reject::AlreadyMember(TeamRole::Readonly)));
    }

    fn command() -> impl Strategy<Value = Command> {
        let role = prop_oneof![Just(TeamRole::Readonly), Just(TeamRole::Maintainer), Just(TeamRole::Owner)];
        prop_oneof![
            (0..4_u8).prop_map(create),
            (0..4_u8, role).prop_map(|(user, role)| Command::AddMember { user: person(user), role }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_team_that_exists_has_an_owner_and_nobody_is_added_twice(commands in prop::collection::vec(command(), 0..12)) {
            let events = history::<Team>(commands);
            let state = after::<Team>(&events);
            prop_assert_eq!(state.exists, state.members.values().any(|role| *role == TeamRole::Owner));
            let added = events.iter().filter(|event| matches!(event, Event::MemberAdded(_))).count();
            prop_assert_eq!(added, state.members.len());
        }
    }
}
