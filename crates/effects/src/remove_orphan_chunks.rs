//! Removes the chunks that belong to no report: an upload that broke off, one that lost a race, one whose report was
//! deleted by a process that stopped before it had erased them.

use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::{Event, Kind, StreamId, UploadId, events::report::Event as ReportEvent};
use scaledtest_eventlog::{ChunkUpload, EventLog, LogError};

/// An upload younger than this may still be going on.
pub const GRACE: TimeDelta = TimeDelta::hours(1);

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Uploads whose chunks and document were erased.
    pub uploads: u64,
    /// Uploads that were looked at.
    pub seen: u64,
}

/// Looks at every upload in the log that began more than `grace` before `now`, and erases those that no report is made of.
///
/// # Errors
/// When the log cannot be read or written; what was erased stays erased, and the next time goes on.
pub async fn remove_orphan_chunks(log: &EventLog, now: DateTime<Utc>, grace: TimeDelta) -> Result<Removed, LogError> {
    let mut removed = Removed::default();
    let mut orphans = Vec::new();
    let mut page = Some(0);
    while let Some(offset) = page {
        let (uploads, next) = log.chunk_uploads(offset).await?;
        for upload in uploads.into_iter().filter(|upload| upload.at + grace < now) {
            removed.seen += 1;
            if is_orphan(log, &upload).await? {
                orphans.push(upload);
            }
        }
        page = next;
    }
    // Erased after the last page, so that the pages don't shift under the search.
    for orphan in orphans {
        log.erase_upload(orphan.team, orphan.report, orphan.upload).await?;
        log.delete_raw(orphan.team, orphan.report, orphan.upload).await?;
        removed.uploads += 1;
    }
    Ok(removed)
}

/// Whether no report consists of this upload, now or (as far as the log is readable) ever again.
async fn is_orphan(log: &EventLog, upload: &ChunkUpload) -> Result<bool, LogError> {
    let history = log.load(&StreamId::of(upload.team, Kind::Report, upload.report)).await?;
    let mut live: Option<UploadId> = None;
    for recorded in history {
        let decode = |source| LogError::Decode { n: recorded.n, source };
        for event in recorded.commit.decode_events().map_err(decode)? {
            match event {
                Event::Report(ReportEvent::Ingested(report)) => live = Some(report.upload),
                Event::Report(ReportEvent::Deleted(_)) => live = None,
                _ => {}
            }
        }
    }
    Ok(live != Some(upload.upload))
}
