//! The runner: what halts it, what doesn't, and who runs.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use futures_util::future::BoxFuture;
use scaledtest_domain::report::Status;
use scaledtest_eventlog::EventLog;
use scaledtest_projections::{Applier, ApplyError, Item, Positions, State, skip, status};
use sqlx::PgConnection;
use std::sync::Arc;
use std::time::Duration;
use support::{made::Made, *};

#[tokio::test]
async fn a_report_whose_erased_body_a_tombstone_covers_leaves_nothing() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let spec = Spec::new("gone", passed(250));
    let chunks = world.chunks(&spec).await;
    world.ingest(&spec, chunks).await;
    let position = world.delete(&spec).await;
    world.log.erase_chunks(team_id(), spec.id(), spec.upload(), &chunks).await.unwrap();
    let reading = Reading::start(&database.pool, &world.log);
    reading.wait(position).await;
    for sql in [
        "select count(*) from reports.report",
        "select count(*) from reports.result",
        "select count(*) from reports.run",
    ] {
        assert_eq!(count(&database.pool, sql).await, 0, "{sql}");
    }
    reading.stop().await;
}

#[tokio::test]
async fn a_missing_body_without_a_tombstone_halts_that_projection_alone_until_it_is_skipped() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let spec = Spec::new("lost", passed(3));
    let chunks = world.chunks(&spec).await;
    world.upload(&Spec::new("before", passed(1))).await;
    let lost = world.ingest(&spec, chunks).await;
    world.log.erase_chunks(team_id(), spec.id(), spec.upload(), &chunks).await.unwrap();
    world.upload(&Spec::new("after", passed(1))).await;
    let reading = Reading::start(&database.pool, &world.log);
    let last = world.people().await;

    assert!(halted(&database.pool, &world.log, "reports").await);
    assert!(reading.positions.wait(&["access"], last, LIMIT).await, "the other projection goes on");
    let (_, error, at) = state(&database.pool, &world.log, "reports").await;
    assert_eq!(at, Some(lost.n));
    assert!(error.unwrap().contains(&spec.id().to_string()));
    assert_eq!(count(&database.pool, "select count(*) from reports.report").await, 1, "what came before is there");

    assert!(skip(&database.pool, "reports", lost.n + 1, "ops", "no").await.is_err(), "only the commit at fault");
    skip(&database.pool, "reports", lost.n, "ops", "disk was lost").await.unwrap();
    reading.wait(last).await;
    assert_eq!(count(&database.pool, "select count(*) from reports.report").await, 2);
    assert_eq!(count(&database.pool, "select count(*) from ops.projection_skip where by = 'ops'").await, 1);
    reading.stop().await;
}

#[tokio::test]
async fn a_poison_event_in_a_batch_is_found_named_and_tried_again_at_the_next_start() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    for i in 0..5 {
        world.upload(&Spec::new(&format!("good {i}"), passed(2))).await;
    }
    let poison = world.upload_poison(&Spec::new("bad", passed(2))).await;
    for i in 5..9 {
        world.upload(&Spec::new(&format!("good {i}"), passed(2))).await;
    }
    let reading = Reading::start(&database.pool, &world.log);
    assert!(halted(&database.pool, &world.log, "reports").await);
    assert_eq!(state(&database.pool, &world.log, "reports").await.2, Some(poison.n));
    assert_eq!(count(&database.pool, "select count(*) from reports.report").await, 5);
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 10);
    reading.stop().await;

    let again = Reading::start(&database.pool, &world.log);
    assert!(halted(&database.pool, &world.log, "reports").await);
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 10, "nothing twice");
    again.stop().await;
}

#[tokio::test]
async fn a_connection_that_is_cut_while_it_works_loses_and_doubles_nothing() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let reading = Reading::start(&database.pool, &world.log);
    let mut last = world.people().await;
    reading.wait(last).await;
    for i in 0..40 {
        last = world.upload(&Spec::new(&format!("report {i}"), passed(150))).await;
        if i % 10 == 5 {
            let _: Vec<bool> = sqlx::query_scalar(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid() and query not like '%pg_stat_activity%'",
            )
            .fetch_all(&database.pool)
            .await
            .unwrap();
        }
    }
    reading.wait(last).await;
    assert_eq!(count(&database.pool, "select count(*) from reports.report").await, 40);
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 40 * 150);
    assert_eq!(count(&database.pool, "select count(distinct (report_no, idx)) from reports.result").await, 40 * 150);
    reading.stop().await;
}

