//! Projects: what reports belong to.

mod owners;

use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::Caller,
        read_models::{Reports, WaitMin},
    },
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use scaledtest_domain::Scope;
use scaledtest_projections::reports::queries;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Its routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_projects))
        .routes(routes!(owners::get_project_owners, owners::put_project_owners))
}

/// A suite of tests inside a team.
#[derive(Debug, Serialize, ToSchema)]
pub struct Project {
    /// Which.
    pub id: Uuid,
    /// As the first report gave it.
    pub name: String,
    /// The branch that others are compared with.
    pub default_branch: String,
    /// When its first report came.
    pub created_at: DateTime<Utc>,
    /// Those with the latest runs, latest first; at most 50.
    pub branches: Vec<String>,
}

/// Every project of a team.
#[derive(Debug, Serialize, ToSchema)]
pub struct Projects {
    /// By name.
    pub projects: Vec<Project>,
}

/// List projects
#[utoipa::path(get, path = "/api/v1/projects", operation_id = "list_projects", tag = "projects",
    responses((status = 200, body = Projects), (status = 401, body = ErrorBody)))]
async fn list_projects(
    State(app): State<AppState>,
    caller: Caller,
    _: WaitMin<Reports>,
) -> Result<Json<Projects>, ApiError> {
    caller.scope(Scope::Read)?;
    let projects = queries::list_projects(&app.db, caller.team()?).await?.into_iter();
    let projects = projects.map(|row| Project {
        id: row.id.0,
        name: row.name,
        default_branch: row.default_branch,
        created_at: row.created_at,
        branches: row.branches,
    });
    Ok(Json(Projects { projects: projects.collect() }))
}
