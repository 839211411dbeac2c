//! What rules look at, read from the reports and the histories.

use crate::{
    history::{branch_id, queries as history},
    reports::queries as reports,
};
use futures_util::TryStreamExt;
use scaledtest_domain::{
    ReportId, RunId, TeamId,
    gate::{Baseline, Check, Rule, Seen},
    report::Counts,
};
use scaledtest_insight::gate::{Group, Inputs, Judged, Named, NewTest, Required, Timed};
use sqlx::{FromRow, PgPool, types::Json};
use std::collections::HashMap;
use uuid::Uuid;

/// Tests of a kind that are listed, at most.
const LISTED: i64 = 10_000;
/// The results of the reports with these numbers: the part chooses the partition.
const RESULTS: &str = "from reports.report join reports.test_result result on result.part = report.part
     and result.report_no = report.no left join history.alias on alias.from_id = result.test_id
     left join history.test on test.id = coalesce(alias.target_id, result.test_id)
     where report.run_id = $1 and report.team_id = $2";

/// What a result's test has become, if it was renamed; else itself.
const TEST_ID: &str = "coalesce(alias.target_id, result.test_id)";

/// The columns of a [`TestRow`].
const TEST: &str = "result.name, result.file_path, result.tags, test.owners";

#[derive(FromRow)]
struct TestRow {
    name: String,
    file_path: Option<String>,
    tags: Vec<String>,
    /// None only while the histories do not know the test.
    owners: Option<Json<Vec<String>>>,
}

impl From<TestRow> for Named {
    fn from(row: TestRow) -> Self {
        Self { name: row.name, path: row.file_path, tags: row.tags, owners: owners(row.owners) }
    }
}

#[derive(FromRow)]
struct Placed {
    test_id: Uuid,
    #[sqlx(flatten)]
    test: TestRow,
}

fn owners(owners: Option<Json<Vec<String>>>) -> Vec<String> {
    owners.map(|owners| owners.0).unwrap_or_default()
}

/// A run and what its failures mean: the same for every gate.
#[derive(Debug)]
pub struct Known {
    team: TeamId,
    /// The run.
    pub run: reports::Run,
    list: Vec<reports::Report>,
    verdict: history::RunVerdict,
}

impl Known {
    /// A run of a team; none if the run, or one of its reports, is not (or not yet) in the read models.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(
        (pool, recent): (&PgPool, &history::Recent),
        team: TeamId,
        (run_id, report): (RunId, Option<ReportId>),
    ) -> Result<Option<Self>, sqlx::Error> {
        match reports::get_run(pool, team, run_id).await? {
            Some(run) => Self::of((pool, recent), team, run, report).await,
            None => Ok(None),
        }
    }

    /// As [`Known::load`], of a run that was read already.
    ///
    /// # Errors
    /// What the database says.
    pub async fn of(
        (pool, recent): (&PgPool, &history::Recent),
        team: TeamId,
        run: reports::Run,
        report: Option<ReportId>,
    ) -> Result<Option<Self>, sqlx::Error> {
        let list = reports::reports_of_run(pool, team, run.id).await?;
        if report.is_some_and(|report| list.iter().all(|one| one.id != report))
            || !is_followed(pool, run.id, &list).await?
        {
            return Ok(None);
        }
        let verdict = history::run_verdict(pool, recent, team, run.id).await?;
        Ok(verdict.map(|verdict| Self { team, run, list, verdict }))
    }

    /// What the rules look at, as far as they ask.
    ///
    /// # Errors
    /// What the database says.
    pub async fn inputs(&self, pool: &PgPool, rules: &[Rule]) -> Result<Inputs, sqlx::Error> {
        let Self { team, run, list, verdict } = self;
        let (team, run_id) = (*team, run.id);
        let asks = |wanted: fn(&Check) -> bool| rules.iter().any(|rule| wanted(&rule.check));
        let base_run = verdict.baseline.as_ref().and_then(|base| base.run_id);
        let base_branch = verdict.baseline.as_ref().map(|base| branch_id(run.project_id.0, &base.branch));
        let mut inputs = Inputs {
            groups: groups(pool, team, run_id, rules.iter().any(|rule| rule.scope.is_some())).await?,
            declared: declared(list),
            missing_shards: run.missing_shards(),
            baseline: verdict.baseline.as_ref().map(|base| Baseline {
                branch: base.branch.clone(),
                run: base.run_id.map(RunId),
                commit: base.commit.clone(),
            }),
            truncated: verdict.truncated,
            ..Inputs::default()
        };
        inputs.failing = Some(failing(pool, team, run_id, &verdict.failing).await?);
        if asks(|check| matches!(check, Check::NoNewFingerprints)) {
            inputs.new_errors = Some(new_errors(pool, team, run_id).await?);
        }
        if asks(|check| matches!(check, Check::NewTestsStable { .. })) {
            inputs.new_tests = Some(new_tests(pool, team, run_id, base_branch).await?);
        }
        if asks(|check| matches!(check, Check::RequiredTests { .. })) {
            inputs.required = required(pool, team, run_id, rules).await?;
        }
        if asks(|check| matches!(check, Check::TestsNotRemoved { .. })) {
            inputs.removed = removed(pool, team, run_id, base_run).await?;
        }
        if asks(|check| matches!(check, Check::DurationRegression { .. })) {
            inputs.slower = Some(slower(pool, team, run_id, base_branch).await?);
        }
        if asks(|check| matches!(check, Check::FlakyBudget { .. })) {
            (inputs.flaky, inputs.retries) = flaky(pool, team, run_id, base_branch).await?;
        }
        Ok(inputs)
    }
}

