//! Uniqueness: the aggregate's id is a hash of the value, so that only one can hold it.

use crate::{Hash16, events::events};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The value was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// Who holds it now: a report, an account.
    pub holder: Uuid,
    /// Tells the same holder's repeated claim from another's: the hash of the holder's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Hash16>,
}

/// The value is free again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Who held it.
    pub holder: Uuid,
}

events! { Claim:
    /// The value was taken.
    "claim.taken" @ 1 => Claimed(Claimed),
    /// The value is free again.
    "claim.released" @ 1 => Released(Released),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
