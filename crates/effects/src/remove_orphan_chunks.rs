//! Removes the chunks that belong to no report: an upload that broke off, one that lost a race, one whose report was
//! deleted by a process that stopped before it had erased them.

use crate::drop_old_results::is_dropped;
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_commands::{
    Rollup,
    report::{Report, State},
};
use scaledtest_domain::{Kind, RollupId, StreamId};
use scaledtest_eventlog::{ChunkUpload, EventLog, LogError};
use std::ops::Range;

/// An upload younger than this may still be going on.
pub const GRACE: TimeDelta = TimeDelta::hours(1);

/// A deletion that broke off leaves chunks that are older than what was checked: so often, everything is looked at again.
const FULL_EVERY: TimeDelta = TimeDelta::days(1);

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
    remove(log, DateTime::<Utc>::MIN_UTC..now - grace).await
}

/// Removes orphans again and again; what an earlier round has found to be a report's is not looked at in every round, so
/// that a round costs as much as what came since.
#[derive(Debug, Default)]
pub struct Janitor {
    /// Every upload that began before was looked at.
    checked: Option<DateTime<Utc>>,
    /// When everything was.
    full: Option<DateTime<Utc>>,
}

impl Janitor {
    /// As [`remove_orphan_chunks`], in the first round and once a day; else only what is younger than what was checked.
    ///
    /// # Errors
    /// As [`remove_orphan_chunks`]; the next round looks at the same again.
    pub async fn round(&mut self, log: &EventLog, now: DateTime<Utc>, grace: TimeDelta) -> Result<Removed, LogError> {
        let is_full = self.full.is_none_or(|full| now - full >= FULL_EVERY);
        let checked = self.checked.filter(|_| !is_full).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let removed = remove(log, checked..now - grace).await?;
        self.checked = Some(now - grace);
        self.full = if is_full { Some(now) } else { self.full };
        Ok(removed)
    }
}

async fn remove(log: &EventLog, began: Range<DateTime<Utc>>) -> Result<Removed, LogError> {
    let mut removed = Removed::default();
    let mut orphans = Vec::new();
    let mut page = Some(0);
    while let Some(offset) = page {
        let (uploads, next) = log.chunk_uploads(offset).await?;
        for upload in uploads.into_iter().filter(|upload| began.contains(&upload.at)) {
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

/// Whether no report or roll-up consists of this upload, now or (as far as the log is readable) ever again.
async fn is_orphan(log: &EventLog, upload: &ChunkUpload) -> Result<bool, LogError> {
    match log.state::<Report>(&StreamId::of(upload.team, Kind::Report, upload.report)).await {
        Ok(State { live: Some(live), .. }) if live.upload == upload.upload => is_dropped(log, &live).await,
        Ok(State { live: None, deleted: false }) => is_no_rollup(log, upload).await,
        Ok(_) => Ok(true),
        // It holds up no other; nothing of it is erased.
        Err(error @ (LogError::Decode { .. } | LogError::Broken { .. })) => {
            tracing::warn!(report = %upload.report, %error, "the history of a report cannot be read; its chunks stay");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Roll-ups have chunks under their own ids.
async fn is_no_rollup(log: &EventLog, upload: &ChunkUpload) -> Result<bool, LogError> {
    let stream = StreamId::of(upload.team, Kind::Rollup, RollupId(upload.report.0));
    let sealed = log.state::<Rollup>(&stream).await?.sealed;
    Ok(sealed.is_none_or(|sealed| sealed.upload != upload.upload))
}
