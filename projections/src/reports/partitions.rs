//! Partitions are made from the time of the events, when the first row of a month comes.

use chrono::{Datelike, Months, NaiveDate};
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::BTreeSet;

/// Makes the partitions of these months where they are missing, in the schema that the search path points at.
///
/// # Errors
/// What the database says.
pub async fn ensure(conn: &mut PgConnection, months: &BTreeSet<NaiveDate>) -> Result<(), sqlx::Error> {
    for month in months {
        for table in ["result", "attempt"] {
            let name = format!("{table}_c0_y{:04}m{:02}", month.year(), month.month());
            // Asked each time: a transaction that made it may have been rolled back, and a schema may be a new one.
            let exists: bool =
                sqlx::query_scalar("select to_regclass($1) is not null").bind(&name).fetch_one(&mut *conn).await?;
            if !exists {
                let end = month.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
                // Safe: words of ours and numbers only.
                let sql =
                    format!("create table {name} partition of {table}_c0 for values from ('{month}') to ('{end}')");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await?;
            }
        }
    }
    Ok(())
}
