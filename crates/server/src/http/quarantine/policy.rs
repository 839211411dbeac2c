//! The policy of a project.

use super::{
    WRITTEN, dto, project_not_found,
    terms::{self, DAYS, MAX_DAYS},
};
use crate::{
    app::AppState,
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Faults, JsonBody, RequestId, after_write, prefers_async},
        insight::dto::Project,
        read_models::{Quarantine, WaitMin},
    },
};
use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use scaledtest_commands::{Policy, policy::Command};
use scaledtest_domain::{
    Kind, Scope, StreamId, TeamRole,
    events::policy::{Rules, Set},
};
use scaledtest_projections::quarantine::queries;
use serde::Deserialize;
use utoipa::ToSchema;

/// Tests that a policy may let into quarantine, at most.
const MAX_COUNT: u32 = 1_000;

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SetQuarantinePolicy)]
pub(super) struct Body {
    /// Off when absent.
    #[serde(default)]
    enabled: bool,
    /// `mute` (default) or `skip`.
    #[serde(default)]
    mode: Option<String>,
    /// Per cent of the project's tests that may be in quarantine before the policy stops taking more, 0 to 20; 2 otherwise.
    /// Of a small project one test may be, if any.
    #[serde(default)]
    max_percent: Option<f64>,
    /// Tests that may be, 0 to 1,000; 20 otherwise.
    #[serde(default)]
    max_count: Option<u32>,
    /// Days after which a stay ends, 1 to 90; 14 otherwise.
    #[serde(default)]
    expiry_days: Option<u32>,
    /// Who sees to what the policy takes: a team or a handle, no e-mail address.
    #[serde(default)]
    owner: Option<String>,
    /// Tests that may be in quarantine with that owner; any number otherwise.
    #[serde(default)]
    max_per_owner: Option<u32>,
}

/// Read the quarantine policy of a project
#[utoipa::path(get, path = "/api/v1/projects/{project}/quarantine-policy", operation_id = "get_quarantine_policy",
    tag = "quarantine", params(("project" = String, Path, description = "Id, or name (percent-encoded).")),
    responses((status = 200, body = dto::Policy), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get_quarantine_policy(
    State(app): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    _: WaitMin<Quarantine>,
) -> Result<Json<dto::Policy>, ApiError> {
    caller.scope(Scope::Read)?;
    let policy = queries::policy(&app.db, caller.team()?, &project).await?.ok_or_else(project_not_found)?;
    let set = policy.set.map(|(at, by)| (at, by.0));
    let project = Project { id: policy.project.0, name: policy.name };
    Ok(Json(dto::Policy::of(project, policy.rules, set)))
}

/// Set the quarantine policy of a project
///
/// Only flaky tests are ever taken, never broken ones; none after a run that failed as a whole.
#[utoipa::path(put, path = "/api/v1/projects/{project}/quarantine-policy", operation_id = "set_quarantine_policy",
    tag = "quarantine", request_body = Body, params(("project" = String, Path, description = "Id, or name (percent-encoded).")),
    responses(
        (status = 200, body = dto::Policy),
        (status = 400, description = "Faulty fields, each named in details", body = ErrorBody),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "project_not_found", body = ErrorBody),
    ))]
pub(super) async fn set_quarantine_policy(
    State(app): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Write)?;
    let team = caller.require(TeamRole::Maintainer)?;
    let before = queries::policy(&app.db, team, &project).await?.ok_or_else(project_not_found)?;
    let rules = checked(body)?;
    let meta = caller.meta(&app, &request);
    let set = Set { project: before.project, user: caller.user, rules };
    let stream = StreamId::of(team, Kind::Policy, before.project);
    let executed = app.log.execute::<Policy>(stream, Command::Set(set.clone()), &meta).await;
    let executed = executed.map_err(ApiError::from_execute)?;
    let written = after_write(&app, executed.position, WRITTEN, prefers_async(&headers)).await;
    app.nudges.quarantine.notify_one();
    let unchanged = before.set.filter(|_| executed.events.is_empty());
    let (at, by) = unchanged.unwrap_or((executed.at, set.user));
    let project = Project { id: before.project.0, name: before.name };
    Ok((written, Json(dto::Policy::of(project, set.rules, Some((at, by.0))))).into_response())
}

fn checked(body: Body) -> Result<Rules, ApiError> {
    let (mut faults, usual) = (Faults::default(), Rules::default());
    let mode = terms::mode(body.mode.as_deref(), &mut faults).unwrap_or(usual.mode);
    let percent = body.max_percent.unwrap_or(usual.max_share * 100.0);
    faults.check((0.0..=20.0).contains(&percent), "max_percent", "must be 0 to 20: more would hide the suite");
    let max_count = body.max_count.unwrap_or(usual.max_count);
    faults.check(max_count <= MAX_COUNT, "max_count", format!("must be at most {MAX_COUNT}"));
    let expiry_days = body.expiry_days.unwrap_or(u32::try_from(DAYS).unwrap_or(usual.expiry_days));
    let fits = (1..=MAX_DAYS).contains(&i64::from(expiry_days));
    faults.check(fits, "expiry_days", format!("must be 1 to {MAX_DAYS}"));
    let owner = body.owner.and_then(|owner| terms::owner(&owner, &mut faults));
    if body.max_per_owner.is_some() && owner.is_none() {
        faults.add("max_per_owner", "needs an owner: name who sees to what the policy takes");
    }
    faults.finish()?;
    let (enabled, max_share, max_per_owner) = (body.enabled, percent / 100.0, body.max_per_owner);
    Ok(Rules { enabled, mode, max_share, max_count, expiry_days, owner, max_per_owner })
}
