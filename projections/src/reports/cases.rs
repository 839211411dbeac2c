//! Test cases: what results of one test have in common is written once, and removed with the last of them.

use super::{
    partitions,
    rows::{COPY_CASE, write_case},
};
use crate::copy::{Rows, copy_rows};
use scaledtest_domain::{report::TestResult, retention::Part};
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::HashSet;
use uuid::Uuid;

/// Reports that are looked through at once for a case that may be left, at most.
const MOST_REPORTS: usize = 64;

/// Rows of test cases, to be copied in as far as they are not there.
#[derive(Default)]
pub(super) struct Cases {
    ids: Vec<Uuid>,
    /// Where the row of each begins.
    begins: Vec<usize>,
    rows: Rows,
}

impl Cases {
    /// Adds the case of a result.
    pub fn add(&mut self, id: Uuid, result: &TestResult) {
        self.ids.push(id);
        self.begins.push(self.rows.len());
        write_case(&mut self.rows, id, result);
    }

    /// Adds those of another piece.
    pub fn append(&mut self, other: &Self) {
        let offset = self.rows.len();
        self.ids.extend(&other.ids);
        self.begins.extend(other.begins.iter().map(|begin| begin + offset));
        self.rows.extend(&other.rows);
    }

    /// Bytes of the rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds to a part those that it has not, and copies in those that are nowhere.
    pub async fn insert_missing(self, conn: &mut PgConnection, part: Part) -> Result<(), sqlx::Error> {
        if self.ids.is_empty() {
            return Ok(());
        }
        // Safe: a word of ours and a number.
        let sql = format!(
            "with missing as (
               select min(place) as place, id from unnest($1::uuid[]) with ordinality as wanted (id, place)
               where not exists (select from {table} here where here.case_id = wanted.id) group by id
             ), added as (insert into {table} (part, case_id) select $2, id from missing)
             select place from missing where not exists (select from test_case where test_case.id = missing.id) order by 1",
            table = partitions::name("part_case", part)
        );
        let missing: Vec<i64> =
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(&self.ids).bind(part.0).fetch_all(&mut *conn).await?;
        if missing.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::new();
        for place in missing.into_iter().filter_map(|place| usize::try_from(place).ok()) {
            // Places are counted from 1: this one's row ends where the next begins.
            let end = self.begins.get(place).copied().unwrap_or(self.rows.len());
            rows.extend_from_slice(&self.rows.as_slice()[self.begins[place - 1]..end]);
        }
        copy_rows(conn, COPY_CASE, &rows).await.map(drop)
    }
}

/// Removes those of `cases` that no result of the part has any more, now that results with them were removed from it; and
/// altogether those that no other part has.
///
/// The reports nearest to the removed ones are asked first: they have most in common with them, so that a few answer for
/// nearly all. Only a case that no other report has takes a look at all of the part.
pub(super) async fn prune(
    conn: &mut PgConnection,
    part: Part,
    projects: &[Uuid],
    removed: &[i64],
    mut cases: HashSet<Uuid>,
) -> Result<(), sqlx::Error> {
    let Some(last) = removed.iter().max().filter(|_| !cases.is_empty()) else { return Ok(()) };
    let reports: Vec<i64> = sqlx::query_scalar(
        "select no from report where part = $1 and project_id = any($2) and no <> all($3) order by abs(no - $4), no",
    )
    .bind(part.0)
    .bind(projects)
    .bind(removed)
    .bind(last)
    .fetch_all(&mut *conn)
    .await?;
    let (mut reports, mut size) = (reports.as_slice(), 1);
    while !cases.is_empty() && !reports.is_empty() {
        let (group, rest) = reports.split_at(size.min(reports.len()));
        let had: Vec<Uuid> = sqlx::query_scalar(
            "select distinct result.case_id from unnest($1::uuid[]) as wanted (id) join result on result.case_id = wanted.id
             where result.part = $2 and result.report_no = any($3)",
        )
        .bind(cases.iter().copied().collect::<Vec<_>>())
        .bind(part.0)
        .bind(group)
        .fetch_all(&mut *conn)
        .await?;
        for id in had {
            cases.remove(&id);
        }
        (reports, size) = (rest, (size * 2).min(MOST_REPORTS));
    }
    let gone: Vec<Uuid> = cases.into_iter().collect();
    sqlx::query("delete from part_case where part = $1 and case_id = any($2)")
        .bind(part.0)
        .bind(&gone)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "delete from test_case where id = any($1) and not exists (select from part_case where case_id = test_case.id)",
    )
    .bind(&gone)
    .execute(conn)
    .await
    .map(drop)
}

/// Removes the cases that only this part has, which is to be dropped. The newest part is asked first: it has nearly all of
/// them, and the others are looked through for the rest only.
pub(super) async fn drop_of(conn: &mut PgConnection, part: Part) -> Result<(), sqlx::Error> {
    let newest: Option<i32> =
        sqlx::query_scalar("select max(part) from part where part <> $1").bind(part.0).fetch_one(&mut *conn).await?;
    let cases = partitions::name("part_case", part);
    let newest = newest.map_or("part_case".to_owned(), |newest| partitions::name("part_case", Part(newest)));
    // Safe: words of ours and numbers only.
    sqlx::query(AssertSqlSafe(format!(
        "with rest as materialized
           (select case_id from {cases} gone where not exists
              (select from {newest} other where other.case_id = gone.case_id and other.part <> $1))
         delete from test_case where id in
           (select case_id from rest where not exists
              (select from part_case other where other.case_id = rest.case_id and other.part <> $1))"
    )))
    .bind(part.0)
    .execute(conn)
    .await
    .map(drop)
}
