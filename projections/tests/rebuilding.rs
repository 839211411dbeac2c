//! Rebuilding beside the live tables.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use futures_util::future::BoxFuture;
use scaledtest_domain::report::Status;
use scaledtest_eventlog::EventLog;
use scaledtest_projections::{Applier, ApplyError, Item, Projection, RebuildError, Settle, rebuild, skip};
use sqlx::PgConnection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{made::Made, *};

async fn some_history(world: &World) -> scaledtest_domain::Position {
    world.people().await;
    world.project("shop").await;
    for i in 0..6 {
        let mut spec = Spec::new(&format!("report {i}"), passed(230));
        spec.run_key = (i % 2 == 0).then_some("nightly");
        spec.results.push(result("fails", Status::Failed));
        world.upload(&spec).await;
    }
    world.delete(&Spec::new("report 1", Vec::new())).await;
    let gone = Spec::new("gone", passed(3));
    let chunks = world.chunks(&gone).await;
    world.ingest(&gone, chunks).await;
    let position = world.delete(&gone).await;
    world.log.erase_chunks(team_id(), gone.id(), gone.upload(), &chunks).await.unwrap();
    position
}

#[tokio::test]
async fn every_table_is_the_same_after_a_rebuild() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let reading = Reading::start(&database.pool, &world.log);
    let last = some_history(&world).await;
    reading.wait(last).await;
    for projection in scaledtest_projections::all() {
        let before = dump(&database.pool, projection.name()).await;
        let rebuilt = rebuild(&database.pool, &world.log, &projection, |progress| {
            assert!(progress.done <= progress.total);
        })
        .await
        .unwrap();
        assert_eq!(rebuilt.position, last);
        assert_eq!(before, dump(&database.pool, projection.name()).await);
    }
    // The runner goes on with the new tables.
    reading.wait(world.upload(&Spec::new("later", passed(1))).await).await;
    let schemas = "select count(*) from pg_namespace where nspname like '%\\_next' or nspname like '%\\_old'";
    assert_eq!(count(&database.pool, schemas).await, 0, "nothing is left behind");
    reading.stop().await;
}

#[tokio::test]
async fn writes_go_on_and_prepared_queries_survive_while_the_tables_are_swapped() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let reading = Reading::start(&database.pool, &world.log);
    reading.wait(some_history(&world).await).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (writer, reader) = (world.clone(), database.pool.clone());
    let (stopped, ended) = (stop.clone(), stop.clone());
    let positions = reading.positions.clone();
    let writing = tokio::spawn(async move {
        let (mut i, mut last) = (0, None);
        while !stopped.load(Ordering::Relaxed) {
            let position = writer.upload(&Spec::new(&format!("meanwhile {i}"), passed(5))).await;
            // A writer that reads its writes; while the tables are swapped it may have to wait a little.
            assert!(positions.wait(&["reports"], position, LIMIT).await);
            (i, last) = (i + 1, Some(position));
        }
        (i, last.unwrap())
    });
    let asking = tokio::spawn(async move {
        // One connection, so one prepared statement, used before, during and after the swaps.
        let mut conn = reader.acquire().await.unwrap();
        let (mut last, mut asked) = (0_i64, 0);
        while !ended.load(Ordering::Relaxed) {
            let reports: i64 = sqlx::query_scalar("select count(*) from reports.report where team_id = $1")
                .bind(team_id().0)
                .fetch_one(&mut *conn)
                .await
                .unwrap();
            assert!(reports > 0 && reports >= last - 1, "{reports} after {last}");
            last = reports;
            asked += 1;
        }
        asked
    });
    for _ in 0..3 {
        rebuild(&database.pool, &world.log, &projection("reports"), |_| ()).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let (written, last) = writing.await.unwrap();
    assert!(asking.await.unwrap() > 10);
    reading.wait(last).await;
    let live = dump(&database.pool, "reports").await;
    assert_eq!(live["report"].len(), 5 + written);
    rebuild(&database.pool, &world.log, &projection("reports"), |_| ()).await.unwrap();
    assert_eq!(live, dump(&database.pool, "reports").await);
    reading.stop().await;
}

