//! Takes a report in: off the wire, through the parser, into the log.
//!
//! Nothing is acknowledged before the commit `report.ingested` is in the log: it names the chunks, and is the atomic point.

pub(crate) mod identity;
mod params;
mod parts;
mod reading;
mod settings;
mod spool;
mod storing;

pub use params::Params;
pub use settings::Settings;
pub use spool::Limits;

use crate::{
    app::App,
    http::error::{ApiError, Detail},
};
use axum::body::Body;
use chrono::{DateTime, Utc};
use reading::{Ingestion, Reading};
use scaledtest_domain::{
    Actor, CommandId, Position, TeamId,
    events::report::{Ingested, Origin},
    report::Diagnostic,
};
use scaledtest_eventlog::CommandMeta;
use scaledtest_formats as formats;
use scaledtest_projections::{Coming, Fresh};
use std::sync::Arc;
use tokio::sync::oneshot;
use uuid::Uuid;

/// One upload, authenticated.
pub struct Upload {
    /// The team that it is for.
    pub team: TeamId,
    /// Who sends it.
    pub actor: Actor,
    /// The request's id.
    pub correlation: Option<Uuid>,
    /// `Idempotency-Key`.
    pub key: Option<String>,
    /// `Content-Encoding`.
    pub encoding: Option<String>,
    /// The query's pairs as they came.
    pub pairs: Vec<(String, String)>,
    /// The same, understood.
    pub params: Params,
}

impl Upload {
    fn meta(&self, command: CommandId, at: DateTime<Utc>) -> CommandMeta {
        CommandMeta { command, request: None, actor: self.actor, at, correlation: self.correlation, causation: None }
    }
}

/// A report in the log.
pub struct Accepted {
    /// Where.
    pub position: Position,
    /// What.
    pub report: Box<Ingested>,
}

/// Receives, parses and appends; the same upload again is answered with what it became the first time. The second part is to
/// be held until it is answered: a projector of this process goes by it.
///
/// # Errors
/// As the table of bad input says; 503 when the log cannot be reached.
pub async fn ingest(app: &Arc<App>, upload: Upload, body: Body) -> Result<(Accepted, Option<Coming>), ApiError> {
    let limits = Limits { wire: app.config.max_report_wire_bytes, inflated: app.config.max_report_bytes };
    let dir = app.spool_dir();
    let _body = app.bodies.acquire().await?;
    let packed = spool::receive(body, &dir, limits).await?;
    let retention = Settings::of(app, upload.team).await?.retention;
    let mut coming = app.fresh.as_ref().map(Fresh::announce);
    let turn = Arc::new(app.uploads.acquire().await?);
    let app = Arc::clone(app);
    let handle = tokio::runtime::Handle::current();
    let (told, reading) = oneshot::channel();
    tokio::task::spawn_blocking(move || match spool::inflate(packed, upload.encoding.as_deref(), &dir, limits) {
        Ok(document) => Ingestion { app, upload, retention, document, handle, turn }.read(told),
        // Nobody may wait for it any more.
        Err(error) => drop(told.send(Err(error))),
    });
    let storing = async move {
        let accepted = match reading.await.map_err(|_| ApiError::internal(&parts::Stopped))?? {
            Reading::Known(accepted) => accepted,
            Reading::New(storing) => storing.append().await?,
        };
        if let Some(coming) = &mut coming {
            coming.arrive(accepted.position);
        }
        Ok((accepted, coming))
    };
    // A task of its own: what was begun is finished, whether the client still waits for it or not. (A server that stops breaks
    // it off; it was never acknowledged.)
    tokio::spawn(storing).await.map_err(|error| ApiError::internal(&error))?
}

/// The upload's parameters win over the report's environment.
fn overlay(given: Origin, found: Origin) -> Origin {
    Origin {
        branch: given.branch.or(found.branch),
        commit: given.commit.or(found.commit),
        base_commit: given.base_commit.or(found.base_commit),
        target_branch: given.target_branch.or(found.target_branch),
        pr: given.pr.or(found.pr),
        build: given.build.or(found.build),
        build_url: given.build_url.or(found.build_url),
        repository: given.repository.or(found.repository),
    }
}

fn unreadable(error: formats::FormatError) -> ApiError {
    let refusal = ApiError::new(error.kind(), error.code, error.to_string());
    match error.path {
        Some(path) => {
            let message = refusal.message().to_owned();
            refusal.with_details(vec![Detail::new(path, message)])
        }
        None => refusal,
    }
}

/// What the answer says of a second document under an id that is taken.
fn duplicate_document_id(id: &str) -> Diagnostic {
    Diagnostic {
        path: "reportId".to_owned(),
        code: "duplicate_report_id".to_owned(),
        message: format!(
            "another document with the reportId {id:?} is in this project; this one was stored as a new report"
        ),
        count: 1,
    }
}
