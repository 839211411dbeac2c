//! Insight: the tests of a team and their histories, sums over time, what the failures of a run mean.

mod analytics;
pub mod dto;
mod errors;
mod tests;
mod verdict;

pub(super) use verdict::in_short as verdict_in_short;

use super::{error::ApiError, extract::Pairs};
use crate::app::App;
use scaledtest_projections::history::queries::{Narrow, QueryError};
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Its routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(tests::list_tests))
        .routes(routes!(tests::get_test))
        .routes(routes!(tests::get_test_history))
        .routes(routes!(analytics::get_trends))
        .routes(routes!(analytics::list_flaky_tests))
        .routes(routes!(analytics::list_errors))
        .routes(routes!(errors::get_error))
        .routes(routes!(analytics::get_duration_distribution))
        .routes(routes!(analytics::list_slowest_tests))
        .routes(routes!(verdict::get_run_verdict))
}

/// What every analytics endpoint can be narrowed to.
fn narrow(pairs: &Pairs) -> Narrow {
    let text = |name| pairs.get(name).map(str::to_owned);
    Narrow { project: text("project"), branch: text("branch"), environment: text("environment"), tag: text("tag") }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Cursor => Self::invalid("invalid_cursor", error.to_string()),
            QueryError::TimeZone => Self::invalid("invalid_parameter", format!("invalid time_zone: {error}")),
            QueryError::Database(error) => error.into(),
        }
    }
}