#[tokio::test]
async fn a_rebuild_without_a_server_makes_the_tables() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let last = some_history(&world).await;
    let rebuilt = rebuild(&database.pool, &world.log, &projection("reports"), |_| ()).await.unwrap();
    assert_eq!((rebuilt.position, rebuilt.results), (last, 6 * 231));
    let reading = Reading::start(&database.pool, &world.log);
    reading.wait(last).await;
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 5 * 231);
    reading.stop().await;
}

#[tokio::test]
async fn a_rebuild_that_meets_poison_leaves_the_live_tables_as_they_are() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let reading = Reading::start(&database.pool, &world.log);
    let good = world.upload(&Spec::new("good", passed(2))).await;
    reading.wait(good).await;
    let poison = world.upload_poison(&Spec::new("bad", passed(1))).await;
    let error = rebuild(&database.pool, &world.log, &projection("reports"), |_| ()).await.unwrap_err();
    assert!(matches!(error, RebuildError::Poison { n, .. } if n == poison.n), "{error}");
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 2);
    // What is left behind doesn't hinder the next one.
    rebuild(&database.pool, &world.log, &projection("access"), |_| ()).await.unwrap();
    let error = rebuild(&database.pool, &world.log, &projection("reports"), |_| ()).await.unwrap_err();
    assert!(matches!(error, RebuildError::Poison { .. }));
    reading.stop().await;
}

/// Writes the numbers of commits, in the second version twice.
struct Counting(i32);

const FIRST: Made =
    Made { name: "counting", version: 1, ddl: "create table seen (n bigint)", applier: || Box::new(Counting(1)) };
const SECOND: Made =
    Made { version: 2, ddl: "create table seen (n bigint, twice bigint)", applier: || Box::new(Counting(2)), ..FIRST };

impl Applier for Counting {
    fn apply<'a>(&'a mut self, conn: &'a mut PgConnection, batch: &'a [Item]) -> BoxFuture<'a, Result<(), ApplyError>> {
        let numbers: Vec<i64> = batch.iter().filter(|item| !item.events.is_empty()).map(|item| item.n as i64).collect();
        let sql = match self.0 {
            1 => "insert into seen (n) select n from unnest($1::bigint[]) n",
            _ => "insert into seen (n, twice) select n, 2 * n from unnest($1::bigint[]) n",
        };
        Box::pin(async move {
            sqlx::query(sql).bind(numbers).execute(conn).await?;
            Ok(())
        })
    }
}

#[tokio::test]
async fn another_version_of_the_tables_is_rebuilt_at_start() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let first = Reading::with(&database.pool, &world.log, vec![Arc::new(FIRST)]);
    let seen = world.upload(&Spec::new("one", passed(1))).await;
    assert!(first.positions.wait(&["counting"], seen, LIMIT).await);
    first.stop().await;

    let second = Reading::with(&database.pool, &world.log, vec![Arc::new(SECOND)]);
    let seen = world.upload(&Spec::new("two", passed(1))).await;
    assert!(second.positions.wait(&["counting"], seen, LIMIT).await);
    assert_eq!(count(&database.pool, "select sum(twice)::bigint from counting.seen").await, 6);
    assert_eq!(count(&database.pool, "select version::bigint from ops.projection where name = 'counting'").await, 2);
    second.stop().await;
}

/// A report whose body is lost although the tables hold it; a rebuild cannot apply it.
async fn lose(world: &World, pool: &sqlx::PgPool) -> (scaledtest_domain::Position, scaledtest_domain::Position) {
    let spec = Spec::new("lost", passed(3));
    let chunks = world.chunks(&spec).await;
    world.upload(&Spec::new("before", passed(1))).await;
    let lost = world.ingest(&spec, chunks).await;
    let last = world.upload(&Spec::new("after", passed(1))).await;
    let reading = Reading::start(pool, &world.log);
    reading.wait(last).await;
    reading.stop().await;
    world.log.erase_chunks(team_id(), spec.id(), spec.upload(), &chunks).await.unwrap();
    (lost, last)
}

