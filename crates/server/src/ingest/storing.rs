//! What was read gets into the log: first its parts, then the commit that names them.

use super::{
    Accepted, identity, overlay, params,
    parts::{PackedDocument, Parts, Piece, Stopped},
    reading::Ingestion,
};
use crate::http::error::ApiError;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_commands::report;
use scaledtest_domain::{
    CommandId, DecodeError, ErrorKind, Hash16, Kind, ProjectId, ReportId, RunId, StreamId, UploadId,
    events::report::{Body as Document, Chunks, Ingested},
    report::TestResult,
    retention::Part,
};
use scaledtest_eventlog::{ChunkWriter, CommandMeta, ExecuteError};
use scaledtest_formats::{Envelope, Outcome, Tally};
use scaledtest_projections::FreshResults;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Chunks that no commit names in time are taken away: an upload that needs half of that time is given up.
const PATIENCE: Duration = Duration::from_secs(scaledtest_effects::GRACE.num_seconds().unsigned_abs() / 2);
/// A start further in the future than this is a wrong clock, not a start.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// A report that is being read.
pub(super) struct Storing {
    pub ingestion: Ingestion,
    pub id: UploadId,
    pub began: Instant,
    pub project: ProjectId,
    pub envelope: Arc<Envelope>,
    pub new: identity::New,
    pub document: oneshot::Receiver<Result<PackedDocument, DecodeError>>,
    pub parts: Parts,
}

impl Storing {
    /// Sends what is read, waits until it is durable, then appends the commit. What cannot be stored is taken back.
    pub async fn append(self) -> Result<Accepted, ApiError> {
        let Self { ingestion, id, began, project, envelope, new, document, parts } = self;
        let document = ingestion.send_document(document, new.report, id);
        let results = ingestion.send_results(parts, new.report, id);
        // Nothing may arrive after what has been sent is taken back: so the one is waited for even if the other failed.
        let stored = match tokio::join!(document, results) {
            (Ok(hash), Ok(results)) => Ok((hash, results)),
            (_, Err(error)) | (Err(error), Ok(_)) => Err(error),
        };
        let (hash, Stored { chunks, tally, parts }) = match stored {
            Ok(stored) => stored,
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
        if let Some(fresh) = &ingestion.app.fresh {
            fresh.insert(id, chunks, FreshResults { parts, bytes: ingestion.document.len() });
        }
        let outcome = envelope.complete(tally);
        let ingested = Facts { id, project, hash, chunks, outcome, envelope };
        ingestion.append_commit(ingested, &new).await
    }
}

/// Sends the chunks of all parts in their order. What else the parts are comes back.
async fn send(parts: &mut Parts, writer: &mut ChunkWriter) -> Result<(Tally, Vec<Vec<TestResult>>), ApiError> {
    let (mut tally, mut results) = (Tally::default(), Vec::new());
    for number in 0..parts.count() {
        let part = loop {
            match parts.next(number).await? {
                Piece::Chunk(chunk) => writer.push(chunk).await?,
                Piece::End(part) => break part,
            }
        };
        tally.append(part.tally);
        if !part.results.is_empty() {
            results.push(part.results);
        }
    }
    Ok((tally, results))
}

/// What is known of a report that is durable in the log.
struct Facts {
    id: UploadId,
    project: ProjectId,
    hash: Hash16,
    chunks: Chunks,
    outcome: Outcome,
    envelope: Arc<Envelope>,
}

/// The results of a report that are in the log.
struct Stored {
    chunks: Chunks,
    tally: Tally,
    /// In their order, for the projections of this process, if they want them.
    parts: Vec<Vec<TestResult>>,
}

impl Ingestion {
    /// Until it is durable. Its hash.
    async fn send_document(
        &self,
        document: oneshot::Receiver<Result<PackedDocument, DecodeError>>,
        report: ReportId,
        upload: UploadId,
    ) -> Result<Hash16, ApiError> {
        let packed = document.await.map_err(|_| ApiError::internal(&Stopped))?;
        let PackedDocument { hash, bytes } = packed.map_err(|error| ApiError::internal(&error))?;
        self.app.log.put_raw(self.upload.team, report, upload, Bytes::from(bytes)).await?;
        Ok(hash)
    }

    /// Until they are durable.
    async fn send_results(&self, mut parts: Parts, report: ReportId, upload: UploadId) -> Result<Stored, ApiError> {
        let mut writer = self.app.log.chunk_writer(self.upload.team, report, upload);
        let sent = send(&mut parts, &mut writer).await;
        // Also those before a part that cannot be read.
        let chunks = writer.finish().await;
        let (tally, parts) = sent?;
        Ok(Stored { chunks: chunks?, tally, parts })
    }

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
    async fn append_commit(&self, facts: Facts, new: &identity::New) -> Result<Accepted, ApiError> {
        let (id, hash) = (new.report, facts.hash);
        let request = params::fingerprint(&self.upload.pairs, hash);
        let meta = CommandMeta { request: Some(request), ..self.upload.meta(new.command, self.app.clock.now()) };
        let stream = StreamId::of(self.upload.team, Kind::Report, id);
        let ingested = self.ingested(meta.at, facts, new);
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

    fn ingested(&self, now: DateTime<Utc>, facts: Facts, new: &identity::New) -> Box<Ingested> {
        let Facts { id, project, hash, chunks, outcome, envelope } = facts;
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
            shard_id: params.shard_id.clone().or(envelope.shard_id.clone()),
            shards: params.shards,
            upload: id,
            chunks,
            body: Document { hash, bytes: self.document.len() as u64, media_type: "application/json".to_owned() },
            counts: outcome.counts,
            origin: overlay(params.origin.clone(), envelope.origin.clone()),
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
