//! Quality gates: rules that a run has to keep.

use crate::{
    GateId, UserId, WaiverId,
    events::events,
    gate::{Definition, Waiver},
};
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

/// One of its rules need not hold for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleWaived {
    /// Of which gate.
    pub gate: GateId,
    /// Which rule, where, why and until when.
    pub waiver: Waiver,
}

/// A waiver holds no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaiverRevoked {
    /// Of which gate.
    pub gate: GateId,
    /// Which.
    pub waiver: WaiverId,
    /// Who took it back.
    pub by: UserId,
}

events! { Gate:
    /// A team made a gate.
    "gate.created" @ 1 => Created(Created),
    /// A gate asks something else.
    "gate.changed" @ 1 => Changed(Changed),
    /// A gate is gone.
    "gate.deleted" @ 1 => Deleted(Deleted),
    /// A rule need not hold for a while.
    "gate.rule_waived" @ 1 => RuleWaived(Box<RuleWaived>),
    /// A waiver holds no longer.
    "gate.waiver_revoked" @ 1 => WaiverRevoked(WaiverRevoked),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