const RESULTS: &str = "select count(*) from reports.result";

#[tokio::test]
async fn a_rebuild_at_start_that_meets_poison_halts_and_goes_on_once_it_is_skipped() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let (lost, last) = lose(&world, &database.pool).await;
    sqlx::query("update ops.projection set version = 0").execute(&database.pool).await.unwrap();

    let reading = Reading::start(&database.pool, &world.log);
    assert!(halted(&database.pool, &world.log, "reports").await);
    let (_, error, at) = state(&database.pool, &world.log, "reports").await;
    assert_eq!(at, Some(lost.n));
    assert!(error.unwrap().contains("rebuilt"));
    assert_eq!(count(&database.pool, RESULTS).await, 5, "the old tables serve");
    assert!(halted(&database.pool, &world.log, "history").await);
    for name in ["reports", "history"] {
        skip(&database.pool, name, lost.n, "ops", "disk was lost").await.unwrap();
    }
    reading.wait(last).await;
    let later = world.upload(&Spec::new("later", passed(1))).await;
    let all: Vec<&str> = scaledtest_projections::all().iter().map(|projection| projection.name()).collect();
    assert!(reading.positions.wait(&all, later, LIMIT).await);
    assert_eq!(count(&database.pool, RESULTS).await, 3);
    assert_eq!(count(&database.pool, "select count(*) from ops.projection where version = 0").await, 0);
    reading.stop().await;
}

#[tokio::test]
async fn a_skip_holds_in_the_next_epoch_too_and_one_can_be_made_in_it() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let (lost, mut last) = lose(&world, &database.pool).await;
    for is_skipped in [false, true] {
        last.epoch = world.log.begin_epoch(0).await.unwrap();
        let reading = Reading::start(&database.pool, &world.log);
        if !is_skipped {
            assert!(halted(&database.pool, &world.log, "reports").await);
            skip(&database.pool, "reports", lost.n, "ops", "disk was lost").await.unwrap();
        }
        reading.wait(last).await;
        assert_eq!(count(&database.pool, RESULTS).await, 2);
        reading.stop().await;
    }
    let skips = "select count(*) from ops.projection_skip where epoch = 2 and commit_id is not null";
    assert_eq!(count(&database.pool, skips).await, 1);
    assert_eq!(last.epoch, 3);
}

/// Counts reports, remembers how many, and takes only one at a time.
#[derive(Clone, Default)]
struct Remembered(i64);

const REMEMBERING: Made = Made {
    name: "remembering",
    version: 1,
    ddl: "create table reports (n bigint)",
    applier: || Box::<Remembered>::default(),
};

impl Applier for Remembered {
    fn apply<'a>(&'a mut self, _: &'a mut PgConnection, batch: &'a [Item]) -> BoxFuture<'a, Result<(), ApplyError>> {
        let came = batch.iter().filter(|item| !item.events.is_empty()).count() as i64;
        self.0 += came;
        let done = if came > 1 { Err(ApplyError::Data("too many".into())) } else { Ok(()) };
        Box::pin(std::future::ready(done))
    }
    fn settle<'a>(&'a mut self, conn: &'a mut PgConnection, how: Settle) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            if how != Settle::Overflow {
                sqlx::query("insert into reports values ($1)").bind(std::mem::take(&mut self.0)).execute(conn).await?;
            }
            Ok(())
        })
    }
    fn copy(&self) -> Option<Box<dyn Applier>> {
        Some(Box::new(self.clone()))
    }
    fn is_settled(&self) -> bool {
        self.0 == 0
    }
}

#[tokio::test]
async fn what_a_rebuild_remembers_is_not_lost_when_a_batch_has_to_be_halved() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    for name in ["one", "two", "three", "four", "five"] {
        world.upload(&Spec::new(name, passed(1))).await;
    }
    let remembering: Arc<dyn Projection> = Arc::new(REMEMBERING);
    rebuild(&database.pool, &world.log, &remembering, |_| ()).await.unwrap();
    assert_eq!(count(&database.pool, "select sum(n)::bigint from remembering.reports").await, 5);
}
