//! What is remembered between two verdicts changes none of them.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use chrono::TimeDelta;
use scaledtest_domain::{Position, RunId, report::Status};
use scaledtest_eventlog::EventLog;
use scaledtest_projections::history::queries::{Recent, run_verdict};
use support::*;

/// The `number`th report of a suite in which something fails now and then, on one of two branches; every tenth is of a run
/// that began before the others.
fn report(number: usize, tests: usize) -> Spec {
    let fails = |test: usize| (number * 7 + test * 13).is_multiple_of(11) || number.is_multiple_of(17);
    let status = |test| if fails(test) { Status::Failed } else { Status::Passed };
    let mut results: Vec<_> = (0..tests).map(|test| result(&format!("test {test}"), status(test))).collect();
    results.iter_mut().for_each(|result| result.attempts.clear());
    let mut spec = Spec::new(&format!("report {number}"), results);
    spec.branch = Some(if number.is_multiple_of(3) { "topic" } else { "main" });
    spec.run_at = number.is_multiple_of(10).then(|| start() - TimeDelta::days(1));
    spec
}

/// A project, and what is read of it.
struct Shop {
    database: scaledtest_testkit::Database,
    world: World,
    reading: Reading,
}

impl Shop {
    async fn open() -> Self {
        let (database, world) = (database().await, World::new(EventLog::in_memory()));
        let reading = Reading::start(&database.pool, &world.log);
        world.project("shop").await;
        Self { database, world, reading }
    }

    /// Everything that a verdict is made from is there.
    async fn level(&self, at: Position) {
        let names: Vec<&str> = scaledtest_projections::all().iter().map(|projection| projection.name()).collect();
        assert!(self.reading.positions.wait(&names, at, LIMIT).await);
    }

    async fn verdict(&self, recent: &Recent, run: RunId) -> String {
        format!("{:#?}", run_verdict(&self.database.pool, recent, team_id(), run).await.unwrap())
    }

    /// The verdict of a run with what is remembered, which must be that of somebody who remembers nothing.
    async fn same(&self, recent: &Recent, run: RunId) -> String {
        let found = self.verdict(recent, run).await;
        assert_eq!(found, self.verdict(&Recent::default(), run).await);
        found
    }
}

#[tokio::test]
async fn a_verdict_is_the_same_whatever_was_asked_before() {
    let (shop, recent) = (Shop::open().await, Recent::default());
    let specs: Vec<Spec> = (1..=40).map(|number| report(number, 8)).collect();
    for spec in &specs {
        shop.level(shop.world.upload(spec).await).await;
        shop.same(&recent, spec.run()).await;
    }
    let run = specs[37].run();
    let before = shop.same(&recent, run).await;
    // What it was compared with is gone, and nothing new came.
    for gone in [36, 34] {
        shop.level(shop.world.delete(&specs[gone]).await).await;
        shop.same(&recent, run).await;
    }
    assert_ne!(shop.verdict(&recent, run).await, before);
    shop.reading.stop().await;
}

#[tokio::test]
async fn another_history_of_the_same_branch_is_not_taken_for_the_one_that_is_remembered() {
    let recent = Recent::default();
    // As after a rewind: other reports at the same positions, with the same numbers.
    for begin in [1, 103] {
        let shop = Shop::open().await;
        let specs: Vec<Spec> = (begin..begin + 12).map(|number| report(number, 8)).collect();
        for spec in &specs {
            shop.level(shop.world.upload(spec).await).await;
        }
        for spec in &specs {
            shop.same(&recent, spec.run()).await;
        }
        shop.reading.stop().await;
    }
}

#[tokio::test]
async fn only_so_many_reports_are_looked_at_whoever_asks() {
    let (shop, recent) = (Shop::open().await, Recent::default());
    let asked = [990, 1_098, 1_099, 1_100, 1_101, 1_110, 1_230];
    for number in 1..=1_230 {
        let mut spec = report(number, 1);
        spec.branch = Some("main");
        let at = shop.world.upload(&spec).await;
        if asked.contains(&number) {
            shop.level(at).await;
            shop.same(&recent, spec.run()).await;
        }
    }
    shop.reading.stop().await;
}
