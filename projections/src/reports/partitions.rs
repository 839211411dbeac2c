//! Partitions, one of each table for a part: made when the first report of the part comes, dropped with the part.

use scaledtest_domain::retention::Part;
use sqlx::{AssertSqlSafe, PgConnection};

/// The partitioned tables, and their columns that no plan depends on: sampling the texts would cost most of an `analyze`.
const TABLES: [(&str, &[&str]); 3] = [
    ("result", &["raw_status", "message", "trace", "snippet", "stdout", "stderr", "steps", "attachments", "extra"]),
    ("attempt", &["message", "trace", "snippet", "stdout", "stderr", "attachments"]),
    ("part_case", &[]),
];

/// Makes the partitions of these parts, unless they are there, in the schema that the search path points at.
///
/// # Errors
/// What the database says.
pub async fn ensure(conn: &mut PgConnection, parts: &[Part]) -> Result<(), sqlx::Error> {
    for &part in parts {
        for (table, texts) in TABLES {
            let name = name(table, part);
            // Safe here and below: words of ours and numbers only.
            let mut sql = format!("create table if not exists {name} partition of {table} for values in ({part});");
            for text in texts {
                sql.push_str(&format!("alter table {name} alter {text} set statistics 0;"));
            }
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await?;
        }
        if !part.is_kept() {
            sqlx::query("insert into part (part) values ($1) on conflict do nothing")
                .bind(part.0)
                .execute(&mut *conn)
                .await?;
        }
    }
    Ok(())
}

/// Drops the partitions of a part.
///
/// # Errors
/// What the database says.
pub(super) async fn drop(conn: &mut PgConnection, part: Part) -> Result<(), sqlx::Error> {
    for (table, _) in TABLES {
        let sql = format!("drop table if exists {}", name(table, part));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await?;
    }
    sqlx::query("delete from part where part = $1").bind(part.0).execute(conn).await.map(std::mem::drop)
}

/// The name of a table's partition.
pub(super) fn name(table: &str, part: Part) -> String {
    format!("{table}_p{part}")
}
