//! Partitions are made from the time of the events, when the first row of a month comes.

use chrono::{Datelike, Months, NaiveDate};
use sqlx::{AssertSqlSafe, PgConnection};

/// The partitioned tables, and their columns that no plan depends on: sampling the texts would cost most of an `analyze`.
const TABLES: [(&str, &[&str]); 2] = [
    ("result", &["raw_status", "message", "trace", "snippet", "stdout", "stderr", "steps", "attachments", "extra"]),
    ("attempt", &["message", "trace", "snippet", "stdout", "stderr", "attachments"]),
];

/// Makes the partitions of these months, unless they are there, in the schema that the search path points at.
///
/// # Errors
/// What the database says.
pub async fn ensure(conn: &mut PgConnection, months: &[NaiveDate]) -> Result<(), sqlx::Error> {
    for &month in months {
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
