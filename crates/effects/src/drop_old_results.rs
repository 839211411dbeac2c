//! Drops results whose time is over.
//!
//! What histories need of them is written down first ([`crate::rollups`]); then the part is dropped, which takes its rows out
//! of the read models; then bodies and documents are erased from the log. Every step can break off: the next round goes on,
//! and the janitor erases what a dropped part has left.

use crate::rollups::{Batch, RollupError};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_commands::{Part as PartDecider, Report, part, report};
use scaledtest_domain::{CommandId, Kind, ReportId, StreamId, TeamId, retention::Part};
use scaledtest_eventlog::{CommandMeta, EventLog, ExecuteError, LogError};
use scaledtest_projections::reports::queries::{self, Unsealed};
use sqlx::PgPool;

/// Beyond its time a part rests so long: an upload may still be on its way, or the read models behind.
const REST: TimeDelta = TimeDelta::days(1);
/// Reports read at once.
const PAGE: i64 = 500;

/// Why a round broke off.
#[derive(Debug, thiserror::Error)]
pub enum DropError {
    /// A roll-up was not written.
    #[error(transparent)]
    Rollup(#[from] RollupError),
    /// What the log says.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What it says of a command.
    #[error(transparent)]
    Command(#[from] ExecuteError<part::Reject>),
    /// What the database says.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Parts that were dropped.
    pub parts: u64,
    /// Reports whose results are gone with them.
    pub reports: u64,
}

/// One round: drops every part whose time is over, and what was kept beyond its time and need not be any more.
///
/// # Errors
/// See [`DropError`]; the next round goes on.
pub async fn drop_old_results(log: &EventLog, pool: &PgPool, now: DateTime<Utc>) -> Result<Dropped, DropError> {
    let mut dropped = Dropped::default();
    for part in queries::parts(pool).await?.into_iter().filter(|part| is_due(*part, now)) {
        let unsealed = queries::unsealed(pool, part).await?;
        seal(log, part, &unsealed, now).await?;
        let (stream, meta) = (StreamId::global(Kind::Part, part.id()), CommandMeta::of_system(CommandId::new(), now));
        log.execute::<PartDecider>(stream, part::Command::Drop { part }, &meta).await?;
        dropped.parts += 1;
        let mut after = 0;
        loop {
            let page = queries::reports_of_part(pool, part, after, PAGE).await?;
            let Some((last, ..)) = page.last() else { break };
            after = *last;
            for (_, team, report) in page {
                dropped.reports += u64::from(erase(log, team, report).await?);
            }
        }
    }
    for (part, unsealed) in queries::let_go(pool).await? {
        seal(log, part, &unsealed, now).await?;
        for one in unsealed {
            for report in one.reports {
                dropped.reports += u64::from(erase(log, one.team, report).await?);
            }
        }
    }
    Ok(dropped)
}

fn is_due(part: Part, now: DateTime<Utc>) -> bool {
    part.expires().is_some_and(|expires| expires + REST <= now)
}

async fn seal(log: &EventLog, part: Part, unsealed: &[Unsealed], now: DateTime<Utc>) -> Result<(), RollupError> {
    for Unsealed { team, project, reports } in unsealed {
        Batch { team: *team, project: *project, part }.seal(log, reports, now).await?;
    }
    Ok(())
}

/// Erases the results and the document of a report of a part that was dropped, if it is sealed.
async fn erase(log: &EventLog, team: TeamId, report: ReportId) -> Result<bool, LogError> {
    let state = log.state::<Report>(&StreamId::of(team, Kind::Report, report)).await?;
    let Some(live) = state.live.filter(|live| live.rollup.is_some()) else { return Ok(false) };
    log.delete_raw(team, report, live.upload).await?;
    log.erase_chunks(team, report, live.upload, &live.chunks).await?;
    Ok(true)
}

/// Whether what was uploaded is covered by a roll-up, and its part dropped.
pub(crate) async fn is_dropped(log: &EventLog, live: &report::Live) -> Result<bool, LogError> {
    if live.rollup.is_none() {
        return Ok(false);
    }
    Ok(log.state::<PartDecider>(&StreamId::global(Kind::Part, live.part.id())).await?.dropped)
}
