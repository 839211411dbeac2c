//! What gates look like on the wire. The original's fields first.

#![allow(missing_docs, reason = "fields without a word are what their name says")]

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    events::evaluation::Evaluated,
    gate::{self, Baseline, Definition, Outcome, RuleResult, RuleStatus},
};
use scaledtest_projections::gates::{EvaluationRow, GateRow, WaiverRow};
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
    /// It holds, or it was waived.
    pub passed: bool,
    pub message: String,
    /// `passed`, `failed`, or `error`: it could not be evaluated. `passed` also if it was waived.
    pub status: &'static str,
    /// `block`, or `warn`: then it decides nothing.
    pub level: &'static str,
    /// Whether it passed only because it was waived.
    pub waived: bool,
    /// What let it pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiver: Option<AppliedWaiver>,
    /// Names of tests, or globs, that speak against it; the first few.
    pub examples: Vec<String>,
    /// The rule as it was asked: {type, params, level, scope}.
    #[schema(value_type = Object)]
    pub rule: Value,
}

/// A waiver, as it was when it let a rule pass.
#[derive(Debug, Serialize, ToSchema)]
pub struct AppliedWaiver {
    pub id: Uuid,
    pub reason: String,
    /// Who answers for it.
    pub user_id: Uuid,
    pub expires_at: DateTime<Utc>,
    /// What the rule found: `failed` or `error`.
    pub found: &'static str,
}

impl Rule {
    fn of(rule: Option<&gate::Rule>, result: RuleResult) -> Self {
        let (passed, found) = (result.passed(), result.status.as_str());
        let waiver = result.waiver.map(|waiver| AppliedWaiver {
            id: waiver.id.0,
            reason: waiver.reason,
            user_id: waiver.by.0,
            expires_at: waiver.expires_at,
            found,
        });
        Self {
            metric: result.kind,
            threshold: result.threshold,
            actual: result.actual,
            passed,
            message: result.message,
            status: if passed { RuleStatus::Passed.as_str() } else { found },
            level: result.level.as_str(),
            waived: waiver.is_some(),
            waiver,
            examples: result.examples,
            rule: json!(rule),
        }
    }
}

/// Results with what was asked; both are in the same order.
pub fn rules(rules: &[gate::Rule], results: Vec<RuleResult>) -> Vec<Rule> {
    results.into_iter().enumerate().map(|(index, result)| Rule::of(rules.get(index), result)).collect()
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
            rules: rules(&one.rules, one.results),
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
    /// The gate's name then.
    pub gate_name: String,
    /// What the run was compared with.
    #[schema(value_type = Option<Object>)]
    pub baseline: Option<Value>,
    /// Objects as in the answer to an upload, but with `type` instead of `metric`.
    #[schema(value_type = Vec<Object>)]
    pub details: Vec<Value>,
    pub created_at: DateTime<Utc>,
}

impl From<EvaluationRow> for Past {
    fn from(row: EvaluationRow) -> Self {
        let detail = |rule: Rule| {
            let mut detail = json!(rule);
            if let Some(detail) = detail.as_object_mut() {
                let kind = detail.remove("metric").unwrap_or_default();
                detail.insert("type".to_owned(), kind);
            }
            detail
        };
        let baseline = row.baseline.map(|baseline| {
            let Baseline { branch, run, commit } = baseline.0;
            json!({"branch": branch, "run_id": run, "commit": commit})
        });
        Self {
            id: row.id,
            gate_id: row.gate_id,
            report_id: row.report_id,
            run_id: row.run_id,
            passed: row.outcome == Outcome::Passed.as_str(),
            status: row.outcome,
            gate_name: row.name,
            baseline,
            details: rules(&row.rules.0, row.results.0).into_iter().map(detail).collect(),
            created_at: row.created_at,
        }
    }
}

/// What the gates say of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunQualityGates)]
pub struct OfRun {
    /// The newest of each gate, newest gate first.
    pub evaluations: Vec<Past>,
}

/// A waiver of a rule of a gate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GateWaiver)]
pub struct Waiver {
    pub id: Uuid,
    pub gate_id: Uuid,
    /// As it was when it was waived.
    #[schema(value_type = Object)]
    pub rule: Value,
    /// The run that it is for,
    pub run_id: Option<Uuid>,
    /// or the branch.
    pub branch: Option<String>,
    pub reason: String,
    /// Who answers for it.
    pub user_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub revoked_by: Option<Uuid>,
    /// Whether it holds now: neither revoked nor expired.
    pub active: bool,
}

impl Waiver {
    pub fn of(row: WaiverRow, now: DateTime<Utc>) -> Self {
        Self {
            id: row.id,
            gate_id: row.gate_id,
            rule: json!(row.rule.0),
            run_id: row.run_id,
            branch: row.branch,
            reason: row.reason,
            user_id: row.user_id,
            created_at: row.created_at,
            expires_at: row.expires_at,
            active: row.revoked_at.is_none() && row.expires_at > now,
            revoked_at: row.revoked_at,
            revoked_by: row.revoked_by,
        }
    }
}

/// A gate's waivers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GateWaiverList)]
pub struct Waivers {
    /// Newest first, also those that are over; 200 at most.
    pub waivers: Vec<Waiver>,
    pub total: usize,
}

/// A rule that need not hold for a while.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WaiveRule)]
pub struct Waive {
    /// One of the gate's rules, as it is read: {type, params, level, scope}.
    #[serde(default)]
    #[schema(required, value_type = Object)]
    pub rule: Value,
    /// The run that it is for,
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub run_id: Option<String>,
    /// or the branch, by its name.
    #[serde(default)]
    pub branch: Option<String>,
    /// 1 to 1,000 characters.
    #[serde(default)]
    #[schema(required)]
    pub reason: String,
    /// At most 90 days away; 14 days when absent.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub expires_at: Option<String>,
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
            rules: rules(&one.rules, one.results),
        };
        Self { passed: worst.is_none(), status, gates: all.into_iter().map(gate).collect() }
    }
}
