//! Who may do what, and what was done: histories that could have been come to the same rows however they are cut.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use chrono::TimeDelta;
use proptest::prelude::*;
use scaledtest_domain::{
    Actor, Commit, Event, InstanceRole, InvitationId, Kind, ProjectId, PublisherId, RunId, Scope, ShareId, StreamId,
    TeamId, TeamRole, TokenId, UserId,
    events::{invitation, publisher, share, team, token, user},
};
use scaledtest_projections::Item;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use support::{replay::replayed_alike, *};

/// What somebody does; numbers stand for things.
#[derive(Debug, Clone)]
enum Op {
    Register(u8),
    Switch(u8),
    Promote(u8),
    Team(u8),
    Rename(u8, u8),
    Badges(u8, bool),
    Delete(u8),
    /// Comes in, changes the role, or goes, as it fits.
    Member(u8, u8, u8),
    /// Is made, or revoked.
    Token(u8, u8),
    /// Is made, renewed, accepted or revoked, as it fits.
    Invitation(u8, u8, u8),
    /// Is trusted, or removed.
    Publisher(u8, u8),
    /// Is made, or revoked.
    Share(u8, u8),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0..3_u8;
    prop_oneof![
        2 => n().prop_map(Op::Register),
        1 => n().prop_map(Op::Switch),
        1 => n().prop_map(Op::Promote),
        3 => n().prop_map(Op::Team),
        1 => (n(), n()).prop_map(|(team, name)| Op::Rename(team, name)),
        1 => (n(), any::<bool>()).prop_map(|(team, public)| Op::Badges(team, public)),
        1 => n().prop_map(Op::Delete),
        6 => (n(), n(), n()).prop_map(|(team, user, role)| Op::Member(team, user, role)),
        3 => (n(), n()).prop_map(|(team, token)| Op::Token(team, token)),
        3 => (n(), n(), n()).prop_map(|(team, invitation, what)| Op::Invitation(team, invitation, what)),
        2 => (n(), n()).prop_map(|(team, publisher)| Op::Publisher(team, publisher)),
        2 => (n(), n()).prop_map(|(team, share)| Op::Share(team, share)),
    ]
}

const ROLES: [TeamRole; 3] = [TeamRole::Readonly, TeamRole::Maintainer, TeamRole::Owner];

fn person(n: u8) -> UserId {
    UserId::derived(&[b"person", &[n]])
}

fn a_team(n: u8) -> TeamId {
    TeamId::derived(&[b"team", &[n]])
}

/// What there is, so that only happens what can.
#[derive(Default)]
struct Known {
    accounts: BTreeMap<u8, (bool, InstanceRole)>,
    teams: BTreeSet<u8>,
    gone: BTreeSet<u8>,
    members: BTreeMap<(u8, u8), u8>,
    tokens: BTreeMap<(u8, u8), bool>,
    invitations: BTreeMap<(u8, u8), bool>,
    publishers: BTreeMap<(u8, u8), bool>,
    shares: BTreeMap<(u8, u8), bool>,
}

impl Known {
    fn event(&mut self, op: Op, n: u64) -> Option<(StreamId, Event)> {
        Some(match op {
            Op::Register(_) | Op::Switch(_) | Op::Promote(_) => self.user(op)?,
            Op::Team(team) if self.teams.contains(&team) || self.gone.contains(&team) => return None,
            Op::Team(team) => {
                self.teams.insert(team);
                let created = team::Created { team: a_team(team), name: format!("team {team}\0") };
                (of(team), Event::Team(team::Event::Created(created)))
            }
            Op::Rename(team, name) if self.teams.contains(&team) => {
                let name = format!("name {name} {n}");
                (of(team), Event::Team(team::Event::Renamed(team::Renamed { name })))
            }
            Op::Delete(team) if self.teams.remove(&team) => {
                self.gone.insert(team);
                self.members.retain(|key, _| key.0 != team);
                (of(team), Event::Team(team::Event::Deleted(team::Deleted { team: a_team(team) })))
            }
            Op::Badges(team, is_public) if self.teams.contains(&team) => {
                let (stream, team) = (of(team), a_team(team));
                let event = match is_public {
                    true => team::Event::BadgesMadePublic(team::BadgesMadePublic { team }),
                    false => team::Event::BadgesMadePrivate(team::BadgesMadePrivate { team }),
                };
                (stream, Event::Team(event))
            }
            Op::Rename(..) | Op::Badges(..) | Op::Delete(_) => return None,
            Op::Member(team, user, role) => self.member(team, user, role)?,
            // The others may also come after their team's end: they are streams of their own.
            Op::Token(team, _) | Op::Invitation(team, ..) | Op::Publisher(team, _) | Op::Share(team, _)
                if !self.teams.contains(&team) && !self.gone.contains(&team) =>
            {
                return None;
            }
            Op::Token(team, number) => {
                let token = TokenId::derived(&[&[team, number]]);
                let event = match self.tokens.insert((team, number), true) {
                    None => token::Event::Created(token::Created {
                        token,
                        user: person(number),
                        name: "CI".into(),
                        prefix: "0a1b2c3d".into(),
                        scopes: vec![Scope::Read],
                        expires_at: None,
                    }),
                    Some(true) => {
                        self.tokens.insert((team, number), false);
                        token::Event::Revoked(token::Revoked { token })
                    }
                    Some(false) => {
                        self.tokens.insert((team, number), false);
                        return None;
                    }
                };
                (StreamId::of(a_team(team), Kind::Token, token), Event::Token(event))
            }
            Op::Invitation(team, number, what) => self.invitation(team, number, what)?,
            Op::Publisher(team, number) => {
                let publisher = PublisherId::derived(&[&[team, number]]);
                let is_trusted = self.publishers.get(&(team, number)).copied();
                let rule = publisher::Rule {
                    issuer: "https://ci".into(),
                    repository: "a/b".into(),
                    branch: Some("main".into()),
                    environment: None,
                };
                let event = match is_trusted {
                    None => publisher::Event::Trusted(publisher::Trusted { publisher, user: person(0), rule }),
                    Some(true) => publisher::Event::Removed(publisher::Removed { publisher }),
                    Some(false) => return None,
                };
                self.publishers.insert((team, number), is_trusted.is_none());
                (StreamId::of(a_team(team), Kind::Publisher, publisher), Event::Publisher(event))
            }
            Op::Share(team, number) => {
                let share = ShareId::derived(&[&[team, number]]);
                let lives = self.shares.get(&(team, number)).copied();
                let event = match lives {
                    None => share::Event::Created(share::Created {
                        share,
                        user: person(1),
                        project: ProjectId::derived(&[&[team]]),
                        run: RunId::derived(&[&[number]]),
                        expires_at: start() + TimeDelta::days(30),
                    }),
                    Some(true) => share::Event::Revoked(share::Revoked { share }),
                    Some(false) => return None,
                };
                self.shares.insert((team, number), lives.is_none());
                (StreamId::of(a_team(team), Kind::Share, share), Event::Share(event))
            }
        })
    }

