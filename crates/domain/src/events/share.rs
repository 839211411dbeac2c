//! Links through which anybody may read one run, without an account.

use crate::{ProjectId, RunId, ShareId, UserId, events::events};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A run was shared. What the link holds follows from its id and the instance's key, and is in no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The link's id.
    pub share: ShareId,
    /// Who shared the run.
    pub user: UserId,
    /// The project that the run belongs to.
    pub project: ProjectId,
    /// The only run that it shows.
    pub run: RunId,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// The link leads nowhere any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// The link's id.
    pub share: ShareId,
}

events! { Share:
    /// A run was shared.
    "share.created" @ 1 => Created(Created),
    /// The link leads nowhere any more.
    "share.revoked" @ 1 => Revoked(Revoked),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
