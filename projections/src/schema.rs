//! Making, swapping and dropping a projection's schema. The only place where SQL is put together from names; all of them
//! are a projection's own `name()`, a word chosen in this crate.

use crate::Projection;
use crate::checkpoint::{self, Checkpoint};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The schema in which a projection is rebuilt, and the name of its checkpoint.
pub(crate) fn shadow(name: &str) -> String {
    format!("{name}_next")
}

fn retired(name: &str) -> String {
    format!("{name}_old")
}

async fn run(conn: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
}

/// Makes the tables in `schema` and a checkpoint of the same name before everything, in one transaction.
pub(crate) async fn create(
    conn: &mut PgConnection,
    schema: &str,
    projection: &dyn Projection,
    epoch: u64,
    with_indexes: bool,
) -> Result<Checkpoint, sqlx::Error> {
    let start = Checkpoint::start(epoch);
    let mut tx = conn.begin().await?;
    run(&mut tx, format!("drop schema if exists {schema} cascade; create schema {schema}")).await?;
    sqlx::raw_sql(projection.ddl()).execute(&mut *tx).await?;
    if with_indexes {
        sqlx::raw_sql(projection.indexes()).execute(&mut *tx).await?;
    }
    checkpoint::put(&mut tx, schema, projection.version(), &start).await?;
    tx.commit().await?;
    Ok(start)
}

/// Removes what an earlier rebuild left behind.
pub(crate) async fn clean(conn: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    let (shadow, retired) = (shadow(name), retired(name));
    run(conn, format!("drop schema if exists {shadow} cascade")).await?;
    run(conn, format!("drop schema if exists {retired} cascade")).await?;
    sqlx::query("delete from ops.projection where name = $1").bind(shadow).execute(conn).await?;
    Ok(())
}

/// The shadow becomes the projection, at once for every reader: names are all that changes.
pub(crate) async fn swap(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
    checkpoint: &Checkpoint,
) -> Result<(), sqlx::Error> {
    let (shadow, retired) = (shadow(name), retired(name));
    let mut tx = conn.begin().await?;
    // The rows were written with lazy flushes; from here on they must be safe.
    run(&mut tx, "set local synchronous_commit = on".to_owned()).await?;
    let live: bool =
        sqlx::query_scalar("select to_regnamespace($1) is not null").bind(name).fetch_one(&mut *tx).await?;
    if live {
        run(&mut tx, format!("alter schema {name} rename to {retired}")).await?;
    }
    run(&mut tx, format!("alter schema {shadow} rename to {name}")).await?;
    checkpoint::put(&mut tx, name, version, checkpoint).await?;
    sqlx::query("delete from ops.projection where name = $1").bind(shadow).execute(&mut *tx).await?;
    tx.commit().await
}

/// Tells the planner about the new rows. Postgres would in time, but the first queries come before. Of a partitioned
/// table it looks at the partitions, as autovacuum does.
pub(crate) async fn analyze(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let tables: Option<String> = sqlx::query_scalar(
        "select string_agg(quote_ident(relname), ', ') from pg_class
         where relnamespace = to_regnamespace(current_schema()) and relkind = 'r'",
    )
    .fetch_one(&mut *conn)
    .await?;
    match tables {
        Some(tables) => run(conn, format!("analyze {tables}")).await,
        None => Ok(()),
    }
}

/// Drops the tables that were swapped out. Queries that still read them are waited for, but not long: what is left is
/// removed by the next rebuild.
pub(crate) async fn drop_retired(conn: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    let retired = retired(name);
    run(conn, format!("set lock_timeout = '10s'; drop schema if exists {retired} cascade; reset lock_timeout")).await
}
