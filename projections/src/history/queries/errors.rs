//! Kinds of failure over time.

use super::{Narrow, QueryError, Span};
use chrono::{DateTime, Utc};
use scaledtest_domain::TeamId;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

/// Tests and branches that are named of one kind.
const NAMED: i64 = 20;

/// An error, as often as it was seen in a span: failures that say the same, or nearly.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct ErrorKind {
    /// The fingerprint of the first of them: its id in its project.
    pub fingerprint: Uuid,
    /// Its project.
    pub project_id: Uuid,
    /// What the first of them said.
    pub message: String,
    /// Fingerprints that it has.
    pub variants: i64,
    /// Failed results in the span.
    pub failures: i64,
    /// Tests that ever failed so.
    pub tests: i64,
    /// Names of some of them, most frequent first.
    pub test_names: Vec<String>,
    /// Branches in the span, some of them.
    pub branches: Vec<String>,
    /// Ever.
    pub first_seen: DateTime<Utc>,
    /// Ever.
    pub last_seen: DateTime<Utc>,
}

/// When an error `e` was seen, and how many fingerprints it has: an index tells the first and the last of each.
const SEEN: &str = "select count(*) as variants, min(earliest.at) as first_seen, max(latest.at) as last_seen
   from history.error kind
   cross join lateral (select at from history.failure f where f.project_id = kind.project_id and f.fingerprint = kind.fingerprint
                       order by at limit 1) earliest
   cross join lateral (select at from history.failure f where f.project_id = kind.project_id and f.fingerprint = kind.fingerprint
                       order by at desc limit 1) latest
   where kind.project_id = e.project_id and kind.cluster_id = e.cluster_id";

/// The tests that ever failed with an error `e`.
const TESTS: &str = "select named.test_id, sum(named.failures)::bigint as failures
   from history.error kind join history.error_test named using (project_id, fingerprint)
   where kind.project_id = e.project_id and kind.cluster_id = e.cluster_id group by named.test_id";

