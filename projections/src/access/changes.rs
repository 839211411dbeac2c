//! What is left of a batch: the last word on every account, team, member, token, invitation, rule and link.

use crate::checkpoint::signed;
use crate::{ApplyError, Item};
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Actor, Event, InstanceRole, TeamRole,
    events::{invitation, publisher, share, team, token, user},
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// When something came into being: the commit's time and position.
#[derive(Clone, Copy)]
pub(super) struct Born {
    pub at: DateTime<Utc>,
    pub no: i64,
}

/// An account: made in this batch, or changed.
#[derive(Default)]
pub(super) struct Account {
    pub made: Option<(InstanceRole, Born)>,
    pub role: Option<InstanceRole>,
    pub is_disabled: Option<bool>,
    pub changed_at: Option<DateTime<Utc>>,
}

pub(super) enum Member {
    Joined(TeamRole, Born),
    Changed(TeamRole),
    Left,
}

/// An invitation: made in this batch, or changed.
#[derive(Default)]
pub(super) struct Invitation {
    pub made: Option<(Uuid, TeamRole, Option<Uuid>, Born)>,
    pub expires_at: Option<DateTime<Utc>>,
    pub accepted: Option<(Uuid, DateTime<Utc>)>,
}

/// A batch, folded.
#[derive(Default)]
pub(super) struct Changes<'a> {
    pub accounts: BTreeMap<Uuid, Account>,
    pub teams: BTreeMap<Uuid, (&'a str, Born)>,
    pub renamed: BTreeMap<Uuid, &'a str>,
    /// Teams whose badges were made public or private.
    pub badges: BTreeMap<Uuid, bool>,
    /// Teams that keep results for another time, in days; none: as the instance says.
    pub retention: BTreeMap<Uuid, Option<i16>>,
    pub deleted: BTreeMap<Uuid, Born>,
    pub members: BTreeMap<(Uuid, Uuid), Member>,
    pub tokens: BTreeMap<Uuid, (Uuid, &'a token::Created, Born)>,
    pub revoked_tokens: BTreeSet<Uuid>,
    pub invitations: BTreeMap<Uuid, Invitation>,
    pub revoked_invitations: BTreeSet<Uuid>,
    pub publishers: BTreeMap<Uuid, (Uuid, &'a publisher::Trusted, Born)>,
    pub removed_publishers: BTreeSet<Uuid>,
    pub shares: BTreeMap<Uuid, (Uuid, &'a share::Created, Born)>,
    pub revoked_shares: BTreeSet<Uuid>,
}

impl<'a> Changes<'a> {
    pub fn of(batch: &'a [Item]) -> Result<Self, ApplyError> {
        let mut changes = Self::default();
        for item in batch {
            for event in &item.events {
                changes.fold(item, event)?;
            }
        }
        Ok(changes)
    }

    fn fold(&mut self, item: &Item, event: &'a Event) -> Result<(), ApplyError> {
        let born = Born { at: item.commit.at, no: signed(item.n) };
        let team = || {
            let team = item.commit.team.map(Uuid::from);
            team.ok_or_else(|| ApplyError::Data(format!("the commit at position {} has no team", item.n)))
        };
        match event {
            Event::User(event) => self.user(event, born),
            Event::Team(event) => self.team(team()?, event, born),
            Event::Token(token::Event::Created(event)) => {
                self.tokens.entry(event.token.0).or_insert((team()?, event, born));
            }
            Event::Token(token::Event::Revoked(event)) => {
                self.tokens.remove(&event.token.0);
                self.revoked_tokens.insert(event.token.0);
            }
            Event::Invitation(event) => self.invitation(team()?, item.commit.actor, event, born),
            Event::Publisher(publisher::Event::Trusted(event)) => {
                self.publishers.entry(event.publisher.0).or_insert((team()?, event, born));
            }
            Event::Publisher(publisher::Event::Removed(event)) => {
                self.publishers.remove(&event.publisher.0);
                self.removed_publishers.insert(event.publisher.0);
            }
            Event::Share(share::Event::Created(event)) => {
                self.shares.entry(event.share.0).or_insert((team()?, event, born));
            }
            Event::Share(share::Event::Revoked(event)) => {
                self.shares.remove(&event.share.0);
                self.revoked_shares.insert(event.share.0);
            }
            Event::Project(_)
            | Event::Report(_)
            | Event::Gate(_)
            | Event::Evaluation(_)
            | Event::Quarantine(_)
            | Event::Policy(_)
            | Event::Rollup(_)
            | Event::Run(_)
            | Event::Part(_)
            | Event::Alias(_)
            | Event::Issue(_)
            | Event::Claim(_) => {}
        }
        Ok(())
    }

    fn user(&mut self, event: &user::Event, born: Born) {
        let (user, role, is_disabled) = match event {
            user::Event::Registered(event) => {
                self.accounts.entry(event.user.0).or_default().made = Some((event.instance_role, born));
                return;
            }
            user::Event::Disabled(event) => (event.user, None, Some(true)),
            user::Event::Enabled(event) => (event.user, None, Some(false)),
            user::Event::InstanceRoleChanged(event) => (event.user, Some(event.instance_role), None),
        };
        let account = self.accounts.entry(user.0).or_default();
        account.role = role.or(account.role);
        account.is_disabled = is_disabled.or(account.is_disabled);
        account.changed_at = Some(born.at);
    }

    fn team(&mut self, team: Uuid, event: &'a team::Event, born: Born) {
        match event {
            team::Event::Created(event) => {
                self.teams.entry(event.team.0).or_insert((&event.name, born));
            }
            team::Event::Renamed(event) => {
                self.renamed.insert(team, &event.name);
            }
            team::Event::BadgesMadePublic(_) => {
                self.badges.insert(team, true);
            }
            team::Event::BadgesMadePrivate(_) => {
                self.badges.insert(team, false);
            }
            team::Event::RetentionChanged(event) => {
                self.retention.insert(team, event.days.map(|days| days.days().cast_signed()));
            }
            team::Event::Deleted(event) => {
                self.deleted.entry(event.team.0).or_insert(born);
            }
            team::Event::MemberAdded(event) => {
                self.members.insert((team, event.user.0), Member::Joined(event.role, born));
            }
            team::Event::MemberRoleChanged(event) => {
                let changed = match self.members.get(&(team, event.user.0)) {
                    Some(Member::Joined(_, born)) => Member::Joined(event.role, *born),
                    _ => Member::Changed(event.role),
                };
                self.members.insert((team, event.user.0), changed);
            }
            team::Event::MemberRemoved(event) => {
                self.members.insert((team, event.user.0), Member::Left);
            }
        }
    }

    fn invitation(&mut self, team: Uuid, actor: Actor, event: &invitation::Event, born: Born) {
        match event {
            invitation::Event::Created(event) => {
                let by = if let Actor::User(user) = actor { Some(user.0) } else { None };
                let invitation = self.invitations.entry(event.invitation.0).or_default();
                invitation.made = Some((team, event.role, by, born));
                invitation.expires_at = Some(event.expires_at);
            }
            invitation::Event::Renewed(event) => {
                self.invitations.entry(event.invitation.0).or_default().expires_at = Some(event.expires_at);
            }
            invitation::Event::Accepted(event) => {
                self.invitations.entry(event.invitation.0).or_default().accepted = Some((event.user.0, born.at));
            }
            invitation::Event::Revoked(event) => {
                self.invitations.remove(&event.invitation.0);
                self.revoked_invitations.insert(event.invitation.0);
            }
        }
    }
}
