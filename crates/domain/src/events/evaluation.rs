//! Evaluations of quality gates. Each is an aggregate of its own, so that uploads at the same time do not wait for each
//! other, and so that its id alone makes sure that it happens once.

use crate::{
    EvaluationId, GateId, ReportId, RunId,
    events::events,
    gate::{Baseline, Outcome, Rule, RuleResult, Seen},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A gate was evaluated: what it asked, what it saw and what came of it, as they were at that moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Which.
    pub evaluation: EvaluationId,
    /// Of which gate.
    pub gate: GateId,
    /// The gate's name then.
    pub name: String,
    /// How often the gate had been defined by then, from 1.
    pub version: u32,
    /// The report that it was evaluated for.
    pub report: ReportId,
    /// Its run: what was judged.
    pub run: RunId,
    /// Position of the report's commit, if the report's arrival caused this; else somebody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_no: Option<u64>,
    /// What was asked.
    pub rules: Vec<Rule>,
    /// What the run was compared with; none if nothing ran before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// The run's numbers.
    pub seen: Seen,
    /// What came of it.
    pub outcome: Outcome,
    /// Rule by rule.
    pub results: Vec<RuleResult>,
}

events! { Evaluation:
    /// A gate was evaluated.
    "gate.evaluated" @ 1 => Evaluated(Box<Evaluated>),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
