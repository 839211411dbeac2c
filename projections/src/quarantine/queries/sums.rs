//! What quarantine has saved, and what it costs.

use chrono::{DateTime, Utc};
use scaledtest_domain::TeamId;
use sqlx::{FromRow, PgPool};

/// Muted failures that are looked at, at most: the newest.
const FAILURES: i64 = 20_000;

/// Sums over a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, FromRow)]
pub struct Sums {
    /// Tests in quarantine now.
    pub active: i64,
    /// Of these, that come out within three days.
    pub expiring: i64,
    /// Tests that were in quarantine, times the days that they were.
    pub test_days: f64,
    /// Runs in which everything that failed was in quarantine, and failed in a way that was known.
    pub rescued_runs: i64,
    /// What these runs took, milliseconds: what running them again would have.
    pub rescued_ms: i64,
}

/// Sums over what was in quarantine from `since` to `now`, of a team or one of its projects (named, or by its id).
///
/// A failure is muted if its test was in quarantine when the run began, and had failed in this way before.
///
/// # Errors
/// What the database says.
pub async fn sums(
    pool: &PgPool,
    team: TeamId,
    project: Option<&str>,
    (since, now): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Sums, sqlx::Error> {
    sqlx::query_as(
        "with stay as materialized (
           select entry.project_id, entry.entered_at, entry.ends_at, coalesce(alias.target_id, entry.test_id) as test_id
           from quarantine.entry left join history.project on project.id = entry.project_id
           left join history.alias on alias.from_id = entry.test_id
           where entry.team_id = $1 and ends_at > $3 and ($2::text is null or project.name = $2 or entry.project_id::text = $2)
         ), muted as materialized (
           select failure.no, failure.idx, fact.run_id
           from stay join history.failure on failure.test_id = stay.test_id and failure.project_id = stay.project_id
           join history.fact on fact.no = failure.no
           where failure.at >= greatest(stay.entered_at, $3) and failure.at < stay.ends_at and failure.at <= $4
             and not failure.flaked
             and (failure.fingerprint = '00000000-0000-0000-0000-000000000000' or exists (
               select from history.error one
               join history.error kind on kind.project_id = one.project_id and kind.cluster_id = one.cluster_id
               join history.failure earlier on earlier.test_id = failure.test_id and earlier.fingerprint = kind.fingerprint
               where one.project_id = failure.project_id and one.fingerprint = failure.fingerprint
                 and earlier.at <= failure.at and earlier.no <> failure.no))
           order by failure.at desc limit $5
         ), rescued as (
           select run_id, sum(fact.duration_ms) as took from history.fact
           where run_id in (select run_id from muted) and not exists (
             select from history.fact other join history.failure on failure.no = other.no
             where other.run_id = fact.run_id and not failure.flaked
               and not exists (select from muted where muted.no = failure.no and muted.idx = failure.idx))
           group by run_id
         )
         select (select count(*) from stay where ends_at > $4) as active,
                (select count(*) from stay where ends_at > $4 and ends_at <= $4 + interval '3 days') as expiring,
                (select coalesce(sum(extract(epoch from least(ends_at, $4) - greatest(entered_at, $3))), 0)::double precision
                 from stay where entered_at < $4) / 86400 as test_days,
                (select count(*) from rescued) as rescued_runs,
                (select coalesce(sum(took), 0)::bigint from rescued) as rescued_ms",
    )
    .bind(team.0)
    .bind(project)
    .bind(since)
    .bind(now)
    .bind(FAILURES)
    .fetch_one(pool)
    .await
}
