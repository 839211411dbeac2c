//! Waivers: a rule that does not hold is let pass for a while, by somebody who answers for it.

use super::{GatePath, Gates, MODELS, dto, execute, find, maintainer, reader, refusal};
use crate::{app::App, http::accounts::MessageBody};
use crate::{
    app::AppState,
    http::{
        error::{ApiError, ErrorBody},
        extract::{
            Caller, Faults, JsonBody, PathIds, RequestId, ThreePathIds, after_write, idempotency_key, prefers_async,
        },
        read_models::WaitMin,
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_commands::gate::Command;
use scaledtest_domain::{
    CommandId, Hash16, RunId, TeamId, UserId, WaiverId,
    gate::{Extent, Waiver, parse_rule},
};
use scaledtest_eventlog::CommandMeta;
use scaledtest_projections::{gates, reports::queries::get_run};

/// Waivers that are listed.
const LISTED: i64 = 200;
/// Characters of a reason.
const MOST_REASON: usize = 1_000;
/// Characters of a branch's name.
const MOST_BRANCH: usize = 255;
/// How long one lasts if nothing is said.
const USUAL: TimeDelta = TimeDelta::days(14);

/// A gate's waivers
#[utoipa::path(get, path = "/api/v1/teams/{team_id}/quality-gates/{gate_id}/waivers", tag = "gates",
    params(("team_id" = uuid::Uuid, Path), ("gate_id" = uuid::Uuid, Path)),
    responses((status = 200, body = dto::Waivers), (status = 403, description = "not_a_member"), (status = 404, description = "gate_not_found")))]
pub(super) async fn list_waivers(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(team, gate): GatePath,
    _wait: WaitMin<Gates>,
) -> Result<Json<dto::Waivers>, ApiError> {
    let team = reader(&caller, &team)?;
    let gate = find(&app, team, &gate).await?;
    let now = app.clock.now();
    let found = gates::waivers_of(&app.db, team, gate.id, LISTED).await?;
    let waivers: Vec<_> = found.into_iter().map(|row| dto::Waiver::of(row, now)).collect();
    Ok(Json(dto::Waivers { total: waivers.len(), waivers }))
}

/// Waive a rule
///
/// For one run or one branch. What was evaluated stands: evaluate again to see the difference.
#[utoipa::path(post, path = "/api/v1/teams/{team_id}/quality-gates/{gate_id}/waivers", tag = "gates", request_body = dto::Waive,
    params(
        ("team_id" = uuid::Uuid, Path), ("gate_id" = uuid::Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the first answer"),
    ),
    responses(
        (status = 201, body = dto::Waiver),
        (status = 400, description = "Faulty fields, each named in details; invalid_expiry", body = ErrorBody),
        (status = 403, description = "not_a_member; maintainers and owners only"),
        (status = 404, description = "gate_not_found"),
        (status = 409, description = "rule_not_found: the gate asks something else now; too_many_waivers"),
        (status = 422, description = "idempotency_key_reused: the key came with another body"),
    ))]
pub(super) async fn waive_rule(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(team, gate): GatePath,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<dto::Waive>,
) -> Result<Response, ApiError> {
    let team = maintainer(&caller, &team)?;
    let gate = find(&app, team, &gate).await?;
    let key = idempotency_key(&headers)?;
    let meta = caller.meta(&app, &request);
    let asked = asked(&body);
    let waiver = waiver(&app, team, caller.user, meta.at, body).await?;
    let (id, meta) = match &key {
        Some(key) => {
            let parts: [&[u8]; 5] =
                [b"waive_rule", team.0.as_bytes(), gate.id.0.as_bytes(), caller.user.0.as_bytes(), key.as_bytes()];
            let (command, request) = (CommandId::derived(&parts), Some(asked));
            (WaiverId::derived(&parts), CommandMeta { command, request, ..meta })
        }
        None => (waiver.id, meta),
    };
    let waiver = Waiver { id, ..waiver };
    let command = Command::Waive { gate: gate.id, waiver: Box::new(waiver.clone()) };
    let made = execute(&app, team, gate.id, command, &meta).await?;
    let written = after_write(&app, made.position, MODELS, prefers_async(&headers)).await;
    let (run_id, branch) = match waiver.extent {
        Extent::Run(run) => (Some(run.0), None),
        Extent::Branch(branch) => (None, Some(branch)),
    };
    let body = dto::Waiver {
        id: id.0,
        gate_id: gate.id.0,
        rule: serde_json::json!(waiver.rule),
        run_id,
        branch,
        reason: waiver.reason,
        user_id: waiver.by.0,
        created_at: made.at,
        expires_at: waiver.expires_at,
        revoked_at: None,
        revoked_by: None,
        active: true,
    };
    Ok((StatusCode::CREATED, written, Json(body)).into_response())
}

