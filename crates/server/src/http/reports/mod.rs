//! Reports: send, list, read, compare, delete; their results; the original document.

mod compare;
mod compare_branches;
mod convert;
pub mod dto;
mod remove;
mod results;
mod show;
mod upload;

pub(super) use convert::{pages, report, result_detail, run};
pub(super) use results::listing as results_listing;
pub(super) use show::{filter, page};

use crate::app::App;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Its routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(upload::upload_report, show::list_reports))
        .routes(routes!(compare::compare_reports))
        .routes(routes!(compare_branches::compare_branches))
        .routes(routes!(show::get_report, remove::delete_report))
        .routes(routes!(show::get_report_raw))
        .routes(routes!(results::list_report_results))
        .routes(routes!(results::get_report_result))
}
