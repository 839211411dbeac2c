//! The row that says where a projection stands. Changed only in the transaction that changes its tables.

use crate::drive::Poison;
use scaledtest_domain::{CommitId, Position};
use sqlx::{PgConnection, Row};
use std::collections::HashSet;
use uuid::Uuid;

/// Where a projection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub position: Position,
    /// The commit at that position; none before the first.
    pub commit: Option<CommitId>,
}

impl Checkpoint {
    /// Before everything.
    pub fn start(epoch: u64) -> Self {
        Self { position: Position { epoch, n: 0 }, commit: None }
    }
}

/// What the row asks of the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Active,
    Halted,
    Yield,
}

/// The whole row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored {
    pub checkpoint: Checkpoint,
    pub version: i32,
    pub wish: Wish,
}

/// Positions are unsigned here and `bigint` there; both fit in 63 bits.
pub(crate) fn signed(n: u64) -> i64 {
    crate::copy::saturate8(n)
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn wish(state: &str) -> Wish {
    match state {
        "halted" => Wish::Halted,
        "yield" => Wish::Yield,
        _ => Wish::Active,
    }
}

pub(crate) async fn read(conn: &mut PgConnection, name: &str) -> Result<Option<Stored>, sqlx::Error> {
    let row = sqlx::query("select epoch, position, commit_id, version, state from ops.projection where name = $1")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(Stored {
            checkpoint: Checkpoint {
                position: Position { epoch: unsigned(row.try_get(0)?), n: unsigned(row.try_get(1)?) },
                commit: row.try_get::<Option<Uuid>, _>(2)?.map(CommitId),
            },
            version: row.try_get(3)?,
            wish: wish(row.try_get(4)?),
        })
    })
    .transpose()
}

/// Writes the whole row, as a new or a rebuilt projection has it.
pub(crate) async fn put(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
    checkpoint: &Checkpoint,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into ops.projection (name, version, epoch, position, commit_id) values ($1, $2, $3, $4, $5)
         on conflict (name) do update set version = excluded.version, epoch = excluded.epoch, position = excluded.position,
           commit_id = excluded.commit_id, state = 'active', error = null, halted_at_position = null, halted_at_epoch = null, halted_at_commit = null,
           updated_at = now()",
    )
    .bind(name)
    .bind(version)
    .bind(signed(checkpoint.position.epoch))
    .bind(signed(checkpoint.position.n))
    .bind(checkpoint.commit.map(Uuid::from))
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves from one checkpoint to the next; `None` when it was not there any more: somebody else moved it.
pub(crate) async fn advance(
    conn: &mut PgConnection,
    name: &str,
    from: &Checkpoint,
    to: &Checkpoint,
) -> Result<Option<Wish>, sqlx::Error> {
    let state: Option<String> = sqlx::query_scalar(
        "update ops.projection set position = $4, commit_id = $5, updated_at = now()
         where name = $1 and epoch = $2 and position = $3 returning state",
    )
    .bind(name)
    .bind(signed(from.position.epoch))
    .bind(signed(from.position.n))
    .bind(signed(to.position.n))
    .bind(to.commit.map(Uuid::from))
    .fetch_optional(conn)
    .await?;
    Ok(state.as_deref().map(wish))
}

/// Unless a rebuild has just asked for the tables: it would wait in vain.
pub(crate) async fn halt(conn: &mut PgConnection, name: &str, poison: &Poison) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update ops.projection set state = 'halted', error = $2, halted_at_epoch = $3, halted_at_position = $4,
           halted_at_commit = $5, updated_at = now()
         where name = $1 and state <> 'yield'",
    )
    .bind(name)
    .bind(poison.error.replace('\0', ""))
    .bind(signed(poison.position.epoch))
    .bind(signed(poison.position.n))
    .bind(poison.commit.map(Uuid::from))
    .execute(conn)
    .await?;
    Ok(())
}

/// Asks the runner to let go, or lets it go on.
pub(crate) async fn set_wish(conn: &mut PgConnection, name: &str, wish: Wish) -> Result<(), sqlx::Error> {
    let state = match wish {
        Wish::Active => "active",
        Wish::Halted => "halted",
        Wish::Yield => "yield",
    };
    sqlx::query(
        "update ops.projection set state = $2, updated_at = now(),
           error = case when $2 = 'active' then null else error end,
           halted_at_epoch = case when $2 = 'active' then null else halted_at_epoch end,
           halted_at_position = case when $2 = 'active' then null else halted_at_position end,
           halted_at_commit = case when $2 = 'active' then null else halted_at_commit end
         where name = $1",
    )
    .bind(name)
    .bind(state)
    .execute(conn)
    .await?;
    Ok(())
}

/// What an operator left out.
#[derive(Debug, Default)]
pub(crate) struct Skips {
    /// In every epoch.
    commits: HashSet<CommitId>,
    /// In this epoch: messages that cannot be read, whose commit is unknown.
    positions: HashSet<u64>,
}

impl Skips {
    pub fn commit(&self, n: u64, commit: CommitId) -> bool {
        self.commits.contains(&commit) || self.positions.contains(&n)
    }

    pub fn message(&self, n: u64) -> bool {
        self.positions.contains(&n)
    }
}

pub(crate) async fn skips(conn: &mut PgConnection, name: &str, epoch: u64) -> Result<Skips, sqlx::Error> {
    let rows: Vec<(i64, Option<Uuid>)> = sqlx::query_as(
        "select position, commit_id from ops.projection_skip
         where name = $1 and (epoch = $2 or commit_id is not null)",
    )
    .bind(name)
    .bind(signed(epoch))
    .fetch_all(conn)
    .await?;
    let mut skips = Skips::default();
    for (position, commit) in rows {
        match commit {
            Some(commit) => skips.commits.insert(CommitId(commit)),
            None => skips.positions.insert(unsigned(position)),
        };
    }
    Ok(skips)
}

/// Every projection's position, for those who wait.
pub(crate) async fn positions(pool: &sqlx::PgPool) -> Result<Vec<(String, Position)>, sqlx::Error> {
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as("select name, epoch, position from ops.projection").fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(name, epoch, n)| (name, Position { epoch: unsigned(epoch), n: unsigned(n) })).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn halting_leaves_a_wish_to_yield_that_was_just_made() {
        let database = scaledtest_testkit::database().await;
        crate::migrate(&database.pool).await.unwrap();
        let mut conn = database.pool.acquire().await.unwrap();
        put(&mut conn, "reports", 1, &Checkpoint::start(1)).await.unwrap();
        let poison = Poison { position: Position { epoch: 1, n: 7 }, commit: None, error: "bad\0".to_owned() };
        set_wish(&mut conn, "reports", Wish::Yield).await.unwrap();
        halt(&mut conn, "reports", &poison).await.unwrap();
        assert_eq!(read(&mut conn, "reports").await.unwrap().unwrap().wish, Wish::Yield);
        set_wish(&mut conn, "reports", Wish::Active).await.unwrap();
        halt(&mut conn, "reports", &poison).await.unwrap();
        assert_eq!(read(&mut conn, "reports").await.unwrap().unwrap().wish, Wish::Halted);
    }
}
