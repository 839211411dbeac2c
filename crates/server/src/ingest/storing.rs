//! What was read gets into the log: first its parts, then the commit that names them.

use super::{
    Accepted, flat, identity, overlay,
    packer::{Packed, Stopped},
    params,
    reading::Ingestion,
    unreadable,
};
use crate::http::error::ApiError;
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_commands::report;
use scaledtest_domain::{
    CommandId, ErrorKind, Hash16, Kind, ProjectId, RunId, StreamId, UploadId,
    events::report::{Body as Document, Chunks, Ingested},
    report::TestResult,
    retention::Part,
};
use scaledtest_eventlog::{CommandMeta, ExecuteError};
use scaledtest_formats::{Envelope, Outcome, ReadError};
use scaledtest_projections::FreshResults;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Chunks that no commit names in time are taken away: an upload that needs half of that time is given up.
const PATIENCE: Duration = Duration::from_secs(scaledtest_effects::GRACE.num_seconds().unsigned_abs() / 2);
/// A start further in the future than this is a wrong clock, not a start.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// A report whose parts are on their way into the log.
pub(super) struct Storing {
    pub ingestion: Ingestion,
    pub id: UploadId,
    pub began: Instant,
    pub project: ProjectId,
    pub envelope: Envelope,
    pub new: identity::New,
    /// How the reading ended.
    pub outcome: Result<Outcome, ReadError<Stopped>>,
    pub packed: JoinHandle<Result<Packed, ApiError>>,
}

impl Storing {
    /// Waits until the parts are durable, then appends the commit. What cannot be stored is taken back.
    pub async fn append(self) -> Result<Accepted, ApiError> {
        let Self { ingestion, id, began, project, envelope, new, outcome, packed } = self;
        let bytes = ingestion.document.len();
        let stored = stored(packed).await;
        let parts = match outcome {
            Ok(outcome) => stored.map(|stored| (outcome, stored)),
            Err(ReadError::Format(error)) => Err(unreadable(error)),
            Err(ReadError::Sink(Stopped)) => Err(stored.map_or_else(|error| error, |_| ApiError::internal(&Stopped))),
        };
        let (outcome, Stored { hash, chunks, results }) = match parts {
            Ok(parts) => parts,
            Err(error) => {
                ingestion.abandon(&new, id).await;
                return Err(error);
            }
        };
        if began.elapsed() > PATIENCE {
            ingestion.abandon(&new, id).await;
            let text = "the report could not be stored in time; send it again";
            return Err(ApiError::new(ErrorKind::Unavailable, "upload_too_slow", text));
        }
        if let Some((fresh, list)) = ingestion.app.fresh.as_ref().zip(results) {
            fresh.insert(id, chunks, FreshResults { list, bytes });
        }
        let parts = Parts { id, project, hash, chunks, outcome, envelope };
        ingestion.append_commit(parts, &new).await
    }
}

/// Of a report, durable in the log.
struct Parts {
    id: UploadId,
    project: ProjectId,
    hash: Hash16,
    chunks: Chunks,
    outcome: Outcome,
    envelope: Envelope,
}

/// What is in the log.
struct Stored {
    hash: Hash16,
    chunks: Chunks,
    results: Option<Vec<TestResult>>,
}

/// Waits until the document and every chunk are in the log.
async fn stored(packed: JoinHandle<Result<Packed, ApiError>>) -> Result<Stored, ApiError> {
    let Packed { hash, document, writer, results } = flat(packed).await?;
    let (chunks, document) = tokio::join!(writer.finish(), document);
    document.map_err(|error| ApiError::internal(&error))??;
    Ok(Stored { hash, chunks: chunks?, results })
}

impl Ingestion {
    /// Takes back what a refused upload has written. What remains is the janitor's.
    async fn abandon(&self, new: &identity::New, upload: UploadId) {
        let (log, team) = (&self.app.log, self.upload.team);
        let erased = async {
            log.delete_raw(team, new.report, upload).await?;
            log.erase_upload(team, new.report, upload).await
        };
        if let Err(error) = erased.await {
            tracing::warn!(%error, "what a refused upload has written is still to be erased");
        }
        let Some(claim) = new.claim else { return };
        let meta = self.upload.meta(CommandId::new(), self.app.clock.now());
        if let Err(error) = identity::release(log, team, claim, new.report, &meta).await {
            tracing::warn!(%error, "the document id of a refused upload stays taken");
        }
    }

    /// Appends the commit. Somebody else's identical upload may have come first: then theirs is the answer.
    async fn append_commit(&self, parts: Parts, new: &identity::New) -> Result<Accepted, ApiError> {
        let (id, hash) = (new.report, parts.hash);
        let request = params::fingerprint(&self.upload.pairs, hash);
        let meta = CommandMeta { request: Some(request), ..self.upload.meta(new.command, self.app.clock.now()) };
        let stream = StreamId::of(self.upload.team, Kind::Report, id);
        let ingested = self.ingested(meta.at, parts, new);
        match self.app.log.execute_new::<report::Report>(stream, report::Command::Ingest(ingested), &meta).await {
            Ok(executed) => identity::first_ingested(executed.position, executed.events),
            Err(ExecuteError::Rejected(report::Reject::Exists)) => {
                let known = identity::live_with_request(&self.app.log, self.upload.team, id).await?;
                let same = |stored: Option<Hash16>| self.upload.key.is_none() || stored == Some(request);
                match known {
                    Some((known, stored)) if known.report.body.hash == hash && same(stored) => Ok(known),
                    Some(_) => Err(identity::key_reused()),
                    // It was deleted in the same moment.
                    None => Err(ApiError::new(
                        ErrorKind::Conflict,
                        "conflict",
                        "this report is being deleted; send it again",
                    )),
                }
            }
            Err(error) => Err(ApiError::from_execute(error)),
        }
    }

    fn ingested(&self, now: DateTime<Utc>, parts: Parts, new: &identity::New) -> Box<Ingested> {
        let Parts { id, project, hash, chunks, outcome, envelope } = parts;
        let params = &self.upload.params;
        let run_key = params.run_key.clone().or_else(|| outcome.meta.run_key.clone());
        let run = match &run_key {
            Some(key) => RunId::derived(&[project.0.as_bytes(), key.as_bytes()]),
            None => RunId::derived(&[new.report.0.as_bytes()]),
        };
        let backdated = params.created_at.filter(|_| self.app.config.disable_rate_limit);
        let start = DateTime::from_timestamp_millis(outcome.meta.start_ms)
            .filter(|start| outcome.meta.start_ms > 0 && *start <= now + CLOCK_SKEW);
        let mut diagnostics = outcome.diagnostics;
        diagnostics.extend(new.diagnostic.clone());
        Box::new(Ingested {
            report: new.report,
            project,
            run,
            run_key,
            shard_id: params.shard_id.clone().or(envelope.shard_id),
            shards: params.shards,
            upload: id,
            chunks,
            body: Document { hash, bytes: self.document.len() as u64, media_type: "application/json".to_owned() },
            counts: outcome.counts,
            origin: overlay(params.origin.clone(), envelope.origin),
            tags: params.tags.clone(),
            run_at: backdated.or(start).unwrap_or(now),
            created_at: backdated.unwrap_or(now),
            diagnostics,
            execution: params.execution,
            triage_github_status: params.triage_github_status,
            github: params.github.clone(),
            claim: new.claim,
            part: Some(Part::of(self.retention, backdated.unwrap_or(now), now)),
            meta: outcome.meta,
        })
    }
}
