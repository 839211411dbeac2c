//! Deleting a report: the tombstone first, then everything that it covers.

use super::dto;
use crate::{
    app::{App, AppState},
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
use scaledtest_commands::{claim, report};
use scaledtest_domain::{
    CommandId, Event, Kind, ReportId, Scope, StreamId, TeamId, TeamRole,
    events::report::{Deleted, Event as ReportEvent},
};
use scaledtest_eventlog::{CommandMeta, LogError};

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
    let meta = CommandMeta {
        command: CommandId::new(),
        request: None,
        actor: caller.actor,
        at: app.clock.now(),
        correlation: Some(request.correlation()),
        causation: None,
    };
    let stream = StreamId::of(team, Kind::Report, id);
    let command = report::Command::Delete { report: id };
    let executed = app.log.execute::<report::Report>(stream, command, &meta).await.map_err(ApiError::from_execute)?;
    for event in &executed.events {
        if let ReportEvent::Deleted(deleted) = event
            && let Err(error) = erase(&app, team, deleted).await
        {
            // The tombstone stands: the janitor finishes.
            tracing::warn!(report = %id, %error, "a deleted report's results are still to be erased");
        }
    }
    release_claim(&app, team, id, &meta).await?;
    let headers = after_write(&app, executed.position, &["reports"], false).await;
    Ok((headers, Json(dto::Deleted { id: id.0, deleted: true })).into_response())
}

async fn erase(app: &App, team: TeamId, deleted: &Deleted) -> Result<(), LogError> {
    app.log.erase_chunks(team, deleted.report, deleted.upload, &deleted.chunks).await?;
    app.log.delete_raw(team, deleted.report, deleted.upload).await
}

/// Frees the document's own id, if the report held it.
async fn release_claim(app: &App, team: TeamId, id: ReportId, meta: &CommandMeta) -> Result<(), ApiError> {
    let mut held = None;
    for recorded in app.log.load(&StreamId::of(team, Kind::Report, id)).await? {
        for event in recorded.commit.decode_events().map_err(|error| ApiError::internal(&error))? {
            if let Event::Report(ReportEvent::Ingested(ingested)) = event {
                held = ingested.claim;
            }
        }
    }
    let Some(held) = held else { return Ok(()) };
    let command = claim::Command::Release { holder: id.0 };
    let meta = CommandMeta { command: CommandId::new(), ..meta.clone() };
    app.log
        .execute::<claim::Claim>(StreamId::of(team, Kind::Claim, held), command, &meta)
        .await
        .map_err(ApiError::from_execute)?;
    Ok(())
}
