//! Deleting a report: the tombstone first, then everything that it covers.

use super::dto;
use crate::{
    app::AppState,
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, PathId, RequestId, after_write},
    },
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use scaledtest_domain::{ReportId, Scope, TeamRole};

/// Delete a report
///
/// Its results and its document are erased for good; the document's own id is free again.
#[utoipa::path(delete, path = "/api/v1/reports/{id}", operation_id = "delete_report", tag = "reports",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = dto::Deleted), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn delete_report(
    State(app): State<AppState>,
    caller: Caller,
    PathId(id): PathId<ReportId>,
    request: RequestId,
) -> Result<Response, ApiError> {
    caller.scope(Scope::Write)?;
    let team = caller.require(TeamRole::Maintainer)?;
    let meta = caller.meta(&app, &request);
    let deleted = scaledtest_effects::delete_report(&app.log, team, id, &meta).await;
    let position = deleted.map_err(ApiError::from_execute)?;
    let headers = after_write(&app, position, &["reports", "history"], false).await;
    Ok((headers, Json(dto::Deleted { id: id.0, deleted: true })).into_response())
}
