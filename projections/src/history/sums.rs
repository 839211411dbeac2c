//! Sums: over a report, over a quarter of an hour and a day of a slice.

use super::gathered::Taken;
use super::place::{RANGES, range};
use super::said::Said;
use crate::ApplyError;
use crate::copy::saturate8;
use chrono::{DateTime, DurationRound, NaiveTime, TimeDelta, Utc};
use scaledtest_domain::report::Counts;
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The length of time over which sums are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Every time zone is a whole number of them away from UTC.
    Quarter,
    /// From midnight UTC: so that a long span is not more than a few rows a day.
    Day,
}

impl Step {
    pub const ALL: [Self; 2] = [Self::Quarter, Self::Day];

    /// The table of the sums.
    pub fn table(self) -> &'static str {
        match self {
            Self::Quarter => "quarter",
            Self::Day => "day",
        }
    }

    /// The table of the failures by kind.
    pub fn errors(self) -> &'static str {
        match self {
            Self::Quarter => "error_quarter",
            Self::Day => "error_day",
        }
    }

    /// When the one began in which something was.
    pub fn begin(self, at: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Quarter => at.duration_trunc(TimeDelta::minutes(15)).unwrap_or(at),
            Self::Day => at.date_naive().and_time(NaiveTime::MIN).and_utc(),
        }
    }
}

/// What is added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub reports: i64,
    pub tests: i64,
    pub passed: i64,
    pub failed: i64,
    pub skipped: i64,
    pub pending: i64,
    pub other: i64,
    pub flaky: i64,
    pub duration_ms: i64,
    pub durations: [i64; RANGES.len() + 1],
}

impl Sums {
    /// Of one report, whose results are still to be added.
    pub fn of(counts: &Counts) -> Self {
        Self {
            reports: 1,
            tests: saturate8(counts.tests),
            passed: saturate8(counts.passed),
            failed: saturate8(counts.failed),
            skipped: saturate8(counts.skipped),
            pending: saturate8(counts.pending),
            other: saturate8(counts.other),
            flaky: saturate8(counts.flaky),
            ..Self::default()
        }
    }

    pub fn add_result(&mut self, said: &Said) {
        self.duration_ms = self.duration_ms.saturating_add(said.duration_ms);
        self.durations[range(said.duration_ms)] += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.numbers_mut().into_iter().zip(other.numbers()) {
            *sum = sum.saturating_add(more);
        }
        for (sum, more) in self.durations.iter_mut().zip(other.durations) {
            *sum = sum.saturating_add(more);
        }
    }

    /// In the order of the columns.
    pub fn numbers(&self) -> [i64; 9] {
        let Self { reports, tests, passed, failed, skipped, pending, other, flaky, duration_ms, .. } = *self;
        [reports, tests, passed, failed, skipped, pending, other, flaky, duration_ms]
    }

    fn numbers_mut(&mut self) -> [&mut i64; 9] {
        let Self { reports, tests, passed, failed, skipped, pending, other, flaky, duration_ms, .. } = self;
        [reports, tests, passed, failed, skipped, pending, other, flaky, duration_ms]
    }
}

/// Adds reports to their slices.
pub(super) async fn add_sums(conn: &mut PgConnection, reports: &[Taken<'_>]) -> Result<(), ApplyError> {
    let slices: BTreeMap<Uuid, &Taken<'_>> = reports.iter().map(|taken| (taken.place.slice_id, taken)).collect();
    sqlx::query(
        "insert into slice (id, team_id, project_id, branch, environment, tags)
         select id, team, project, branch, environment, array(select json_array_elements_text(tags))
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::json[])
           as new (id, team, project, branch, environment, tags)
         on conflict (id) do nothing",
    )
    .bind(slices.keys().copied().collect::<Vec<_>>())
    .bind(slices.values().map(|taken| taken.place.team.0).collect::<Vec<_>>())
    .bind(slices.values().map(|taken| taken.report.project.0).collect::<Vec<_>>())
    .bind(slices.values().map(|taken| taken.place.branch.clone()).collect::<Vec<_>>())
    .bind(slices.values().map(|taken| taken.place.environment.clone()).collect::<Vec<_>>())
    .bind(slices.values().map(|taken| serde_json::Value::from(taken.place.tags.clone())).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await?;
    for step in Step::ALL {
        add_steps(conn, reports, step).await?;
    }
    Ok(())
}

async fn add_steps(conn: &mut PgConnection, reports: &[Taken<'_>], step: Step) -> Result<(), ApplyError> {
    let mut steps: BTreeMap<(Uuid, DateTime<Utc>), Sums> = BTreeMap::new();
    for taken in reports {
        steps.entry((taken.place.slice_id, step.begin(taken.place.at))).or_default().add(&taken.sums);
    }
    let number = |index: usize| steps.values().map(|sums| sums.numbers()[index]).collect::<Vec<_>>();
    let sql = format!(
        "insert into {table} as old
           (slice_id, at, reports, tests, passed, failed, skipped, pending, other, flaky, duration_ms, durations)
         select slice, at, reports, tests, passed, failed, skipped, pending, other, flaky, duration,
                array(select json_array_elements_text(durations)::bigint)
         from unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                     $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::json[])
           as new (slice, at, reports, tests, passed, failed, skipped, pending, other, flaky, duration, durations)
         on conflict (slice_id, at) do update set
           reports = old.reports + excluded.reports, tests = old.tests + excluded.tests,
           passed = old.passed + excluded.passed, failed = old.failed + excluded.failed,
           skipped = old.skipped + excluded.skipped, pending = old.pending + excluded.pending,
           other = old.other + excluded.other, flaky = old.flaky + excluded.flaky,
           duration_ms = old.duration_ms + excluded.duration_ms,
           durations = array(select a + b from unnest(old.durations, excluded.durations) as both_of (a, b))",
        table = step.table()
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(steps.keys().map(|(slice, _)| *slice).collect::<Vec<_>>())
        .bind(steps.keys().map(|(_, at)| *at).collect::<Vec<_>>())
        .bind(number(0))
        .bind(number(1))
        .bind(number(2))
        .bind(number(3))
        .bind(number(4))
        .bind(number(5))
        .bind(number(6))
        .bind(number(7))
        .bind(number(8))
        .bind(steps.values().map(|sums| serde_json::Value::from(sums.durations.to_vec())).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}
