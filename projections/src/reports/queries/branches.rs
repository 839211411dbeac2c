//! Two branches, or two environments of a branch: how often each test failed in their newest runs, and whether the
//! difference is more than chance.

use super::branches_by_series;
use super::compare::{BECAME, MAX_ENTRIES, MAX_RESULTS, Piece, RENAMED, VARIANT, numbers, parts};
use crate::copy::clean;
use crate::history::queries::has_renames;
use chrono::{DateTime, Utc};
use scaledtest_domain::{ProjectId, ReportId, RunId, TeamId, TestId};
use scaledtest_insight::fisher;
pub use scaledtest_insight::fisher::{Comparison, Rules, Runs};
use sqlx::{AssertSqlSafe, FromRow, PgPool};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Runs of a side that are looked at, at most.
pub const MAX_RUNS: i64 = 20;
/// Results that a number and a place are told apart by; more than a report can have.
const PLACES: i64 = 1 << 20;
/// What a failure's place is more than that of another result; more than any place.
const FAILED_AT: i64 = 1 << 60;
/// What a passed result counts where a failed one counts 1: more than a sample has of a test.
const COUNTS: i32 = 1 << 20;

/// A project, as far as a comparison needs it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ProjectName {
    /// Which.
    #[sqlx(try_from = "Uuid")]
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// The branch that others are compared with.
    pub default_branch: String,
}

/// A team's project by name or id.
///
/// # Errors
/// What the database says.
pub async fn find_project(pool: &PgPool, team: TeamId, name: &str) -> Result<Option<ProjectName>, sqlx::Error> {
    sqlx::query_as(
        "select id, name, default_branch from reports.project
         where team_id = $1 and (name = $2 or id::text = lower($2)) order by name = $2 desc, id limit 1",
    )
    .bind(team.0)
    .bind(clean(name))
    .fetch_optional(pool)
    .await
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The branch.
    pub branch: String,
    /// The report's `testEnvironment`; any if none.
    pub environment: Option<String>,
}

/// The newest runs of a place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// How many runs; [`MAX_RUNS`] at most, and fewer where they are very large.
    pub runs: usize,
    /// Their results.
    pub results: i64,
    /// When the first of them ran.
    pub oldest: Option<DateTime<Utc>>,
    /// When the last of them ran.
    pub newest: Option<DateTime<Utc>>,
    pub(super) pieces: Vec<Piece>,
}

/// The newest runs of a place since a time.
///
/// # Errors
/// What the database says.
pub async fn sample(
    pool: &PgPool,
    project: ProjectId,
    place: &Place,
    since: DateTime<Utc>,
) -> Result<Sample, sqlx::Error> {
    type Row = (i64, i32, Uuid, Uuid, i64, DateTime<Utc>);
    let rows: Vec<Row> = sqlx::query_as(
        "with report as materialized (
             select no, part, id, run_id, tests, run_at from reports.report
             where project_id = $1 and branch = $2 and run_at >= $3 and not dropped
               and ($4::text is null or environment ->> 'testEnvironment' = $4)),
         run as (select run_id, min(run_at) as at from report group by run_id order by at desc, run_id limit $5)
         select report.no, report.part, report.id, report.run_id, report.tests, run.at
         from run join report using (run_id) order by run.at desc, run_id, no",
    )
    .bind(project.0)
    .bind(clean(&place.branch))
    .bind(since)
    .bind(place.environment.as_deref().map(clean))
    .bind(MAX_RUNS)
    .fetch_all(pool)
    .await?;
    Ok(bounded(
        rows.into_iter().map(|(no, part, id, run, tests, at)| (Piece { no, part, id, run, tests, dropped: false }, at)),
    ))
}

/// As many of the runs, newest first, as have [`MAX_RESULTS`] together; one at least.
fn bounded(reports: impl Iterator<Item = (Piece, DateTime<Utc>)>) -> Sample {
    let mut by_run: Vec<(Vec<Piece>, DateTime<Utc>)> = Vec::new();
    for (piece, at) in reports {
        match by_run.last_mut() {
            Some((pieces, _)) if pieces.last().is_some_and(|last| last.run == piece.run) => pieces.push(piece),
            _ => by_run.push((vec![piece], at)),
        }
    }
    let mut sample = Sample::default();
    for (pieces, at) in by_run {
        let results = pieces.iter().fold(sample.results, |sum, piece| sum.saturating_add(piece.tests));
        if sample.runs > 0 && results > MAX_RESULTS {
            break;
        }
        sample.runs += 1;
        sample.results = results;
        sample.oldest = Some(at);
        sample.newest = sample.newest.or(Some(at));
        sample.pieces.extend(pieces);
    }
    sample
}

/// What became of the tests of two places.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contrast {
    /// How many there are of each kind.
    pub totals: BranchTotals,
    /// Fail more often in head; the most certain first, as the others; 1,000 of each kind at most.
    pub regressed: Vec<Contrasted>,
    /// Fail less often in head.
    pub improved: Vec<Contrasted>,
    /// Never ran in base; those that fail most first.
    pub added: Vec<Contrasted>,
    /// Never ran in head.
    pub removed: Vec<Contrasted>,
}

