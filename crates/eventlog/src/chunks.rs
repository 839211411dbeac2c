//! Report results in the stream `RES`. What counts is the commit that names them: chunks that none names are litter.

use crate::{
    ChunkError, EventLog, LogError,
    log::{Backend, Stored},
    nats::{Outgoing, Pending},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use scaledtest_domain::{Hash16, ReportId, TeamId, UploadId, events::report::Chunks, slot};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

/// Unacknowledged chunks of one writer.
const WINDOW: usize = 64;

/// An upload that has chunks in the log, named by a commit or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkUpload {
    /// Its team.
    pub team: TeamId,
    /// The report it was meant for.
    pub report: ReportId,
    /// The upload.
    pub upload: UploadId,
    /// When it began: from its id if that says it, else when the first chunk was stored.
    pub at: DateTime<Utc>,
}

/// Writes the chunks of one upload, some ahead of their acknowledgements.
pub struct ChunkWriter {
    log: EventLog,
    subject: String,
    upload: UploadId,
    count: u32,
    range: Option<(u64, u64)>,
    hash: Sha256,
    pending: VecDeque<Pending>,
}

fn subject(team: TeamId, report: ReportId, upload: UploadId) -> String {
    format!("res.{:x}.{}.{}.{}", slot(team), team.0.simple(), report.0.simple(), upload.0.simple())
}

fn parse_subject(subject: &str) -> Option<(TeamId, ReportId, UploadId)> {
    let mut tokens = subject.strip_prefix("res.")?.split('.').skip(1).map(|token| Uuid::try_parse(token).ok());
    let (team, report, upload) = (tokens.next()??, tokens.next()??, tokens.next()??);
    tokens.next().is_none().then_some((team.into(), report.into(), upload.into()))
}

impl ChunkWriter {
    /// Sends the next chunk. Waits only while 64 are unacknowledged.
    ///
    /// # Errors
    /// As soon as one is known not to be stored. Then the upload is lost: start another.
    pub async fn push(&mut self, payload: Vec<u8>) -> Result<(), LogError> {
        self.hash.update(&payload);
        let id = format!("{}:{}", self.upload.0.simple(), self.count);
        self.count += 1;
        let message = Outgoing::chunk(&self.subject, id, payload.into());
        match &self.log.backend {
            Backend::Memory(memory) => {
                let n = memory.publish_chunk(message);
                self.note(n);
            }
            Backend::Nats(nats) => {
                let pending = nats.begin(message, self.log.until()).await?;
                self.pending.push_back(pending);
                while self.pending.len() >= WINDOW {
                    self.settle_one().await?;
                }
            }
        }
        Ok(())
    }

    /// Waits until all are durable, and says what a commit is to name.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub async fn finish(mut self) -> Result<Chunks, LogError> {
        while !self.pending.is_empty() {
            self.settle_one().await?;
        }
        let (first, last) = self.range.unwrap_or_default();
        Ok(Chunks { count: self.count, first, last, hash: Hash16::from_digest(&self.hash.finalize()) })
    }

    async fn settle_one(&mut self) -> Result<(), LogError> {
        if let (Some(pending), Backend::Nats(nats)) = (self.pending.pop_front(), &self.log.backend) {
            let n = nats.finish(pending, self.log.until()).await?;
            self.note(n);
        }
        Ok(())
    }

    /// A chunk that had to be sent again may stand behind later ones.
    fn note(&mut self, n: u64) {
        let (first, last) = self.range.unwrap_or((n, n));
        self.range = Some((first.min(n), last.max(n)));
    }
}

impl EventLog {
    /// Writes the results of one upload.
    pub fn chunk_writer(&self, team: TeamId, report: ReportId, upload: UploadId) -> ChunkWriter {
        ChunkWriter {
            log: self.clone(),
            subject: subject(team, report, upload),
            upload,
            count: 0,
            range: None,
            hash: Sha256::new(),
            pending: VecDeque::with_capacity(WINDOW),
        }
    }

