//! Which report an upload is: a new one, or one that is in the log already.
//!
//! - An `Idempotency-Key` derives the report's id, so a retry meets the first try in the same stream. Where the document
//!   is there already, under another id, a claim per key holds which report and which request the key stands for.
//! - Else the document's own id (CTRF `reportId`) and its content derive it, in their project.
//! - Else it is new.
//!
//! A claim per document id tells whether another document came under the same id.

use super::{Accepted, Upload, duplicate_document_id};
use crate::{app::App, http::error::ApiError};
use scaledtest_commands::claim;
use scaledtest_domain::{
    ClaimId, CommandId, ErrorKind, Event, Hash16, Kind, Position, ProjectId, ReportId, StreamId, TeamId,
    events::{
        claim::Claimed,
        report::{Event as ReportEvent, Ingested},
    },
    report::Diagnostic,
};
use scaledtest_eventlog::{CommandMeta, EventLog, ExecuteError, Recorded};
use std::sync::Arc;

/// How often a key that stood for a deleted report is tried to be bound anew.
const TAKES: usize = 3;

/// What decides.
pub(super) struct Identity<'a> {
    pub app: &'a Arc<App>,
    pub upload: &'a Upload,
    pub project: ProjectId,
    pub document_id: Option<&'a str>,
    /// Of the body.
    pub hash: Hash16,
    /// Of the body and the parameters.
    pub request: Hash16,
}

/// What was decided.
pub(super) enum Resolved {
    /// It is in the log already: this is the first answer.
    Known(Accepted),
    /// It is to be stored.
    New(New),
}

/// A report to be stored.
pub(super) struct New {
    pub report: ReportId,
    pub command: CommandId,
    pub claim: Option<ClaimId>,
    pub diagnostic: Option<Diagnostic>,
}

impl New {
    /// One that nothing tells from others.
    pub fn unnamed() -> Self {
        Self { report: ReportId::new(), command: CommandId::new(), claim: None, diagnostic: None }
    }
}

impl Identity<'_> {
    pub async fn resolve(&self) -> Result<Resolved, ApiError> {
        let team = self.upload.team;
        let mut new = New::unnamed();
        if let Some(key) = &self.upload.key {
            let parts: [&[u8]; 3] = [b"upload", team.0.as_bytes(), key.as_bytes()];
            new.report = ReportId::derived(&parts);
            if let Some((known, request)) = self.under_key(key, new.report).await? {
                return if request == Some(self.request) { Ok(Resolved::Known(known)) } else { Err(key_reused()) };
            }
        }
        if let Some(document_id) = self.document_id {
            if self.upload.key.is_none() {
                new.report = self.derived(document_id);
            }
            if let Some(known) = self.claim(document_id, &mut new).await? {
                return Ok(Resolved::Known(known));
            }
        }
        Ok(Resolved::New(new))
    }

    /// The report that this content under this document id always is.
    fn derived(&self, document_id: &str) -> ReportId {
        ReportId::derived(&[b"document", self.project.0.as_bytes(), document_id.as_bytes(), &self.hash.0])
    }

    /// The report that a key stands for, and the request that it came with: its own, else the one it was found to be.
    async fn under_key(&self, key: &str, own: ReportId) -> Result<Option<(Accepted, Option<Hash16>)>, ApiError> {
        let (log, team) = (&self.app.log, self.upload.team);
        let claim = self.key_claim(key);
        let (own, elsewhere) = tokio::join!(live_with_request(log, team, own), log.state::<claim::Claim>(&claim));
        match (own?, elsewhere?.held) {
            (Some(own), _) => Ok(Some(own)),
            (None, Some(Claimed { holder, content })) => {
                Ok(live_report(log, team, ReportId(holder)).await?.map(|known| (known, content)))
            }
            (None, None) => Ok(None),
        }
    }

    fn key_claim(&self, key: &str) -> StreamId {
        let team = self.upload.team;
        let id = ClaimId::derived(&[b"idempotency key", team.0.as_bytes(), key.as_bytes()]);
        StreamId::of(team, Kind::Claim, id)
    }

    fn meta(&self) -> CommandMeta {
        self.upload.meta(CommandId::new(), self.app.clock.now())
    }

    /// Writes down that the key stands for a report that is not its own. Until the report is there, or once it is
    /// deleted, the key is free.
    async fn bind_key(&self, key: &str, report: ReportId) -> Result<(), ApiError> {
        let (log, stream) = (&self.app.log, self.key_claim(key));
        for _ in 0..TAKES {
            let take = claim::Command::Take { holder: report.0, content: Some(self.request) };
            let holder = match log.execute::<claim::Claim>(stream, take, &self.meta()).await {
                Ok(_) => return Ok(()),
                Err(ExecuteError::Rejected(claim::Reject::Held { holder, .. })) => holder,
                Err(error) => return Err(ApiError::from_execute(error)),
            };
            if live_report(log, self.upload.team, ReportId(holder)).await?.is_some() {
                return Err(key_reused());
            }
            let release = claim::Command::Release { holder };
            log.execute::<claim::Claim>(stream, release, &self.meta()).await.map_err(ApiError::from_execute)?;
        }
        Err(ApiError::new(ErrorKind::Conflict, "conflict", "others use this Idempotency-Key right now; send it again"))
    }

    /// Takes the document id; answers with the report that holds it when its content is the same.
    async fn claim(&self, document_id: &str, new: &mut New) -> Result<Option<Accepted>, ApiError> {
        let id = ClaimId::derived(&[b"document", self.project.0.as_bytes(), document_id.as_bytes()]);
        let stream = StreamId::of(self.upload.team, Kind::Claim, id);
        let command = claim::Command::Take { holder: new.report.0, content: Some(self.hash) };
        match self.app.log.execute::<claim::Claim>(stream, command, &self.meta()).await {
            Ok(_) => {
                new.claim = Some(id);
                live_report(&self.app.log, self.upload.team, new.report).await
            }
            Err(ExecuteError::Rejected(claim::Reject::Held { holder, content })) => {
                let holder = ReportId(holder);
                if content == Some(self.hash) {
                    // The holder's upload may have broken off after its claim: then this one finishes it.
                    new.report = holder;
                    new.claim = Some(id);
                    if let Some(key) = &self.upload.key {
                        self.bind_key(key, holder).await?;
                    }
                } else {
                    new.diagnostic = Some(duplicate_document_id(document_id));
                }
                live_report(&self.app.log, self.upload.team, new.report).await
            }
            Err(error) => Err(ApiError::from_execute(error)),
        }
    }
}

