//! What follows from what reports said may be left for later, and is found by whoever comes next.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use scaledtest_domain::report::Status;
use scaledtest_eventlog::EventLog;
use scaledtest_projections::{Fresh, Positions, Runner, Setup};
use support::*;

const UNSETTLED: &str = "select count(*) from history.branch where settled < reports";
/// Runs that the counts of series know of.
const RUNS: &str = "select sum(runs)::bigint from history.series";

fn report(name: &str) -> Spec {
    let mut results = passed(2);
    results.push(result("fails", Status::Failed));
    Spec::new(name, results)
}

async fn settled(pool: &sqlx::PgPool) {
    assert!(eventually(|| async { count(pool, UNSETTLED).await == 0 }).await, "nobody finds what was left");
}

#[tokio::test]
async fn what_an_upload_that_never_comes_would_have_brought_is_not_waited_for() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let (positions, fresh) = (Positions::new(database.pool.clone()), Fresh::default());
    let setup = Setup {
        pool: database.pool.clone(),
        log: world.log.clone(),
        positions: positions.clone(),
        fresh: fresh.clone(),
        projections: vec![projection("history")],
    };
    let _coming = fresh.announce();
    let runner = Runner::start(setup);
    world.upload(&report("one")).await;
    let last = world.upload(&report("two")).await;
    assert!(positions.wait(&["history"], last, LIMIT).await);
    assert_eq!(
        count(&database.pool, "select min(last_seq)::bigint from history.series").await,
        2,
        "what they said is there"
    );
    settled(&database.pool).await;
    assert_eq!(count(&database.pool, RUNS).await, 6);
    runner.stop().await;
}

#[tokio::test]
async fn what_a_process_left_that_ended_the_next_one_finds() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let reading = Reading::with(&database.pool, &world.log, vec![projection("history")]);
    world.upload(&report("one")).await;
    let last = world.upload(&report("two")).await;
    assert!(reading.positions.wait(&["history"], last, LIMIT).await);
    settled(&database.pool).await;
    reading.stop().await;
    let found = dump(&database.pool, "history").await;
    // As it is when it ends under load: the second report is in the series, and nothing that follows from it.
    let left = "update history.series set runs = 1, passed = 0, failed = 0, p50_ms = null, state = 2, score = 0.5;
                update history.branch set settled = 1";
    sqlx::raw_sql(left).execute(&database.pool).await.unwrap();

    let reading = Reading::with(&database.pool, &world.log, vec![projection("history")]);
    settled(&database.pool).await;
    assert_eq!(dump(&database.pool, "history").await, found);
    reading.stop().await;
}