    /// The chunks that a commit names, in order, checked against its hash.
    ///
    /// # Errors
    /// See [`ChunkError`].
    pub async fn read_chunks(
        &self,
        team: TeamId,
        report: ReportId,
        upload: UploadId,
        chunks: &Chunks,
    ) -> Result<Vec<Bytes>, ChunkError> {
        if chunks.count == 0 {
            return Ok(Vec::new());
        }
        let stored = self.chunk_range(&subject(team, report, upload), chunks.first, chunks.last).await?;
        // By number: one that was sent twice may stand twice, or behind later ones.
        let numbered: BTreeMap<u32, Bytes> = stored
            .into_iter()
            .filter_map(|chunk| Some((chunk.id.rsplit_once(':')?.1.parse().ok()?, chunk.payload)))
            .filter(|(number, _)| *number < chunks.count)
            .collect();
        let found = u32::try_from(numbered.len()).unwrap_or(u32::MAX);
        if found < chunks.count {
            return Err(ChunkError::Missing { found, expected: chunks.count });
        }
        let hash = numbered.values().fold(Sha256::new(), |hash, payload| hash.chain_update(payload));
        if Hash16::from_digest(&hash.finalize()) != chunks.hash {
            return Err(ChunkError::Corrupt);
        }
        Ok(numbered.into_values().collect())
    }

    async fn chunk_range(&self, subject: &str, first: u64, last: u64) -> Result<Vec<Stored>, LogError> {
        match &self.backend {
            Backend::Nats(nats) => nats.chunks(subject, (first, last), || self.until()).await,
            Backend::Memory(memory) => Ok(memory.chunks(subject, first, last)),
        }
    }

    /// Erases the chunks that a commit names, bytes included. Those that are gone already are fine.
    ///
    /// # Errors
    /// [`LogError::Unavailable`]; some may be erased.
    pub async fn erase_chunks(
        &self,
        team: TeamId,
        report: ReportId,
        upload: UploadId,
        chunks: &Chunks,
    ) -> Result<(), LogError> {
        if chunks.count == 0 {
            return Ok(());
        }
        self.erase(&subject(team, report, upload), (chunks.first, chunks.last)).await
    }

    /// Erases whatever an upload left in the log: for uploads that no commit names.
    ///
    /// # Errors
    /// As [`Self::erase_chunks`].
    pub async fn erase_upload(&self, team: TeamId, report: ReportId, upload: UploadId) -> Result<(), LogError> {
        self.erase(&subject(team, report, upload), (1, u64::MAX)).await
    }

    async fn erase(&self, subject: &str, range: (u64, u64)) -> Result<(), LogError> {
        match &self.backend {
            // An upload may have thousands of chunks: each request has its own deadline.
            Backend::Nats(nats) => nats.erase_chunks(subject, range, || self.until()).await,
            Backend::Memory(memory) => {
                memory.erase_chunks(subject, range);
                Ok(())
            }
        }
    }

    /// A page of the uploads that have chunks in the log, from `offset` (0 at first), and the offset of the next page.
    /// While uploads come and go a page may lack one; look again another time.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn chunk_uploads(&self, offset: usize) -> Result<(Vec<ChunkUpload>, Option<usize>), LogError> {
        let (subjects, next) = match &self.backend {
            Backend::Nats(nats) => nats.chunk_subjects(offset, self.until()).await?,
            Backend::Memory(memory) => (memory.chunk_subjects(), None),
        };
        let mut uploads = Vec::with_capacity(subjects.len());
        for name in subjects {
            let Some((team, report, upload)) = parse_subject(&name) else { continue };
            if let Some(at) = self.began(&name, upload).await? {
                uploads.push(ChunkUpload { team, report, upload, at });
            }
        }
        Ok((uploads, next))
    }

    async fn began(&self, subject: &str, upload: UploadId) -> Result<Option<DateTime<Utc>>, LogError> {
        let of_id = upload.0.get_timestamp().map(|time| time.to_unix());
        if let Some((seconds, nanos)) = of_id {
            return Ok(i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, nanos)));
        }
        let first = match &self.backend {
            Backend::Nats(nats) => nats.first_chunk(subject, self.until()).await?,
            Backend::Memory(memory) => memory.chunks(subject, 1, u64::MAX).into_iter().next(),
        };
        Ok(first.map(|chunk| chunk.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_subject_reads_back() {
        let (team, report, upload) = (TeamId::new(), ReportId::new(), UploadId::new());
        let name = subject(team, report, upload);
        assert_eq!(parse_subject(&name), Some((team, report, upload)));
        assert_eq!(parse_subject(&format!("{name}.x")), None);
        assert_eq!(parse_subject("res.0.a.b.c"), None);
        assert_eq!(parse_subject("ev.0._.user.x"), None);
    }
}