/// The report as it was taken in, if it is there and not deleted.
pub(super) async fn live_report(log: &EventLog, team: TeamId, report: ReportId) -> Result<Option<Accepted>, ApiError> {
    Ok(live_with_request(log, team, report).await?.map(|(accepted, _)| accepted))
}

pub(super) async fn live_with_request(
    log: &EventLog,
    team: TeamId,
    report: ReportId,
) -> Result<Option<(Accepted, Option<Hash16>)>, ApiError> {
    let history = log.load(&StreamId::of(team, Kind::Report, report)).await.map_err(ApiError::from)?;
    let mut live = None;
    for recorded in history {
        match ingested_in(&recorded)? {
            Some(Some(ingested)) => {
                let position = Position { epoch: log.epoch(), n: recorded.n };
                live = Some((Accepted { position, report: ingested }, recorded.commit.req));
            }
            Some(None) => live = None,
            None => {}
        }
    }
    Ok(live)
}

/// `Some(Some)`: taken in; `Some(None)`: deleted; `None`: neither.
fn ingested_in(recorded: &Recorded) -> Result<Option<Option<Box<Ingested>>>, ApiError> {
    let events = recorded.commit.decode_events().map_err(|error| ApiError::internal(&error))?;
    Ok(events.into_iter().rev().find_map(|event| match event {
        Event::Report(ReportEvent::Ingested(ingested)) => Some(Some(ingested)),
        Event::Report(ReportEvent::Deleted(_)) => Some(None),
        _ => None,
    }))
}

/// Gives a document's own id back, if this report holds it.
pub(super) async fn release(
    log: &EventLog,
    team: TeamId,
    claim: ClaimId,
    holder: ReportId,
    meta: &CommandMeta,
) -> Result<(), ApiError> {
    let command = claim::Command::Release { holder: holder.0 };
    let stream = StreamId::of(team, Kind::Claim, claim);
    log.execute::<claim::Claim>(stream, command, meta).await.map(drop).map_err(ApiError::from_execute)
}

/// The report that a commit took in.
pub(super) fn first_ingested(position: Position, events: Vec<ReportEvent>) -> Result<Accepted, ApiError> {
    let ingested = events.into_iter().find_map(|event| match event {
        ReportEvent::Ingested(report) => Some(report),
        ReportEvent::Sealed(_) | ReportEvent::Deleted(_) => None,
    });
    let report =
        ingested.ok_or_else(|| ApiError::new(ErrorKind::Internal, "internal", "the commit holds no report"))?;
    Ok(Accepted { position, report })
}

/// The refusal of a key that stands for another request.
pub(super) fn key_reused() -> ApiError {
    ApiError::new(
        ErrorKind::KeyReused,
        "idempotency_key_reused",
        "this Idempotency-Key was used with another body or other parameters; use a new key for a new report",
    )
}
