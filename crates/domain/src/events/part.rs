//! Parts of all results, see [`crate::retention`].

use crate::{events::events, retention::Part};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The time of a part is over: every report in it is sealed, or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Which.
    pub part: Part,
}

events! { Part:
    /// The results of a part are dropped.
    "part.dropped" @ 1 => Dropped(Dropped),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
