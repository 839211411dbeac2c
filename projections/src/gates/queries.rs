//! Questions about gates. Every one is about a single team, apart from what the reconciler asks.

use crate::checkpoint::signed;
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    GateId, ReportId, RunId, TeamId, UserId, WaiverId,
    gate::{Baseline, Extent, Rule, RuleResult, Waiver},
};
use sqlx::{FromRow, PgPool, types::Json};
use uuid::Uuid;

/// A gate.
#[derive(Debug, Clone, FromRow)]
#[allow(missing_docs, reason = "those without a word are as in the gate's definition")]
pub struct GateRow {
    #[sqlx(try_from = "Uuid")]
    pub id: GateId,
    #[sqlx(try_from = "Uuid")]
    pub team_id: TeamId,
    pub name: String,
    pub description: Option<String>,
    pub rules: Json<Vec<Rule>>,
    pub branches: Vec<String>,
    pub enabled: bool,
    /// How often it was defined.
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// An evaluation of a gate.
#[derive(Debug, Clone, FromRow)]
#[allow(missing_docs, reason = "as in the event gate.evaluated")]
pub struct EvaluationRow {
    pub id: Uuid,
    pub gate_id: Uuid,
    pub report_id: Uuid,
    pub run_id: Uuid,
    pub outcome: String,
    pub name: String,
    pub rules: Json<Vec<Rule>>,
    pub results: Json<Vec<RuleResult>>,
    pub baseline: Option<Json<Baseline>>,
    pub created_at: DateTime<Utc>,
}

/// A team's gates, newest first.
///
/// # Errors
/// What the database says.
pub async fn gates_of(pool: &PgPool, team: TeamId) -> Result<Vec<GateRow>, sqlx::Error> {
    sqlx::query_as(
        "select id, team_id, name, description, rules, branches, enabled, version, created_at, updated_at
         from gates.gate where team_id = $1 order by no desc",
    )
    .bind(team.0)
    .fetch_all(pool)
    .await
}

/// One gate of a team.
///
/// # Errors
/// What the database says.
pub async fn gate(pool: &PgPool, team: TeamId, gate: GateId) -> Result<Option<GateRow>, sqlx::Error> {
    sqlx::query_as(
        "select id, team_id, name, description, rules, branches, enabled, version, created_at, updated_at
         from gates.gate where team_id = $1 and id = $2",
    )
    .bind(team.0)
    .bind(gate.0)
    .fetch_optional(pool)
    .await
}

/// Whether uploads of a team are judged at all.
///
/// # Errors
/// What the database says.
pub async fn has_enabled_gate(pool: &PgPool, team: TeamId) -> Result<bool, sqlx::Error> {
    let query = sqlx::query_scalar("select exists (select 1 from gates.gate where team_id = $1 and enabled)");
    query.bind(team.0).fetch_one(pool).await
}

/// The newest evaluations of a gate, newest first.
///
/// # Errors
/// What the database says.
pub async fn evaluations_of(
    pool: &PgPool,
    team: TeamId,
    gate: GateId,
    limit: i64,
) -> Result<Vec<EvaluationRow>, sqlx::Error> {
    sqlx::query_as(
        "select id, gate_id, report_id, run_id, outcome, name, rules, results, baseline, created_at
         from gates.evaluation where team_id = $1 and gate_id = $2 order by no desc limit $3",
    )
    .bind(team.0)
    .bind(gate.0)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// What each gate said of a run last, newest gate first.
///
/// # Errors
/// What the database says.
pub async fn evaluations_of_run(pool: &PgPool, team: TeamId, run: RunId) -> Result<Vec<EvaluationRow>, sqlx::Error> {
    sqlx::query_as(
        "select id, gate_id, report_id, run_id, outcome, name, rules, results, baseline, created_at from (
           select distinct on (one.gate_id) one.*, gate.no as gate_no
           from gates.evaluation one join gates.gate on gate.id = one.gate_id
           where one.team_id = $1 and one.run_id = $2 order by one.gate_id, one.no desc) newest
         order by gate_no desc",
    )
    .bind(team.0)
    .bind(run.0)
    .fetch_all(pool)
    .await
}

/// A waiver of a rule of a gate.
#[derive(Debug, Clone, FromRow)]
#[allow(missing_docs, reason = "as in the event gate.rule_waived")]
pub struct WaiverRow {
    pub id: Uuid,
    pub gate_id: Uuid,
    pub rule: Json<Rule>,
    pub run_id: Option<Uuid>,
    pub branch: Option<String>,
    pub reason: String,
    pub user_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub revoked_by: Option<Uuid>,
}

impl WaiverRow {
    /// As in the event; none if it is for nothing.
    pub fn waiver(&self) -> Option<Waiver> {
        let extent = match (self.run_id, &self.branch) {
            (Some(run), _) => Extent::Run(RunId(run)),
            (None, Some(branch)) => Extent::Branch(branch.clone()),
            (None, None) => return None,
        };
        Some(Waiver {
            id: WaiverId(self.id),
            rule: self.rule.0.clone(),
            extent,
            reason: self.reason.clone(),
            by: UserId(self.user_id),
            expires_at: self.expires_at,
        })
    }
}

/// A gate's waivers, also those that are over, newest first.
///
/// # Errors
/// What the database says.
pub async fn waivers_of(pool: &PgPool, team: TeamId, gate: GateId, limit: i64) -> Result<Vec<WaiverRow>, sqlx::Error> {
    sqlx::query_as(
        "select id, gate_id, rule, run_id, branch, reason, user_id, created_at, expires_at, revoked_at, revoked_by
         from gates.waiver where team_id = $1 and gate_id = $2 order by no desc limit $3",
    )
    .bind(team.0)
    .bind(gate.0)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// The waivers of a gate that hold for a run at a moment, newest first.
///
/// # Errors
/// What the database says.
pub async fn waivers_for(
    pool: &PgPool,
    (team, gate): (TeamId, GateId),
    (run, branch): (RunId, Option<&str>),
    at: DateTime<Utc>,
) -> Result<Vec<Waiver>, sqlx::Error> {
    let rows: Vec<WaiverRow> = sqlx::query_as(
        "select id, gate_id, rule, run_id, branch, reason, user_id, created_at, expires_at, revoked_at, revoked_by
         from gates.waiver where team_id = $1 and gate_id = $2 and revoked_at is null and expires_at > $3 order by no desc",
    )
    .bind(team.0)
    .bind(gate.0)
    .bind(at)
    .fetch_all(pool)
    .await?;
    let all = rows.iter().filter_map(WaiverRow::waiver);
    Ok(all.filter(|waiver| waiver.is_for(run, branch, at)).collect())
}

/// A report, and its run.
pub type ReportOfRun = (ReportId, RunId);

/// The report of a team that came last.
///
/// # Errors
/// What the database says.
pub async fn newest_report(pool: &PgPool, team: TeamId) -> Result<Option<ReportOfRun>, sqlx::Error> {
    let found: Option<(Uuid, Uuid)> = sqlx::query_as(
        "select id, run_id from reports.report where team_id = $1 order by created_at desc, no desc limit 1",
    )
    .bind(team.0)
    .fetch_optional(pool)
    .await?;
    Ok(found.map(|(report, run)| (report.into(), run.into())))
}

/// A run of the past.
#[derive(Debug, Clone, FromRow)]
#[allow(missing_docs, reason = "each is what its name says")]
pub struct PastRun {
    #[sqlx(try_from = "Uuid")]
    pub id: RunId,
    pub branch: Option<String>,
    pub commit: Option<String>,
    pub build: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// The newest runs of a team, newest first.
///
/// # Errors
/// What the database says.
pub async fn newest_runs(pool: &PgPool, team: TeamId, limit: i64) -> Result<Vec<PastRun>, sqlx::Error> {
    sqlx::query_as(
        "select id, branch, commit, build, created_at from reports.run where team_id = $1
           and not exists (select from reports.report where report.run_id = run.id and report.sealed)
         order by created_at desc, no desc limit $2",
    )
    .bind(team.0)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// A report that a gate has not judged.
#[derive(Debug, Clone, FromRow)]
#[allow(missing_docs, reason = "each is what its name says")]
pub struct Due {
    pub report_no: i64,
    #[sqlx(try_from = "Uuid")]
    pub report_id: ReportId,
    #[sqlx(try_from = "Uuid")]
    pub run_id: RunId,
    #[sqlx(try_from = "Uuid")]
    pub team_id: TeamId,
}

/// Reports after a position, received until a moment, that an enabled gate of their team has not judged though it was there;
/// oldest first. Which branches a gate is for is not looked at.
///
/// # Errors
/// What the database says.
pub async fn due(pool: &PgPool, after: i64, until: DateTime<Utc>, limit: i64) -> Result<Vec<Due>, sqlx::Error> {
    sqlx::query_as(
        "select report.no as report_no, report.id as report_id, report.run_id, report.team_id from reports.report
         where report.no > $1 and report.received_at <= $2 and exists (
           select 1 from gates.gate where gate.team_id = report.team_id and gate.enabled and gate.enabled_no < report.no
           and not exists (select 1 from gates.evaluation done where done.report_no = report.no and done.gate_id = gate.id))
         order by report.no limit $3",
    )
    .bind(after)
    .bind(until)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// The position of the last report that was received until a moment, from a position on.
///
/// # Errors
/// What the database says.
pub async fn settled_until(pool: &PgPool, after: i64, until: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    let query =
        sqlx::query_scalar("select coalesce(max(no), $1) from reports.report where no > $1 and received_at <= $2");
    query.bind(after.max(signed(0))).bind(until).fetch_one(pool).await
}
