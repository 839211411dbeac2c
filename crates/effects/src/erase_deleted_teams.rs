//! Deletes the reports of deleted teams, also those that an upload brought in at the last moment.

use crate::delete_report::{delete, forget};
use chrono::{DateTime, Utc};
use scaledtest_commands::report::Reject;
use scaledtest_domain::{CommandId, ReportId, RollupId, TeamId};
use scaledtest_eventlog::{CommandMeta, EventLog, ExecuteError};
use scaledtest_projections::{access::queries as access, reports::queries as reports};
use sqlx::PgPool;
use std::collections::BTreeSet;

/// Reports read at once.
const PAGE: i64 = 200;

/// Why not all was deleted.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// What the log says.
    #[error(transparent)]
    Log(#[from] ExecuteError<Reject>),
    /// What the database says.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Looks for deleted teams that still have reports, and deletes these; returns how many. The teams themselves are out of
/// everybody's reach already.
///
/// # Errors
/// See [`EraseError`]; the next time goes on.
pub async fn erase_deleted_teams(log: &EventLog, pool: &PgPool, now: DateTime<Utc>) -> Result<u64, EraseError> {
    let mut erased = 0;
    for team in access::deleted_teams_with_reports(pool).await? {
        let (mut after, mut rollups) = (0, BTreeSet::new());
        loop {
            let page = reports::ids_of_team(pool, team, after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (_, report) in page {
                let mut rollup = None;
                erased += u64::from(erase(log, team, report, now, &mut rollup).await?);
                rollups.extend(rollup);
            }
        }
        // Once for all reports of each.
        for rollup in rollups {
            forget(log, team, rollup, now).await;
        }
    }
    Ok(erased)
}

async fn erase(
    log: &EventLog,
    team: TeamId,
    report: ReportId,
    now: DateTime<Utc>,
    rollup: &mut Option<RollupId>,
) -> Result<bool, EraseError> {
    match delete(log, team, report, &CommandMeta::of_system(CommandId::new(), now), rollup).await {
        Ok(_) => Ok(true),
        // The read model has not heard of it yet.
        Err(ExecuteError::Rejected(Reject::NotFound)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
