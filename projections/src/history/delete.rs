//! A report that was deleted: as if it had never been.

use super::{
    aliases::{Aliases, settle},
    facts::{Facts, Newest},
    failures, parts,
    series::{Key, Series},
    stored::{self, Table},
    sums::Step,
};
use crate::ApplyError;
use chrono::{DateTime, Utc};
use scaledtest_domain::ReportId;
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

#[derive(FromRow)]
struct Gone {
    no: i64,
    project_id: Uuid,
    branch_id: Uuid,
    slice_id: Uuid,
    seq: i32,
    at: DateTime<Utc>,
    tests: i64,
    passed: i64,
    failed: i64,
    skipped: i64,
    pending: i64,
    other: i64,
    flaky: i64,
    duration_ms: i64,
    durations: Vec<i64>,
}

/// One that was never there changes nothing.
pub(super) async fn delete(conn: &mut PgConnection, report: ReportId) -> Result<(), ApplyError> {
    let gone: Option<Gone> = sqlx::query_as(
        "delete from fact where report_id = $1
         returning no, project_id, branch_id, slice_id, seq, at, tests, passed, failed, skipped, pending, other, flaky,
                   duration_ms, durations",
    )
    .bind(report.0)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(gone) = gone else { return Ok(()) };
    sqlx::query("update branch set deleted = deleted + 1 where id = $1")
        .bind(gone.branch_id)
        .execute(&mut *conn)
        .await?;
    subtract(conn, &gone).await?;
    failures::forget(conn, (gone.no, gone.project_id), (gone.slice_id, gone.at)).await?;
    refold(conn, &gone).await
}

async fn subtract(conn: &mut PgConnection, gone: &Gone) -> Result<(), ApplyError> {
    for step in Step::ALL {
        let table = step.table();
        let sql = format!(
            "with less as (
               update {table} set reports = reports - 1, tests = tests - $3, passed = passed - $4, failed = failed - $5,
                 skipped = skipped - $6, pending = pending - $7, other = other - $8, flaky = flaky - $9,
                 duration_ms = duration_ms - $10,
                 durations = array(select a - b from unnest(durations, $11::bigint[]) as both_of (a, b))
               where slice_id = $1 and at = $2 and reports > 1 returning at)
             delete from {table} where slice_id = $1 and at = $2 and not exists (select from less)"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(gone.slice_id)
            .bind(step.begin(gone.at))
            .bind(gone.tests)
            .bind(gone.passed)
            .bind(gone.failed)
            .bind(gone.skipped)
            .bind(gone.pending)
            .bind(gone.other)
            .bind(gone.flaky)
            .bind(gone.duration_ms)
            .bind(&gone.durations)
            .execute(&mut *conn)
            .await?;
    }
    sqlx::query("delete from slice where id = $1 and not exists (select from quarter where slice_id = $1)")
        .bind(gone.slice_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Every series of the branch that told of the report, or could be assessed differently without it.
async fn refold(conn: &mut PgConnection, gone: &Gone) -> Result<(), ApplyError> {
    let seq = u32::try_from(gone.seq).unwrap_or_default();
    let known = stored::load_facts(conn, &BTreeMap::from([(gone.branch_id, 0)])).await?.remove(&gone.branch_id);
    let known = Facts::new(known.unwrap_or_default());
    let aliases = Aliases::load(conn, &[gone.project_id]).await?;
    let told = |one: &Series| one.entries.iter().any(|entry| entry.seq == seq);

    let mut series = stored::load_branch(conn, Table::Series, gone.branch_id).await?;
    series.retain(|one| one.had_failure() || told(one));
    let (joined, alone): (Vec<Series>, Vec<Series>) = series.into_iter().partition(|one| aliases.has(one.key.test));
    let (mut left, mut empty) = without(alone, seq, &known);
    let mut forgotten: Vec<Uuid> = empty.iter().map(|key| key.test).collect();
    if !joined.is_empty() {
        let mut parts = stored::load_branch(conn, Table::Part, gone.branch_id).await?;
        parts.retain(told);
        let (parts, no_parts) = without(parts, seq, &known);
        stored::upsert_parts(conn, &parts.iter().collect::<Vec<_>>()).await?;
        stored::delete_series(conn, Table::Part, &no_parts).await?;
        forgotten.extend(no_parts.iter().map(|key| key.test));
        let together = parts::together(conn, &aliases, joined.iter().map(|one| one.key)).await?;
        let keys: BTreeSet<Key> = together.iter().map(|one| one.key).collect();
        empty.extend(joined.iter().map(|one| one.key).filter(|key| !keys.contains(key)));
        left.extend(together);
    }
    stored::derive_series(conn, &mut Newest::default(), &left.iter().collect::<Vec<_>>()).await?;
    stored::delete_series(conn, Table::Series, &empty).await?;
    forgotten.extend(empty.iter().map(|key| key.test));
    settle(conn, &aliases, &forgotten).await
}

/// Series without a report, and those that are left with nothing. `known` are the facts that are left.
fn without(series: Vec<Series>, seq: u32, known: &Facts) -> (Vec<Series>, Vec<Key>) {
    let (mut left, mut empty) = (Vec::new(), Vec::new());
    for mut one in series {
        match one.remove(seq, known) {
            true => left.push(one),
            false => empty.push(one.key),
        }
    }
    (left, empty)
}
