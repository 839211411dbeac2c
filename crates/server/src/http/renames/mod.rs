//! Renamed tests: proposed, joined, dismissed, separated.

pub mod dto;

use super::{
    accounts::MessageBody,
    error::{ApiError, ErrorBody},
    extract::{Caller, Faults, JsonBody, PathId, PathIds, RequestId, after_write, created, prefers_async},
    insight::dto::Project,
    read_models::{History, WaitMin},
};
use crate::app::{App, AppState};
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use scaledtest_commands::{Alias, alias::Command};
use scaledtest_domain::{
    AliasId, ErrorKind, Kind, ProjectId, Scope, StreamId, TeamId, TeamRole, TestId,
    events::alias::{Accepted, Dismissed, Evidence, Named, Reason},
};
use scaledtest_eventlog::Executed;
use scaledtest_insight::text::similarity_at_least;
use scaledtest_projections::{
    history::queries::{self, Of},
    reports::queries::{ProjectName, find_project},
};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// The read models that a write is waited for in.
const WRITTEN: &[&str] = &["history"];
/// Renamed tests that a project may have: all of them are at hand when a report is taken in.
const MOST: usize = 1_000;

/// Its routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_renames, rename_test))
        .routes(routes!(dismiss_rename))
        .routes(routes!(undo_rename))
}

/// The old and the new test.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RenameTest)]
struct Body {
    /// The old test.
    #[serde(default)]
    #[schema(required, value_type = Uuid)]
    from: String,
    /// What it is called now.
    #[serde(default)]
    #[schema(required, value_type = Uuid)]
    to: String,
}

/// Read the renamed tests of a project
///
/// Proposals are made from the newest 60 commits of the default branch (or the busiest one where nothing ran on that): a test that
/// two later complete runs lack, and a similar one that came in the same commit. What was dismissed is not proposed again.
#[utoipa::path(get, path = "/api/v1/projects/{project}/renames", operation_id = "get_renames", tag = "tests",
    params(("project" = String, Path, description = "Id, or name (percent-encoded).")),
    responses((status = 200, body = dto::Renames), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn get_renames(
    State(app): State<AppState>,
    caller: Caller,
    PathId(project): PathId<String>,
    _: WaitMin<History>,
) -> Result<Json<dto::Renames>, ApiError> {
    caller.scope(Scope::Read)?;
    let team = caller.team()?;
    let ProjectName { id, name, .. } = find(&app, team, &project).await?;
    let proposals = queries::propose(&app.db, team, id).await?;
    let renames = queries::renames(&app.db, team, Of::Project(id)).await?;
    Ok(Json(dto::Renames {
        project: Project { id: id.0, name },
        branch: proposals.branch,
        proposals: proposals.list.into_iter().map(dto::Proposal::from).collect(),
        renames: renames.iter().map(dto::Rename::from).collect(),
    }))
}

/// Join a renamed test with what it is called now
///
/// A proposal is accepted so, and any two tests of a project are joined. They have one history from then on, under the new test, and the
/// old one's id leads to it; what branches still report under the old name is added. No result is changed: it can be undone.
#[utoipa::path(post, path = "/api/v1/projects/{project}/renames", operation_id = "rename_test", tag = "tests", request_body = Body,
    params(("project" = String, Path, description = "Id, or name (percent-encoded).")),
    responses(
        (status = 201, body = dto::Rename),
        (status = 400, description = "Faulty fields, each named in details", body = ErrorBody),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "project_not_found, test_not_found", body = ErrorBody),
        (status = 409, description = "already_renamed, rename_cycle, too_many_renames", body = ErrorBody),
    ))]
async fn rename_test(
    State(app): State<AppState>,
    caller: Caller,
    PathId(project): PathId<String>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, ApiError> {
    let (team, project) = writer(&app, &caller, &project).await?;
    let (from, to) = two(&body)?;
    let evidence = evidence(&app, team, project, (from, to)).await?;
    let renames = queries::renames(&app.db, team, Of::Project(project)).await?;
    if renames.len() >= MOST && renames.iter().all(|row| row.from_id != from.0) {
        let message = format!("a project may have {MOST} renamed tests: undo some first");
        return Err(ApiError::new(ErrorKind::Conflict, "too_many_renames", message));
    }
    let leads = queries::leads(&app.db, to.0).await?.into_iter().map(TestId).collect::<Vec<_>>();
    let (alias, user) = (alias_id(project, from), caller.user);
    let accepted = Box::new(Accepted { alias, project, from, to, user, evidence });
    let current = leads.last().map_or(to.0, |last| last.0);
    let command = Command::Accept { accepted: accepted.clone(), leads };
    let (written, executed) = execute(&app, (team, alias), command, (&caller, &request, &headers)).await?;
    let row = queries::renames(&app.db, team, Of::From(project, from.0)).await?.into_iter().next();
    // The read model may lag behind what was decided.
    let body = row.as_ref().map(dto::Rename::from).unwrap_or_else(|| dto::Rename {
        from: dto::Test::of(from.0, &accepted.evidence.from),
        to: dto::Test::of(to.0, &accepted.evidence.to),
        current_id: current,
        similarity: accepted.evidence.similarity,
        reason: accepted.evidence.reason.into(),
        accepted_at: executed.at,
        accepted_by: user.0,
        last_seen_at: None,
    });
    Ok((created(prefers_async(&headers)), written, Json(body)).into_response())
}

/// Dismiss a proposed rename
///
/// The two are not one: it is not proposed again. They may still be joined.
#[utoipa::path(post, path = "/api/v1/projects/{project}/renames/dismiss", operation_id = "dismiss_rename", tag = "tests",
    request_body = Body, params(("project" = String, Path, description = "Id, or name (percent-encoded).")),
    responses(
        (status = 200, body = MessageBody),
        (status = 400, description = "Faulty fields, each named in details", body = ErrorBody),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "project_not_found, test_not_found", body = ErrorBody),
        (status = 409, description = "already_renamed: undo it first", body = ErrorBody),
    ))]
