//! Quality gates: rules that a run has to keep.

use crate::{GateId, events::events, gate::Definition};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A team made a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// Which.
    pub gate: GateId,
    /// What it asks.
    pub definition: Definition,
}

/// A gate asks something else from here on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// Which.
    pub gate: GateId,
    /// All of what it asks now.
    pub definition: Definition,
}

/// A gate is gone, with its evaluations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// Which.
    pub gate: GateId,
}

events! { Gate:
    /// A team made a gate.
    "gate.created" @ 1 => Created(Created),
    /// A gate asks something else.
    "gate.changed" @ 1 => Changed(Changed),
    /// A gate is gone.
    "gate.deleted" @ 1 => Deleted(Deleted),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