/// The most frequent errors, most frequent first.
///
/// # Errors
/// What the database says.
pub async fn error_analysis(
    pool: &PgPool,
    team: TeamId,
    narrow: &Narrow,
    span: Span,
    limit: u32,
) -> Result<Vec<ErrorKind>, QueryError> {
    let mut query = QueryBuilder::<Postgres>::new(
        "with counted as (
           select sums.project_id, sums.fingerprint, sums.slice_id, sum(sums.failures)::bigint as failures from ",
    );
    span.push_days(&mut query, "error_");
    query.push(" sums join history.slice on slice.project_id = sums.project_id and slice.id = sums.slice_id where");
    narrow.push(&mut query, team);
    query.push(
        " group by sums.project_id, sums.fingerprint, sums.slice_id
         ), seen as (
           select counted.project_id, fingerprint, sum(failures) as failures, array_agg(distinct slice.branch) as branches
           from counted join history.slice on slice.id = counted.slice_id group by counted.project_id, fingerprint
         ), kinds as materialized (
           select seen.project_id, error.cluster_id, seen.failures, seen.branches
           from seen join history.error using (project_id, fingerprint)
         ), e as materialized (
           select project_id, cluster_id, sum(failures)::bigint as failures from kinds
           group by project_id, cluster_id order by 3 desc, cluster_id limit ",
    );
    query.push_bind(i64::from(limit)).push(
        "), places as (
           select project_id, cluster_id, (array_agg(distinct branch))[1:20] as branches
           from e join kinds using (project_id, cluster_id) cross join unnest(kinds.branches) branch
           group by project_id, cluster_id
         ) select e.cluster_id as fingerprint, e.project_id, error.message, times.variants, e.failures, tests.tests, tests.test_names,
                  places.branches, times.first_seen, times.last_seen
           from e join places using (project_id, cluster_id)
           join history.error on error.project_id = e.project_id and error.fingerprint = e.cluster_id
           cross join lateral (",
    );
    query.push(SEEN).push(") times cross join lateral (with named as (").push(TESTS).push(
        ") select (select count(*) from named) as tests,
               array(select test.name from (select * from named order by failures desc, test_id limit ",
    );
    query.push_bind(NAMED).push(
        ") often join history.test on test.id = often.test_id order by often.failures desc, test.name, test.id) as test_names) tests
         order by e.failures desc, e.cluster_id",
    );
    Ok(query.build_query_as().fetch_all(pool).await?)
}

/// A fingerprint of an error.
#[derive(Debug, Clone, FromRow)]
pub struct Variant {
    /// Its id.
    pub fingerprint: Uuid,
    /// The innermost frame of the project's own code, if any is known: `file function`.
    pub place: Option<String>,
    /// The first line of what it says, without what differs from run to run; empty if it says nothing.
    pub headline: String,
    /// What the first of them said.
    pub message: String,
    /// Failed results, ever.
    pub failures: i64,
    /// Ever.
    pub first_seen: DateTime<Utc>,
    /// Ever.
    pub last_seen: DateTime<Utc>,
}

/// A test that failed with an error.
#[derive(Debug, Clone, FromRow)]
pub struct TestOfError {
    /// Which.
    pub test_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its suite.
    pub suite: sqlx::types::Json<Vec<String>>,
    /// How often, ever.
    pub failures: i64,
}

/// All that is known of an error.
#[derive(Debug, Clone)]
pub struct ErrorDetail {
    /// As in the list, over all time.
    pub error: ErrorKind,
    /// Its fingerprints, the first one first; at most 200.
    pub variants: Vec<Variant>,
    /// Most frequent first; at most 200.
    pub tests: Vec<TestOfError>,
}

/// Variants and tests of an error that are listed, at most.
const LISTED: i64 = 200;

/// The error of a project that a fingerprint belongs to; none if nothing failed so.
///
/// # Errors
/// What the database says.
pub async fn get_error(
    pool: &PgPool,
    team: TeamId,
    project: Uuid,
    fingerprint: Uuid,
) -> Result<Option<ErrorDetail>, sqlx::Error> {
    let own = "e as materialized (select project_id, cluster_id from history.error
       where project_id = $1 and fingerprint = $2 and team_id = $3)";
    let error = format!(
        "with {own}, often as (
           select slice.branch, sum(error_day.failures) as failures
           from e join history.error kind using (project_id, cluster_id)
           join history.slice on slice.project_id = e.project_id
           join history.error_day on error_day.project_id = e.project_id and error_day.slice_id = slice.id
             and error_day.fingerprint = kind.fingerprint
           group by slice.branch
         ) select e.cluster_id as fingerprint, e.project_id, error.message, times.variants,
                  (select sum(failures)::bigint from ({TESTS}) tests) as failures, (select count(*) from ({TESTS}) tests) as tests,
                  array[]::text[] as test_names,
                  array(select branch from often order by failures desc, branch limit $4) as branches,
                  times.first_seen, times.last_seen
           from e join history.error on error.project_id = e.project_id and error.fingerprint = e.cluster_id
           cross join lateral ({SEEN}) times"
    );
    let query = sqlx::query_as::<_, ErrorKind>(sqlx::AssertSqlSafe(error));
    let query = query.bind(project).bind(fingerprint).bind(team.0).bind(NAMED);
    let Some(error) = query.fetch_optional(pool).await? else { return Ok(None) };
    let variants = sqlx::query_as(
        "select kind.fingerprint, kind.place, kind.headline, kind.message,
                (select sum(failures)::bigint from history.error_test t where t.project_id = $1 and t.fingerprint = kind.fingerprint) as failures,
                (select min(at) from history.failure f where f.project_id = $1 and f.fingerprint = kind.fingerprint) as first_seen,
                (select max(at) from history.failure f where f.project_id = $1 and f.fingerprint = kind.fingerprint) as last_seen
         from history.error kind where kind.project_id = $1 and kind.cluster_id = $2
         order by kind.no, kind.fingerprint limit $3",
    );
    let variants = variants.bind(project).bind(error.fingerprint).bind(LISTED).fetch_all(pool).await?;
    let tests = format!(
        "with {own} select test.id as test_id, test.name, test.suite, named.failures
         from e cross join lateral ({TESTS} order by failures desc, named.test_id limit $4) named
         join history.test on test.id = named.test_id order by named.failures desc, test.name, test.id"
    );
    let tests = sqlx::query_as(sqlx::AssertSqlSafe(tests)).bind(project).bind(fingerprint).bind(team.0).bind(LISTED);
    let tests: Vec<TestOfError> = tests.fetch_all(pool).await?;
    Ok(Some(ErrorDetail { error, variants, tests }))
}
