//! Deleting a report: the tombstone first, then everything that it covers.

use super::dto;
use crate::{
    app::{App, AppState},
    http::{
        error::{ApiError, ErrorBody},
        extract::{Caller, PathId, RequestId, after_write},
    },
    ingest::identity::release,
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use scaledtest_commands::report;
use scaledtest_domain::{
    ClaimId, CommandId, Event, Kind, ReportId, Scope, StreamId, TeamId, TeamRole,
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
    let executed = app.log.execute::<report::Report>(stream, command, &meta).await;
    // Whoever wrote the tombstone, now or before: what it covers goes, should an earlier request have broken off here.
    if let Some(tombstone) = tombstone(&app, team, id).await? {
        if let Err(error) = erase(&app, team, &tombstone.deleted).await {
            // The tombstone stands: the janitor finishes.
            tracing::warn!(report = %id, %error, "a deleted report's results are still to be erased");
        }
        if let Some(claim) = tombstone.claim {
            let meta = CommandMeta { command: CommandId::new(), ..meta.clone() };
            release(&app.log, team, claim, id, &meta).await?;
        }
    }
    let executed = executed.map_err(ApiError::from_execute)?;
    let headers = after_write(&app, executed.position, &["reports"], false).await;
    Ok((headers, Json(dto::Deleted { id: id.0, deleted: true })).into_response())
}

async fn erase(app: &App, team: TeamId, deleted: &Deleted) -> Result<(), LogError> {
    // The document first: the janitor finds what has chunks.
    app.log.delete_raw(team, deleted.report, deleted.upload).await?;
    app.log.erase_chunks(team, deleted.report, deleted.upload, &deleted.chunks).await
}

/// How a report ended.
struct Tombstone {
    deleted: Deleted,
    /// The claim on the document's own id that it held.
    claim: Option<ClaimId>,
}

/// The tombstone, if it is the last that happened to the report.
async fn tombstone(app: &App, team: TeamId, id: ReportId) -> Result<Option<Tombstone>, ApiError> {
    let (mut held, mut found) = (None, None);
    for recorded in app.log.load(&StreamId::of(team, Kind::Report, id)).await? {
        for event in recorded.commit.decode_events().map_err(|error| ApiError::internal(&error))? {
            match event {
                Event::Report(ReportEvent::Ingested(ingested)) => (held, found) = (ingested.claim, None),
                Event::Report(ReportEvent::Deleted(deleted)) => found = Some(Tombstone { deleted, claim: held }),
                _ => {}
            }
        }
    }
    Ok(found)
}
