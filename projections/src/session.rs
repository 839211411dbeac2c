//! A database connection that belongs to one projection: its search path is the schema to fill, and the advisory lock
//! that makes it the only writer lives and dies with it.

use scaledtest_eventlog::LogError;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use std::time::Duration;

/// Why a projection stopped for a moment. It goes on by itself.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The log.
    #[error("log: {0}")]
    Log(#[from] LogError),
    /// Somebody else moved the position: another process took over.
    #[error("the position was moved by another process")]
    Lost,
    /// A rebuild that the start-up check asked for.
    #[error("rebuild: {0}")]
    Rebuild(Box<crate::RebuildError>),
}

/// What is locked. The first key of every advisory lock of ours is the same, so that they cannot meet another program's.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lock<'a> {
    /// Writing a projection's live tables.
    Projection(&'a str),
    /// Rebuilding, of whichever projection.
    Rebuild,
    /// Beginning a new epoch.
    Epoch,
}

const SPACE: i32 = 0x5ca1;

impl Lock<'_> {
    fn name(&self) -> String {
        match self {
            Self::Projection(name) => format!("projection {name}"),
            Self::Rebuild => "rebuild".to_owned(),
            Self::Epoch => "epoch".to_owned(),
        }
    }
}

/// Connects outside the pool: the connection is held for as long as the projection is followed.
pub(crate) async fn connect(pool: &PgPool, schema: &str) -> Result<PgConnection, sqlx::Error> {
    let options = pool.connect_options();
    let mut conn = within(Duration::from_secs(10), options.connect()).await?;
    // Every statement of a projection finds rows by their keys and is run again and again: planning it each time costs more
    // than running it, and a plan that was made while a table was empty must not read all of it later.
    sqlx::query(
        "select set_config('search_path', $1, false), set_config('plan_cache_mode', 'force_generic_plan', false),
           set_config('enable_seqscan', 'off', false)",
    )
    .bind(schema)
    .execute(&mut conn)
    .await?;
    Ok(conn)
}

pub(crate) async fn try_lock(conn: &mut PgConnection, lock: Lock<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select pg_try_advisory_lock($1, hashtext($2))")
        .bind(SPACE)
        .bind(lock.name())
        .fetch_one(conn)
        .await
}

pub(crate) async fn unlock(conn: &mut PgConnection, lock: Lock<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_unlock($1, hashtext($2))").bind(SPACE).bind(lock.name()).execute(conn).await?;
    Ok(())
}

/// A server that doesn't answer at all is a lost connection.
pub(crate) async fn within<T, E: From<sqlx::Error>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let late = |_| sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::TimedOut));
    tokio::time::timeout(limit, work).await.map_err(late)?
}

/// Says goodbye, which frees the locks at once. A connection that is broken already frees them by itself.
pub(crate) async fn close(conn: PgConnection) {
    if let Err(error) = within(Duration::from_secs(5), conn.close()).await {
        tracing::debug!(%error, "closing a projection's connection");
    }
}
