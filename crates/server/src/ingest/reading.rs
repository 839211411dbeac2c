//! The document is read: CPU work, so it has threads of its own, and asks the log from there.

use super::{
    Accepted, Upload, identity, params,
    parts::{Reader, Second, Tests},
    storing::Storing,
    unreadable,
};
use crate::{app::App, http::error::ApiError};
use bytes::Bytes;
use scaledtest_commands::project;
use scaledtest_domain::{CommandId, Kind, ProjectId, StreamId, UploadId, retention::Retention};
use scaledtest_formats::{self as formats, Envelope};
use scaledtest_projections::Fresh;
use std::{sync::Arc, time::Instant};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, oneshot},
};

/// The branch that a new project compares with until somebody says otherwise.
const DEFAULT_BRANCH: &str = "main";

/// An upload whose document is there.
pub(super) struct Ingestion {
    pub app: Arc<App>,
    pub upload: Upload,
    /// How long its results are kept.
    pub retention: Retention,
    pub document: Bytes,
    pub handle: Handle,
    /// At unpacking and parsing: it ends when the commit is in the log, and no thread reads any more.
    pub turn: Arc<OwnedSemaphorePermit>,
}

/// What a document turned out to be.
pub(super) enum Reading {
    /// It is in the log already: this is the first answer.
    Known(Accepted),
    /// A report that is being read.
    New(Box<Storing>),
}

impl Ingestion {
    /// Reads it from start to end. What it turned out to be is told before its tests are read.
    pub fn read(self, told: oneshot::Sender<Result<Reading, ApiError>>) {
        let turn = Arc::clone(&self.turn);
        let (reading, reader) = match self.open() {
            Ok((reading, reader)) => (Ok(reading), reader),
            Err(error) => (Err(error), None),
        };
        if told.send(reading).is_ok()
            && let Some(reader) = reader
        {
            reader.run();
        }
        drop(turn);
    }

    /// Everything but the tests.
    fn open(self) -> Result<(Reading, Option<Reader>), ApiError> {
        let second = Second::start(&self.handle, self.document.clone(), Arc::clone(&self.turn));
        let (document, envelope) =
            formats::open(self.document.clone(), formats::Limits::default()).map_err(unreadable)?;
        let (project, project_name) = self.project(&envelope);
        let document_id = envelope.meta.document_id.as_deref();
        let new = if self.upload.key.is_none() && document_id.is_none() {
            identity::New::unnamed()
        } else {
            let hash = second.hash().map_err(|error| ApiError::internal(&error))?;
            let request = params::fingerprint(&self.upload.pairs, hash);
            let identity =
                identity::Identity { app: &self.app, upload: &self.upload, project, document_id, hash, request };
            match self.handle.block_on(identity.resolve())? {
                identity::Resolved::Known(accepted) => return Ok((Reading::Known(accepted), None)),
                identity::Resolved::New(new) => new,
            }
        };
        self.handle.block_on(self.ensure_project(project, &project_name))?;

        let began = Instant::now();
        let keeps = self.app.fresh.is_some() && Fresh::keeps(self.document.len(), document.tests());
        let envelope = Arc::new(envelope);
        let shared = self.app.uploads.is_quiet();
        let tests = Tests { document: Arc::new(document), envelope: Arc::clone(&envelope), project, keeps, shared };
        let (reader, parts, document) = tests.divide(second);
        let id = UploadId::new();
        let storing = Storing { ingestion: self, id, began, project, envelope, new, document, parts };
        Ok((Reading::New(Box::new(storing)), Some(reader)))
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

    async fn ensure_project(&self, project: ProjectId, name: &str) -> Result<(), ApiError> {
        if self.app.known_projects.contains(project) {
            return Ok(());
        }
        let command =
            project::Command::Create { project, name: name.to_owned(), default_branch: DEFAULT_BRANCH.to_owned() };
        let meta = self.upload.meta(CommandId::new(), self.app.clock.now());
        let stream = StreamId::of(self.upload.team, Kind::Project, project);
        self.app.log.execute::<project::Project>(stream, command, &meta).await.map_err(ApiError::from_execute)?;
        self.app.known_projects.insert(project);
        Ok(())
    }
}
