//! The document is read: CPU work, so it has a thread of its own, and calls the log from there.

use super::{
    Accepted, Upload, identity,
    packer::{Packer, Parcel},
    params,
    spool::Spooled,
    storing::Storing,
    unreadable,
};
use crate::{app::App, http::error::ApiError};
use scaledtest_commands::project;
use scaledtest_domain::{CommandId, Hash16, Kind, ProjectId, StreamId, UploadId, retention::Retention};
use scaledtest_formats::{self as formats, Envelope};
use scaledtest_projections::Fresh;
use std::{sync::Arc, time::Instant};
use tokio::runtime::Handle;

/// The branch that a new project compares with until somebody says otherwise.
const DEFAULT_BRANCH: &str = "main";

/// An upload whose document is there.
pub(super) struct Ingestion {
    pub app: Arc<App>,
    pub upload: Upload,
    /// How long its results are kept.
    pub retention: Retention,
    pub document: Arc<Spooled>,
    pub handle: Handle,
}

/// What a document turned out to be.
pub(super) enum Reading {
    /// It is in the log already: this is the first answer.
    Known(Accepted),
    /// A report whose parts are on their way into the log.
    New(Box<Storing>),
}

impl Ingestion {
    /// Reads it from start to end. What it holds is being stored then.
    pub fn read(self) -> Result<Reading, ApiError> {
        let bytes = Arc::clone(&self.document);
        let (document, envelope) = formats::open(&bytes, formats::Limits::default()).map_err(unreadable)?;
        let (project, project_name) = self.project(&envelope);
        let document_id = envelope.meta.document_id.as_deref();
        // Where nothing depends on it yet it is computed beside the parsing.
        let hash = (self.upload.key.is_some() || document_id.is_some()).then(|| Hash16::of(&bytes));
        let new = match hash {
            None => identity::New::unnamed(),
            Some(hash) => {
                let request = params::fingerprint(&self.upload.pairs, hash);
                let identity =
                    identity::Identity { app: &self.app, upload: &self.upload, project, document_id, hash, request };
                match self.handle.block_on(identity.resolve())? {
                    identity::Resolved::Known(accepted) => return Ok(Reading::Known(accepted)),
                    identity::Resolved::New(new) => new,
                }
            }
        };
        self.handle.block_on(self.ensure_project(project, &project_name))?;

        let (id, began) = (UploadId::new(), Instant::now());
        let parcel = Parcel {
            log: self.app.log.clone(),
            team: self.upload.team,
            report: new.report,
            upload: id,
            document: Arc::clone(&bytes),
            hash,
            keeps: self.app.fresh.is_some() && bytes.len() <= Fresh::LARGEST,
        };
        let mut packer = Packer::start(&self.handle, parcel);
        let outcome = document.read_tests(&envelope, project, |result| packer.push(result));
        let packed = packer.end();
        Ok(Reading::New(Box::new(Storing { ingestion: self, id, began, project, envelope, new, outcome, packed })))
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
