//! One test: everywhere it runs, and what became of it on one branch.

use super::durations::{DurationShift, shifts, timed};
use super::explorer::{COLUMNS, TABLES, TestRow};
use crate::history::{
    facts::{FACTS, Fact, Facts},
    seen,
    series::assess_as_of_newest,
};
use chrono::{DateTime, Utc};
use scaledtest_domain::TeamId;
use scaledtest_insight::{changepoint::Shift, evidence::Signal, state::Rule};
use sqlx::{AssertSqlSafe, FromRow, PgPool, Postgres, QueryBuilder, Row, postgres::PgRow};
use std::collections::HashMap;
use uuid::Uuid;

/// Series of a test that are listed, at most.
const SERIES: i64 = 200;
/// Kinds of failure that are listed, at most.
const ERRORS: i64 = 20;
/// Flaky verdicts that are listed, at most.
const EVIDENCE: usize = 20;
/// Change points that are listed, at most.
const CHANGES: usize = 10;

/// A report on a branch, as a point of a history.
#[derive(Debug, Clone)]
pub struct Point {
    seq: i32,
    /// The report.
    pub report_id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// When the run was.
    pub at: DateTime<Utc>,
    /// Its commit.
    pub commit: Option<String>,
    /// Its pull request.
    pub change: Option<String>,
    passed: i64,
    failed: i64,
}

/// By place, not by name: hundreds are read at once.
impl FromRow<'_, PgRow> for Point {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seq: row.try_get(0)?,
            report_id: row.try_get(1)?,
            run_id: row.try_get(2)?,
            at: row.try_get(3)?,
            commit: row.try_get(4)?,
            change: row.try_get(5)?,
            passed: row.try_get(6)?,
            failed: row.try_get(7)?,
        })
    }
}

impl Point {
    /// All of them; a condition follows.
    pub(super) const SELECT: &str =
        "select seq, report_id, run_id, at, commit, change, passed, failed from history.fact where ";

    /// The newest reports of a branch, newest first.
    pub(super) async fn newest(pool: &PgPool, branch: Uuid, limit: i64) -> Result<Vec<Self>, sqlx::Error> {
        let sql = [Self::SELECT, "branch_id = $1 order by seq desc limit $2"].concat();
        sqlx::query_as(AssertSqlSafe(sql)).bind(branch).bind(limit).fetch_all(pool).await
    }

    /// The order of the runs of a branch.
    pub(super) fn order(&self) -> (DateTime<Utc>, i32) {
        (self.at, self.seq)
    }

    /// Its number on the branch.
    pub(super) fn seq(&self) -> u32 {
        u32::try_from(self.seq).unwrap_or_default()
    }

    /// As the series of its branch see it.
    pub(super) fn fact(&self) -> Fact {
        let names = (self.commit.as_deref(), self.change.as_deref());
        Fact::new((self.seq(), self.run_id, self.at), names, (self.passed, self.failed))
    }
}

/// A flaky verdict.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// What kind.
    pub signal: Signal,
    /// The report with the failure.
    pub point: Point,
}

/// Where a test's probability of failing changed.
#[derive(Debug, Clone)]
pub struct ShiftOf {
    /// How.
    pub shift: Shift,
    /// The first run after it, most likely.
    pub at: Point,
    /// The first run after it, at the earliest (99 %).
    pub earliest: Point,
    /// The first run after it, at the latest (99 %).
    pub latest: Point,
    /// The last run that is surely before it.
    pub before: Option<Point>,
    /// Share of failing runs before and after.
    pub shares: (f64, f64),
}

/// What is known of one series.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Its branch.
    pub branch: String,
    /// Its variant.
    pub variant: i64,
    /// Which rule decided on the state; none if it never failed.
    pub rule: Option<Rule>,
    /// Transitions by pairs of runs.
    pub flip_rate: Option<f64>,
    /// Newest first.
    pub evidence: Vec<Evidence>,
    /// Newest first.
    pub changes: Vec<ShiftOf>,
    /// Newest first.
    pub durations: Vec<DurationShift>,
}

/// A way in which a test failed.
#[derive(Debug, Clone, FromRow)]
#[allow(missing_docs, reason = "as in ErrorKind")]
pub struct ErrorOfTest {
    pub fingerprint: Uuid,
    pub message: String,
    /// Fingerprints of the error that this test failed with.
    pub variants: i64,
    pub failures: i64,
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
}

