//! Teams and their members.

use crate::{TeamId, TeamRole, UserId, events::events, retention::Retention};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A team was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Which.
    pub team: TeamId,
    /// Its name, as typed.
    pub name: String,
}

/// Somebody joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberAdded {
    /// Who.
    pub user: UserId,
    /// As what.
    pub role: TeamRole,
}

/// It has another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renamed {
    /// As typed.
    pub name: String,
}

/// It is gone, with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// Which.
    pub team: TeamId,
}

/// A member has another role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRoleChanged {
    /// Who.
    pub user: UserId,
    /// What they are now.
    pub role: TeamRole,
}

/// Somebody left or was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRemoved {
    /// Who.
    pub user: UserId,
}

/// Anybody may see the badges of its projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadgesMadePublic {
    /// Whose.
    pub team: TeamId,
}

/// Nobody sees them any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadgesMadePrivate {
    /// Whose.
    pub team: TeamId,
}

/// The results of reports that are taken in from now on are kept for another time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionChanged {
    /// Whose.
    pub team: TeamId,
    /// How long; as the instance says if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Retention>,
}

events! { Team:
    /// A team was made.
    "team.created" @ 1 => Created(Created),
    /// It has another name.
    "team.renamed" @ 1 => Renamed(Renamed),
    /// It is gone.
    "team.deleted" @ 1 => Deleted(Deleted),
    /// Anybody may see the badges of its projects.
    "team.badges_made_public" @ 1 => BadgesMadePublic(BadgesMadePublic),
    /// Nobody sees them any more.
    "team.badges_made_private" @ 1 => BadgesMadePrivate(BadgesMadePrivate),
    /// Results are kept for another time.
    "team.retention_changed" @ 1 => RetentionChanged(RetentionChanged),
    /// Somebody joined.
    "member.added" @ 1 => MemberAdded(MemberAdded),
    /// A member has another role.
    "member.role_changed" @ 1 => MemberRoleChanged(MemberRoleChanged),
    /// Somebody left or was removed.
    "member.removed" @ 1 => MemberRemoved(MemberRemoved),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
