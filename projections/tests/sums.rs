//! Sums over any span are those of the reports in it, however they are added up.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use scaledtest_domain::report::Status;
use scaledtest_eventlog::EventLog;
use scaledtest_projections::history::queries::{
    Group, Narrow, Span, Trend, duration_distribution, error_analysis, trends,
};
use sqlx::PgPool;
use support::*;

/// Quarters of an hour over which reports are spread: four days and a bit.
const QUARTERS: i64 = 400;

fn at(quarter: i64) -> DateTime<Utc> {
    start() + TimeDelta::minutes(15 * quarter)
}

/// A report in every seventh quarter, at any minute of it, with two passed results and up to three failed ones.
fn reports() -> Vec<Spec> {
    let report = |i: i64| {
        let failed = (0..i % 4).map(|one| result(&format!("fails {one}"), Status::Failed));
        let mut spec = Spec::new(&format!("report {i}"), passed(2).into_iter().chain(failed).collect());
        spec.run_at = Some(at(i * 7) + TimeDelta::seconds(i * 13 % 900));
        spec
    };
    (0..QUARTERS / 7).map(report).collect()
}

async fn totals(pool: &PgPool, span: Span, zone: &str) -> Vec<Trend> {
    trends(pool, team_id(), &Narrow::default(), span, (Group::Day, zone, false)).await.unwrap()
}

#[test]
fn a_span_of_days_adds_up_to_its_quarters_of_an_hour() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(database());
    let pool = &database.pool;
    let mut there = reports();
    runtime.block_on(async {
        let world = World::new(EventLog::in_memory());
        let reading = Reading::start(pool, &world.log);
        world.project("shop").await;
        for spec in &there {
            world.upload(spec).await;
        }
        // What was deleted is in no sum, whether it shared its day or not.
        let mut last = None;
        for place in [40, 23, 22, 5, 0] {
            last = Some(world.delete(&there.remove(place)).await);
        }
        assert!(reading.positions.wait(&["history"], last.unwrap(), LIMIT).await);
        reading.stop().await;
    });
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    let spans = (-100..QUARTERS + 100, 0..QUARTERS + 200);
    let outcome = proptest::test_runner::TestRunner::new(config).run(&spans, |(from, length)| {
        let span = Span { start: at(from), end: at(from + length) - TimeDelta::microseconds(1) };
        let inside = there.iter().filter(|spec| (span.start..=span.end).contains(&spec.run_at.unwrap()));
        let inside: Vec<&Spec> = inside.collect();
        let tests: i64 = inside.iter().map(|spec| spec.results.len() as i64).sum();
        runtime.block_on(async {
            let days = totals(pool, span, "UTC").await;
            prop_assert_eq!(days.iter().map(|day| day.reports).sum::<i64>(), inside.len() as i64);
            prop_assert_eq!(days.iter().map(|day| day.total).sum::<i64>(), tests);
            prop_assert_eq!(days, totals(pool, span, "Etc/UTC").await);
            let ranges = duration_distribution(pool, team_id(), &Narrow::default(), span).await.unwrap();
            prop_assert_eq!(ranges.iter().sum::<i64>(), tests);
            let errors = error_analysis(pool, team_id(), &Narrow::default(), span, 20).await.unwrap();
            let failures: i64 = errors.iter().map(|kind| kind.failures).sum();
            // Those that passed did so after a failed attempt.
            prop_assert_eq!(failures, tests);
            Ok(())
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
