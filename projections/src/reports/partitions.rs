//! Partitions are made from the time of the events, when the first row of a month comes.

use chrono::{Datelike, Months, NaiveDate};
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::BTreeSet;

/// The partitioned tables, and their columns that no plan depends on: sampling the texts would cost most of an `analyze`.
const TABLES: [(&str, &[&str]); 2] = [
    (
        "result",
        &[
            "suite",
            "raw_status",
            "tags",
            "message",
            "trace",
            "snippet",
            "stdout",
            "stderr",
            "steps",
            "attachments",
            "extra",
        ],
    ),
    ("attempt", &["message", "trace", "snippet", "stdout", "stderr", "attachments"]),
];

/// Makes the partitions of these months where they are missing, in the schema that the search path points at.
///
/// # Errors
/// What the database says.
pub async fn ensure(conn: &mut PgConnection, months: &BTreeSet<NaiveDate>) -> Result<(), sqlx::Error> {
    if months.is_empty() {
        return Ok(());
    }
    let missing: Vec<NaiveDate> = sqlx::query_scalar(
        "select month from unnest($1::date[], $2::text[]) as made (month, name) where to_regclass(name) is null",
    )
    .bind(months.iter().copied().collect::<Vec<_>>())
    .bind(months.iter().map(|month| name("attempt", *month)).collect::<Vec<_>>())
    .fetch_all(&mut *conn)
    .await?;
    make(conn, &missing).await
}

/// Makes the partitions of these months.
pub(super) async fn make(conn: &mut PgConnection, missing: &[NaiveDate]) -> Result<(), sqlx::Error> {
    for &month in missing {
        let end = month.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
        for (table, texts) in TABLES {
            let name = name(table, month);
            let unread: Vec<String> = texts.iter().map(|text| format!("alter {text} set statistics 0")).collect();
            // Safe: words of ours and numbers only.
            let sql = format!(
                "create table if not exists {name} partition of {table}_c0 for values from ('{month}') to ('{end}');
                 alter table {name} {}",
                unread.join(", ")
            );
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await?;
        }
    }
    Ok(())
}

/// The name of a table's partition.
pub(super) fn name(table: &str, month: NaiveDate) -> String {
    format!("{table}_c0_y{:04}m{:02}", month.year(), month.month())
}
