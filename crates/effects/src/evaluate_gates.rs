//! Evaluates quality gates: when a report has arrived, and for those that a crash kept from it.
//!
//! The evaluation's id follows from gate, run and report, so that whoever comes second finds it done.

use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_commands::evaluation::{Command, Evaluation, Reject};
use scaledtest_domain::{
    Actor, CommandId, EvaluationId, Kind, Position, ReportId, RunId, StreamId, TeamId, events::evaluation::Evaluated,
    gate::Waiver,
};
use scaledtest_eventlog::{CommandMeta, EventLog, ExecuteError};
use scaledtest_insight::gate::{Inputs, evaluate, is_for_branch};
use scaledtest_projections::{
    gates::{self, GateRow, Known},
    history::queries::Recent,
    reports::queries as reports,
};
use sqlx::PgPool;

/// A report younger than this is being evaluated by whoever took it in.
const GRACE: TimeDelta = TimeDelta::seconds(10);
/// A report older than this, with everything before it evaluated, is not looked at again.
const SETTLED: TimeDelta = TimeDelta::hours(1);
/// Reports looked at in a round, at most.
const PAGE: i64 = 200;

/// Why a gate was not evaluated.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// What the log says.
    #[error(transparent)]
    Log(#[from] ExecuteError<Reject>),
    /// What the database says.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What a gate is evaluated for.
#[derive(Debug, Clone, Copy)]
pub struct Cause {
    /// Whose.
    pub team: TeamId,
    /// The report.
    pub report: ReportId,
    /// Its run.
    pub run: RunId,
    /// The report's position if its arrival is the cause; else somebody asked.
    pub report_no: Option<u64>,
    /// Who is to be recorded.
    pub actor: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Evaluates a gate for a run and records what came of it, or finds what was recorded before.
///
/// # Errors
/// See [`GateError`]; the same again is harmless.
pub async fn evaluate_gate(
    log: &EventLog,
    pool: &PgPool,
    gate: &GateRow,
    cause: &Cause,
    known: &Known,
) -> Result<Option<(Box<Evaluated>, Position)>, GateError> {
    let inputs = known.inputs(pool, &gate.rules).await?;
    let place = (cause.run, known.run.branch.as_deref());
    let waivers = gates::waivers_for(pool, (cause.team, gate.id), place, cause.at).await?;
    let evaluated = evaluated(gate, cause, &inputs, &waivers);
    let stream = StreamId::of(cause.team, Kind::Evaluation, evaluated.evaluation);
    let meta = CommandMeta {
        command: CommandId::derived(&[evaluated.evaluation.0.as_bytes()]),
        request: None,
        actor: cause.actor,
        at: cause.at,
        correlation: None,
        causation: None,
    };
    let executed = log.execute_new::<Evaluation>(stream, Command::Record(Box::new(evaluated)), &meta).await?;
    Ok(executed.state.evaluated.map(|evaluated| (evaluated, executed.position)))
}

fn evaluated(gate: &GateRow, cause: &Cause, inputs: &Inputs, waivers: &[Waiver]) -> Evaluated {
    let found = evaluate(&gate.rules, inputs, waivers);
    let evaluation = match cause.report_no {
        Some(no) => {
            let (gate, run, report) = (gate.id.0, cause.run.0, cause.report.0);
            EvaluationId::derived(&[gate.as_bytes(), run.as_bytes(), report.as_bytes(), &no.to_be_bytes()])
        }
        None => EvaluationId::new(),
    };
    Evaluated {
        evaluation,
        gate: gate.id,
        name: gate.name.clone(),
        version: gate.version.unsigned_abs(),
        report: cause.report,
        run: cause.run,
        report_no: cause.report_no,
        rules: gate.rules.0.clone(),
        baseline: inputs.baseline.clone(),
        seen: inputs.everything(),
        outcome: found.outcome,
        results: found.results,
    }
}

/// What every enabled gate that is for the run's branch says of a report that has arrived, newest gate first. None while the
/// read models don't have the run.
///
/// # Errors
/// See [`GateError`]; the same again is harmless.
pub async fn evaluate_gates(
    log: &EventLog,
    (pool, recent): (&PgPool, &Recent),
    cause: &Cause,
) -> Result<Option<Vec<(Box<Evaluated>, Position)>>, GateError> {
    let Some(run) = reports::get_run(pool, cause.team, cause.run).await? else { return Ok(None) };
    let mut asked = gates::gates_of(pool, cause.team).await?;
    asked.retain(|gate| gate.enabled && is_for_branch(&gate.branches, run.branch.as_deref()));
    if asked.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let Some(known) = Known::of((pool, recent), cause.team, run, Some(cause.report)).await? else { return Ok(None) };
    let mut all = Vec::new();
    for gate in &asked {
        match evaluate_gate(log, pool, gate, cause, &known).await? {
            Some(one) => all.push(one),
            None => return Ok(None),
        }
    }
    Ok(Some(all))
}

/// Evaluates what nobody has evaluated, round by round.
#[derive(Debug, Default)]
pub struct GateSweep {
    /// Everything until here is evaluated.
    settled: i64,
    recent: Recent,
}

impl GateSweep {
    /// Looks for reports without an evaluation; returns how many it evaluated.
    ///
    /// # Errors
    /// See [`GateError`]; the next round looks at the same again.
    pub async fn round(&mut self, log: &EventLog, pool: &PgPool, now: DateTime<Utc>) -> Result<u64, GateError> {
        let (mut after, mut evaluated, mut all_done) = (self.settled, 0, true);
        loop {
            let page = gates::due(pool, after, now - GRACE, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.report_no;
            for due in page {
                let cause = Cause {
                    team: due.team_id,
                    report: due.report_id,
                    run: due.run_id,
                    report_no: u64::try_from(due.report_no).ok(),
                    actor: Actor::System,
                    at: now,
                };
                match evaluate_gates(log, (pool, &self.recent), &cause).await? {
                    Some(all) => evaluated += u64::from(!all.is_empty()),
                    None => all_done = false,
                }
            }
        }
        if all_done {
            self.settled = gates::settled_until(pool, self.settled, now - SETTLED).await?;
        }
        Ok(evaluated)
    }
}
