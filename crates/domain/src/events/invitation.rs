//! Invitations into a team. The address and the secret's hash are in the schema `auth`, never here. That one has expired
//! follows from its time: nobody writes it down.

use crate::{InvitationId, TeamRole, UserId, events::events};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Somebody was invited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Which.
    pub invitation: InvitationId,
    /// As what.
    pub role: TeamRole,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
}

/// It was sent again: with a new secret, and for longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// Which.
    pub invitation: InvitationId,
    /// Until when it can be accepted now.
    pub expires_at: DateTime<Utc>,
}

/// It was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Which.
    pub invitation: InvitationId,
    /// By whom.
    pub user: UserId,
    /// As what they joined.
    pub role: TeamRole,
}

/// It was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Which.
    pub invitation: InvitationId,
}

events! { Invitation:
    /// Somebody was invited.
    "invitation.created" @ 1 => Created(Created),
    /// It was sent again.
    "invitation.renewed" @ 1 => Renewed(Renewed),
    /// It was accepted.
    "invitation.accepted" @ 1 => Accepted(Accepted),
    /// It was taken back.
    "invitation.revoked" @ 1 => Revoked(Revoked),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
