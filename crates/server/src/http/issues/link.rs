//! Linking an error to a ticket, changing that, and closing it.

use super::{
    WRITTEN, dto, not_found,
    terms::{Wanted, checked},
};
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Faults, JsonBody, PathId, RequestId, after_write, created, idempotency_key, prefers_async},
        insight::dto::Project,
    },
};
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scaledtest_commands::{Issue, issue::Command};
use scaledtest_domain::{
    CommandId, ErrorId, ErrorKind, Hash16, IssueId, Kind, ProjectId, Scope, StreamId, TeamId, TeamRole,
    events::issue::Linked,
};
use scaledtest_eventlog::CommandMeta;
use scaledtest_projections::{issues::queries, reports::queries::find_project};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Issues of a project that may be open at once: what so many tickets excuse is no longer tested.
const MOST: i64 = 1_000;

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = LinkIssue)]
pub(super) struct Body {
    /// Id or name of the project.
    #[serde(default)]
    #[schema(required)]
    project: String,
    /// Of an error of the project, as verdicts, tests and lists of errors name it.
    #[serde(default)]
    #[schema(required, value_type = Uuid)]
    fingerprint: String,
    /// An http(s) link, or a key such as SHOP-123: at most 100 letters, digits and any of `-_#/.,`.
    #[serde(default)]
    #[schema(required, min_length = 1, max_length = 2000)]
    ticket: String,
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: Option<String>,
    /// From when on the error counts again, at most 3,650 days from now; when the issue is closed otherwise.
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
}

/// Link an error to a ticket
///
/// From now on a test that fails with this error, and with no other, is a `known_issue`: that holds up nobody, until the issue is
/// closed or its time is over.
#[utoipa::path(post, path = "/api/v1/issues", operation_id = "link_issue", tag = "issues", request_body = Body,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the first answer")),
    responses(
        (status = 201, body = dto::Issue),
        (status = 400, description = "Faulty fields, each named in details", body = ErrorBody),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "project_not_found, error_not_found: nothing in the project failed so", body = ErrorBody),
        (status = 409, description = "already_linked, too_many_issues", body = ErrorBody),
        (status = 422, description = "idempotency_key_reused: the key came with another body", body = ErrorBody),
    ))]
pub(super) async fn link_issue(
    State(app): State<AppState>,
    caller: Caller,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, ApiError> {
    let team = writer(&caller)?;
    let (now, asked) = (app.clock.now(), serde_json::to_vec(&body).unwrap_or_default());
    let mut faults = Faults::default();
    faults.check(!body.project.is_empty(), "project", "must be the id or the name of a project");
    let fingerprint = Uuid::try_parse(&body.fingerprint);
    faults.check(fingerprint.is_ok(), "fingerprint", "must be the fingerprint of an error of the project");
    let wanted = Wanted { ticket: Some(body.ticket), note: body.note, expires_at: Some(body.expires_at) };
    let terms = checked(wanted, None, now, &mut faults);
    faults.finish()?;
    let no_project = || ApiError::not_found("project_not_found", "project not found");
    let project = find_project(&app.db, team, &body.project).await?.ok_or_else(no_project)?;
    let fingerprint = fingerprint.unwrap_or_default();
    // Whichever of its fingerprints is given: an error has one ticket.
    let (fingerprint, message) =
        queries::error_of(&app.db, team, project.id, fingerprint).await?.ok_or_else(no_error)?;

    let key = idempotency_key(&headers)?;
    let (issue, command) = ids(team, &caller, key.as_deref());
    if queries::open_count(&app.db, team, project.id, now).await? >= MOST {
        let message = format!("a project may have {MOST} open issues: close some first");
        return Err(ApiError::new(ErrorKind::Conflict, "too_many_issues", message));
    }
    let meta =
        CommandMeta { command, request: key.map(|_| Hash16::of(&asked)), at: now, ..caller.meta(&app, &request) };
    let linked = Linked { issue, project: project.id, fingerprint, user: caller.user, terms };
    let command = Command::Link(Box::new(linked));
    let executed = app.log.execute::<Issue>(stream(team, project.id, fingerprint), command, &meta).await;
    let executed = executed.map_err(ApiError::from_execute)?;
    let prefer_async = prefers_async(&headers);
    let written = after_write(&app, executed.position, WRITTEN, prefer_async).await;
    let lost = || ApiError::internal("an error was linked without an event");
    let linked = executed.state.linked.ok_or_else(lost)?;
    let body = match queries::issue(&app.db, team, linked.issue).await? {
        Some(row) => dto::Issue::of(row, app.clock.now()),
        // The read model may lag behind what was decided.
        None => as_decided(linked, project.name, message, executed.at),
    };
    Ok((created(prefer_async), written, Json(body)).into_response())
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChangeIssue)]
pub(super) struct Change {
    /// An http(s) link, or a key such as SHOP-123: at most 100 letters, digits and any of `-_#/.,`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000)]
    ticket: Option<String>,
    /// An empty one is none.
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: Option<String>,
    /// From when on the error counts again, at most 3,650 days from now; null: when the issue is closed.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    expires_at: Option<Option<DateTime<Utc>>>,
}

