//! Sums: over a report, over a quarter of an hour and a day of a slice.

use super::gathered::Taken;
use super::place::{RANGES, range};
use super::said::Said;
use super::stored::Query;
use crate::ApplyError;
use crate::copy::saturate8;
use chrono::{DateTime, DurationRound, NaiveTime, TimeDelta, Utc};
use scaledtest_domain::report::Counts;
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::{BTreeMap, BTreeSet};
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

/// Adds reports to their slices, of which some are known to be there.
pub(super) async fn add_sums(
    conn: &mut PgConnection,
    known: &mut BTreeSet<Uuid>,
    reports: &[Taken<'_>],
) -> Result<(), ApplyError> {
    let new = reports.iter().filter(|taken| !known.contains(&taken.place.slice_id));
    let new: BTreeMap<Uuid, &Taken<'_>> = new.map(|taken| (taken.place.slice_id, taken)).collect();
    if !new.is_empty() {
        insert_slices(conn, &new).await?;
        known.extend(new.keys());
    }
    // One statement, because what a small batch costs is mostly the waiting for answers.
    let sql = format!("with quarters as ({}) {}", add_steps(Step::Quarter, 0), add_steps(Step::Day, SUMS));
    let query = bind_steps(sqlx::query(AssertSqlSafe(sql)), reports, Step::Quarter);
    bind_steps(query, reports, Step::Day).execute(conn).await?;
    Ok(())
}

async fn insert_slices(conn: &mut PgConnection, slices: &BTreeMap<Uuid, &Taken<'_>>) -> Result<(), ApplyError> {
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
    .execute(conn)
    .await?;
    Ok(())
}

/// What [`bind_steps`] binds.
const SUMS: i32 = 12;

/// Adds sums to those of a step. What is bound before it takes so many places.
fn add_steps(step: Step, before: i32) -> String {
    let types = ["uuid", "timestamptz"].into_iter().chain(["bigint"; 9]).chain(["json"]);
    let arrays: Vec<String> = types.zip(before + 1..).map(|(of, place)| format!("${place}::{of}[]")).collect();
    format!(
        "insert into {table} as old
           (slice_id, at, reports, tests, passed, failed, skipped, pending, other, flaky, duration_ms, durations)
         select slice, at, reports, tests, passed, failed, skipped, pending, other, flaky, duration,
                array(select json_array_elements_text(durations)::bigint)
         from unnest({arrays})
           as new (slice, at, reports, tests, passed, failed, skipped, pending, other, flaky, duration, durations)
         on conflict (slice_id, at) do update set
           reports = old.reports + excluded.reports, tests = old.tests + excluded.tests,
           passed = old.passed + excluded.passed, failed = old.failed + excluded.failed,
           skipped = old.skipped + excluded.skipped, pending = old.pending + excluded.pending,
           other = old.other + excluded.other, flaky = old.flaky + excluded.flaky,
           duration_ms = old.duration_ms + excluded.duration_ms,
           durations = array(select a + b from unnest(old.durations, excluded.durations) as both_of (a, b))",
        table = step.table(),
        arrays = arrays.join(", ")
    )
}

/// Binds what the reports add up to by slice and step.
fn bind_steps<'q>(query: Query<'q>, reports: &[Taken<'_>], step: Step) -> Query<'q> {
    let mut steps: BTreeMap<(Uuid, DateTime<Utc>), Sums> = BTreeMap::new();
    for taken in reports {
        steps.entry((taken.place.slice_id, step.begin(taken.place.at))).or_default().add(&taken.sums);
    }
    let mut query = query
        .bind(steps.keys().map(|(slice, _)| *slice).collect::<Vec<_>>())
        .bind(steps.keys().map(|(_, at)| *at).collect::<Vec<_>>());
    for index in 0..9 {
        query = query.bind(steps.values().map(|sums| sums.numbers()[index]).collect::<Vec<_>>());
    }
    query.bind(steps.values().map(|sums| serde_json::Value::from(sums.durations.to_vec())).collect::<Vec<_>>())
}
