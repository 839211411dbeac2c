//! What the database takes, and how fast it grows.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// Bytes of the whole database.
///
/// # Errors
/// What the database says.
pub async fn database_bytes(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select pg_database_size(current_database())").fetch_one(pool).await
}

/// Results taken in since a time, by day.
///
/// # Errors
/// What the database says.
pub async fn results_per_day(pool: &PgPool, since: DateTime<Utc>, days: i64) -> Result<f64, sqlx::Error> {
    sqlx::query_scalar(
        "select coalesce(sum(tests), 0)::double precision / $2::double precision from reports.report where received_at > $1",
    )
    .bind(since)
    .bind(days)
    .fetch_one(pool)
    .await
}
