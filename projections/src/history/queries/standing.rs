//! How the tests of a project fare where it matters: on its usual branch.

use super::test::{Point, points};
use crate::history::{
    facts::Facts,
    seen::{self, Seen},
};
use chrono::{DateTime, Utc};
use scaledtest_insight::Mass;
use sqlx::PgPool;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Reports that tell what is usual.
const REPORTS: i64 = 100;
/// Clean runs that are counted, at most.
const CLEAN: usize = 30;
/// Reports of a test that are looked at for these.
const ENTRIES: usize = 120;

/// The default branch of a project, or the busiest one where nothing ran on that.
#[derive(Debug, Clone)]
pub struct UsualBranch {
    /// Which.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// How its newest run failed as a whole.
    pub mass: Mass,
}

/// The branch of a project that the explorer shows; none if nothing ran yet.
///
/// # Errors
/// What the database says.
pub async fn usual_branch(pool: &PgPool, project: Uuid) -> Result<Option<UsualBranch>, sqlx::Error> {
    let Some((id, name)) = usual_branch_name(pool, project).await? else { return Ok(None) };
    let newest = Point::newest(pool, id, REPORTS).await?;
    let facts = Facts::new(newest.iter().map(Point::fact).collect());
    let last = newest.iter().max_by_key(|point| point.at);
    Ok(Some(UsualBranch { id, name, mass: last.map_or(Mass::Ordinary, |last| facts.mass(last.run_id)) }))
}

/// Its id and name.
pub(super) async fn usual_branch_name(pool: &PgPool, project: Uuid) -> Result<Option<(Uuid, String)>, sqlx::Error> {
    sqlx::query_as(
        "select branch.id, branch.name from history.branch join history.project on project.id = branch.project_id
         where branch.project_id = $1
         order by branch.name = project.default_branch desc, branch.reports desc, branch.name limit 1",
    )
    .bind(project)
    .fetch_optional(pool)
    .await
}

/// Runs in a row in which a test passed at the first attempt, from the newest one back to `since`; at most 30. Runs in which
/// it did not run neither count nor interrupt.
///
/// # Errors
/// What the database says.
pub async fn clean_runs(pool: &PgPool, branch: Uuid, seen: &[u8], since: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let entries = seen::decode(seen);
    let newest = entries.iter().rev().filter(|entry| entry.seen != Seen::NotRun).take(ENTRIES);
    let clean: Vec<u32> = newest.take_while(|entry| entry.seen == Seen::Passed).map(|entry| entry.seq).collect();
    let points = points(pool, branch, clean.into_iter()).await?;
    let runs: BTreeSet<Uuid> = points.values().filter(|point| point.at > since).map(|point| point.run_id).collect();
    Ok(runs.len().min(CLEAN))
}