/// How many tests there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the list of the same name, or says what it counts")]
pub struct BranchTotals {
    pub regressed: usize,
    pub improved: usize,
    pub added: usize,
    pub removed: usize,
    /// No significant difference.
    pub same: usize,
    /// Only skipped or the like, on both sides.
    pub not_run: usize,
}

/// One test of two places.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrasted {
    /// The result that is shown: the newest failure in head, else the newest result, in base if head has none.
    pub shown: Shown,
    /// In base.
    pub base: Runs,
    /// In head.
    pub head: Runs,
    /// What the difference means.
    pub comparison: Comparison,
}

/// A result that stands for its test.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs, reason = "each is the field of TestResult of the same name")]
pub struct Shown {
    #[sqlx(rename = "report_no")]
    pub(super) no: i64,
    pub idx: i32,
    #[sqlx(skip)]
    pub report: ReportId,
    #[sqlx(skip)]
    pub run: RunId,
    #[sqlx(try_from = "Uuid")]
    pub test_id: TestId,
    pub name: String,
    pub suite: Vec<String>,
    pub file_path: Option<String>,
    pub browser: Option<String>,
    pub device: Option<String>,
    pub os: Option<String>,
}

/// A test with failures, or with runs on one side only; the number of the others comes with every row.
#[derive(Debug, Clone, Copy, FromRow)]
struct Sum {
    same: i64,
    not_run: i64,
    base_failed: Option<i64>,
    base_passed: Option<i64>,
    head_failed: Option<i64>,
    head_passed: Option<i64>,
    place: Option<i64>,
}

/// Compares two samples of a project: from the series of their tests, or, where these do not have all of it, from the results.
///
/// # Errors
/// What the database says.
pub async fn contrast(
    pool: &PgPool,
    project: ProjectId,
    samples: (&Sample, &Sample),
    rules: &Rules,
) -> Result<Contrast, sqlx::Error> {
    let renamed = has_renames(pool, project).await?;
    match branches_by_series::contrast(pool, samples, renamed, rules).await? {
        Some(contrast) => Ok(contrast),
        None => by_results(pool, samples, renamed, rules).await,
    }
}

async fn by_results(
    pool: &PgPool,
    (base, head): (&Sample, &Sample),
    renamed: bool,
    rules: &Rules,
) -> Result<Contrast, sqlx::Error> {
    let mut query = sqlx::query_as(AssertSqlSafe(statement(renamed)));
    for sample in [base, head] {
        query = query.bind(parts(&sample.pieces)).bind(numbers(&sample.pieces));
    }
    let sums: Vec<Sum> = query.fetch_all(pool).await?;
    let pieces: BTreeMap<i64, &Piece> = base.pieces.iter().chain(&head.pieces).map(|piece| (piece.no, piece)).collect();
    let others = sums.first().map_or((0, 0), |sum| (sum.same, sum.not_run));
    let size = |count: i64| usize::try_from(count).unwrap_or(0);
    let totals = BranchTotals { same: size(others.0), not_run: size(others.1), ..BranchTotals::default() };
    let runs = |failed: Option<i64>, passed: Option<i64>| {
        let count = |count: Option<i64>| u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX);
        Runs { failed: count(failed), passed: count(passed) }
    };
    let judged = sums.iter().filter_map(|sum| {
        let (base, head) = (runs(sum.base_failed, sum.base_passed), runs(sum.head_failed, sum.head_passed));
        Some(Judged { base, head, comparison: fisher::compare(head, base, rules), key: sum.place? })
    });
    let (totals, lists) = sorted(judged, totals);
    let places = lists.iter().flatten().map(|judged| judged.key).collect();
    let mut shown = shown(pool, places, &pieces).await?;
    Ok(Contrast::new(totals, lists, |place| shown.remove(place)))
}

/// A test whose result is not read yet: it is found by its `key`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged<K> {
    pub base: Runs,
    pub head: Runs,
    pub comparison: Comparison,
    pub key: K,
}

/// Regressed, improved, added and removed ones.
pub(super) type Lists<K> = [Vec<Judged<K>>; 4];

/// Tests that ran, in their lists, each in its order and cut; those that belong in none are counted on top of `totals`.
pub(super) fn sorted<K: Ord>(
    judged: impl Iterator<Item = Judged<K>>,
    mut totals: BranchTotals,
) -> (BranchTotals, Lists<K>) {
    let mut lists: Lists<K> = std::array::from_fn(|_| Vec::new());
    for judged in judged {
        let list = match judged.comparison {
            Comparison::Regressed { .. } => 0,
            Comparison::Improved { .. } => 1,
            _ if judged.base.total() == 0 => 2,
            _ if judged.head.total() == 0 => 3,
            _ => {
                totals.same += 1;
                continue;
            }
        };
        lists[list].push(judged);
    }
    (totals.regressed, totals.improved) = (lists[0].len(), lists[1].len());
    (totals.added, totals.removed) = (lists[2].len(), lists[3].len());
    for list in &mut lists {
        list.sort_by(|a, b| {
            let failed = |judged: &Judged<K>| Reverse((judged.head.failed, judged.base.failed));
            p(a).total_cmp(&p(b)).then_with(|| failed(a).cmp(&failed(b))).then_with(|| a.key.cmp(&b.key))
        });
        list.truncate(MAX_ENTRIES as usize);
    }
    (totals, lists)
}