/// Whether the histories have all reports of the run.
async fn is_followed(pool: &PgPool, run: RunId, list: &[reports::Report]) -> Result<bool, sqlx::Error> {
    let ids: Vec<Uuid> = list.iter().map(|report| report.id.0).collect();
    let query = sqlx::query_scalar("select count(*) from history.fact where run_id = $1 and report_id = any($2)");
    let followed: i64 = query.bind(run.0).bind(&ids).fetch_one(pool).await?;
    Ok(usize::try_from(followed).is_ok_and(|followed| followed >= ids.len()))
}

/// If a report is filtered: what it declares, with the counts of the others.
fn declared(list: &[reports::Report]) -> Option<Counts> {
    let is_filtered = |report: &&reports::Report| report.partial && report.declared.is_some();
    list.iter().find(is_filtered)?;
    let counts = list.iter().map(|report| match &report.declared {
        Some(declared) if report.partial => declared.0,
        _ => report.summary.counts(),
    });
    Some(counts.fold(Counts::default(), |sum, more| Counts {
        tests: sum.tests.saturating_add(more.tests),
        passed: sum.passed.saturating_add(more.passed),
        failed: sum.failed.saturating_add(more.failed),
        skipped: sum.skipped.saturating_add(more.skipped),
        pending: sum.pending.saturating_add(more.pending),
        other: sum.other.saturating_add(more.other),
        flaky: sum.flaky.saturating_add(more.flaky),
    }))
}

/// What scopes tell results apart by.
const SCOPES: &str = "result.file_path, result.tags, test.owners::text";

type Sums = (Option<String>, Vec<String>, Option<String>, i64, i64, i64, i64, i64, i64, i64, i64);

async fn groups(pool: &PgPool, team: TeamId, run: RunId, scoped: bool) -> Result<Vec<Group>, sqlx::Error> {
    let (keys, grouped) = match scoped {
        true => (SCOPES, "group by 1, 2, 3"),
        false => ("null::text, '{}'::text[], null::text", ""),
    };
    let sql = format!(
        "select {keys}, count(*), count(*) filter (where status = 0), count(*) filter (where status = 1),
                count(*) filter (where status = 2), count(*) filter (where status = 3), count(*) filter (where status = 4),
                count(*) filter (where result.flaky), coalesce(least(sum(result.duration_ms), 9223372036854775807), 0)::bigint
         {RESULTS} {grouped}"
    );
    let rows: Vec<Sums> = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run.0).bind(team.0).fetch_all(pool).await?;
    let count = i64::unsigned_abs;
    let group =
        |(path, tags, owners, tests, passed, failed, skipped, pending, other, flaky, duration_ms): Sums| Group {
            path,
            tags,
            owners: owners.and_then(|owners| serde_json::from_str(&owners).ok()).unwrap_or_default(),
            seen: Seen {
                counts: Counts {
                    tests: count(tests),
                    passed: count(passed),
                    failed: count(failed),
                    skipped: count(skipped),
                    pending: count(pending),
                    other: count(other),
                    flaky: count(flaky),
                },
                duration_ms,
            },
        };
    Ok(rows.into_iter().map(group).collect())
}

