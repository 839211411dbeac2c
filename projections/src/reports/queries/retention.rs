//! What is kept, what is to be dropped, and what was.

use chrono::{DateTime, Utc};
use scaledtest_domain::{ProjectId, ReportId, RunId, TeamId, retention::Part};
use sqlx::PgPool;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Reports of a project that histories still need the results of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsealed {
    /// Whose.
    pub team: TeamId,
    /// Which project.
    pub project: ProjectId,
    /// In the order of the log.
    pub reports: Vec<ReportId>,
}

/// The parts that there are, the oldest of each class first.
///
/// # Errors
/// What the database says.
pub async fn parts(pool: &PgPool) -> Result<Vec<Part>, sqlx::Error> {
    let parts: Vec<i32> = sqlx::query_scalar("select part from reports.part order by part").fetch_all(pool).await?;
    Ok(parts.into_iter().map(Part).collect())
}

/// The reports of a part that are neither sealed nor of a run that is kept.
///
/// # Errors
/// What the database says.
pub async fn unsealed(pool: &PgPool, part: Part) -> Result<Vec<Unsealed>, sqlx::Error> {
    let rows: Vec<(Uuid, Uuid, Vec<Uuid>)> = sqlx::query_as(
        "select team_id, project_id, array_agg(id order by no) from reports.report
         where part = $1 and not sealed and not exists (select from reports.pin where pin.run_id = report.run_id)
         group by team_id, project_id order by team_id, project_id",
    )
    .bind(part.0)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(of_row).collect())
}

fn of_row((team, project, reports): (Uuid, Uuid, Vec<Uuid>)) -> Unsealed {
    Unsealed { team: TeamId(team), project: ProjectId(project), reports: reports.into_iter().map(ReportId).collect() }
}

/// What was kept beyond its time and is of no run any more that is kept, by where it lies.
///
/// # Errors
/// What the database says.
pub async fn let_go(pool: &PgPool) -> Result<BTreeMap<Part, Vec<Unsealed>>, sqlx::Error> {
    let parts: Vec<i32> =
        sqlx::query_scalar("select distinct part from reports.report where part < $1 and not sealed order by part")
            .bind(Part::FIRST.0)
            .fetch_all(pool)
            .await?;
    let mut found = BTreeMap::new();
    for part in parts.into_iter().map(Part) {
        found.insert(part, unsealed(pool, part).await?);
    }
    Ok(found)
}

/// The reports that a part has or had, by position, from after a position.
///
/// # Errors
/// What the database says.
pub async fn reports_of_part(
    pool: &PgPool,
    part: Part,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, TeamId, ReportId)>, sqlx::Error> {
    let rows: Vec<(i64, Uuid, Uuid)> =
        sqlx::query_as("select no, team_id, id from reports.report where part = $1 and no > $2 order by no limit $3")
            .bind(part.0)
            .bind(after)
            .bind(limit)
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().map(|(no, team, report)| (no, TeamId(team), ReportId(report))).collect())
}

/// Whether and how long the results of a run are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Since when somebody wants to keep them beyond their time.
    pub pinned_at: Option<DateTime<Utc>>,
    /// When the first of them may be dropped; absent if they are kept, or dropped already.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether some of them were dropped, or are about to be.
    pub dropped: bool,
}

/// That of a run; nothing is dropped of a run that is not there.
///
/// # Errors
/// What the database says.
pub async fn kept(pool: &PgPool, team: TeamId, run: RunId) -> Result<Kept, sqlx::Error> {
    let (pinned_at, dropped, parts): (Option<DateTime<Utc>>, bool, Vec<i32>) = sqlx::query_as(
        "select (select at from reports.pin where run_id = $1), coalesce(bool_or(sealed), false),
                coalesce(array_agg(part) filter (where not sealed), '{}')
         from reports.report where run_id = $1 and team_id = $2",
    )
    .bind(run.0)
    .bind(team.0)
    .fetch_one(pool)
    .await?;
    let expires_at = parts.into_iter().filter_map(|part| Part(part).expires()).min();
    Ok(Kept { pinned_at, expires_at: expires_at.filter(|_| pinned_at.is_none()), dropped })
}

/// A part as the administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSize {
    /// Which.
    pub part: Part,
    /// Its reports.
    pub reports: i64,
    /// Their results.
    pub results: i64,
    /// What its results take in the database, tables and indexes, bytes.
    pub bytes: i64,
}

/// All parts with their sizes, also where what is kept lies, by number.
///
/// # Errors
/// What the database says.
pub async fn part_sizes(pool: &PgPool) -> Result<Vec<PartSize>, sqlx::Error> {
    let rows: Vec<(i32, i64, i64, i64)> = sqlx::query_as(
        "select part, count(*), least(sum(tests), 9223372036854775807)::bigint,
                coalesce(pg_total_relation_size(to_regclass('reports.result_p' || part)), 0)
                + coalesce(pg_total_relation_size(to_regclass('reports.attempt_p' || part)), 0)
         from reports.report where not dropped group by part order by part",
    )
    .fetch_all(pool)
    .await?;
    let size = |(part, reports, results, bytes)| PartSize { part: Part(part), reports, results, bytes };
    Ok(rows.into_iter().map(size).collect())
}
