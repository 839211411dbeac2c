//! A fresh database for each caller, in one cluster for the process.

use std::time::Duration;

use anyhow::Context;
use scaledtest_managed::{Binaries, Overrides, Postgres, PostgresSettings};
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{Connection, PgPool};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::PATIENCE;
use crate::place::TestDir;

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

struct Cluster {
    postgres: Postgres,
    /// Kept as long as the cluster.
    _dir: TestDir,
}

/// An empty database.
#[derive(Debug)]
pub struct Database {
    /// With the password.
    pub url: String,
    /// At most ten connections; open only while the runtime of the caller is.
    pub pool: PgPool,
}

/// Creates an empty database. The first call in a process starts the cluster (about a second), the others take milliseconds.
///
/// # Panics
/// When PostgreSQL is not there or does not answer within a minute, with a sentence that says why.
pub async fn database() -> Database {
    match timeout(PATIENCE, create()).await {
        Ok(Ok(database)) => database,
        Ok(Err(error)) => panic!("no test database: {error:#}"),
        Err(_) => panic!("no test database within {} s", PATIENCE.as_secs()),
    }
}

async fn create() -> anyhow::Result<Database> {
    let cluster = CLUSTER.get_or_try_init(Cluster::start).await?;
    let name = format!("t_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&cluster.postgres.url()).await.context("cannot connect")?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name} strategy file_copy")))
        .execute(&mut connection)
        .await
        .context("cannot create a database")?;
    connection.close().await?;
    let url = cluster.postgres.url_of(&name);
    let options = PgPoolOptions::new().max_connections(10).acquire_timeout(Duration::from_secs(20));
    let pool = options.connect(&url).await.context("cannot connect")?;
    Ok(Database { url, pool })
}

impl Cluster {
    async fn start() -> anyhow::Result<Self> {
        let programs = Binaries::find_postgres(&Overrides::default())?;
        let dir = TestDir::new()?;
        // Many tests at a time, each with a pool or two.
        let settings = vec![("max_connections".to_owned(), "300".to_owned())];
        let settings = PostgresSettings { dir: dir.path().to_owned(), settings, volatile: true };
        let postgres = Postgres::start(&programs, settings).await?;
        Ok(Self { postgres, _dir: dir })
    }
}

/// Stops the cluster if there is one. Called once, when the process ends.
pub(crate) fn stop() {
    let Some(cluster) = CLUSTER.get() else { return };
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() {
        runtime.block_on(cluster.postgres.shutdown());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tables(pool: &PgPool) -> i64 {
        let count = "select count(*) from pg_tables where schemaname = 'public'";
        sqlx::query_scalar(count).fetch_one(pool).await.unwrap()
    }

    #[tokio::test]
    async fn two_databases_know_nothing_of_each_other() {
        let (one, other) = tokio::join!(database(), database());
        sqlx::query("create table t (n int)").execute(&one.pool).await.unwrap();
        assert_eq!((tables(&one.pool).await, tables(&other.pool).await), (1, 0));
    }

    #[tokio::test]
    async fn a_second_runtime_uses_the_same_cluster() {
        let database = database().await;
        assert_eq!(tables(&database.pool).await, 0);
    }

    #[test]
    fn the_cluster_outlives_the_runtime_that_started_it() {
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { assert_eq!(tables(&database().await.pool).await, 0) });
        }
    }
}
