//! Results that failed, and how often each kind of failure was seen: when and where, and in which test.

use super::{errors, gathered::Taken, said, series::Key, sums::Step};
use crate::ApplyError;
use crate::copy::{Rows, copy_rows};
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A result that failed.
pub(super) struct Failed<'a, 'r> {
    pub taken: &'a Taken<'r>,
    pub idx: i32,
    /// Its series: that of the test which the result's test has become.
    pub key: Key,
    /// The result's own test.
    pub reported: Uuid,
    pub failure: &'a said::Failure,
}

const COPY_FAILURE: &str = "copy failure (no, idx, project_id, branch_id, slice_id, test_id, variant, fingerprint, at, \
     attempts, flaked, reported_id, message) from stdin (format binary)";
const FAILURE_FIELDS: i16 = 13;

pub(super) async fn insert(conn: &mut PgConnection, failures: &[Failed<'_, '_>]) -> Result<(), ApplyError> {
    if failures.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::default();
    let mut tests: BTreeMap<(Uuid, Uuid, Uuid), i64> = BTreeMap::new();
    for failed in failures {
        let Failed { taken, idx, key, reported, failure } = failed;
        let (project, place) = (taken.report.project.0, &taken.place);
        rows.row(FAILURE_FIELDS)
            .int8(place.no)
            .int4(*idx)
            .uuid(project)
            .uuid(key.branch)
            .uuid(place.slice_id)
            .uuid(key.test)
            .int8(key.variant)
            .uuid(failure.fingerprint)
            .timestamp(place.at)
            .int4(failure.attempts.into())
            .bool(failure.flaked)
            .opt(Some(*reported).filter(|reported| *reported != key.test), |rows, reported| rows.uuid(reported))
            .opt_text(failure.message.as_deref());
        *tests.entry((project, failure.fingerprint, key.test)).or_default() += 1;
    }
    copy_rows(conn, COPY_FAILURE, rows.as_slice()).await?;
    errors::insert(conn, failures).await?;
    for step in Step::ALL {
        add(conn, failures, step).await?;
    }
    sqlx::query(
        "insert into error_test (project_id, fingerprint, test_id, failures)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[])
         on conflict (project_id, fingerprint, test_id) do update set failures = error_test.failures + excluded.failures",
    )
    .bind(tests.keys().map(|(project, ..)| *project).collect::<Vec<_>>())
    .bind(tests.keys().map(|(_, fingerprint, _)| *fingerprint).collect::<Vec<_>>())
    .bind(tests.keys().map(|(.., test)| *test).collect::<Vec<_>>())
    .bind(tests.values().copied().collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts them by kind, when and where.
async fn add(conn: &mut PgConnection, failures: &[Failed<'_, '_>], step: Step) -> Result<(), ApplyError> {
    let mut steps: BTreeMap<(Uuid, Uuid, DateTime<Utc>, Uuid), i64> = BTreeMap::new();
    for Failed { taken, failure, .. } in failures {
        let at = step.begin(taken.place.at);
        *steps.entry((taken.report.project.0, taken.place.slice_id, at, failure.fingerprint)).or_default() += 1;
    }
    let sql = format!(
        "insert into {} as old (project_id, slice_id, at, fingerprint, failures)
         select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::bigint[])
         on conflict (project_id, slice_id, at, fingerprint) do update set failures = old.failures + excluded.failures",
        step.errors()
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(steps.keys().map(|(project, ..)| *project).collect::<Vec<_>>())
        .bind(steps.keys().map(|(_, slice, ..)| *slice).collect::<Vec<_>>())
        .bind(steps.keys().map(|(_, _, at, _)| *at).collect::<Vec<_>>())
        .bind(steps.keys().map(|(.., fingerprint)| *fingerprint).collect::<Vec<_>>())
        .bind(steps.values().copied().collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes out those of a report.
pub(super) async fn forget(
    conn: &mut PgConnection,
    (no, project): (i64, Uuid),
    (slice, at): (Uuid, DateTime<Utc>),
) -> Result<(), ApplyError> {
    for step in Step::ALL {
        let (table, at) = (step.errors(), step.begin(at));
        let sql = format!(
            "update {table} set failures = {table}.failures - less.failures
             from (select fingerprint, count(*) as failures from failure where no = $1 group by fingerprint) less
             where project_id = $2 and slice_id = $3 and {table}.at = $4 and {table}.fingerprint = less.fingerprint"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(no).bind(project).bind(slice).bind(at);
        query.execute(&mut *conn).await?;
        let sql = format!("delete from {table} where project_id = $1 and slice_id = $2 and at = $3 and failures = 0");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(project).bind(slice).bind(at);
        query.execute(&mut *conn).await?;
    }
    sqlx::query(
        "with forgotten as (delete from failure where no = $1 returning fingerprint, test_id)
         update error_test set failures = error_test.failures - less.failures
         from (select fingerprint, test_id, count(*) as failures from forgotten group by fingerprint, test_id) less
         where project_id = $2 and error_test.fingerprint = less.fingerprint and error_test.test_id = less.test_id",
    )
    .bind(no)
    .bind(project)
    .execute(&mut *conn)
    .await?;
    sqlx::query("delete from error_test where project_id = $1 and failures = 0")
        .bind(project)
        .execute(&mut *conn)
        .await?;
    errors::forget(conn, project, no).await
}
