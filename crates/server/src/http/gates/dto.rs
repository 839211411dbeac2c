//! What gates look like on the wire. The original's fields first.

#![allow(missing_docs, reason = "fields without a word are what their name says")]

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    events::evaluation::Evaluated,
    gate::{Definition, Outcome, RuleResult},
};
use scaledtest_projections::gates::{EvaluationRow, GateRow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// A quality gate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QualityGate)]
pub struct Gate {
    pub id: Uuid,
    pub team_id: Uuid,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Objects {type, params, level, scope}; see docs/gates.md.
    #[schema(value_type = Vec<Object>)]
    pub rules: Value,
    /// Globs of the branches that it is for; every branch if there is none.
    pub branches: Vec<String>,
    pub enabled: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Gate {
    pub fn of(id: Uuid, team_id: Uuid, gate: Definition, created_at: DateTime<Utc>, updated_at: DateTime<Utc>) -> Self {
        let Definition { name, description, rules, branches, enabled } = gate;
        Self { id, team_id, name, description, rules: json!(rules), branches, enabled, created_at, updated_at }
    }
}

impl From<GateRow> for Gate {
    fn from(row: GateRow) -> Self {
        let GateRow { name, description, rules, branches, enabled, .. } = row;
        let definition = Definition { name, description, rules: rules.0, branches, enabled };
        Self::of(row.id.0, row.team_id.0, definition, row.created_at, row.updated_at)
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QualityGateList)]
pub struct Gates {
    /// Newest first.
    pub quality_gates: Vec<Gate>,
    pub total: usize,
}

/// All of what a gate asks.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WriteQualityGate)]
pub struct Write {
    #[serde(default)]
    #[schema(required, min_length = 1, max_length = 255)]
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    /// Objects {type, params, level, scope}, at most 50.
    #[serde(default)]
    #[schema(required, value_type = Vec<Object>)]
    pub rules: Value,
    /// Globs of the branches that it is for.
    #[serde(default)]
    pub branches: Vec<String>,
    /// True when absent; not read when a gate is created.
    #[serde(default)]
    pub enabled: Option<bool>,
}

/// What became of a rule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GateRuleResult)]
pub struct Rule {
    /// The rule's type.
    pub metric: String,
    pub threshold: f64,
    pub actual: f64,
    pub passed: bool,
    pub message: String,
    /// `passed`, `failed`, or `error`: it could not be evaluated.
    pub status: &'static str,
    /// `block`, or `warn`: then it decides nothing.
    pub level: &'static str,
    /// Names of tests, or globs, that speak against it; the first few.
    pub examples: Vec<String>,
}

impl From<RuleResult> for Rule {
    fn from(result: RuleResult) -> Self {
        Self {
            metric: result.kind,
            threshold: result.threshold,
            actual: result.actual,
            passed: result.status == scaledtest_domain::gate::RuleStatus::Passed,
            message: result.message,
            status: result.status.as_str(),
            level: result.level.as_str(),
            examples: result.examples,
        }
    }
}

/// An evaluation, just made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GateEvaluated)]
pub struct Evaluation {
    pub id: Uuid,
    pub gate_id: Uuid,
    pub report_id: Uuid,
    pub run_id: Uuid,
    pub passed: bool,
    /// `passed`, `failed`, `error` (a rule could not be evaluated), or `incomplete` (shards are missing).
    pub status: &'static str,
    pub rules: Vec<Rule>,
}

impl From<Evaluated> for Evaluation {
    fn from(one: Evaluated) -> Self {
        Self {
            id: one.evaluation.0,
            gate_id: one.gate.0,
            report_id: one.report.0,
            run_id: one.run.0,
            passed: one.outcome.passed(),
            status: one.outcome.as_str(),
            rules: one.results.into_iter().map(Rule::from).collect(),
        }
    }
}

/// An evaluation of the past.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GateEvaluation)]
pub struct Past {
    pub id: Uuid,
    pub gate_id: Uuid,
    pub report_id: Uuid,
    pub run_id: Uuid,
    pub passed: bool,
    /// As when it was made.
    pub status: String,
    /// Objects {type, level, status, passed, threshold, actual, message, examples}.
    #[schema(value_type = Vec<Object>)]
    pub details: Vec<Value>,
    pub created_at: DateTime<Utc>,
}

impl From<EvaluationRow> for Past {
    fn from(row: EvaluationRow) -> Self {
        let detail = |result: RuleResult| {
            let Rule { metric, threshold, actual, passed, message, status, level, examples } = result.into();
            json!({"type": metric, "passed": passed, "threshold": threshold, "actual": actual, "message": message,
                   "status": status, "level": level, "examples": examples})
        };
        Self {
            id: row.id,
            gate_id: row.gate_id,
            report_id: row.report_id,
            run_id: row.run_id,
            passed: row.outcome == Outcome::Passed.as_str(),
            status: row.outcome,
            details: row.results.0.into_iter().map(detail).collect(),
            created_at: row.created_at,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GateEvaluationList)]
pub struct Evaluations {
    /// Newest first.
    pub evaluations: Vec<Past>,
    /// How many there are on this page.
    pub total: usize,
}

/// What the team's gates say of an upload.
#[derive(Debug, Serialize, ToSchema)]
pub struct QualityGateAnswer {
    /// Whether the build may go on.
    pub passed: bool,
    /// `passed`, `failed`, `error`, `incomplete`; `pending`: not evaluated in time; `not_applicable`: no gate is for this branch.
    pub status: &'static str,
    /// Newest gate first.
    pub gates: Vec<GateOfUpload>,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct GateOfUpload {
    pub id: Uuid,
    pub name: String,
    pub passed: bool,
    /// As above.
    pub status: &'static str,
    pub rules: Vec<Rule>,
}

impl QualityGateAnswer {
    /// Nothing is known yet.
    pub fn pending() -> Self {
        Self { passed: false, status: "pending", gates: Vec::new() }
    }

    /// All of them have spoken.
    pub fn of(all: Vec<Evaluated>) -> Self {
        let worst = [Outcome::Failed, Outcome::Error, Outcome::Incomplete];
        let worst = worst.into_iter().find(|outcome| all.iter().any(|one| one.outcome == *outcome));
        let status = match worst {
            Some(outcome) => outcome.as_str(),
            None if all.is_empty() => "not_applicable",
            None => Outcome::Passed.as_str(),
        };
        let gate = |one: Evaluated| GateOfUpload {
            id: one.gate.0,
            name: one.name,
            passed: one.outcome.passed(),
            status: one.outcome.as_str(),
            rules: one.results.into_iter().map(Rule::from).collect(),
        };
        Self { passed: worst.is_none(), status, gates: all.into_iter().map(gate).collect() }
    }
}
