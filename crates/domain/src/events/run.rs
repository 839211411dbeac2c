//! Runs that somebody wants to keep.

use crate::{ProjectId, RunId, events::events};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The results of a run are kept beyond their time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Which.
    pub run: RunId,
    /// Its project.
    pub project: ProjectId,
}

/// They are kept no longer than others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpinned {
    /// Which.
    pub run: RunId,
    /// Its project.
    pub project: ProjectId,
}

events! { Run:
    /// The results of a run are kept beyond their time.
    "run.pinned" @ 1 => Pinned(Pinned),
    /// They are kept no longer than others.
    "run.unpinned" @ 1 => Unpinned(Unpinned),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
