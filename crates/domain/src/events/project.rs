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

events! { Project:
    /// A project was made, by its first report.
    "project.created" @ 1 => Created(Created),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
