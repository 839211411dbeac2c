//! Quality gates of a team.

pub(super) mod dto;
mod evaluate;
mod upload;
mod waivers;

pub(super) use upload::of_upload;

use super::accounts::MessageBody;
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, Detail},
        extract::{Caller, Faults, JsonBody, PathId, PathIds, RequestId, after_write, idempotency_key, prefers_async},
        read_models::{Gates, WaitMin},
    },
    ingest::Settings,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use scaledtest_commands::gate::{Command, Gate};
use scaledtest_domain::{
    CommandId, ErrorKind, GateId, Hash16, Kind, Scope, StreamId, TeamId, TeamRole,
    gate::{Definition, Fault, check_globs, parse_rules},
};
use scaledtest_eventlog::{CommandMeta, Executed};
use scaledtest_projections::gates;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Gates that a team may have.
const MOST: usize = 100;
/// Characters of a description.
const MOST_DESCRIPTION: usize = 2_000;
/// What a write waits for.
const MODELS: &[&str] = &["gates"];

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_gates, create_gate))
        .routes(routes!(evaluate::preview_gate))
        .routes(routes!(get_gate, update_gate, delete_gate))
        .routes(routes!(evaluate::evaluate_gate))
        .routes(routes!(evaluate::list_gate_evaluations))
        .routes(routes!(evaluate::get_run_gates))
        .routes(routes!(waivers::list_waivers, waivers::waive_rule))
        .routes(routes!(waivers::revoke_waiver))
}

fn missing() -> ApiError {
    ApiError::not_found("gate_not_found", "quality gate not found")
}

/// The team of the path, if the caller is in it. A malformed id is nobody's team.
fn member(caller: &Caller, team: &str) -> Result<(TeamId, TeamRole), ApiError> {
    let denied = || ApiError::forbidden("not_a_member", "team access denied");
    let team: TeamId = team.parse().map_err(|_| denied())?;
    caller.memberships.iter().find(|(candidate, _)| *candidate == team).copied().ok_or_else(denied)
}

/// The same for reading.
fn reader(caller: &Caller, team: &str) -> Result<TeamId, ApiError> {
    let (team, _) = member(caller, team)?;
    caller.scope(Scope::Read)?;
    Ok(team)
}

/// The same for changing something.
fn maintainer(caller: &Caller, team: &str) -> Result<TeamId, ApiError> {
    let (team, role) = member(caller, team)?;
    caller.scope(Scope::Write)?;
    if role < TeamRole::Maintainer {
        return Err(ApiError::forbidden("forbidden", "maintainer or owner role required"));
    }
    Ok(team)
}

async fn find(app: &App, team: TeamId, gate: &str) -> Result<gates::GateRow, ApiError> {
    let id: GateId = gate.parse().map_err(|_| missing())?;
    gates::gate(&app.db, team, id).await?.ok_or_else(missing)
}

/// A team's quality gates
#[utoipa::path(get, path = "/api/v1/teams/{team_id}/quality-gates", tag = "gates",
    params(("team_id" = uuid::Uuid, Path, description = "The team")),
    responses((status = 200, body = dto::Gates), (status = 403, description = "not_a_member; insufficient_scope")))]
async fn list_gates(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): TeamPath,
    _wait: WaitMin<Gates>,
) -> Result<Json<dto::Gates>, ApiError> {
    let team = reader(&caller, &team)?;
    let quality_gates: Vec<_> = gates::gates_of(&app.db, team).await?.into_iter().map(dto::Gate::from).collect();
    Ok(Json(dto::Gates { total: quality_gates.len(), quality_gates }))
}

/// Create a quality gate
#[utoipa::path(post, path = "/api/v1/teams/{team_id}/quality-gates", tag = "gates", request_body = dto::Write,
    params(
        ("team_id" = uuid::Uuid, Path, description = "The team"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the first answer"),
    ),
    responses(
        (status = 201, description = "Created, and enabled", body = dto::Gate),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "not_a_member; maintainers and owners only"),
        (status = 409, description = "too_many_gates; gate_deleted: the gate of the key is gone, use a new key"),
        (status = 422, description = "idempotency_key_reused: the key came with another body"),
    ))]
async fn create_gate(
    State(app): State<AppState>,
    caller: Caller,
    PathId(team): TeamPath,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<dto::Write>,
) -> Result<Response, ApiError> {
    let team = maintainer(&caller, &team)?;
    let definition = definition(dto::Write { enabled: None, ..body })?;
    let key = idempotency_key(&headers)?;
    let (gate, command) = match &key {
        Some(key) => {
            let parts: [&[u8]; 4] = [b"create_gate", team.0.as_bytes(), caller.user.0.as_bytes(), key.as_bytes()];
            (GateId::derived(&parts), CommandId::derived(&parts))
        }
        None => (GateId::new(), CommandId::new()),
    };
    if gates::gates_of(&app.db, team).await?.iter().filter(|known| known.id != gate).count() >= MOST {
        let message = format!("a team has at most {MOST} quality gates: delete one first");
        return Err(ApiError::new(ErrorKind::Conflict, "too_many_gates", message));
    }
    let asked = serde_json::to_vec(&definition).map_err(|error| ApiError::internal(&error))?;
    let meta = CommandMeta { request: key.map(|_| Hash16::of(&asked)), command, ..caller.meta(&app, &request) };
    let made = execute(&app, team, gate, Command::Create { gate, definition: definition.clone() }, &meta).await?;
    if made.state.is_deleted {
        let message = "the gate of this idempotency key was deleted; use a new key for a new gate";
        return Err(ApiError::new(ErrorKind::Conflict, "gate_deleted", message));
    }
    Settings::changed(&app, team);
    let written = after_write(&app, made.position, MODELS, prefers_async(&headers)).await;
    let body = dto::Gate::of(gate.0, team.0, definition, made.at, made.at);
    Ok((StatusCode::CREATED, written, Json(body)).into_response())
}

