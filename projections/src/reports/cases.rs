//! Test cases: what results of one test have in common is written once, and removed with the last of them.

use super::rows::{CLASS, COPY_CASE, write_case};
use crate::copy::{Rows, copy_rows};
use chrono::NaiveDate;
use scaledtest_domain::report::TestResult;
use sqlx::PgConnection;
use std::collections::{BTreeSet, HashSet};
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

    /// Copies in those that are not there.
    pub async fn insert_missing(self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let missing: Vec<i64> = sqlx::query_scalar(
            "select min(place) from unnest($1::uuid[]) with ordinality as wanted (id, place)
             where not exists (select from test_case where test_case.id = wanted.id) group by id order by 1",
        )
        .bind(&self.ids)
        .fetch_all(&mut *conn)
        .await?;
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

/// Removes those of `cases` that no result of the projects has any more, now that results with them were removed.
///
/// The reports nearest to the removed ones are asked first: they have most in common with them, so that a few answer for
/// nearly all. Only a case that no other report has takes a look at all of them.
pub(super) async fn prune(
    conn: &mut PgConnection,
    projects: &[Uuid],
    removed: &[i64],
    mut cases: HashSet<Uuid>,
) -> Result<(), sqlx::Error> {
    let Some(last) = removed.iter().max() else { return Ok(()) };
    let reports: Vec<(i64, NaiveDate)> =
        sqlx::query_as("select no, month from report where project_id = any($1) order by abs(no - $2), no")
            .bind(projects)
            .bind(last)
            .fetch_all(&mut *conn)
            .await?;
    let (mut reports, mut size) = (reports.as_slice(), 1);
    while !cases.is_empty() && !reports.is_empty() {
        let (group, rest) = reports.split_at(size.min(reports.len()));
        let months: BTreeSet<NaiveDate> = group.iter().map(|(_, month)| *month).collect();
        let had: Vec<Uuid> = sqlx::query_scalar(
            "select distinct result.case_id from unnest($1::uuid[]) as wanted (id) join result on result.case_id = wanted.id
             where result.class = $2 and result.month = any($3) and result.report_no = any($4)",
        )
        .bind(cases.iter().copied().collect::<Vec<_>>())
        .bind(CLASS)
        .bind(months.into_iter().collect::<Vec<_>>())
        .bind(group.iter().map(|(no, _)| *no).collect::<Vec<_>>())
        .fetch_all(&mut *conn)
        .await?;
        for id in had {
            cases.remove(&id);
        }
        (reports, size) = (rest, (size * 2).min(MOST_REPORTS));
    }
    let gone: Vec<Uuid> = cases.into_iter().collect();
    sqlx::query("delete from test_case where id = any($1)").bind(gone).execute(conn).await.map(drop)
}
