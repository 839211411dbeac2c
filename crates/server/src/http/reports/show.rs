//! Reading reports: the list, one, and the original document.

use super::{convert, dto};
use crate::{
    app::AppState,
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, Pairs, PathId},
        read_models::{Reports, WaitMin},
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{ErrorKind, ReportId, Scope, TeamId, decompress};
use scaledtest_projections::reports::queries::{self, Page, QueryError, ReportDetail, ReportFilter, ReportStatus};

/// List reports
///
/// Newest first.
#[utoipa::path(get, path = "/api/v1/reports", operation_id = "list_reports", tag = "reports",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100; 50 otherwise."),
        ("offset" = Option<i64>, Query, description = "Entries to leave out; prefer `cursor`."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("since" = Option<String>, Query, description = "RFC 3339, inclusive."),
        ("until" = Option<String>, Query, description = "RFC 3339, inclusive."),
        ("project" = Option<String>, Query, description = "Name or id."),
        ("branch" = Option<String>, Query),
        ("status" = Option<String>, Query, description = "passed (no failure), failed, skipped or flaky (any)."),
        ("tool" = Option<String>, Query),
        ("text" = Option<String>, Query, description = "Words in tool, project, branch, build; the beginning of commit or id."),
    ),
    responses((status = 200, body = dto::Reports), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn list_reports(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<Reports>,
) -> Result<Json<dto::Reports>, ApiError> {
    caller.scope(Scope::Read)?;
    let listing = queries::list_reports(&app.db, caller.team()?, &filter(&pairs)?, &page(&pairs, 50, 100)).await?;
    Ok(Json(dto::Reports {
        reports: listing.items.into_iter().map(|row| convert::report(&app.config, row)).collect(),
        total: i64::try_from(listing.total).unwrap_or(i64::MAX),
        next_cursor: listing.next_cursor,
    }))
}

/// Read a report
#[utoipa::path(get, path = "/api/v1/reports/{id}", operation_id = "get_report", tag = "reports",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = dto::ReportDetail), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get_report(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<ReportId>,
    _: WaitMin<Reports>,
) -> Result<Json<dto::ReportDetail>, ApiError> {
    caller.scope(Scope::Read)?;
    let found = find(&app, caller.team()?, id).await?;
    Ok(Json(convert::report_detail(&app.config, found)))
}

/// Read the original document
///
/// As it was sent, unpacked; kept for a limited time.
#[utoipa::path(get, path = "/api/v1/reports/{id}/raw", operation_id = "get_report_raw", tag = "reports",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The document", content_type = "application/json"), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 410, description = "No longer kept", body = ErrorBody)))]
pub(super) async fn get_report_raw(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<ReportId>,
    _: WaitMin<Reports>,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Read)?;
    let team = caller.team()?;
    let found = find(&app, team, id).await?;
    let gone = || ApiError::new(ErrorKind::Gone, "raw_expired", "the original document is no longer kept");
    let packed = app.log.get_raw(team, id, found.upload_id).await?.ok_or_else(gone)?;
    let size = usize::try_from(found.body_bytes).unwrap_or(usize::MAX);
    let unpacked = tokio::task::spawn_blocking(move || decompress(&packed, size)).await;
    let document = unpacked.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::internal(&error))?;
    let name = HeaderValue::try_from(format!("attachment; filename=\"{id}.json\""))
        .map_err(|error| ApiError::internal(&error))?;
    let kind = HeaderValue::try_from(found.media_type).map_err(|error| ApiError::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], document).into_response())
}

/// A report of the team.
async fn find(app: &AppState, team: TeamId, id: ReportId) -> Result<ReportDetail, ApiError> {
    queries::get_report(&app.db, team, id).await?.ok_or_else(not_found)
}

pub(super) fn not_found() -> ApiError {
    ApiError::not_found("report_not_found", "report not found")
}

/// What a list of reports or runs is narrowed to.
///
/// # Errors
/// 400 for a time or a status that cannot be read, `since` first.
pub fn filter(pairs: &Pairs) -> Result<ReportFilter, ApiError> {
    const RFC3339: &str = "RFC3339 (e.g. 2006-01-02T15:04:05Z)";
    let status = pairs.get("status").filter(|word| *word != "all");
    let invalid = |word: &str| {
        let message = format!("invalid status {word:?}: must be passed, failed, skipped or flaky");
        ApiError::invalid("invalid_parameter", message)
    };
    Ok(ReportFilter {
        since: pairs.parsed::<DateTime<Utc>>("since", RFC3339)?,
        until: pairs.parsed::<DateTime<Utc>>("until", RFC3339)?,
        project: pairs.get("project").map(str::to_owned),
        branch: pairs.get("branch").map(str::to_owned),
        status: status.map(|word| ReportStatus::from_word(word).ok_or_else(|| invalid(word))).transpose()?,
        tool: pairs.get("tool").map(str::to_owned),
        text: pairs.get("text").map(str::to_owned),
    })
}

/// Which part of a list; a limit out of range is the default.
pub fn page(pairs: &Pairs, default: i64, most: i64) -> Page {
    let number = |name, default, least, most| pairs.number(name, default, least, most).unsigned_abs();
    Page {
        limit: u32::try_from(number("limit", default, 1, most)).unwrap_or(u32::MAX),
        offset: number("offset", 0, 0, i64::MAX),
        cursor: pairs.get("cursor").map(str::to_owned),
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Cursor(error) => Self::invalid("invalid_cursor", error.to_string()),
            QueryError::Database(error) => error.into(),
        }
    }
}
