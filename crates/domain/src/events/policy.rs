//! What the server does about flaky tests of a project by itself.

use super::quarantine::Mode;
use crate::{ProjectId, UserId, events::events};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// When, and how many, flaky tests are quarantined without anybody's doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Whether any are.
    pub enabled: bool,
    /// What becomes of them in CI.
    pub mode: Mode,
    /// Share of the project's tests that may be in quarantine, 0 to 1.
    pub max_share: f64,
    /// Tests that may be in quarantine.
    pub max_count: u32,
    /// Days after which a stay ends.
    pub expiry_days: u32,
    /// Who sees to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Tests that may be in quarantine with one owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_owner: Option<u32>,
}

impl Default for Rules {
    /// Off; 2 % of the tests and 20 at most, for 14 days.
    fn default() -> Self {
        Self {
            enabled: false,
            mode: Mode::Mute,
            max_share: 0.02,
            max_count: 20,
            expiry_days: 14,
            owner: None,
            max_per_owner: None,
        }
    }
}

/// A project's policy was set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Set {
    /// Which project.
    pub project: ProjectId,
    /// Who did it; for an API token its creator.
    pub user: UserId,
    /// The policy from now on.
    pub rules: Rules,
}

events! { Policy:
    /// A project's policy was set.
    "quarantine_policy.set" @ 1 => Set(Set),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
