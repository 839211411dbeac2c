//! What is kept and what is dropped when the time of a part is over.

use super::{cases, partitions};
use crate::ApplyError;
use chrono::{DateTime, Utc};
use scaledtest_domain::{RunId, retention::Part};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

/// Dropping a partition waits for those who read it, so long at most; then it is tried again.
const PATIENCE: &str = "5s";

pub(super) async fn pin(conn: &mut PgConnection, run: RunId, at: DateTime<Utc>) -> Result<(), ApplyError> {
    sqlx::query("insert into pin (run_id, at) values ($1, $2) on conflict (run_id) do nothing")
        .bind(run.0)
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn unpin(conn: &mut PgConnection, run: RunId) -> Result<(), ApplyError> {
    sqlx::query("delete from pin where run_id = $1").bind(run.0).execute(conn).await?;
    Ok(())
}

/// Marks reports whose histories stand in a roll-up: they are dropped with their part. One that was kept beyond that is
/// dropped now.
pub(super) async fn seal(conn: &mut PgConnection, reports: &[Uuid]) -> Result<(), ApplyError> {
    let kept: Vec<(i64, i32, Uuid)> = sqlx::query_as(
        "update report set sealed = true, dropped = part < $2 where id = any($1) returning no, part, project_id",
    )
    .bind(reports)
    .bind(Part::FIRST.0)
    .fetch_all(&mut *conn)
    .await?;
    for (no, part, project) in kept.into_iter().filter(|(_, part, _)| Part(*part).is_kept()) {
        let part = Part(part);
        let cases = delete_results(conn, part, &[no]).await?;
        cases::prune(conn, part, &[project], &[no], cases.into_iter().collect()).await?;
    }
    Ok(())
}

/// Drops a part. The reports in it that are not sealed are kept: their rows are copied to where they stay.
pub(super) async fn drop_part(conn: &mut PgConnection, part: Part) -> Result<(), ApplyError> {
    let there: bool = sqlx::query_scalar("select exists (select from part where part = $1)")
        .bind(part.0)
        .fetch_one(&mut *conn)
        .await?;
    if !there {
        return Ok(());
    }
    let kept: Vec<i64> = sqlx::query_scalar("select no from report where part = $1 and not sealed")
        .bind(part.0)
        .fetch_all(&mut *conn)
        .await?;
    if !kept.is_empty() {
        keep(conn, part, &kept).await?;
    }
    // Safe here and below: words of ours and numbers only.
    sqlx::raw_sql(AssertSqlSafe(format!("set local lock_timeout = '{PATIENCE}'"))).execute(&mut *conn).await?;
    cases::drop_of(conn, part).await?;
    partitions::drop(conn, part).await?;
    sqlx::query("update report set dropped = true where part = $1").bind(part.0).execute(&mut *conn).await?;
    sqlx::raw_sql("set local lock_timeout = default").execute(conn).await?;
    Ok(())
}

/// Copies the rows of reports to where they stay.
async fn keep(conn: &mut PgConnection, part: Part, reports: &[i64]) -> Result<(), sqlx::Error> {
    let kept = part.kept();
    partitions::ensure(conn, &[kept]).await?;
    for (table, columns) in [
        (
            "result",
            "report_no, duration_ms, start_ms, stop_ms, idx, line, retries, status, flaky, reported_flaky, case_id, \
             raw_status, message, trace, snippet, stdout, stderr, steps, attachments, extra",
        ),
        (
            "attempt",
            "report_no, duration_ms, start_ms, idx, attempt, line, status, message, trace, snippet, stdout, stderr, \
             attachments",
        ),
    ] {
        let sql = format!(
            "insert into {table} (part, {columns}) select $1, {columns} from {} where report_no = any($2)",
            partitions::name(table, part)
        );
        sqlx::query(AssertSqlSafe(sql)).bind(kept.0).bind(reports).execute(&mut *conn).await?;
    }
    sqlx::query(
        "insert into part_case (part, case_id)
         select distinct $1, case_id from result where part = $1 and report_no = any($2) on conflict do nothing",
    )
    .bind(kept.0)
    .bind(reports)
    .execute(&mut *conn)
    .await?;
    sqlx::query("update report set part = $1 where no = any($2)").bind(kept.0).bind(reports).execute(conn).await?;
    Ok(())
}

/// Removes the results of some reports; gives the cases that they had.
pub(super) async fn delete_results(
    conn: &mut PgConnection,
    part: Part,
    reports: &[i64],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query("delete from attempt where part = $1 and report_no = any($2)")
        .bind(part.0)
        .bind(reports)
        .execute(&mut *conn)
        .await?;
    sqlx::query_scalar(
        "with gone as (delete from result where part = $1 and report_no = any($2) returning case_id)
         select distinct case_id from gone",
    )
    .bind(part.0)
    .bind(reports)
    .fetch_all(conn)
    .await
}
