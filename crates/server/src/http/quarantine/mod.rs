//! Tests in quarantine: looked at, put there, changed, released; the list for CI; the policy of a project.

mod change;
mod ci;
pub mod dto;
mod enter;
mod policy;
mod read;
mod terms;

use super::error::ApiError;
use crate::app::App;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The read models that a write is waited for in.
const WRITTEN: &[&str] = &["quarantine"];

/// Its routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(read::list_quarantine, enter::quarantine_test))
        .routes(routes!(read::get_quarantine_summary))
        .routes(routes!(read::get_quarantine, change::change_quarantine))
        .routes(routes!(change::release_quarantine))
        .routes(routes!(ci::get_quarantine_list))
        .routes(routes!(policy::get_quarantine_policy, policy::set_quarantine_policy))
}

fn not_found() -> ApiError {
    ApiError::not_found("quarantine_not_found", "quarantine not found")
}

fn project_not_found() -> ApiError {
    ApiError::not_found("project_not_found", "project not found")
}
