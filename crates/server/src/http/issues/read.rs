//! Looking at them.

use super::{dto, not_found};
use crate::{
    app::AppState,
    http::{
        error::{ApiError, Detail, ErrorBody},
        extract::{Caller, Pairs, PathId},
        read_models::{Issues, WaitMin},
    },
};
use axum::{Json, extract::State};
use scaledtest_domain::{IssueId, Scope};
use scaledtest_projections::issues::queries::{self, Filter, Phase};

/// List known issues
///
/// Errors that are, or were, linked to a ticket; the newest first.
#[utoipa::path(get, path = "/api/v1/issues", operation_id = "list_issues", tag = "issues",
    params(
        ("project" = Option<String>, Query, description = "Name or id."),
        ("state" = Option<String>, Query, description = "open (default), expired, closed or all."),
        ("text" = Option<String>, Query, description = "A part of ticket, note or message."),
        ("limit" = Option<i64>, Query, description = "1 to 200; 50 otherwise."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses((status = 200, body = dto::Issues), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn list_issues(
    State(app): State<AppState>,
    caller: Caller,
    pairs: Pairs,
    _: WaitMin<Issues>,
) -> Result<Json<dto::Issues>, ApiError> {
    caller.scope(Scope::Read)?;
    let text = |name| pairs.get(name).map(str::to_owned);
    let phase = match pairs.get("state").unwrap_or("open") {
        "all" => None,
        word => Some(Phase::from_word(word).ok_or_else(odd_state)?),
    };
    let filter = Filter { project: text("project"), phase, text: text("text") };
    let limit = u32::try_from(pairs.number("limit", 50, 1, 200)).unwrap_or(50);
    let (now, page) = (app.clock.now(), (limit, pairs.get("cursor")));
    let (rows, total, next_cursor) = queries::list_issues(&app.db, caller.team()?, &filter, now, page).await?;
    let issues = rows.into_iter().map(|row| dto::Issue::of(row, now)).collect();
    Ok(Json(dto::Issues { issues, total, next_cursor }))
}

fn odd_state() -> ApiError {
    let message = "invalid state: must be open, expired, closed or all";
    ApiError::invalid("invalid_parameter", message).with_details(vec![Detail::new("state", message)])
}

/// Read a known issue
#[utoipa::path(get, path = "/api/v1/issues/{id}", operation_id = "get_issue", tag = "issues", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = dto::Issue), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn get_issue(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<IssueId>,
    _: WaitMin<Issues>,
) -> Result<Json<dto::Issue>, ApiError> {
    caller.scope(Scope::Read)?;
    let row = queries::issue(&app.db, caller.team()?, id).await?.ok_or_else(not_found)?;
    Ok(Json(dto::Issue::of(row, app.clock.now())))
}