/// A test.
#[derive(Debug, Clone)]
pub struct TestDetail {
    /// On every branch and in every variant, the newest run first.
    pub series: Vec<TestRow>,
    /// The one that was asked for.
    pub chosen: Option<Chosen>,
    /// Most frequent first.
    pub errors: Vec<ErrorOfTest>,
}

/// What one report said of a test.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which report.
    pub point: Point,
    /// What it said.
    pub seen: seen::Seen,
    /// How long it took, within 6 %; known of the newest runs that passed at once.
    pub duration_ms: Option<i64>,
}

#[derive(FromRow)]
struct SeriesColumns {
    branch_id: Uuid,
    branch: String,
    variant: i64,
    seen: Vec<u8>,
    durations: Vec<u8>,
    last_seq: i32,
}

/// What a test has become, if it was renamed; else itself.
pub(crate) fn push_target(query: &mut QueryBuilder<Postgres>, test: Uuid) {
    query.push("coalesce((select target_id from history.alias where from_id = ").push_bind(test).push("), ");
    query.push_bind(test).push(")");
}

/// A test of a team, or what it has become; the chosen series is that of the branch and variant, else of the default branch, else the newest.
///
/// # Errors
/// What the database says.
pub async fn get_test(
    pool: &PgPool,
    team: TeamId,
    test: Uuid,
    (branch, variant): (Option<&str>, Option<i64>),
) -> Result<Option<TestDetail>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new("select ");
    query.push(COLUMNS).push(", 0::double precision as key").push(TABLES);
    query.push(" where test.id = ");
    push_target(&mut query, test);
    query.push(" and project.team_id = ").push_bind(team.0);
    query.push(" order by series.last_at desc, branch.name, series.variant limit ").push_bind(SERIES);
    let series: Vec<TestRow> = query.build_query_as().fetch_all(pool).await?;
    let Some(test) = series.first().map(|row| row.id) else { return Ok(None) };
    let chosen = match choose(pool, team, test, (branch, variant)).await? {
        Some(columns) => Some(explain(pool, columns).await?),
        None => None,
    };
    let errors = sqlx::query_as(
        "with named as (
           select error.cluster_id, sum(named.failures)::bigint as failures, array_agg(fingerprint) as kinds
           from history.error_test named join history.error using (project_id, fingerprint)
           where named.project_id = $2 and named.test_id = $1 group by error.cluster_id
           order by failures desc, cluster_id limit $3
         ) select named.cluster_id as fingerprint, error.message, named.failures, cardinality(kinds)::bigint as variants,
                  times.first_seen, times.last_seen
           from named join history.error on error.project_id = $2 and error.fingerprint = named.cluster_id
           cross join lateral (select min(at) as first_seen, max(at) as last_seen from history.failure f
                               where f.test_id = $1 and f.fingerprint = any(kinds)) times
           order by named.failures desc, named.cluster_id",
    )
    .bind(test)
    .bind(series[0].project_id)
    .bind(ERRORS)
    .fetch_all(pool)
    .await?;
    Ok(Some(TestDetail { series, chosen, errors }))
}

/// What the newest reports of a series said, newest first; empty if there is no such series.
///
/// # Errors
/// What the database says.
pub async fn test_history(
    pool: &PgPool,
    team: TeamId,
    test: Uuid,
    wanted: (Option<&str>, Option<i64>),
    limit: u32,
) -> Result<Vec<Seen>, sqlx::Error> {
    let Some(columns) = choose(pool, team, test, wanted).await? else { return Ok(Vec::new()) };
    let entries = seen::decode(&columns.seen);
    let timed = timed(&entries, &columns.durations);
    let newest = || entries.iter().rev().take(limit as usize);
    let points = points(pool, columns.branch_id, newest().map(|entry| entry.seq)).await?;
    let mut runs: Vec<Seen> = newest()
        .filter_map(|entry| {
            let duration_ms = timed.get(&entry.seq).copied().map(i64::from);
            Some(Seen { point: points.get(&entry.seq)?.clone(), seen: entry.seen, duration_ms })
        })
        .collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.point.order()));
    Ok(runs)
}