/// What a repeated request has to repeat.
fn asked(body: &dto::Waive) -> Hash16 {
    let dto::Waive { rule, run_id, branch, reason, expires_at } = body;
    Hash16::of(serde_json::json!([rule, run_id, branch, reason, expires_at]).to_string().as_bytes())
}

async fn waiver(app: &App, team: TeamId, by: UserId, at: DateTime<Utc>, body: dto::Waive) -> Result<Waiver, ApiError> {
    let mut faults = Faults::default();
    let reason = body.reason.trim().to_owned();
    let fits = (1..=MOST_REASON).contains(&reason.chars().count()) && !reason.contains('\0');
    faults.check(fits, "reason", format!("must have 1 to {MOST_REASON} characters"));
    let branch = body.branch.filter(|branch| !branch.is_empty());
    let fits = branch.as_ref().is_none_or(|name| name.chars().count() <= MOST_BRANCH && !name.contains('\0'));
    faults.check(fits, "branch", format!("must have at most {MOST_BRANCH} characters"));
    let one = body.run_id.is_some() != branch.is_some();
    faults.check(one, "run_id", "or branch must be there, and not both");
    let run = body.run_id.as_deref().map(str::parse::<RunId>);
    faults.check(run.as_ref().is_none_or(Result::is_ok), "run_id", "must be the id of a run");
    let until = body.expires_at.as_deref().map(DateTime::parse_from_rfc3339);
    faults.check(until.as_ref().is_none_or(Result::is_ok), "expires_at", "must be a time of RFC 3339");
    let named = faults.finish();
    let rule = match (named, parse_rule(&body.rule)) {
        (Ok(()), Ok(rule)) => rule,
        (Err(error), Ok(_)) => return Err(error),
        (named, Err(wrong)) => return Err(refusal(named.err(), wrong)),
    };
    let run = run.and_then(Result::ok);
    if let Some(run) = run
        && get_run(&app.db, team, run).await?.is_none()
    {
        return Err(Faults::one("run_id", "must be the id of a run of the team"));
    }
    let extent = run.map_or_else(|| Extent::Branch(branch.unwrap_or_default()), Extent::Run);
    let expires_at = until.and_then(Result::ok).map_or(at + USUAL, |until| until.to_utc());
    Ok(Waiver { id: WaiverId::new(), rule, extent, reason, by, expires_at })
}

/// Revoke a waiver
///
/// What was evaluated with it stands.
#[utoipa::path(delete, path = "/api/v1/teams/{team_id}/quality-gates/{gate_id}/waivers/{waiver_id}", tag = "gates",
    params(("team_id" = uuid::Uuid, Path), ("gate_id" = uuid::Uuid, Path), ("waiver_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = MessageBody),
        (status = 403, description = "not_a_member; maintainers and owners only"),
        (status = 404, description = "gate_not_found; waiver_not_found"),
    ))]
pub(super) async fn revoke_waiver(
    State(app): State<AppState>,
    caller: Caller,
    ThreePathIds(team, gate, waiver): ThreePathIds<String, String, String>,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let team = maintainer(&caller, &team)?;
    let gate = find(&app, team, &gate).await?.id;
    let waiver = waiver.parse().map_err(|_| ApiError::not_found("waiver_not_found", "waiver not found"))?;
    let command = Command::Revoke { gate, waiver, by: caller.user };
    let revoked = execute(&app, team, gate, command, &caller.meta(&app, &request)).await?;
    let written = after_write(&app, revoked.position, MODELS, prefers_async(&headers)).await;
    Ok((written, Json(MessageBody { message: "waiver revoked" })).into_response())
}