/// What scopes need of tests of a run, which the histories don't carry.
async fn places(pool: &PgPool, team: TeamId, run: RunId, tests: &[Uuid]) -> Result<HashMap<Uuid, Named>, sqlx::Error> {
    let sql = format!("select distinct on ({TEST_ID}) {TEST_ID} as test_id, {TEST} {RESULTS} and {TEST_ID} = any($3)");
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql + &format!(" order by {TEST_ID}")));
    let rows: Vec<Placed> = query.bind(run.0).bind(team.0).bind(tests).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.test_id, row.test.into())).collect())
}

async fn failing(
    pool: &PgPool,
    team: TeamId,
    run: RunId,
    failing: &[history::Failing],
) -> Result<Vec<Judged>, sqlx::Error> {
    let ids: Vec<Uuid> = failing.iter().map(|one| one.test_id).collect();
    let places = places(pool, team, run, &ids).await?;
    let judged = failing.iter().map(|one| {
        let test = places.get(&one.test_id).cloned().unwrap_or_default();
        Judged { test: Named { name: one.name.clone(), ..test }, verdict: one.verdict }
    });
    Ok(judged.collect())
}

/// Tests that failed with an error that no other run of the project had shown by then.
async fn new_errors(pool: &PgPool, team: TeamId, run: RunId) -> Result<Vec<Named>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "with own as materialized (
           select failure.test_id, failure.project_id, failure.fingerprint, fact.at
           from history.fact join history.failure on failure.no = fact.no where fact.run_id = $1 and fact.team_id = $2
         ), new as (
           select * from (select distinct project_id, fingerprint, at from own) own where not exists (
             select from history.error one
             join history.error kind on kind.project_id = one.project_id and kind.cluster_id = one.cluster_id
             join history.failure earlier on earlier.project_id = kind.project_id and earlier.fingerprint = kind.fingerprint
             join history.fact other on other.no = earlier.no
             where one.project_id = own.project_id and one.fingerprint = own.fingerprint
               and earlier.at <= own.at and other.run_id <> $1)
         ) select distinct test_id from own join new using (project_id, fingerprint, at) order by 1 limit $3",
    )
    .bind(run.0)
    .bind(team.0)
    .bind(LISTED)
    .fetch_all(pool)
    .await?;
    let mut places = places(pool, team, run, &ids).await?;
    Ok(ids.iter().map(|id| places.remove(id).unwrap_or_default()).collect())
}

/// Tests that the base's branch had not seen before the run; those that failed first.
async fn new_tests(pool: &PgPool, team: TeamId, run: RunId, branch: Option<Uuid>) -> Result<Vec<NewTest>, sqlx::Error> {
    let sql = format!(
        "select {TEST_ID}, count(*) filter (where status = 0) as passed,
                (count(*) filter (where status = 1) + count(*) filter (where result.flaky and result.retries = 0)
                 + coalesce(sum(result.retries), 0))::bigint as failed
         {RESULTS} and status in (0, 1) and not exists (
           select 1 from history.series old where old.branch_id = $3 and old.test_id = {TEST_ID}
             and old.first_at < (select min(at) from history.fact where run_id = $1))
         group by {TEST_ID} order by failed desc, passed, {TEST_ID} limit $4"
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run.0).bind(team.0).bind(branch).bind(LISTED);
    let rows: Vec<(Uuid, i64, i64)> = query.fetch_all(pool).await?;
    let ids: Vec<Uuid> = rows.iter().map(|(id, ..)| *id).collect();
    let mut places = places(pool, team, run, &ids).await?;
    let new = rows.into_iter().map(|(id, passed, failed)| NewTest {
        test: places.remove(&id).unwrap_or_default(),
        passed: passed.unsigned_abs(),
        failed: failed.unsigned_abs(),
    });
    Ok(new.collect())
}

#[derive(FromRow)]
struct Ran {
    #[sqlx(flatten)]
    test: TestRow,
    suite: Vec<String>,
}