    fn user(&mut self, op: Op) -> Option<(StreamId, Event)> {
        let (Op::Register(number) | Op::Switch(number) | Op::Promote(number)) = op else { return None };
        let user = person(number);
        let event = match (op, self.accounts.get_mut(&number)) {
            (Op::Register(_), None) => {
                self.accounts.insert(number, (false, InstanceRole::Member));
                user::Event::Registered(user::Registered { user, instance_role: InstanceRole::Member })
            }
            (Op::Switch(_), Some((is_disabled, _))) => {
                *is_disabled = !*is_disabled;
                match is_disabled {
                    true => user::Event::Disabled(user::Disabled { user }),
                    false => user::Event::Enabled(user::Enabled { user }),
                }
            }
            (Op::Promote(_), Some((_, role))) => {
                *role = if *role == InstanceRole::Owner { InstanceRole::Member } else { InstanceRole::Owner };
                user::Event::InstanceRoleChanged(user::InstanceRoleChanged { user, instance_role: *role })
            }
            _ => return None,
        };
        Some((StreamId::global(Kind::User, user), Event::User(event)))
    }

    fn member(&mut self, team: u8, user: u8, role: u8) -> Option<(StreamId, Event)> {
        if !self.teams.contains(&team) {
            return None;
        }
        let (who, as_what) = (person(user), ROLES[usize::from(role)]);
        let event = match self.members.insert((team, user), role) {
            None => team::Event::MemberAdded(team::MemberAdded { user: who, role: as_what }),
            Some(present) if present == role => {
                self.members.remove(&(team, user));
                team::Event::MemberRemoved(team::MemberRemoved { user: who })
            }
            Some(_) => team::Event::MemberRoleChanged(team::MemberRoleChanged { user: who, role: as_what }),
        };
        Some((of(team), Event::Team(event)))
    }

    fn invitation(&mut self, team: u8, number: u8, what: u8) -> Option<(StreamId, Event)> {
        let invitation = InvitationId::derived(&[&[team, number]]);
        let expires_at = start() + TimeDelta::days(7 + i64::from(what));
        let event = match (self.invitations.get(&(team, number)), what) {
            (None, _) => {
                invitation::Event::Created(invitation::Created { invitation, role: TeamRole::Readonly, expires_at })
            }
            (Some(false), _) => return None,
            (Some(true), 0) => invitation::Event::Renewed(invitation::Renewed { invitation, expires_at }),
            (Some(true), 1) => {
                let accepted = invitation::Accepted { invitation, user: person(number), role: TeamRole::Readonly };
                invitation::Event::Accepted(accepted)
            }
            (Some(true), _) => invitation::Event::Revoked(invitation::Revoked { invitation }),
        };
        let is_open = matches!(event, invitation::Event::Created(_) | invitation::Event::Renewed(_));
        self.invitations.insert((team, number), is_open);
        Some((StreamId::of(a_team(team), Kind::Invitation, invitation), Event::Invitation(event)))
    }
}

fn of(team: u8) -> StreamId {
    StreamId::of(a_team(team), Kind::Team, a_team(team))
}

fn history(ops: Vec<Op>) -> Vec<Item> {
    let mut known = Known::default();
    let mut items = Vec::new();
    for op in ops {
        let n = items.len() as u64 + 1;
        if let Some((stream, event)) = known.event(op, n) {
            items.push(item(stream, n, event));
        }
    }
    items
}

fn item(stream: StreamId, n: u64, event: Event) -> Item {
    let actor = [Actor::User(person(0)), Actor::Token(TokenId::derived(&[&[0, 0]])), Actor::System][(n % 3) as usize];
    let commit = commit(stream, n, start() + TimeDelta::seconds(n.try_into().unwrap()), &event);
    Item::new(n, Arc::new(Commit { actor, ..commit }), vec![event])
}

#[test]
fn one_batch_equals_some_equals_one_by_one() {
    replayed_alike(&["access", "audit"], 48, op(), history);
}