async fn dismiss_rename(
    State(app): State<AppState>,
    caller: Caller,
    PathId(project): PathId<String>,
    request: RequestId,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, ApiError> {
    let (team, project) = writer(&app, &caller, &project).await?;
    let (from, to) = two(&body)?;
    names(&app, team, project, (from, to)).await?;
    let alias = alias_id(project, from);
    let command = Command::Dismiss(Dismissed { alias, project, from, to, user: caller.user });
    let (written, _) = execute(&app, (team, alias), command, (&caller, &request, &headers)).await?;
    Ok((written, Json(MessageBody { message: "rename dismissed" })).into_response())
}

/// Separate a renamed test from what it was joined with
///
/// Each has again what was reported under its own id, as if they had never been joined.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/renames/{from}", operation_id = "undo_rename", tag = "tests",
    params(
        ("project" = String, Path, description = "Id, or name (percent-encoded)."),
        ("from" = Uuid, Path, description = "The old test."),
    ),
    responses(
        (status = 200, body = MessageBody),
        (status = 403, description = "Only maintainers and owners, or a token with the scope write", body = ErrorBody),
        (status = 404, description = "project_not_found, rename_not_found", body = ErrorBody),
    ))]
async fn undo_rename(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(project, from): PathIds<String, String>,
    request: RequestId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (team, project) = writer(&app, &caller, &project).await?;
    let missing = |_| ApiError::not_found("rename_not_found", "from is no test that was renamed");
    let from: TestId = from.parse().map_err(missing)?;
    let command = Command::Remove { user: caller.user };
    let (written, _) = execute(&app, (team, alias_id(project, from)), command, (&caller, &request, &headers)).await?;
    Ok((written, Json(MessageBody { message: "rename undone" })).into_response())
}

async fn execute(
    app: &App,
    (team, alias): (TeamId, AliasId),
    command: Command,
    (caller, request, headers): (&Caller, &RequestId, &HeaderMap),
) -> Result<(HeaderMap, Executed<Alias>), ApiError> {
    let stream = StreamId::of(team, Kind::Alias, alias);
    let executed = app.log.execute::<Alias>(stream, command, &caller.meta(app, request)).await;
    let executed = executed.map_err(ApiError::from_execute)?;
    Ok((after_write(app, executed.position, WRITTEN, prefers_async(headers)).await, executed))
}

/// The team and the project of a caller who may join and separate its tests.
async fn writer(app: &App, caller: &Caller, project: &str) -> Result<(TeamId, ProjectId), ApiError> {
    caller.scope(Scope::Write)?;
    let team = caller.require(TeamRole::Maintainer)?;
    Ok((team, find(app, team, project).await?.id))
}

async fn find(app: &App, team: TeamId, project: &str) -> Result<ProjectName, ApiError> {
    let missing = || ApiError::not_found("project_not_found", "project not found");
    find_project(&app.db, team, project).await?.ok_or_else(missing)
}

fn alias_id(project: ProjectId, from: TestId) -> AliasId {
    AliasId::derived(&[project.0.as_bytes(), from.0.as_bytes()])
}

fn two(body: &Body) -> Result<(TestId, TestId), ApiError> {
    let mut faults = Faults::default();
    let mut read = |field: &str, text: &str| {
        let id = text.parse::<TestId>();
        faults.check(id.is_ok(), field, "must be the id of a test of the project");
        id.unwrap_or(TestId(Uuid::nil()))
    };
    let (from, to) = (read("from", &body.from), read("to", &body.to));
    faults.finish()?;
    if from == to {
        return Err(Faults::one("to", "must be another test than from"));
    }
    Ok((from, to))
}

/// What both are called.
async fn names(
    app: &App,
    team: TeamId,
    project: ProjectId,
    (from, to): (TestId, TestId),
) -> Result<(Named, Named), ApiError> {
    let mut named = queries::named(&app.db, team, project, &[from.0, to.0]).await?;
    let mut take = |field: &str, id: TestId| {
        let missing = || ApiError::not_found("test_not_found", format!("{field} is no test of the project"));
        named.remove(&id.0).ok_or_else(missing)
    };
    Ok((take("from", from)?, take("to", to)?))
}

/// As proposed, if it is; else by hand.
async fn evidence(
    app: &App,
    team: TeamId,
    project: ProjectId,
    (old, new): (TestId, TestId),
) -> Result<Evidence, ApiError> {
    let (from, to) = names(app, team, project, (old, new)).await?;
    let proposed = queries::propose(&app.db, team, project).await?.list;
    let proposal = proposed.into_iter().find(|one| (one.from.0, one.to.0) == (old.0, new.0));
    let (similarity, reason) = match proposal {
        Some(proposal) => (proposal.similarity, reason(proposal.reason)),
        None => (similarity_at_least(&from.name, &to.name, 0.0).unwrap_or_default(), Reason::ByHand),
    };
    Ok(Evidence { from, to, similarity, reason })
}

fn reason(reason: queries::Reason) -> Reason {
    match reason {
        queries::Reason::Moved => Reason::Moved,
        queries::Reason::Similar => Reason::Similar,
        queries::Reason::OnlyOne => Reason::OnlyOne,
    }
}