async fn required(pool: &PgPool, team: TeamId, run: RunId, rules: &[Rule]) -> Result<Required, sqlx::Error> {
    let mut required = Required::new(rules);
    let sql = format!("select {TEST}, result.suite {RESULTS} and status in (0, 1)");
    let mut rows = sqlx::query_as::<_, Ran>(sqlx::AssertSqlSafe(sql)).bind(run.0).bind(team.0).fetch(pool);
    while let Some(Ran { test, suite }) = rows.try_next().await? {
        required.see(&test.into(), &suite);
        if !required.is_open() {
            break;
        }
    }
    Ok(required)
}

/// Tests of the baseline that are not in the run; none if the baseline's results are gone.
async fn removed(
    pool: &PgPool,
    team: TeamId,
    run: RunId,
    base: Option<Uuid>,
) -> Result<Option<Vec<Named>>, sqlx::Error> {
    let Some(base) = base else { return Ok(Some(Vec::new())) };
    let sql = format!("select exists (select 1 {RESULTS})");
    let is_there: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(base).bind(team.0).fetch_one(pool).await?;
    if !is_there {
        return Ok(None);
    }
    let sql = format!(
        "select distinct on ({TEST_ID}) {TEST} {RESULTS} and not exists (
           select 1 from reports.report own join reports.test_result same on same.part = own.part
             and same.report_no = own.no left join history.alias now on now.from_id = same.test_id
           where own.run_id = $3 and own.team_id = $2 and coalesce(now.target_id, same.test_id) = {TEST_ID})
         order by {TEST_ID} limit $4"
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(base).bind(team.0).bind(run.0).bind(LISTED);
    let rows: Vec<TestRow> = query.fetch_all(pool).await?;
    Ok(Some(rows.into_iter().map(Named::from).collect()))
}

#[derive(FromRow)]
struct Slower {
    #[sqlx(flatten)]
    test: TestRow,
    duration_ms: i64,
    usual: i64,
}

/// Tests that passed at once and took longer than their median on the base's branch; the worst first.
async fn slower(pool: &PgPool, team: TeamId, run: RunId, branch: Option<Uuid>) -> Result<Vec<Timed>, sqlx::Error> {
    let Some(branch) = branch else { return Ok(Vec::new()) };
    let sql = format!(
        "select name, file_path, tags, owners, duration_ms, usual from (
           select {TEST}, result.duration_ms,
                  (select max(p50_ms) from history.series where branch_id = $3 and test_id = {TEST_ID}) as usual
           {RESULTS} and status = 0 and not result.flaky) timed
         where duration_ms > usual order by duration_ms - usual desc, name limit $4"
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run.0).bind(team.0).bind(branch).bind(LISTED);
    let rows: Vec<Slower> = query.fetch_all(pool).await?;
    let timed = |Slower { test, duration_ms, usual }| Timed { test: test.into(), duration_ms, usual_ms: usual };
    Ok(rows.into_iter().map(timed).collect())
}

#[derive(FromRow)]
struct Scored {
    #[sqlx(flatten)]
    test: TestRow,
    score: f64,
}

type Flaky = (Option<Vec<(Named, f64)>>, u16);

/// The run's tests that are flaky on the base's branch with their scores; and the most retries that the run shows.
async fn flaky(pool: &PgPool, team: TeamId, run: RunId, branch: Option<Uuid>) -> Result<Flaky, sqlx::Error> {
    let Some(branch) = branch else { return Ok((Some(Vec::new()), 0)) };
    let sql = format!("select {TEST}, series.score {RESULTS}");
    let series = format!(
        "join history.series on series.branch_id = $3 and series.test_id = {TEST_ID} and series.state = 1
         where report.run_id"
    );
    let sql = sql.replacen("where report.run_id", &series, 1);
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql + " order by series.score desc, result.name limit $4"));
    let rows: Vec<Scored> = query.bind(run.0).bind(team.0).bind(branch).bind(LISTED).fetch_all(pool).await?;
    let sql = format!("select coalesce(max(result.retries), 0) {RESULTS}");
    let retries: i32 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(run.0).bind(team.0).fetch_one(pool).await?;
    let flaky = rows.into_iter().map(|row| (row.test.into(), row.score));
    Ok((Some(flaky.collect()), u16::try_from(retries).unwrap_or_default()))
}
