//! One error: what it says, when, where and in which tests.

use super::dto;
use crate::{
    app::AppState,
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, PathIds},
        read_models::{Issues, WaitMin},
    },
};
use axum::{Json, extract::State};
use scaledtest_domain::Scope;
use scaledtest_projections::{history::queries, issues::queries::tickets_of, reports::queries::find_project};
use uuid::Uuid;

/// Read an error
///
/// By the fingerprint of any of its variants: failures whose first lines are nearly the same are one error, which has the id of the
/// fingerprint that came first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/errors/{fingerprint}", operation_id = "get_error", tag = "analytics",
    params(("project" = String, Path, description = "Name or id."), ("fingerprint" = Uuid, Path)),
    responses((status = 200, body = dto::ErrorDetail), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get_error(
    State(app): State<AppState>,
    caller: Caller,
    PathIds(project, fingerprint): PathIds<String, Uuid>,
    _: WaitMin<Issues>,
) -> Result<Json<dto::ErrorDetail>, ApiError> {
    caller.scope(Scope::Read)?;
    let team = caller.team()?;
    let not_found = || ApiError::not_found("error_not_found", "error not found");
    let project = find_project(&app.db, team, &project).await?.ok_or_else(not_found)?;
    let found = queries::get_error(&app.db, team, project.id.0, fingerprint).await?.ok_or_else(not_found)?;
    let queries::ErrorDetail { error, variants, tests } = found;
    let (id, now) = ((project.id.0, error.fingerprint), app.clock.now());
    let issue = tickets_of(&app.db, team, &[id], (now, now)).await?.remove(&id);
    Ok(Json(dto::ErrorDetail {
        fingerprint: error.fingerprint,
        project: dto::Project { id: project.id.0, name: project.name },
        issue: issue.map(Into::into),
        message: error.message,
        failures: error.failures,
        branches: error.branches,
        first_seen: error.first_seen,
        last_seen: error.last_seen,
        tests_total: error.tests,
        tests: tests.into_iter().map(test).collect(),
        variants_total: error.variants,
        variants: variants.into_iter().map(variant).collect(),
    }))
}

fn test(test: queries::TestOfError) -> dto::TestOfError {
    dto::TestOfError { id: test.test_id, name: test.name, suite: test.suite.0, failures: test.failures }
}

fn variant(variant: queries::Variant) -> dto::ErrorVariant {
    dto::ErrorVariant {
        fingerprint: variant.fingerprint,
        place: variant.place,
        headline: variant.headline,
        message: variant.message,
        failures: variant.failures,
        first_seen: variant.first_seen,
        last_seen: variant.last_seen,
    }
}
