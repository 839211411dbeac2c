//! Teams and who belongs to them.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Decider, ErrorKind, Kind, TeamId, TeamRole, UserId,
    events::team::{
        BadgesMadePrivate, BadgesMadePublic, Created, Deleted, Event, MemberAdded, MemberRemoved, MemberRoleChanged,
        Renamed, RetentionChanged,
    },
    retention::Retention,
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
    /// Whether it was deleted: its id is never used again.
    pub is_deleted: bool,
    /// Its name.
    pub name: String,
    /// Everybody in it.
    pub members: BTreeMap<UserId, TeamRole>,
    /// Whether anybody may see the badges of its projects.
    pub has_public_badges: bool,
    /// How long results are kept; as the instance says if absent.
    pub retention: Option<Retention>,
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
    /// Give it another name.
    Rename {
        /// As typed.
        name: String,
    },
    /// Keep the results of reports that are taken in from now on for so long.
    ChangeRetention {
        /// Which.
        team: TeamId,
        /// How long; as the instance says if absent.
        days: Option<Retention>,
    },
    /// Show the badges of its projects to anybody, or to nobody.
    ShowBadges {
        /// Whose.
        team: TeamId,
        /// To anybody.
        is_public: bool,
    },
    /// Delete it, with all that belongs to it.
    Delete {
        /// Which.
        team: TeamId,
    },
    /// Let somebody in who was invited. Who is in it already gets the role if it is more than theirs.
    Join {
        /// Who.
        user: UserId,
        /// As what.
        role: TeamRole,
    },
    /// Give a member another role.
    ChangeRole {
        /// Who.
        user: UserId,
        /// What they shall be.
        role: TeamRole,
    },
    /// Let a member go.
    Remove {
        /// Who.
        user: UserId,
    },
    /// Make another member owner, and oneself a maintainer.
    Transfer {
        /// The owner who gives it away.
        from: UserId,
        /// The member who gets it.
        to: UserId,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Somebody else's team has this id.
    #[error("this team exists already")]
    Exists,
    /// There is no such team, or no longer.
    #[error("team not found")]
    NotFound,
    /// They are not in it.
    #[error("this person is not a member of the team")]
    NoMember,
    /// A team is never without an owner.
    #[error("a team keeps at least one owner: make somebody else owner first")]
    LastOwner,
    /// Only an owner can give the team away.
    #[error("only an owner can transfer the team")]
    NoOwner,
}

impl scaledtest_domain::Reject for Reject {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists | Self::LastOwner => ErrorKind::Conflict,
            Self::NotFound | Self::NoMember => ErrorKind::NotFound,
            Self::NoOwner => ErrorKind::Forbidden,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Exists => "team_exists",
            Self::NotFound => "team_not_found",
            Self::NoMember => "member_not_found",
            Self::LastOwner => "last_owner",
            Self::NoOwner => "forbidden",
        }
    }
}

impl State {
    fn role(&self, user: UserId) -> Result<TeamRole, Reject> {
        self.members.get(&user).copied().ok_or(Reject::NoMember)
    }

    /// Refuses to take the last owner's place away.
    fn spare(&self, user: UserId) -> Result<(), Reject> {
        let others = self.members.iter().filter(|(member, role)| **member != user && **role == TeamRole::Owner);
        if self.members.get(&user) == Some(&TeamRole::Owner) && others.count() == 0 {
            return Err(Reject::LastOwner);
        }
        Ok(())
    }

    fn change(&self, user: UserId, role: TeamRole) -> Result<Vec<Event>, Reject> {
        if self.role(user)? == role {
            return Ok(Vec::new());
        }
        self.spare(user)?;
        Ok(vec![Event::MemberRoleChanged(MemberRoleChanged { user, role })])
    }

