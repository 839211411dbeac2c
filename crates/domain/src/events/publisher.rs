//! CI workflows that a team trusts to upload without a secret: whoever shows a token of this issuer for this repository.

use crate::{PublisherId, UserId, events::events};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which workflows are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Who vouches for them: `https://token.actions.githubusercontent.com`.
    pub issuer: String,
    /// The repository or project, as the issuer names it: `owner/name`.
    pub repository: String,
    /// Only on this branch; `*` stands for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Only in this deployment environment; `*` stands for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// A team began to trust workflows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    /// The rule's id.
    pub publisher: PublisherId,
    /// Who said so.
    pub user: UserId,
    /// Which workflows.
    pub rule: Rule,
}

/// It trusts them no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// The rule's id.
    pub publisher: PublisherId,
}

events! { Publisher:
    /// A team began to trust workflows.
    "publisher.trusted" @ 1 => Trusted(Trusted),
    /// It trusts them no longer.
    "publisher.removed" @ 1 => Removed(Removed),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
