//! Who owns the tests of a project, by its `CODEOWNERS` file.

use crate::{
    app::AppState,
    http::{
        error::{ApiError, Detail, ErrorBody},
        extract::{Caller, PathId, RequestId, after_write, prefers_async},
        read_models::{History, WaitMin},
    },
};
use axum::{
    Json,
    body::{Body, to_bytes},
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use scaledtest_commands::project::{Command, MAX_CODEOWNERS, Project};
use scaledtest_domain::{ErrorKind, Kind, ProjectId, Scope, StreamId, TeamId, TeamRole};
use scaledtest_insight::owners::Owners;
use scaledtest_projections::{history::queries, reports::queries::find_project};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What somebody owns. Counts are tests, by how they are on the project's default branch.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Owned {
    /// Missing: what nobody owns.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    tests: i64,
    flaky: i64,
    broken: i64,
    /// Whose newest run failed.
    failing: i64,
}

/// A line of the file that does not count.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OwnersFault {
    /// From 1.
    line: usize,
    message: String,
}

/// Who owns the tests of a project.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProjectOwners {
    project_id: Uuid,
    /// The text of the file; missing if nobody gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    codeowners: Option<String>,
    /// Rules in it.
    rules: usize,
    /// What could not be read; the rest counts.
    faults: Vec<OwnersFault>,
    /// By name, at most 1,000; what nobody owns last.
    owners: Vec<Owned>,
}

/// Read who owns the tests of a project
#[utoipa::path(get, path = "/api/v1/projects/{project}/owners", operation_id = "get_project_owners", tag = "projects",
    params(("project" = String, Path, description = "Name or id.")),
    responses((status = 200, body = ProjectOwners), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get_project_owners(
    State(app): State<AppState>,
    caller: Caller,
    PathId(project): PathId<String>,
    _: WaitMin<History>,
) -> Result<Json<ProjectOwners>, ApiError> {
    caller.scope(Scope::Read)?;
    let team = caller.team()?;
    let project = find(&app, team, &project).await?;
    Ok(Json(read(&app, team, project).await?))
}

/// Say who owns the tests of a project
///
/// The body is the text of a `CODEOWNERS` file as GitHub and GitLab read it; an empty one takes it away. Lines that cannot be read are
/// named in `faults`, and the rest counts. Owners that a report itself names go before.
#[utoipa::path(put, path = "/api/v1/projects/{project}/owners", operation_id = "put_project_owners", tag = "projects",
    params(("project" = String, Path, description = "Name or id.")),
    request_body(content = String, content_type = "text/plain"),
    responses((status = 200, body = ProjectOwners), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 413, body = ErrorBody)))]
pub(super) async fn put_project_owners(
    State(app): State<AppState>,
    caller: Caller,
    PathId(project): PathId<String>,
    request: RequestId,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Upload)?;
    let team = caller.require(TeamRole::Maintainer)?;
    let project = find(&app, team, &project).await?;
    let codeowners = text(body).await?;
    let command = Command::ChangeOwners { project, codeowners };
    let stream = StreamId::of(team, Kind::Project, project);
    let meta = caller.meta(&app, &request);
    let executed = app.log.execute::<Project>(stream, command, &meta).await.map_err(ApiError::from_execute)?;
    let written = after_write(&app, executed.position, &["history"], prefers_async(&headers)).await;
    Ok((written, Json(read(&app, team, project).await?)).into_response())
}

async fn text(body: Body) -> Result<String, ApiError> {
    let too_long = |_| {
        let message = format!("CODEOWNERS must have at most {MAX_CODEOWNERS} bytes");
        ApiError::new(ErrorKind::TooLarge, "codeowners_too_large", message)
    };
    let bytes = to_bytes(body, MAX_CODEOWNERS).await.map_err(too_long)?;
    String::from_utf8(bytes.into()).map_err(|_| {
        let message = "CODEOWNERS must be text in UTF-8";
        ApiError::invalid("invalid_codeowners", message).with_details(vec![Detail::new("body", message)])
    })
}

async fn find(app: &AppState, team: TeamId, project: &str) -> Result<ProjectId, ApiError> {
    Ok(find_project(&app.db, team, project).await?.ok_or_else(not_found)?.id)
}

async fn read(app: &AppState, team: TeamId, project: ProjectId) -> Result<ProjectOwners, ApiError> {
    let found = queries::project_owners(&app.db, team, project).await?.ok_or_else(not_found)?;
    let (rules, faults) = Owners::parse(found.codeowners.as_deref().unwrap_or_default());
    let owned = |owned: queries::Owned| {
        let queries::Owned { owner, tests, flaky, broken, failing } = owned;
        Owned { owner, tests, flaky, broken, failing }
    };
    Ok(ProjectOwners {
        project_id: found.project.0,
        codeowners: found.codeowners,
        rules: rules.rules(),
        faults: faults.into_iter().map(|fault| OwnersFault { line: fault.line, message: fault.message }).collect(),
        owners: found.owners.into_iter().map(owned).collect(),
    })
}

fn not_found() -> ApiError {
    ApiError::not_found("project_not_found", "project not found: it is made by its first report")
}
