//! Kinds of failure over time.

use super::{Narrow, QueryError, Span};
use chrono::{DateTime, Utc};
use scaledtest_domain::TeamId;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

/// Tests and branches that are named of one kind.
const NAMED: i64 = 20;

/// One kind of failure, as often as it was seen in a span.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct ErrorKind {
    /// Its id in its project.
    pub fingerprint: Uuid,
    /// Its project.
    pub project_id: Uuid,
    /// What the first of them said.
    pub message: String,
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

/// The most frequent kinds of failure, most frequent first.
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
        " group by sums.project_id, sums.fingerprint, sums.slice_id),
         seen as (
           select counted.project_id, fingerprint, sum(failures)::bigint as failures,
                  (array_agg(distinct slice.branch))[1:20] as branches
           from counted join history.slice on slice.id = counted.slice_id
           group by counted.project_id, fingerprint order by failures desc, fingerprint limit ",
    );
    query.push_bind(i64::from(limit)).push(
        ") select seen.fingerprint, seen.project_id, error.message, seen.failures, tests.tests, tests.test_names, seen.branches,
             (select at from history.failure f where f.project_id = seen.project_id and f.fingerprint = seen.fingerprint
              order by at limit 1) as first_seen,
             (select at from history.failure f where f.project_id = seen.project_id and f.fingerprint = seen.fingerprint
              order by at desc limit 1) as last_seen
           from seen join history.error using (project_id, fingerprint)
           cross join lateral (
             select count(*) as tests,
               array(select test.name from history.error_test named join history.test on test.id = named.test_id
                     where named.project_id = seen.project_id and named.fingerprint = seen.fingerprint
                     order by named.failures desc, test.name, test.id limit ",
    );
    query.push_bind(NAMED).push(
        ") as test_names
             from history.error_test one where one.project_id = seen.project_id and one.fingerprint = seen.fingerprint) tests
           order by seen.failures desc, seen.fingerprint",
    );
    Ok(query.build_query_as().fetch_all(pool).await?)
}
