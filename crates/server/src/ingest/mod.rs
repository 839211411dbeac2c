//! Takes a report in: off the wire, through the parser, into the log.
//!
//! Nothing is acknowledged before the commit `report.ingested` is in the log: it names the chunks, and is the atomic point.

pub(crate) mod identity;
mod packer;
mod params;
mod spool;

pub use params::Params;
pub use spool::Limits;

use crate::{
    app::App,
    http::error::{ApiError, Detail},
};
use axum::body::Body;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use packer::Packer;
use scaledtest_commands::{project, report};
use scaledtest_domain::{
    Actor, CommandId, ErrorKind, Hash16, Kind, Position, ProjectId, ReportId, RunId, StreamId, TeamId, UploadId,
    events::report::{Body as Document, Chunks, Ingested, Origin},
    report::Diagnostic,
    retention::{Part, Retention},
};
use scaledtest_eventlog::{CommandMeta, ExecuteError};
use scaledtest_formats::{self as formats, Envelope, Outcome, ReadError};
use scaledtest_projections::{Coming, Fresh, FreshResults, access::queries as access};
use spool::Spooled;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// The branch that a new project compares with until somebody says otherwise.
const DEFAULT_BRANCH: &str = "main";
/// Chunks that no commit names in time are taken away: an upload that needs half of that time is given up.
const PATIENCE: Duration = Duration::from_secs(scaledtest_effects::GRACE.num_seconds().unsigned_abs() / 2);
/// A start further in the future than this is a wrong clock, not a start.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

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
    let mut coming = app.fresh.as_ref().map(Fresh::announce);
    let slot = app.uploads.acquire().await?;
    let app = Arc::clone(app);
    let handle = tokio::runtime::Handle::current();
    let work = move || {
        let _slot = slot;
        let document = spool::inflate(packed, upload.encoding.as_deref(), &dir, limits)?;
        let accepted = Ingestion { app, upload, document: Arc::new(document), handle }.run()?;
        if let Some(coming) = &mut coming {
            coming.arrive(accepted.position);
        }
        Ok((accepted, coming))
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))?
}

/// The blocking part: parsing is CPU work, so it has a thread of its own and calls the log from there.
struct Ingestion {
    app: Arc<App>,
    upload: Upload,
    document: Arc<Spooled>,
    handle: tokio::runtime::Handle,
}

impl Ingestion {
    fn run(self) -> Result<Accepted, ApiError> {
        // What waits for the database is begun first and asked for when it is needed.
        let retention = AbortOnDropHandle::new(self.handle.spawn(retention(Arc::clone(&self.app), self.upload.team)));
        let hash = Hash16::of(&self.document);
        let (document, envelope) = formats::open(&self.document, formats::Limits::default()).map_err(unreadable)?;
        let (project, project_name) = self.project(&envelope);
        let request = params::fingerprint(&self.upload.pairs, hash);
        let identity = identity::Identity {
            app: &self.app,
            upload: &self.upload,
            project,
            document_id: envelope.meta.document_id.as_deref(),
            hash,
            request,
        };
        let resolved = match self.handle.block_on(identity.resolve())? {
            identity::Resolved::Known(accepted) => return Ok(accepted),
            identity::Resolved::New(resolved) => resolved,
        };
        self.handle.block_on(self.ensure_project(project, &project_name))?;

        let (id, began) = (UploadId::new(), Instant::now());
        let raw = self.store_document(resolved.report, id);
        let stored = self.store_results(&document, &envelope, project, resolved.report, id);
        let (raw, retention) = self.handle.block_on(async { tokio::join!(flat(raw), flat(retention)) });
        let (outcome, chunks, retention) =
            match stored.and_then(|(outcome, chunks)| raw.and(Ok((outcome, chunks, retention?)))) {
                Ok(stored) => stored,
                Err(error) => {
                    self.handle.block_on(self.abandon(&resolved, id));
                    return Err(error);
                }
            };

        if began.elapsed() > PATIENCE {
            self.handle.block_on(self.abandon(&resolved, id));
            let text = "the report could not be stored in time; send it again";
            return Err(ApiError::new(ErrorKind::Unavailable, "upload_too_slow", text));
        }
        let now = self.app.clock.now();
        let ingested = self.ingested(now, hash, project, id, envelope, outcome, chunks, &resolved, retention);
        self.handle.block_on(self.append(now, request, ingested, resolved.command))
    }

    /// The project: named by the upload, else by the report's repository, else by its tool.
    fn project(&self, envelope: &Envelope) -> (ProjectId, String) {
        let tool = Some(envelope.meta.tool.name.as_str()).filter(|name| !name.is_empty());
        let name = self
            .upload
            .params
            .project
            .as_deref()
            .or(envelope.origin.repository.as_deref())
            .or(tool)
            .unwrap_or("default");
        (ProjectId::derived(&[self.upload.team.0.as_bytes(), name.as_bytes()]), name.to_owned())
    }

    fn meta(&self, command: CommandId, request: Option<Hash16>, at: DateTime<Utc>) -> CommandMeta {
        CommandMeta {
            command,
            request,
            actor: self.upload.actor,
            at,
            correlation: self.upload.correlation,
            causation: None,
        }
    }

