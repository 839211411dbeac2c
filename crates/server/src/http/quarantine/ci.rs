//! What CI asks before, or after, it runs the tests: small, quick, and not sent again when nothing changed.

use super::{dto, project_not_found};
use crate::{
    app::AppState,
    http::{
        error::{ApiError, ErrorBody},
        extract::Caller,
        insight::dto::Project,
        read_models::{Quarantine, WaitMin},
    },
};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use scaledtest_domain::{Hash16, Scope};
use scaledtest_projections::quarantine::queries::{self, CiList};

/// Read what is in quarantine in a project, for CI
///
/// The tag changes when the list does, and only then: send it back as `If-None-Match`, and an unchanged list is 304 without a
/// body. If the server cannot be reached, the tests' own exit code stands.
#[utoipa::path(get, path = "/api/v1/projects/{project}/quarantine", operation_id = "get_quarantine_list", tag = "quarantine",
    params(
        ("project" = String, Path, description = "Id, or name (percent-encoded)."),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of an earlier answer."),
    ),
    responses(
        (status = 200, description = "With ETag", body = dto::List),
        (status = 304, description = "It is as it was"),
        (status = 401, body = ErrorBody),
        (status = 404, description = "project_not_found", body = ErrorBody),
    ))]
pub(super) async fn get_quarantine_list(
    State(app): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    headers: HeaderMap,
    _: WaitMin<Quarantine>,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Read)?;
    let found = queries::ci_list(&app.db, caller.team()?, &project, app.clock.now()).await?;
    let list = body(found.ok_or_else(project_not_found)?);
    let bytes = serde_json::to_vec(&list).map_err(|error| ApiError::internal(&error))?;
    let tag = format!("\"{}\"", Hash16::of(&bytes));
    let mut answer = HeaderMap::new();
    if let Ok(tag) = HeaderValue::try_from(&tag) {
        answer.insert(header::ETAG, tag);
    }
    // Whoever keeps it asks each time whether it still holds: a release has to take effect at once.
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    answer.insert(header::VARY, HeaderValue::from_static("authorization, x-team-id"));
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, answer).into_response());
    }
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok((answer, bytes).into_response())
}

/// Whether the caller has what the tag stands for. Compared weakly, as RFC 9110 (13.1.2) wants it: proxies that compress
/// make tags weak.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn body(found: CiList) -> dto::List {
    dto::List {
        valid_until: found.tests.iter().map(|test| test.expires_at).min(),
        project: Project { id: found.project_id, name: found.project },
        tests: found
            .tests
            .into_iter()
            .map(|test| dto::Quarantined {
                test_id: test.test_id,
                name: test.name,
                suite: test.suite,
                file_path: test.file_path,
                mode: test.mode.into(),
                expires_at: test.expires_at,
            })
            .collect(),
    }
}
