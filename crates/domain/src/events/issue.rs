//! Known issues: errors that a ticket is open for, so that what fails for that reason holds up nobody.
//!
//! The aggregate is the error's, a fingerprint in a project: one ticket is open for it at a time.

use crate::{IssueId, ProjectId, UserId, events::events};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// What can be changed while the issue is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Where it is followed up: a link or a key.
    pub ticket: String,
    /// What else is worth knowing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// From when on the error counts again; never, as long as the issue is open, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// An error was linked to a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// This issue.
    pub issue: IssueId,
    /// The error's project.
    pub project: ProjectId,
    /// What the failures have in common, 16 bytes of a hash of what they say.
    pub fingerprint: Uuid,
    /// Who linked it; for an API token its creator.
    pub user: UserId,
    /// To which ticket, and for how long.
    pub terms: Terms,
}

/// The terms of an issue were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Which issue.
    pub issue: IssueId,
    /// Who changed them; for an API token its creator.
    pub user: UserId,
    /// All of them, as they are from now on.
    pub terms: Terms,
}

/// An issue was closed: the error's failures count again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Which issue.
    pub issue: IssueId,
    /// Who closed it; for an API token its creator.
    pub user: UserId,
}

events! { Issue:
    /// An error was linked to a ticket.
    "issue.linked" @ 1 => Linked(Linked),
    /// The terms of an issue were changed.
    "issue.changed" @ 1 => Changed(Changed),
    /// An issue was closed.
    "issue.closed" @ 1 => Closed(Closed),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