    async fn ensure_project(&self, project: ProjectId, name: &str) -> Result<(), ApiError> {
        if self.app.known_projects.contains(project) {
            return Ok(());
        }
        let command =
            project::Command::Create { project, name: name.to_owned(), default_branch: DEFAULT_BRANCH.to_owned() };
        let meta = self.meta(CommandId::new(), None, self.app.clock.now());
        let stream = StreamId::of(self.upload.team, Kind::Project, project);
        self.app.log.execute::<project::Project>(stream, command, &meta).await.map_err(ApiError::from_execute)?;
        self.app.known_projects.insert(project);
        Ok(())
    }

    /// Keeps the original document, beside the parsing.
    fn store_document(&self, report: ReportId, upload: UploadId) -> tokio::task::JoinHandle<Result<(), ApiError>> {
        let document = Arc::clone(&self.document);
        let (log, team) = (self.app.log.clone(), self.upload.team);
        let handle = self.handle.clone();
        self.handle.spawn_blocking(move || {
            let packed = scaledtest_domain::compress(&document).map_err(|error| ApiError::internal(&error))?;
            handle.block_on(log.put_raw(team, report, upload, Bytes::from(packed))).map_err(ApiError::from)
        })
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
        let meta = self.meta(CommandId::new(), None, self.app.clock.now());
        if let Err(error) = identity::release(log, team, claim, new.report, &meta).await {
            tracing::warn!(%error, "the document id of a refused upload stays taken");
        }
    }

    fn store_results(
        &self,
        document: &formats::Document<'_>,
        envelope: &Envelope,
        project: ProjectId,
        report: ReportId,
        upload: UploadId,
    ) -> Result<(Outcome, Chunks), ApiError> {
        let writer = self.app.log.chunk_writer(self.upload.team, report, upload);
        let bytes = self.document.len();
        let fresh = self.app.fresh.as_ref().filter(|_| bytes <= Fresh::LARGEST);
        let mut packer = Packer::new(&self.handle, writer, bytes, fresh.is_some());
        let outcome =
            document.read_tests(envelope, project, |result| packer.push(result)).map_err(|error| match error {
                ReadError::Format(error) => unreadable(error),
                ReadError::Sink(error) => error,
            })?;
        let (chunks, results) = packer.finish()?;
        if let Some((fresh, list)) = fresh.zip(results) {
            fresh.insert(upload, chunks, FreshResults { list, bytes });
        }
        Ok((outcome, chunks))
    }

    #[allow(clippy::too_many_arguments, reason = "everything that a report is comes together here, once")]
    fn ingested(
        &self,
        now: DateTime<Utc>,
        hash: Hash16,
        project: ProjectId,
        upload: UploadId,
        envelope: Envelope,
        outcome: Outcome,
        chunks: Chunks,
        resolved: &identity::New,
        retention: Retention,
    ) -> Box<Ingested> {
        let params = &self.upload.params;
        let run_key = params.run_key.clone().or_else(|| outcome.meta.run_key.clone());
        let run = match &run_key {
            Some(key) => RunId::derived(&[project.0.as_bytes(), key.as_bytes()]),
            None => RunId::derived(&[resolved.report.0.as_bytes()]),
        };
        let backdated = params.created_at.filter(|_| self.app.config.disable_rate_limit);
        let start = DateTime::from_timestamp_millis(outcome.meta.start_ms)
            .filter(|start| outcome.meta.start_ms > 0 && *start <= now + CLOCK_SKEW);
        let mut diagnostics = outcome.diagnostics;
        diagnostics.extend(resolved.diagnostic.clone());
        Box::new(Ingested {
            report: resolved.report,
            project,
            run,
            run_key,
            shard_id: params.shard_id.clone().or(envelope.shard_id),
            shards: params.shards,
            upload,
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
            claim: resolved.claim,
            part: Some(Part::of(retention, backdated.unwrap_or(now), now)),
            meta: outcome.meta,
        })
    }

    /// Appends the commit. Somebody else's identical upload may have come first: then theirs is the answer.
    async fn append(
        &self,
        at: DateTime<Utc>,
        request: Hash16,
        ingested: Box<Ingested>,
        command: CommandId,
    ) -> Result<Accepted, ApiError> {
        let stream = StreamId::of(self.upload.team, Kind::Report, ingested.report);
        let (id, hash) = (ingested.report, ingested.body.hash);
        let meta = self.meta(command, Some(request), at);
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
}

/// How long a team's results are kept.
async fn retention(app: Arc<App>, team: TeamId) -> Result<Retention, ApiError> {
    let chosen = access::retention(&app.db, team).await.map_err(ApiError::from)?;
    Ok(chosen.unwrap_or(app.config.retention_days))
}

/// What a task came to.
async fn flat<T>(task: impl Future<Output = Result<Result<T, ApiError>, JoinError>>) -> Result<T, ApiError> {
    task.await.map_err(|error| ApiError::internal(&error))?
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