fn p<K>(judged: &Judged<K>) -> f64 {
    match judged.comparison {
        Comparison::Regressed { p, .. } | Comparison::Improved { p } => p,
        _ => 1.0,
    }
}

impl Contrast {
    /// The lists, with the results that `shown` finds.
    pub(super) fn new<K>(totals: BranchTotals, lists: Lists<K>, mut shown: impl FnMut(&K) -> Option<Shown>) -> Self {
        let [regressed, improved, added, removed] = lists.map(|list| {
            let named = list.into_iter().filter_map(|Judged { base, head, comparison, key }| {
                Some(Contrasted { shown: shown(&key)?, base, head, comparison })
            });
            named.collect()
        });
        Self { totals, regressed, improved, added, removed }
    }
}

/// Every result of both samples is read once, and summed up by test case, of which there are few; those of one test, whose
/// tags or name may have changed, are then taken together. Most tests never fail, and are only counted.
///
/// There are many results, and each sum takes its time: so failed and passed ones are one number, and the newest failure in
/// head, or else the newest result, is the largest place, with [`FAILED_AT`] added to those of failures.
fn statement(renamed: bool) -> String {
    let (test, renamed) = if renamed { (BECAME, RENAMED) } else { ("test_id", "") };
    let side = |head: bool, (parts, numbers): (u8, u8), place: &str| {
        format!(
            "select case_id, {head} as head, max({place}) as place,
                    sum(case status when 1 then 1 when 0 then {COUNTS} else 0 end) as counts
             from reports.result where part = any(${parts}) and report_no = any(${numbers}) group by case_id"
        )
    };
    let place = format!("report_no * {PLACES} + idx");
    let failed_first = format!("{place} + case status when 1 then {FAILED_AT} else 0 end");
    let (base, head) = (side(false, (1, 2), &place), side(true, (3, 4), &failed_first));
    let sum = |counts: &str, of: &str| format!("coalesce(sum({counts}) filter (where {of}), 0)::bigint");
    let (failed, passed) = (format!("counts % {COUNTS}"), format!("counts / {COUNTS}"));
    format!(
        "with by_case as materialized ({base} union all {head}),
         sum as materialized (
             select {} as base_failed, {} as base_passed, {} as head_failed, {} as head_passed,
                    coalesce(max(place) filter (where head), max(place)) % {FAILED_AT} as place
             from by_case join reports.test_case on test_case.id = by_case.case_id {renamed} group by {test}, {VARIANT}),
         total as (
             select count(*) filter (where base_failed + head_failed = 0 and base_passed > 0 and head_passed > 0) as same,
                    count(*) filter (where base_failed + base_passed + head_failed + head_passed = 0) as not_run
             from sum)
         select total.*, sum.* from total left join sum
             on (base_failed + head_failed > 0 or base_passed = 0 or head_passed = 0)
            and base_failed + base_passed + head_failed + head_passed > 0",
        sum(&failed, "not head"),
        sum(&passed, "not head"),
        sum(&failed, "head"),
        sum(&passed, "head"),
    )
}

/// The results at these places.
async fn shown(
    pool: &PgPool,
    places: Vec<i64>,
    pieces: &BTreeMap<i64, &Piece>,
) -> Result<BTreeMap<i64, Shown>, sqlx::Error> {
    let numbers: BTreeSet<i64> = places.iter().map(|place| place / PLACES).collect();
    let parts = numbers.iter().filter_map(|no| pieces.get(no)).map(|piece| piece.part).collect::<Vec<_>>();
    let rows: Vec<Shown> = sqlx::query_as(
        "select shown.* from unnest($1::bigint[]) place
         join unnest($2::bigint[], $3::int[]) report (no, part) on report.no = place / $4
         cross join lateral (
             select report_no, idx, test_id, name, suite, file_path, browser, device, os from reports.test_result
             where part = report.part and report_no = report.no and idx = place % $4 limit 1) shown",
    )
    .bind(places)
    .bind(numbers.into_iter().collect::<Vec<_>>())
    .bind(parts)
    .bind(PLACES)
    .fetch_all(pool)
    .await?;
    let placed = rows.into_iter().filter_map(|mut row| {
        let piece = pieces.get(&row.no)?;
        (row.report, row.run) = (ReportId(piece.id), RunId(piece.run));
        Some((row.no * PLACES + i64::from(row.idx), row))
    });
    Ok(placed.collect())
}