/// Tells null from what is absent.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<DateTime<Utc>>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Change the ticket of an error
///
/// What is absent stays as it is.
#[utoipa::path(patch, path = "/api/v1/issues/{id}", operation_id = "change_issue", tag = "issues", request_body = Change,
    params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = dto::Issue),
        (status = 400, description = "Faulty fields, each named in details", body = ErrorBody),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "issue_not_found", body = ErrorBody),
        (status = 409, description = "issue_over: link the error again", body = ErrorBody),
    ))]
pub(super) async fn change_issue(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<IssueId>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Change>,
) -> Result<Response, ApiError> {
    let team = writer(&caller)?;
    let stream = stream_of(&app, team, id).await?;
    let state = app.log.state::<Issue>(&stream).await?;
    let mut faults = Faults::default();
    let wanted = Wanted { ticket: body.ticket, note: body.note, expires_at: body.expires_at };
    let terms = checked(wanted, state.terms.as_ref(), app.clock.now(), &mut faults);
    faults.finish()?;
    let command = Command::Change { issue: id, user: caller.user, terms };
    execute(&app, (team, stream), id, command, &caller.meta(&app, &request), &headers).await
}

/// Close a known issue
///
/// What fails with the error counts again, from now on. Closing again changes nothing.
#[utoipa::path(post, path = "/api/v1/issues/{id}/close", operation_id = "close_issue", tag = "issues",
    params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = dto::Issue),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "issue_not_found", body = ErrorBody),
    ))]
pub(super) async fn close_issue(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<IssueId>,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let team = writer(&caller)?;
    let stream = stream_of(&app, team, id).await?;
    let command = Command::Close { issue: id, user: caller.user };
    execute(&app, (team, stream), id, command, &caller.meta(&app, &request), &headers).await
}

/// The team of a caller who may link its errors to tickets.
fn writer(caller: &Caller) -> Result<TeamId, ApiError> {
    caller.scope(Scope::Write)?;
    caller.require(TeamRole::Maintainer)
}

fn no_error() -> ApiError {
    ApiError::not_found("error_not_found", "nothing in the project failed with this fingerprint")
}

fn ids(team: TeamId, caller: &Caller, key: Option<&str>) -> (IssueId, CommandId) {
    let Some(key) = key else { return (IssueId::new(), CommandId::new()) };
    let parts: [&[u8]; 4] = [b"link_issue", team.0.as_bytes(), caller.user.0.as_bytes(), key.as_bytes()];
    (IssueId::derived(&parts), CommandId::derived(&parts))
}

/// Where the tickets of an error are recorded.
fn stream(team: TeamId, project: ProjectId, fingerprint: Uuid) -> StreamId {
    StreamId::of(team, Kind::Issue, ErrorId::derived(&[project.0.as_bytes(), fingerprint.as_bytes()]))
}

async fn stream_of(app: &App, team: TeamId, id: IssueId) -> Result<StreamId, ApiError> {
    let row = queries::issue(&app.db, team, id).await?.ok_or_else(not_found)?;
    Ok(stream(team, row.project_id.into(), row.fingerprint))
}

async fn execute(
    app: &App,
    (team, stream): (TeamId, StreamId),
    id: IssueId,
    command: Command,
    meta: &CommandMeta,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let executed = app.log.execute::<Issue>(stream, command, meta).await.map_err(ApiError::from_execute)?;
    let written = after_write(app, executed.position, WRITTEN, prefers_async(headers)).await;
    let row = queries::issue(&app.db, team, id).await?.ok_or_else(not_found)?;
    let mut body = dto::Issue::of(row, app.clock.now());
    // The read model may lag behind what was decided.
    if let Some(terms) = executed.state.terms {
        body = body.with_terms(terms);
    }
    if executed.state.is_closed && body.closed_at.is_none() {
        (body.state, body.closed_at) = (dto::State::Closed, Some(executed.at));
    }
    Ok((written, Json(body)).into_response())
}

fn as_decided(linked: Linked, project: String, message: String, at: DateTime<Utc>) -> dto::Issue {
    dto::Issue {
        id: linked.issue.0,
        project: Project { id: linked.project.0, name: project },
        fingerprint: linked.fingerprint,
        message,
        state: dto::State::Open,
        ticket: linked.terms.ticket,
        note: linked.terms.note,
        linked_at: at,
        linked_by: linked.user.0,
        changed_at: at,
        changed_by: linked.user.0,
        expires_at: linked.terms.expires_at,
        closed_at: None,
        closed_by: None,
        last_seen: None,
    }
}