#[tokio::test]
async fn of_two_runners_one_works_and_the_other_takes_over() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let first = Reading::start(&database.pool, &world.log);
    first.wait(world.people().await).await;
    let second = Reading::start(&database.pool, &world.log);
    let seen = world.upload(&Spec::new("one", passed(1))).await;
    // The standby applies nothing, but it knows.
    second.wait(seen).await;
    first.stop().await;
    second.wait(world.upload(&Spec::new("two", passed(1))).await).await;
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 2);
    second.stop().await;
}

#[tokio::test]
async fn a_wish_to_yield_that_a_dead_rebuild_left_behind_is_forgotten() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let reading = Reading::start(&database.pool, &world.log);
    reading.wait(world.people().await).await;
    sqlx::query("update ops.projection set state = 'yield'").execute(&database.pool).await.unwrap();
    reading.wait(world.upload(&Spec::new("one", passed(1))).await).await;
    reading.wait(world.upload(&Spec::new("two", passed(1))).await).await;
    assert!(eventually(|| async { state(&database.pool, &world.log, "reports").await.0 == State::Active }).await);
    reading.stop().await;
}

#[tokio::test]
async fn a_rewound_log_begins_an_epoch_and_every_projection_is_rebuilt_from_it() {
    let database = database().await;
    let longer = World::new(EventLog::in_memory());
    let reading = Reading::start(&database.pool, &longer.log);
    longer.people().await;
    for name in ["a", "b", "c"] {
        longer.upload(&Spec::new(name, passed(2))).await;
    }
    let old = longer.project("shop").await;
    reading.wait(old).await;
    reading.stop().await;

    // An older copy of the store is put back: shorter, and its history goes on differently.
    let shorter = World::new(EventLog::in_memory());
    let kept = Spec::new("other", vec![result("x", Status::Failed)]);
    let mut new = shorter.upload(&kept).await;
    let reading = Reading::start(&database.pool, &shorter.log);
    assert!(eventually(|| async { shorter.log.epoch() == old.epoch + 1 }).await);
    new.epoch = old.epoch + 1;
    reading.wait(new).await;
    assert!(reading.positions.wait(&["reports", "access"], old, LIMIT).await, "positions of the old epoch are passed");
    assert_eq!(count(&database.pool, "select count(*) from reports.report").await, 1);
    assert_eq!(count(&database.pool, "select count(*) from reports.result where status = 1").await, 1);
    assert_eq!(count(&database.pool, "select count(*) from access.account").await, 0);
    assert_eq!(count(&database.pool, "select count(*) from ops.epoch").await, 1, "once for all projections");
    reading.stop().await;
}

#[tokio::test]
async fn another_commit_at_the_same_position_is_a_rewound_log_too() {
    let database = database().await;
    let one = World::new(EventLog::in_memory());
    let reading = Reading::start(&database.pool, &one.log);
    reading.wait(one.upload(&Spec::new("a", passed(2))).await).await;
    reading.stop().await;
    let other = World::new(EventLog::in_memory());
    other.upload(&Spec::new("b", passed(1))).await;
    let mut last = other.upload(&Spec::new("c", passed(1))).await;
    let reading = Reading::start(&database.pool, &other.log);
    last.epoch += 1;
    reading.wait(last).await;
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 2);
    reading.stop().await;
}

#[tokio::test]
async fn a_rewound_log_is_noticed_before_anything_follows_it_and_a_write_then_waits_for_the_rebuild() {
    let database = database().await;
    let longer = World::new(EventLog::in_memory());
    let reading = Reading::start(&database.pool, &longer.log);
    longer.upload(&Spec::new("a", passed(2))).await;
    reading.wait(longer.upload(&Spec::new("b", passed(2))).await).await;
    reading.stop().await;
    scaledtest_projections::notice_rewind(&database.pool, &longer.log).await.unwrap();
    assert_eq!(longer.log.epoch(), 1, "nothing has happened to this log");

    let shorter = World::new(EventLog::in_memory());
    shorter.upload(&Spec::new("c", passed(1))).await;
    scaledtest_projections::notice_rewind(&database.pool, &shorter.log).await.unwrap();
    scaledtest_projections::notice_rewind(&database.pool, &shorter.log).await.unwrap();
    let written = shorter.upload(&Spec::new("d", passed(1))).await;
    assert_eq!(written.epoch, 2, "its position is not one that the old tables have passed");
    let reading = Reading::start(&database.pool, &shorter.log);
    reading.wait(written).await;
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 2);
    assert_eq!(count(&database.pool, "select count(*) from ops.epoch").await, 1);
    reading.stop().await;
}

