//! Teams and their members.

use crate::{TeamId, TeamRole, UserId, events::events};
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

events! { Team:
    /// A team was made.
    "team.created" @ 1 => Created(Created),
    /// Somebody joined.
    "member.added" @ 1 => MemberAdded(MemberAdded),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
