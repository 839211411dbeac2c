//! Deleting a report: the tombstone first, then everything that it covers.

use crate::rollups;
use chrono::{DateTime, Utc};
use scaledtest_commands::{
    claim,
    report::{Command, Reject, Report},
};
use scaledtest_domain::{
    ClaimId, CommandId, Event, Kind, Position, ReportId, RollupId, StreamId, TeamId,
    events::report::{Deleted, Event as ReportEvent},
};
use scaledtest_eventlog::{CommandMeta, EventLog, ExecuteError, LogError};

/// Deletes a report, erases its results, its document and what a roll-up holds of it, and frees the document's own id. What an
/// earlier try left undone after its tombstone is done, too.
///
/// # Errors
/// [`Reject::NotFound`] when there is none; what the log says. Once the tombstone stands, the janitor erases what is left.
pub async fn delete_report(
    log: &EventLog,
    team: TeamId,
    report: ReportId,
    meta: &CommandMeta,
) -> Result<Position, ExecuteError<Reject>> {
    let mut rollup = None;
    let deleted = delete(log, team, report, meta, &mut rollup).await;
    if let Some(rollup) = rollup {
        forget(log, team, rollup, meta.at).await;
    }
    deleted
}

/// Takes reports that were deleted out of a roll-up.
pub(crate) async fn forget(log: &EventLog, team: TeamId, rollup: RollupId, at: DateTime<Utc>) {
    if let Err(error) = rollups::forget(log, team, rollup, at).await {
        tracing::warn!(%rollup, %error, "what a roll-up holds of a deleted report is still to be erased");
    }
}

/// The same, but for the roll-up, which is named.
pub(crate) async fn delete(
    log: &EventLog,
    team: TeamId,
    report: ReportId,
    meta: &CommandMeta,
    rollup: &mut Option<RollupId>,
) -> Result<Position, ExecuteError<Reject>> {
    let stream = StreamId::of(team, Kind::Report, report);
    let executed = log.execute::<Report>(stream, Command::Delete { report }, meta).await;
    if let Some(tombstone) = tombstone(log, &stream).await.map_err(ExecuteError::Log)? {
        if let Err(error) = erase(log, team, &tombstone.deleted).await {
            tracing::warn!(%report, %error, "a deleted report's results are still to be erased");
        }
        *rollup = tombstone.rollup;
        if let Some(claim) = tombstone.claim {
            release(log, team, claim, report, meta).await?;
        }
    }
    executed.map(|executed| executed.position)
}

async fn erase(log: &EventLog, team: TeamId, deleted: &Deleted) -> Result<(), LogError> {
    // The document first: the janitor finds what has chunks.
    log.delete_raw(team, deleted.report, deleted.upload).await?;
    log.erase_chunks(team, deleted.report, deleted.upload, &deleted.chunks).await
}

async fn release(
    log: &EventLog,
    team: TeamId,
    claim: ClaimId,
    report: ReportId,
    meta: &CommandMeta,
) -> Result<(), ExecuteError<Reject>> {
    let meta = CommandMeta { command: CommandId::new(), request: None, ..meta.clone() };
    let command = claim::Command::Release { holder: report.0 };
    match log.execute::<claim::Claim>(StreamId::of(team, Kind::Claim, claim), command, &meta).await {
        // Somebody else holds it by now: it is free of us.
        Ok(_) | Err(ExecuteError::Rejected(_)) => Ok(()),
        Err(ExecuteError::Log(error)) => Err(ExecuteError::Log(error)),
        Err(ExecuteError::Conflict | ExecuteError::KeyReused) => Err(ExecuteError::Conflict),
    }
}

/// How a report ended.
struct Tombstone {
    deleted: Deleted,
    /// The claim on the document's own id that it held.
    claim: Option<ClaimId>,
    /// The roll-up that held what histories needed of it.
    rollup: Option<RollupId>,
}

/// The tombstone, if it is the last that happened to the report.
async fn tombstone(log: &EventLog, stream: &StreamId) -> Result<Option<Tombstone>, LogError> {
    let (mut held, mut rollup, mut found) = (None, None, None);
    for recorded in log.load(stream).await? {
        let events = recorded.commit.decode_events().map_err(|source| LogError::Decode { n: recorded.n, source })?;
        for event in events {
            match event {
                Event::Report(ReportEvent::Ingested(ingested)) => (held, rollup, found) = (ingested.claim, None, None),
                Event::Report(ReportEvent::Sealed(sealed)) => rollup = Some(sealed.rollup),
                Event::Report(ReportEvent::Deleted(deleted)) => {
                    found = Some(Tombstone { deleted, claim: held, rollup });
                }
                _ => {}
            }
        }
    }
    Ok(found)
}
