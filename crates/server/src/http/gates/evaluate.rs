//! Evaluating a gate by hand, trying rules on past runs, and what was found before.

use super::{GatePath, Gates, TeamPath, dto, find, reader, refusal};
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Faults, JsonBody, Pairs, PathId, PathIds, after_write, prefers_async},
        read_models::{Judging, WaitMin},
    },
};
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    ReportId, RunId, Scope, TeamId,
    gate::{check_globs, parse_rules},
};
use scaledtest_effects::{Cause, GateError};
use scaledtest_insight::gate::{evaluate, is_for_branch};
use scaledtest_projections::{
    gates,
    reports::queries::{get_report, get_run, kept},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Runs that rules are tried on, at most.
const MOST_RUNS: usize = 50;
/// Runs that are looked through for those of the branches.
const LOOKED_AT: i64 = 500;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = EvaluateGate)]
pub(super) struct Body {
    /// The team's newest report when absent.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    report_id: Option<String>,
}

/// Evaluate a quality gate now
///
/// Also one that is not enabled. Without a body: for the team's newest report.
#[utoipa::path(post, path = "/api/v1/teams/{team_id}/quality-gates/{gate_id}/evaluate", tag = "gates",
    request_body = Option<Body>,
    params(("team_id" = Uuid, Path), ("gate_id" = Uuid, Path)),
    responses(
        (status = 200, body = dto::Evaluation),
        (status = 400, body = ErrorBody),
        (status = 403, description = "not_a_member"),
        (status = 404, description = "gate_not_found, report_not_found"),
        (status = 410, description = "results_dropped: the run's results had their time"),
        (status = 503, description = "projection_lagging: the histories do not have the report yet"),
    ))]
pub(super) async fn evaluate_gate(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(team, gate): GatePath,
    _wait: WaitMin<Judging>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let team = reader(&caller, &team)?;
    let body = if bytes.trim_ascii().is_empty() { Body::default() } else { parsed(&bytes)? };
    let gate = find(&app, team, &gate).await?;
    let (report, run) = report(&app, team, body.report_id.as_deref()).await?;
    if kept(&app.db, team, run).await?.dropped {
        return Err(ApiError::results_dropped("of this run"));
    }
    let cause = Cause { team, report, run, report_no: None, actor: caller.actor, at: app.clock.now() };
    let known = gates::Known::load((&app.db, &app.recent), team, (run, Some(report))).await?.ok_or_else(lagging)?;
    let found = scaledtest_effects::evaluate_gate(&app.log, &app.db, &gate, &cause, &known).await.map_err(failed)?;
    let (evaluated, position) = found.ok_or_else(lagging)?;
    let written = after_write(&app, position, super::MODELS, prefers_async(&headers)).await;
    Ok((written, Json(dto::Evaluation::from(*evaluated))).into_response())
}

fn parsed(bytes: &[u8]) -> Result<Body, ApiError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::invalid("invalid_request", format!("invalid request: {error}")))
}

async fn report(app: &App, team: TeamId, id: Option<&str>) -> Result<(ReportId, RunId), ApiError> {
    let missing = || ApiError::not_found("report_not_found", "report not found");
    let Some(id) = id else { return gates::newest_report(&app.db, team).await?.ok_or_else(missing) };
    let id: ReportId = id.parse().map_err(|_| Faults::one("report_id", "must be the id of a report"))?;
    let found = get_report(&app.db, team, id).await?.ok_or_else(missing)?;
    Ok((id, found.report.run_id))
}

fn failed(error: GateError) -> ApiError {
    match error {
        GateError::Log(error) => ApiError::from_execute(error),
        GateError::Database(error) => error.into(),
    }
}

fn lagging() -> ApiError {
    let message = "the histories do not have this report yet; retry";
    ApiError::unavailable("projection_lagging", message).with_retry_after(1)
}

/// What a gate said before
#[utoipa::path(get, path = "/api/v1/teams/{team_id}/quality-gates/{gate_id}/evaluations", tag = "gates",
    params(
        ("team_id" = Uuid, Path), ("gate_id" = Uuid, Path),
        ("limit" = Option<i64>, Query, description = "1 to 100; 20 otherwise."),
    ),
    responses((status = 200, body = dto::Evaluations), (status = 403, description = "not_a_member"), (status = 404, description = "gate_not_found")))]