#[tokio::test]
async fn hints_alone_tell_another_process_what_is_visible() {
    let (database, nowhere) = (database().await, database().await);
    let world = World::new(EventLog::in_memory());
    // Without a database to ask, only the hints are left.
    nowhere.pool.close().await;
    let elsewhere = Positions::new(nowhere.pool.clone());
    let cancel = tokio_util::sync::CancellationToken::new();
    let listening = tokio::spawn(elsewhere.clone().listen(world.log.clone(), cancel.clone()));
    let reading = Reading::start(&database.pool, &world.log);
    // A hint that was sent before anybody listened is lost; a later one comes.
    assert!(
        eventually(|| async {
            let position = world.upload(&Spec::new(&uuid::Uuid::new_v4().to_string(), passed(1))).await;
            elsewhere.wait(&["reports"], position, Duration::from_millis(200)).await
        })
        .await
    );
    cancel.cancel();
    listening.await.unwrap();
    reading.stop().await;
}

#[tokio::test]
async fn what_a_projection_is_known_to_have_passed_is_no_lag() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let reading = Reading::start(&database.pool, &world.log);
    reading.wait(world.people().await).await;
    reading.stop().await;
    let last = world.upload(&Spec::new("later", passed(1))).await;
    let known = Positions::new(database.pool.clone());
    let lag = async |name: &str| {
        let all = status(&database.pool, &world.log, &known).await.unwrap();
        all.iter().find(|one| one.name == name).unwrap().lag
    };
    assert!(lag("access").await > 0, "the database has not heard of it");
    known.advance("access", last);
    assert_eq!(lag("access").await, 0);
    assert!(lag("reports").await > 0);
}

#[tokio::test]
async fn a_backlog_of_many_reports_is_caught_up_with_in_order() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let mut last = world.people().await;
    for i in 0..60 {
        last = world.upload(&Spec::new(&format!("report {i}"), passed(200))).await;
    }
    let reading = Reading::start(&database.pool, &world.log);
    reading.wait(last).await;
    assert_eq!(count(&database.pool, "select count(*) from reports.result").await, 60 * 200);
    reading.wait(world.upload(&Spec::new("live", passed(1))).await).await;
    reading.stop().await;
}

#[tokio::test]
async fn waiting_for_what_does_not_come_ends_in_time() {
    let database = database().await;
    let positions = Positions::new(database.pool.clone());
    let position = scaledtest_domain::Position { epoch: 1, n: 1 };
    assert!(!positions.wait(&["reports"], position, Duration::from_millis(50)).await);
    positions.advance("reports", position);
    assert!(positions.wait(&["reports"], position, Duration::from_millis(50)).await);
    positions.advance("reports", scaledtest_domain::Position { epoch: 1, n: 0 });
    assert_eq!(positions.get("reports"), position, "old news is ignored");
}

/// The index of its table takes no such word.
struct Long;

const LONG: Made = Made {
    name: "long",
    version: 1,
    ddl: "create table seen (word text); create index on seen (word)",
    applier: || Box::new(Long),
};

impl Applier for Long {
    fn apply<'a>(&'a mut self, conn: &'a mut PgConnection, _: &'a [Item]) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let long = "insert into seen select string_agg(md5(i::text), '') from generate_series(1, 1000) i";
            sqlx::query(long).execute(conn).await?;
            Ok(())
        })
    }
}

#[tokio::test]
async fn what_is_over_a_limit_of_the_database_halts_instead_of_being_tried_for_ever() {
    let database = database().await;
    let world = World::new(EventLog::in_memory());
    let reading = Reading::with(&database.pool, &world.log, vec![Arc::new(LONG)]);
    let at = world.upload(&Spec::new("one", passed(1))).await;
    assert!(halted(&database.pool, &world.log, "long").await);
    assert_eq!(state(&database.pool, &world.log, "long").await.2, Some(at.n));
    reading.stop().await;
}