async fn choose(
    pool: &PgPool,
    team: TeamId,
    test: Uuid,
    (branch, variant): (Option<&str>, Option<i64>),
) -> Result<Option<SeriesColumns>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select branch.id as branch_id, branch.name as branch, series.variant, series.seen, series.durations,
                series.last_seq",
    );
    query.push(TABLES).push(" where test.id = ");
    push_target(&mut query, test);
    query.push(" and project.team_id = ").push_bind(team.0);
    if let Some(branch) = branch {
        query.push(" and branch.name = ").push_bind(branch.to_owned());
    }
    if let Some(variant) = variant {
        query.push(" and series.variant = ").push_bind(variant);
    }
    query.push(
        " order by branch.name = project.default_branch desc, series.last_at desc, branch.name, series.variant limit 1",
    );
    query.build_query_as().fetch_optional(pool).await
}

async fn explain(pool: &PgPool, columns: SeriesColumns) -> Result<Chosen, sqlx::Error> {
    let SeriesColumns { branch_id, branch, variant, seen, durations, last_seq } = columns;
    let entries = seen::decode(&seen);
    let timed = timed(&entries, &durations);
    let (evidence, changes, durations) = (Vec::new(), Vec::new(), Vec::new());
    let mut chosen = Chosen { branch, variant, rule: None, flip_rate: None, evidence, changes, durations };
    if !entries.iter().any(|entry| matches!(entry.seen, seen::Seen::Failed { .. })) {
        // Nothing else needs to be known of a test that never failed.
        chosen.durations = shifts(&timed, &points(pool, branch_id, timed.keys().copied()).await?);
        return Ok(chosen);
    }
    let points = points_up_to(pool, branch_id, last_seq).await?;
    chosen.durations = shifts(&timed, &points);
    let facts = Facts::new(points.values().map(Point::fact).collect());
    let (seqs, observed) = facts.observations(entries.iter().copied());
    let Some(found) = assess_as_of_newest(&observed) else { return Ok(chosen) };
    let point = |index: usize| points.get(seqs.get(index)?).cloned();
    let newest = found.evidence.iter().rev().take(EVIDENCE);
    chosen.evidence =
        newest.filter_map(|one| Some(Evidence { signal: one.signal, point: point(one.index)? })).collect();
    let told = || entries.iter().filter_map(|entry| points.get(&entry.seq));
    let changes = found.changes.iter().rev().take(CHANGES).filter_map(|change| {
        let earliest = point(change.earliest)?;
        let before = told().filter(|point| point.order() < earliest.order());
        Some(ShiftOf {
            shift: change.shift,
            at: point(change.at)?,
            before: before.max_by_key(|point| point.order()).cloned(),
            earliest,
            latest: point(change.latest)?,
            shares: (change.before, change.after),
        })
    });
    chosen.changes = changes.collect();
    (chosen.rule, chosen.flip_rate) = (Some(found.rule), found.flip_rate);
    Ok(chosen)
}

/// What a series is assessed with: the reports of its branch up to its newest one.
async fn points_up_to(pool: &PgPool, branch: Uuid, last: i32) -> Result<HashMap<u32, Point>, sqlx::Error> {
    let first = last.saturating_sub(i32::try_from(FACTS).unwrap_or(i32::MAX));
    let sql = [Point::SELECT, "branch_id = $1 and seq between $2 and $3"].concat();
    let points = sqlx::query_as(AssertSqlSafe(sql)).bind(branch).bind(first).bind(last).fetch_all(pool).await?;
    Ok(by_number(points))
}

/// Reports of a branch by number.
pub(super) async fn points(
    pool: &PgPool,
    branch: Uuid,
    numbers: impl Iterator<Item = u32>,
) -> Result<HashMap<u32, Point>, sqlx::Error> {
    let numbers: Vec<i32> = numbers.filter_map(|seq| i32::try_from(seq).ok()).collect();
    let sql = [Point::SELECT, "branch_id = $1 and seq = any($2)"].concat();
    Ok(by_number(sqlx::query_as(AssertSqlSafe(sql)).bind(branch).bind(numbers).fetch_all(pool).await?))
}

fn by_number(points: Vec<Point>) -> HashMap<u32, Point> {
    points.into_iter().map(|point| (point.seq(), point)).collect()
}

/// How often the outcome changed from run to run in the newest runs, and how many runs these are: the original's measure, but
/// on one branch and in one variant, and without runs in which the test did not run.
pub fn flips(row: &TestRow) -> (u32, u32) {
    let outcomes: Vec<bool> = row
        .entries()
        .iter()
        .filter_map(|entry| entry.seen.outcome())
        .map(|outcome| outcome == scaledtest_insight::Outcome::Failed)
        .collect();
    let flips = outcomes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    (u32::try_from(flips).unwrap_or(u32::MAX), u32::try_from(outcomes.len()).unwrap_or(u32::MAX))
}
