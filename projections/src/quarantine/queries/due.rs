//! What the sweep has to look at.

use crate::history::{
    queries::{clean_runs, usual_branch},
    series::state_of,
};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::{ProjectId, QuarantineId, TeamId, TestId};
use scaledtest_insight::{Mass, State};
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// A stay that was not ended.
#[derive(Debug, Clone, Copy, FromRow)]
pub struct Open {
    id: Uuid,
    team_id: Uuid,
    project_id: Uuid,
    test_id: Uuid,
    /// Since when.
    pub entered_at: DateTime<Utc>,
    /// When its time is over.
    pub expires_at: DateTime<Utc>,
    /// Whether the policy put it there.
    pub by_policy: bool,
}

impl Open {
    /// Which.
    pub fn id(&self) -> QuarantineId {
        self.id.into()
    }

    /// Whose.
    pub fn team(&self) -> TeamId {
        self.team_id.into()
    }

    /// Which test.
    pub fn test(&self) -> TestId {
        self.test_id.into()
    }
}

const OPEN: &str = "select id, team_id, project_id, test_id, entered_at, expires_at, user_id is null as by_policy \
    from quarantine.entry where released_at is null";

/// Stays whose time is over and that nobody has ended, the longest over first.
///
/// # Errors
/// What the database says.
pub async fn expired(pool: &PgPool, now: DateTime<Utc>, limit: i64) -> Result<Vec<Open>, sqlx::Error> {
    let sql = format!("{OPEN} and expires_at <= $1 order by expires_at, id limit $2");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(now).bind(limit).fetch_all(pool).await
}

/// Stays that nobody has ended, by id, after this one.
///
/// # Errors
/// What the database says.
pub async fn open_entries(pool: &PgPool, after: Option<Uuid>, limit: i64) -> Result<Vec<Open>, sqlx::Error> {
    let sql = format!("{OPEN} and ($1::uuid is null or id > $1) order by id limit $2");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(after).bind(limit).fetch_all(pool).await
}

/// How a test fares on its project's usual branch, over all its variants: the worst of them counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The worst state.
    pub state: State,
    /// The highest upper bound of the flakiness score.
    pub score_high: f64,
    /// Clean runs in a row since then, up to now; at most 30.
    pub clean: usize,
}

/// How the test of a stay fares; none if it does not run there.
///
/// # Errors
/// What the database says.
pub async fn standing(pool: &PgPool, open: &Open) -> Result<Option<Standing>, sqlx::Error> {
    let Some(branch) = usual_branch(pool, open.project_id).await? else { return Ok(None) };
    let series: Vec<(i16, f64, Vec<u8>)> = sqlx::query_as(
        "select state, score_high, seen from history.series where branch_id = $1 and last_at > $3
           and test_id = coalesce((select target_id from history.alias where from_id = $2), $2)",
    )
    .bind(branch.id)
    .bind(open.test_id)
    .bind(open.entered_at)
    .fetch_all(pool)
    .await?;
    let mut worst: Option<Standing> = None;
    for (state, score_high, seen) in series {
        let clean = clean_runs(pool, branch.id, &seen, open.entered_at).await?;
        let one = Standing { state: state_of(state), score_high, clean };
        worst = Some(worst.map_or(one, |worst| Standing {
            state: worst.state.max(one.state),
            score_high: worst.score_high.max(one.score_high),
            clean: worst.clean.min(one.clean),
        }));
    }
    Ok(worst)
}

/// A flaky test that is not in quarantine.
#[derive(Debug, Clone, FromRow)]
pub struct Candidate {
    test_id: Uuid,
    /// The branch on which it is flaky.
    pub branch: String,
    /// Mean, lower and upper bound of its flakiness score.
    pub score: f64,
    #[allow(missing_docs, reason = "see `score`")]
    pub score_low: f64,
    #[allow(missing_docs, reason = "see `score`")]
    pub score_high: f64,
    /// Runs that this is known from.
    pub runs: i32,
    /// When it failed last, or passed only after a failure.
    pub failed_at: DateTime<Utc>,
}

impl Candidate {
    /// Which test.
    pub fn test(&self) -> TestId {
        self.test_id.into()
    }
}

/// What a policy may still take.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    /// The flakiest first.
    pub tests: Vec<Candidate>,
    /// Tests of the project's usual branch.
    pub of: i64,
    /// Of the project, in quarantine already.
    pub active: i64,
    /// Of these, with this owner.
    pub active_of_owner: i64,
}

/// Flaky tests of a project's usual branch that a policy may take: that ran within 14 days, are broken in no variant, and are
/// not in quarantine. One that was there before must have failed again since; what somebody released, or what stayed until
/// the end, is left alone for `pause`. None after a run that failed as a whole.
///
/// # Errors
/// What the database says.
pub async fn candidates(
    pool: &PgPool,
    project: ProjectId,
    owner: Option<&str>,
    (pause, now): (TimeDelta, DateTime<Utc>),
    limit: i64,
) -> Result<Candidates, sqlx::Error> {
    let Some(branch) = usual_branch(pool, project.0).await? else { return Ok(Candidates::default()) };
    if branch.mass != Mass::Ordinary {
        return Ok(Candidates::default());
    }
    let tests: Vec<Candidate> = sqlx::query_as(
        "select * from (
           select distinct on (flaky.test_id) flaky.test_id, $2::text as branch, score, score_low, score_high, runs, failed_at
           from history.series flaky
           where branch_id = $1 and state = 1 and failed_at is not null and last_at > $3 - interval '14 days'
             and not exists (select from history.series broken
                             where broken.branch_id = $1 and broken.test_id = flaky.test_id and broken.state = 2)
             and not exists (select from quarantine.entry
                             where (entry.test_id = flaky.test_id
                                    or entry.test_id in (select from_id from history.alias where target_id = flaky.test_id))
                               and entry.project_id = $4
                               and (ends_at > $3 or ends_at >= flaky.failed_at
                                    or ends_at > $5 and coalesce(released_why, 'expired') in ('hand', 'expired')))
           order by flaky.test_id, score_low desc, variant) found
         order by score_low desc, test_id limit $6",
    )
    .bind(branch.id)
    .bind(&branch.name)
    .bind(now)
    .bind(project.0)
    .bind(now - pause)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    if tests.is_empty() {
        return Ok(Candidates::default());
    }
    let (of, active, active_of_owner) = sqlx::query_as(
        "select (select count(distinct test_id) from history.series where branch_id = $1), count(*),
                count(*) filter (where owner = $4)
         from quarantine.entry where project_id = $2 and ends_at > $3",
    )
    .bind(branch.id)
    .bind(project.0)
    .bind(now)
    .bind(owner)
    .fetch_one(pool)
    .await?;
    Ok(Candidates { tests, of, active, active_of_owner })
}