pub(super) async fn list_gate_evaluations(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(team, gate): GatePath,
    pairs: Pairs,
    _wait: WaitMin<Gates>,
) -> Result<Json<dto::Evaluations>, ApiError> {
    let team = reader(&caller, &team)?;
    let gate = find(&app, team, &gate).await?;
    let found = gates::evaluations_of(&app.db, team, gate.id, pairs.number("limit", 20, 1, 100)).await?;
    let evaluations: Vec<_> = found.into_iter().map(dto::Past::from).collect();
    Ok(Json(dto::Evaluations { total: evaluations.len(), evaluations }))
}

/// What the quality gates say of a run
///
/// The newest evaluation of each gate.
#[utoipa::path(get, path = "/api/v1/runs/{id}/quality-gates", operation_id = "get_run_gates", tag = "gates",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = dto::OfRun), (status = 404, description = "run_not_found")))]
pub(super) async fn get_run_gates(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<RunId>,
    _wait: WaitMin<Judging>,
) -> Result<Json<dto::OfRun>, ApiError> {
    caller.scope(Scope::Read)?;
    let team = caller.team()?;
    if get_run(&app.db, team, id).await?.is_none() {
        return Err(ApiError::not_found("run_not_found", "run not found"));
    }
    let found = gates::evaluations_of_run(&app.db, team, id).await?;
    Ok(Json(dto::OfRun { evaluations: found.into_iter().map(dto::Past::from).collect() }))
}

/// Rules to be tried.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PreviewGate)]
pub(super) struct PreviewBody {
    #[serde(default)]
    #[schema(required, value_type = Vec<Object>)]
    rules: Value,
    #[serde(default)]
    branches: Vec<String>,
    /// On how many runs, 1 to 50; 10 otherwise.
    #[serde(default)]
    runs: Option<usize>,
}

/// What the rules say of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GatePreviewRun)]
pub(super) struct PreviewRun {
    run_id: Uuid,
    branch: Option<String>,
    commit: Option<String>,
    build: Option<String>,
    created_at: DateTime<Utc>,
    passed: bool,
    status: &'static str,
    rules: Vec<dto::Rule>,
}

/// What they say of the newest runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GatePreview)]
pub(super) struct Preview {
    /// Newest first.
    runs: Vec<PreviewRun>,
    /// Runs that pass.
    passed: usize,
}

/// Try rules on past runs without saving them
#[utoipa::path(post, path = "/api/v1/teams/{team_id}/quality-gates/preview", tag = "gates", request_body = PreviewBody,
    params(("team_id" = Uuid, Path)),
    responses((status = 200, body = Preview), (status = 400, body = ErrorBody), (status = 403, description = "not_a_member")))]
pub(super) async fn preview_gate(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): TeamPath,
    _wait: WaitMin<Judging>,
    JsonBody(body): JsonBody<PreviewBody>,
) -> Result<Json<Preview>, ApiError> {
    let team = reader(&caller, &team)?;
    let mut faults = check_globs("branches", &body.branches);
    let rules = parse_rules(&body.rules).map_err(|more| faults.extend(more)).unwrap_or_default();
    if !faults.is_empty() {
        return Err(refusal(None, faults));
    }
    let wanted = body.runs.filter(|runs| (1..=MOST_RUNS).contains(runs)).unwrap_or(10);
    let newest = gates::newest_runs(&app.db, team, LOOKED_AT).await?.into_iter();
    let chosen = newest.filter(|run| is_for_branch(&body.branches, run.branch.as_deref())).take(wanted);
    let mut runs = Vec::new();
    for run in chosen {
        let Some(known) = gates::Known::load((&app.db, &app.recent), team, (run.id, None)).await? else { continue };
        let inputs = known.inputs(&app.db, &rules).await?;
        let found = evaluate(&rules, &inputs, &[]);
        let (passed, status) = (found.outcome.passed(), found.outcome.as_str());
        let rules = dto::rules(&rules, found.results);
        let gates::PastRun { id, branch, commit, build, created_at } = run;
        runs.push(PreviewRun { run_id: id.0, branch, commit, build, created_at, passed, status, rules });
    }
    Ok(Json(Preview { passed: runs.iter().filter(|run| run.passed).count(), runs }))
}