    fn transfer(&self, from: UserId, to: UserId) -> Result<Vec<Event>, Reject> {
        if self.members.get(&from) != Some(&TeamRole::Owner) {
            return Err(Reject::NoOwner);
        }
        let present = self.role(to)?;
        if from == to {
            return Ok(Vec::new());
        }
        let raised = (present != TeamRole::Owner).then_some(MemberRoleChanged { user: to, role: TeamRole::Owner });
        let lowered = MemberRoleChanged { user: from, role: TeamRole::Maintainer };
        Ok(raised.into_iter().chain([lowered]).map(Event::MemberRoleChanged).collect())
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
            Command::Delete { .. } if state.is_deleted => Ok(Vec::new()),
            Command::Create { owner, .. } if state.exists || state.is_deleted => match state.members.get(&owner) {
                Some(TeamRole::Owner) => Ok(Vec::new()),
                _ => Err(Reject::Exists),
            },
            Command::Create { team, name, owner } => Ok(vec![
                Event::Created(Created { team, name }),
                Event::MemberAdded(MemberAdded { user: owner, role: TeamRole::Owner }),
            ]),
            _ if !state.exists => Err(Reject::NotFound),
            Command::Rename { name } if name == state.name => Ok(Vec::new()),
            Command::Rename { name } => Ok(vec![Event::Renamed(Renamed { name })]),
            Command::ChangeRetention { days, .. } if days == state.retention => Ok(Vec::new()),
            Command::ChangeRetention { team, days } => {
                Ok(vec![Event::RetentionChanged(RetentionChanged { team, days })])
            }
            Command::ShowBadges { is_public, .. } if is_public == state.has_public_badges => Ok(Vec::new()),
            Command::ShowBadges { team, is_public: true } => {
                Ok(vec![Event::BadgesMadePublic(BadgesMadePublic { team })])
            }
            Command::ShowBadges { team, is_public: false } => {
                Ok(vec![Event::BadgesMadePrivate(BadgesMadePrivate { team })])
            }
            Command::Delete { team } => Ok(vec![Event::Deleted(Deleted { team })]),
            Command::Join { user, role } => Ok(match state.members.get(&user) {
                None => vec![Event::MemberAdded(MemberAdded { user, role })],
                Some(present) if *present >= role => Vec::new(),
                Some(_) => vec![Event::MemberRoleChanged(MemberRoleChanged { user, role })],
            }),
            Command::ChangeRole { user, role } => state.change(user, role),
            Command::Remove { user } => {
                state.role(user)?;
                state.spare(user)?;
                Ok(vec![Event::MemberRemoved(MemberRemoved { user })])
            }
            Command::Transfer { from, to } => state.transfer(from, to),
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Created(created) => {
                state.exists = true;
                state.name.clone_from(&created.name);
            }
            Event::Renamed(renamed) => state.name.clone_from(&renamed.name),
            Event::RetentionChanged(changed) => state.retention = changed.days,
            Event::BadgesMadePublic(_) => state.has_public_badges = true,
            Event::BadgesMadePrivate(_) => state.has_public_badges = false,
            Event::Deleted(_) => state = State { is_deleted: true, ..State::default() },
            Event::MemberAdded(MemberAdded { user, role })
            | Event::MemberRoleChanged(MemberRoleChanged { user, role }) => {
                state.members.insert(*user, *role);
            }
            Event::MemberRemoved(removed) => {
                state.members.remove(&removed.user);
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
        let join = Command::Join { user: person(2), role: TeamRole::Readonly };
        assert_eq!(decide::<Team>(&[], join), Err(Reject::NotFound));
    }

    fn join(user: u8, role: TeamRole) -> Command {
        Command::Join { user: person(user), role }
    }

    fn role(user: u8, role: TeamRole) -> Command {
        Command::ChangeRole { user: person(user), role }
    }

    #[test]
    fn joining_again_never_takes_a_role_away() {
        let events = history::<Team>(vec![create(1), join(2, TeamRole::Maintainer)]);
        assert_eq!(decide::<Team>(&events, join(2, TeamRole::Maintainer)), Ok(vec![]));
        assert_eq!(decide::<Team>(&events, join(2, TeamRole::Readonly)), Ok(vec![]));
        let raised = Event::MemberRoleChanged(MemberRoleChanged { user: person(2), role: TeamRole::Owner });
        assert_eq!(decide::<Team>(&events, join(2, TeamRole::Owner)), Ok(vec![raised]));
    }

    #[test]
    fn the_last_owner_cannot_leave_step_down_or_be_removed() {
        let events = history::<Team>(vec![create(1), join(2, TeamRole::Maintainer)]);
        assert_eq!(decide::<Team>(&events, Command::Remove { user: person(1) }), Err(Reject::LastOwner));
        assert_eq!(decide::<Team>(&events, role(1, TeamRole::Readonly)), Err(Reject::LastOwner));
        let with_two = history::<Team>(vec![create(1), join(2, TeamRole::Owner)]);
        assert!(decide::<Team>(&with_two, Command::Remove { user: person(1) }).is_ok());
    }

    #[test]
    fn a_transfer_makes_one_owner_of_another_and_needs_an_owner_and_a_member() {
        let events = history::<Team>(vec![create(1), join(2, TeamRole::Readonly)]);
        let transfer = |from, to| Command::Transfer { from: person(from), to: person(to) };
        let state = after::<Team>(&history::<Team>(vec![create(1), join(2, TeamRole::Readonly), transfer(1, 2)]));
        assert_eq!(state.members, BTreeMap::from([(person(1), TeamRole::Maintainer), (person(2), TeamRole::Owner)]));
        assert_eq!(decide::<Team>(&events, transfer(2, 1)), Err(Reject::NoOwner));
        assert_eq!(decide::<Team>(&events, transfer(1, 3)), Err(Reject::NoMember));
        assert_eq!(decide::<Team>(&events, transfer(1, 1)), Ok(vec![]));
    }

    #[test]
    fn a_deleted_team_stays_deleted() {
        let delete = || Command::Delete { team: TeamId::derived(&[b"t"]) };
        let events = history::<Team>(vec![create(1), delete()]);
        assert_eq!(decide::<Team>(&events, delete()), Ok(vec![]));
        assert_eq!(decide::<Team>(&events, create(1)), Err(Reject::Exists));
        assert_eq!(decide::<Team>(&events, join(2, TeamRole::Owner)), Err(Reject::NotFound));
        assert_eq!(decide::<Team>(&events, Command::Rename { name: "x".into() }), Err(Reject::NotFound));
    }

    #[test]
    fn a_team_gets_the_name_it_has_not() {
        let events = history::<Team>(vec![create(1)]);
        let rename = |name: &str| Command::Rename { name: name.into() };
        assert_eq!(decide::<Team>(&events, rename("Ada's team")), Ok(vec![]));
        assert_eq!(decide::<Team>(&events, rename("B")), Ok(vec![Event::Renamed(Renamed { name: "B".into() })]));
    }

    #[test]
    fn a_change_of_retention_is_said_once() {
        let team = TeamId::derived(&[b"t"]);
        let change = |days| Command::ChangeRetention { team, days };
        assert_eq!(decide::<Team>(&[], change(None)), Err(Reject::NotFound));
        let events = history::<Team>(vec![create(1)]);
        assert_eq!(decide::<Team>(&events, change(None)), Ok(vec![]));
        let days = Some(Retention::Days90);
        let events = history::<Team>(vec![create(1), change(days)]);
        assert_eq!(events.last(), Some(&Event::RetentionChanged(RetentionChanged { team, days })));
        assert_eq!(decide::<Team>(&events, change(days)), Ok(vec![]));
    }

    #[test]
    fn badges_are_private_until_they_are_made_public_and_each_change_is_said_once() {
        let team = TeamId::derived(&[b"t"]);
        let show = |is_public| Command::ShowBadges { team, is_public };
        assert_eq!(decide::<Team>(&[], show(true)), Err(Reject::NotFound));
        let events = history::<Team>(vec![create(1)]);
        assert_eq!(decide::<Team>(&events, show(false)), Ok(vec![]));
        assert_eq!(decide::<Team>(&events, show(true)), Ok(vec![Event::BadgesMadePublic(BadgesMadePublic { team })]));
        let public = history::<Team>(vec![create(1), show(true)]);
        assert_eq!(decide::<Team>(&public, show(true)), Ok(vec![]));
        assert_eq!(
            decide::<Team>(&public, show(false)),
            Ok(vec![Event::BadgesMadePrivate(BadgesMadePrivate { team })])
        );
    }

    fn command() -> impl Strategy<Value = Command> {
        let roles = || prop_oneof![Just(TeamRole::Readonly), Just(TeamRole::Maintainer), Just(TeamRole::Owner)];
        prop_oneof![
            2 => (0..4_u8).prop_map(create),
            4 => (0..4_u8, roles()).prop_map(|(user, role)| join(user, role)),
            3 => (0..4_u8, roles()).prop_map(|(user, to)| role(user, to)),
            2 => (0..4_u8).prop_map(|user| Command::Remove { user: person(user) }),
            2 => (0..4_u8, 0..4_u8).prop_map(|(from, to)| Command::Transfer { from: person(from), to: person(to) }),
            1 => Just(Command::Delete { team: TeamId::derived(&[b"t"]) }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn a_team_that_exists_has_an_owner_whatever_is_wanted(commands in prop::collection::vec(command(), 0..16)) {
            let state = after::<Team>(&history::<Team>(commands));
            prop_assert_eq!(state.exists, state.members.values().any(|role| *role == TeamRole::Owner));
        }
    }
}