/// Read a quality gate
#[utoipa::path(get, path = "/api/v1/teams/{team_id}/quality-gates/{gate_id}", tag = "gates",
    params(("team_id" = uuid::Uuid, Path), ("gate_id" = uuid::Uuid, Path)),
    responses((status = 200, body = dto::Gate), (status = 403, description = "not_a_member"), (status = 404, description = "gate_not_found")))]
async fn get_gate(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(team, gate): GatePath,
    _wait: WaitMin<Gates>,
) -> Result<Json<dto::Gate>, ApiError> {
    let team = reader(&caller, &team)?;
    Ok(Json(find(&app, team, &gate).await?.into()))
}

/// Replace a quality gate
///
/// All of it: without a description it has none, and without `enabled` it is.
#[utoipa::path(put, path = "/api/v1/teams/{team_id}/quality-gates/{gate_id}", tag = "gates", request_body = dto::Write,
    params(("team_id" = uuid::Uuid, Path), ("gate_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = dto::Gate),
        (status = 400, description = "Faulty fields, each named in details"),
        (status = 403, description = "not_a_member; maintainers and owners only"),
        (status = 404, description = "gate_not_found"),
    ))]
async fn update_gate(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(team, gate): GatePath,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<dto::Write>,
) -> Result<Response, ApiError> {
    let team = maintainer(&caller, &team)?;
    let definition = definition(body)?;
    let known = find(&app, team, &gate).await?;
    let command = Command::Change { gate: known.id, definition: definition.clone() };
    let changed = execute(&app, team, known.id, command, &caller.meta(&app, &request)).await?;
    Settings::changed(&app, team);
    let written = after_write(&app, changed.position, MODELS, prefers_async(&headers)).await;
    let updated_at = if changed.events.is_empty() { known.updated_at } else { changed.at };
    let body = dto::Gate::of(known.id.0, team.0, definition, known.created_at, updated_at);
    Ok((written, Json(body)).into_response())
}

/// Delete a quality gate with its evaluations
#[utoipa::path(delete, path = "/api/v1/teams/{team_id}/quality-gates/{gate_id}", tag = "gates",
    params(("team_id" = uuid::Uuid, Path), ("gate_id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = MessageBody),
        (status = 403, description = "not_a_member; maintainers and owners only"),
        (status = 404, description = "gate_not_found"),
    ))]
async fn delete_gate(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(team, gate): GatePath,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let team = maintainer(&caller, &team)?;
    let gate: GateId = gate.parse().map_err(|_| missing())?;
    let deleted = execute(&app, team, gate, Command::Delete { gate }, &caller.meta(&app, &request)).await?;
    Settings::changed(&app, team);
    let written = after_write(&app, deleted.position, MODELS, prefers_async(&headers)).await;
    Ok((written, Json(MessageBody { message: "quality gate deleted" })).into_response())
}

/// Team and gate as they stand in the path: which of them is wrong decides on the answer.
type GatePath = PathIds<String, String>;
/// Team alone.
type TeamPath = PathId<String>;

async fn execute(
    app: &App,
    team: TeamId,
    gate: GateId,
    command: Command,
    meta: &CommandMeta,
) -> Result<Executed<Gate>, ApiError> {
    let stream = StreamId::of(team, Kind::Gate, gate);
    app.log.execute::<Gate>(stream, command, meta).await.map_err(ApiError::from_execute)
}

fn definition(body: dto::Write) -> Result<Definition, ApiError> {
    let mut faults = Faults::default();
    faults.check_name("name", &body.name);
    let description = body.description.filter(|description| !description.is_empty());
    let fits = description.as_ref().is_none_or(|text| text.chars().count() <= MOST_DESCRIPTION);
    faults.check(fits, "description", format!("must have at most {MOST_DESCRIPTION} characters"));
    let named = faults.finish();
    let mut found = check_globs("branches", &body.branches);
    let rules = parse_rules(&body.rules).map_err(|more| found.extend(more)).unwrap_or_default();
    match (named, found.is_empty()) {
        (Ok(()), true) => {}
        (Err(error), true) => return Err(error),
        (named, false) => return Err(refusal(named.err(), found)),
    }
    let enabled = body.enabled.unwrap_or(true);
    Ok(Definition { name: body.name, description, rules, branches: body.branches, enabled })
}

/// One answer for everything that is wrong.
fn refusal(named: Option<ApiError>, faults: Vec<Fault>) -> ApiError {
    let mut details = named.map(|error| error.details().to_vec()).unwrap_or_default();
    let mut sentences: Vec<String> =
        details.iter().map(|detail| format!("{} {}", detail.field, detail.message)).collect();
    for Fault { field, message } in faults {
        sentences.push(message.clone());
        details.push(Detail::new(field, message));
    }
    ApiError::invalid("invalid_gate", sentences.join("; ")).with_details(details)
}
