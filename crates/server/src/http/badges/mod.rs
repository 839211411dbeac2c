//! Badges: what became of the newest run of a branch, as a picture for a README. Anybody sees them, if the team says so.

mod svg;

use super::{
    error::{ApiError, ErrorBody},
    extract::Pairs,
};
use crate::app::{App, AppState};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use scaledtest_domain::{Hash16, ProjectId};
use scaledtest_projections::reports::queries::{self, Badge};
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Pages that show a badge ask again after a minute, through caches of their own.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// Its routes.
pub(super) fn public_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_badge))
}

/// Show the state of a project's branch as a picture
///
/// The newest complete run. Only where the team has made its badges public; else the answer is that of a project that is unknown.
#[utoipa::path(get, path = "/badges/{badge}", operation_id = "get_badge", tag = "projects",
    params(
        ("badge" = String, Path, description = "The project's id and `.svg`"),
        ("branch" = Option<String>, Query, description = "The project's default branch otherwise."),
    ),
    responses((status = 200, description = "The picture", content_type = "image/svg+xml", body = String),
        (status = 304, description = "It is the one of If-None-Match"),
        (status = 404, description = "badge_not_found", body = ErrorBody)))]
async fn get_badge(
    State(app): State<AppState>,
    Path(file): Path<String>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let missing = || ApiError::not_found("badge_not_found", "badge not found");
    let project: ProjectId = file.strip_suffix(".svg").and_then(|id| id.parse().ok()).ok_or_else(missing)?;
    let branch = pairs.get("branch").map(|branch| branch.replace('\0', "\u{fffd}"));
    let found = queries::badge(&app.db, project, branch.as_deref(), app.clock.now()).await?;
    let (text, color) = words(found.ok_or_else(missing)?);
    let picture = svg::draw("tests", &text, color);
    let tag = format!("\"{}\"", Hash16::of(picture.as_bytes()));
    let tag = HeaderValue::try_from(tag).map_err(|error| ApiError::internal(&error))?;
    let cached = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, CACHED)];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| is_among(known, &tag)) {
        return Ok((StatusCode::NOT_MODIFIED, cached).into_response());
    }
    Ok((cached, [(header::CONTENT_TYPE, "image/svg+xml; charset=utf-8")], picture).into_response())
}

/// Whether a client or a cache on the way has this one; weak tags are as good.
fn is_among(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else { return false };
    known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
}

fn words(badge: Badge) -> (String, svg::Color) {
    match (badge.tests, badge.failed, badge.passed) {
        (Some(_), Some(failed @ 1..), _) => (format!("{} failed", grouped(failed)), svg::Color::Red),
        (Some(_), _, Some(passed @ 1..)) => (format!("{} passed", grouped(passed)), svg::Color::Green),
        (Some(_), ..) => ("none passed".to_owned(), svg::Color::Grey),
        (None, ..) => ("no runs".to_owned(), svg::Color::Grey),
    }
}

/// With thousands separators.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_counts_before_everything_that_passed() {
        let of =
            |tests, passed, failed| words(Badge { tests: Some(tests), passed: Some(passed), failed: Some(failed) }).0;
        assert_eq!(of(1_300, 1_234, 0), "1,234 passed");
        assert_eq!(of(1_300, 1_234, 3), "3 failed");
        assert_eq!(of(2, 0, 0), "none passed");
        assert_eq!(words(Badge { tests: None, passed: None, failed: None }).0, "no runs");
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn tags_are_compared_one_by_one() {
        let tag = HeaderValue::from_static("\"a\"");
        for (known, expected) in [("\"a\"", true), ("\"b\", W/\"a\"", true), ("*", true), ("\"b\"", false), ("", false)]
        {
            assert_eq!(is_among(&HeaderValue::from_static(known), &tag), expected, "{known}");
        }
    }
}
