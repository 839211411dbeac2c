//! Known issues: errors linked to tickets, listed, changed, closed.

pub mod dto;
mod link;
mod read;
mod terms;

use super::error::ApiError;
use crate::app::App;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The read models that a write is waited for in.
const WRITTEN: &[&str] = &["issues"];

/// Its routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(read::list_issues, link::link_issue))
        .routes(routes!(read::get_issue, link::change_issue))
        .routes(routes!(link::close_issue))
}

fn not_found() -> ApiError {
    ApiError::not_found("issue_not_found", "issue not found")
}
