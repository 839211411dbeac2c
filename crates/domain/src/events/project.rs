//! Projects: suites of tests inside a team.

use crate::{ProjectId, events::events};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A project was made, by its first report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Which.
    pub project: ProjectId,
    /// Its name, as the report or the upload gave it.
    pub name: String,
    /// The branch that others are compared with.
    pub default_branch: String,
}

/// Somebody said who owns the project's tests, or that nobody does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnersChanged {
    /// Which project.
    pub project: ProjectId,
    /// The text of a `CODEOWNERS` file; empty for none.
    pub codeowners: String,
}

events! { Project:
    /// A project was made, by its first report.
    "project.created" @ 1 => Created(Created),
    /// Somebody said who owns the project's tests, or that nobody does.
    "project.owners_changed" @ 1 => OwnersChanged(OwnersChanged),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
