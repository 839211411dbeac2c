//! Two reports or runs, test by test.
//!
//! A test is the same on both sides when identity and variant are. Identity holds within a project: sides of two projects
//! are matched by what it is made of (suite path, name, file path). A renamed test is the one that it has become. Where a side has a test more than once, the latest
//! report's result stands for it, a failed one before others.

use super::reports::{self, Report};
use super::results::{MESSAGE_CHARS, StatusColumn};
use super::runs::{self, Run};
use crate::history::queries::has_renames;
use scaledtest_domain::{ReportId, TeamId, TestId};
use sqlx::{AssertSqlSafe, FromRow, PgPool, Postgres, QueryBuilder};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Entries of a kind that are answered, at most.
pub const MAX_ENTRIES: i64 = 1_000;
/// Results of a side that are looked at, at most: as many as the largest report has.
pub const MAX_RESULTS: i64 = 1_000_000;

/// A report, or all reports of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Which.
    pub what: What,
    pieces: Vec<Piece>,
}

/// What a side is.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// One report.
    Report(Box<Report>),
    /// All reports of a run.
    Run(Box<Run>),
}

/// Where the results of a report are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub no: i64,
    pub part: i32,
    pub id: Uuid,
    pub run: Uuid,
    pub tests: i64,
    pub dropped: bool,
}

impl Side {
    /// Whether some of its results were dropped when their time was over.
    pub fn is_dropped(&self) -> bool {
        self.pieces.iter().any(|piece| piece.dropped)
    }

    /// How many results its reports have.
    pub fn results(&self) -> i64 {
        self.pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.tests))
    }

    fn project(&self) -> Uuid {
        match &self.what {
            What::Report(report) => report.project_id.0,
            What::Run(run) => run.project_id.0,
        }
    }
}

#[derive(Debug, FromRow)]
struct Found {
    part: i32,
    dropped: bool,
    #[sqlx(flatten)]
    report: Report,
}

/// A team's report or run with each of these ids, in their order.
///
/// # Errors
/// What the database says.
pub async fn find_sides(pool: &PgPool, team: TeamId, ids: [Uuid; 2]) -> Result<[Option<Side>; 2], sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(reports::SELECT);
    query.push(", entry.part, entry.dropped").push(reports::FROM).push(" where entry.team_id = ").push_bind(team.0);
    query.push(" and (entry.id = any(").push_bind(ids.to_vec());
    query.push(") or entry.run_id = any(").push_bind(ids.to_vec()).push(")) order by entry.no");
    let found: Vec<Found> = query.build_query_as().fetch_all(pool).await?;
    let mut sides = [None, None];
    for (side, id) in sides.iter_mut().zip(ids) {
        *side = match found.iter().find(|found| found.report.id.0 == id) {
            Some(one) => Some(Side { what: What::Report(Box::new(one.report.clone())), pieces: vec![piece(one)] }),
            None => run_side(pool, team, id, &found).await?,
        };
    }
    Ok(sides)
}

async fn run_side(pool: &PgPool, team: TeamId, id: Uuid, found: &[Found]) -> Result<Option<Side>, sqlx::Error> {
    let pieces: Vec<Piece> = found.iter().filter(|found| found.report.run_id.0 == id).map(piece).collect();
    if pieces.is_empty() {
        return Ok(None);
    }
    let run = runs::get_run(pool, team, id.into()).await?;
    Ok(run.map(|run| Side { what: What::Run(Box::new(run)), pieces }))
}

fn piece(found: &Found) -> Piece {
    let Found { part, dropped, report } = found;
    Piece {
        no: report.no,
        part: *part,
        id: report.id.0,
        run: report.run_id.0,
        tests: report.summary.tests,
        dropped: *dropped,
    }
}

/// What became of the tests of two sides.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Difference {
    /// How many there are of each kind.
    pub totals: Totals,
    /// Failed in head, and not in base. By name, as the others; [`MAX_ENTRIES`] of each kind at most.
    pub new_failures: Vec<Entry>,
    /// Failed in base, passed in head.
    pub fixed: Vec<Entry>,
    /// In both, and slower by 100 ms and 20 % at least; the largest difference first.
    pub duration_regressions: Vec<Entry>,
    /// Not in base.
    pub added: Vec<Entry>,
    /// Not in head.
    pub removed: Vec<Entry>,
}

/// How many tests there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
#[allow(missing_docs, reason = "each is the list of the same name, or says what it counts")]
pub struct Totals {
    pub base_tests: i64,
    pub head_tests: i64,
    pub new_failures: i64,
    pub fixed: i64,
    pub duration_regressions: i64,
    pub added: i64,
    pub removed: i64,
    /// Passed in both.
    pub passed_unchanged: i64,
    /// Failed in both.
    pub failed_unchanged: i64,
}

/// One test of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its identity, as in head if it is there.
    pub test_id: TestId,
    /// Its name.
    pub name: String,
    /// Outermost first.
    pub suite: Vec<String>,
    /// Its file.
    pub file_path: Option<String>,
    /// The browser that it ran in.
    pub browser: Option<String>,
    /// The device.
    pub device: Option<String>,
    /// The operating system.
    pub os: Option<String>,
    /// The beginning of its failure text, as in head if it is there.
    pub message: Option<String>,
    /// In base.
    pub base: Option<Outcome>,
    /// In head.
    pub head: Option<Outcome>,
}

/// How a test ended on a side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How.
    pub status: StatusColumn,
    /// Milliseconds.
    pub duration_ms: i64,
    /// Its report.
    pub report: ReportId,
    /// Its place in the report.
    pub idx: i32,
}

/// A row of the answer. The totals come with every row, and alone when there are no entries.
#[derive(Debug, FromRow)]
struct Row {
    #[sqlx(flatten)]
    totals: Totals,
    kind: Option<i32>,
    base_status: Option<i16>,
    base_duration: Option<i64>,
    base_no: Option<i64>,
    base_idx: Option<i32>,
    head_status: Option<i16>,
    head_duration: Option<i64>,
    head_no: Option<i64>,
    head_idx: Option<i32>,
    test_id: Option<Uuid>,
    name: Option<String>,
    suite: Option<Vec<String>>,
    file_path: Option<String>,
    browser: Option<String>,
    device: Option<String>,
    os: Option<String>,
    message: Option<String>,
}

/// The kinds, in the order of [`Row::kind`]: which pairs of results are of it, and their order.
const KINDS: [(&str, &str, &str); 5] = [
    ("new_failures", "head_status = 1 and base_status is distinct from 1", BY_NAME),
    ("fixed", "base_status = 1 and head_status = 0", BY_NAME),
    (
        "duration_regressions",
        // As numbers that cannot overflow: a report may claim any duration.
        "base_duration > 0 and head_duration::float8 - base_duration >= 100
             and (head_duration::float8 - base_duration) * 5 >= base_duration",
        "head_duration::float8 - base_duration desc, name, test, variant",
    ),
    ("added", "base_status is null", BY_NAME),
    ("removed", "head_status is null", BY_NAME),
];

const BY_NAME: &str = "name, test, variant";

/// What tells a browser, device or operating system from another; as one text, which is compared fastest.
pub(super) const VARIANT: &str = "case when browser is null and device is null and os is null then ''
         else concat(browser, E'\\x1f', device, E'\\x1f', os) end collate \"C\"";

/// What makes two results those of one test.
#[derive(Debug, Clone, Copy)]
enum Identity {
    /// Their ids.
    Id,
    /// What they have become, where tests were renamed.
    Became,
    /// What the ids are made of: of two projects.
    Parts,
}

/// What a test has become, and where that is found.
pub(super) const BECAME: &str = "coalesce(target_id, test_id)";
pub(super) const RENAMED: &str = "left join (select from_id, target_id from history.alias) alias on from_id = test_id";

/// Compares two sides.
///
/// # Errors
/// What the database says.
pub async fn compare(pool: &PgPool, base: &Side, head: &Side) -> Result<Difference, sqlx::Error> {
    let identity = match base.project() == head.project() {
        false => Identity::Parts,
        true if has_renames(pool, base.project().into()).await? => Identity::Became,
        true => Identity::Id,
    };
    let mut query = sqlx::query_as(AssertSqlSafe(statement(identity)));
    for side in [base, head] {
        query = query.bind(parts(&side.pieces)).bind(numbers(&side.pieces));
    }
    let query = query.bind(MAX_ENTRIES).bind(MESSAGE_CHARS);
    let rows: Vec<Row> = query.fetch_all(pool).await?;
    let ids = base.pieces.iter().chain(&head.pieces).map(|piece| (piece.no, ReportId(piece.id))).collect();
    Ok(difference(rows, &ids))
}

fn difference(rows: Vec<Row>, ids: &BTreeMap<i64, ReportId>) -> Difference {
    let mut difference = Difference::default();
    for row in rows {
        difference.totals = row.totals;
        let list = match row.kind {
            Some(0) => &mut difference.new_failures,
            Some(1) => &mut difference.fixed,
            Some(2) => &mut difference.duration_regressions,
            Some(3) => &mut difference.added,
            Some(_) => &mut difference.removed,
            None => continue,
        };
        list.push(row.entry(ids));
    }
    difference
}

impl Row {
    fn entry(self, ids: &BTreeMap<i64, ReportId>) -> Entry {
        let outcome = |status: Option<i16>, duration: Option<i64>, no: Option<i64>, idx: Option<i32>| {
            let report = ids.get(&no?).copied()?;
            Some(Outcome { status: status?.into(), duration_ms: duration?, report, idx: idx? })
        };
        Entry {
            base: outcome(self.base_status, self.base_duration, self.base_no, self.base_idx),
            head: outcome(self.head_status, self.head_duration, self.head_no, self.head_idx),
            test_id: TestId(self.test_id.unwrap_or_default()),
            name: self.name.unwrap_or_default(),
            suite: self.suite.unwrap_or_default(),
            file_path: self.file_path,
            browser: self.browser,
            device: self.device,
            os: self.os,
            message: self.message,
        }
    }
}

/// Each side is read once and narrow; the two are joined; what is answered of that is read whole, by its case, and its message
/// where it is shown by number and place.
fn statement(identity: Identity) -> String {
    let mut totals = String::new();
    let mut entries = Vec::new();
    for (kind, (name, condition, order)) in KINDS.into_iter().enumerate() {
        totals.push_str(&format!("count(*) filter (where {condition}) as {name}, "));
        entries.push(format!(
            "(select {kind} as kind, row_number() over (order by {order}) as rank, pair.* from pair where {condition}
              order by {order} limit $5)"
        ));
    }
    let (base, head) = (side(identity, 1, 2), side(identity, 3, 4));
    let entries = entries.join(" union all ");
    format!(
        "with base as ({base}), head as ({head}),
         pair as materialized (
             select coalesce(head.name, base.name) as name, test, variant, coalesce(head.case_id, base.case_id) as case_id,
                    base.status as base_status, base.duration_ms as base_duration, base.part as base_part,
                    base.report_no as base_no, base.idx as base_idx,
                    head.status as head_status, head.duration_ms as head_duration, head.part as head_part,
                    head.report_no as head_no, head.idx as head_idx
             from base full join head using (test, variant)),
         total as (
             select {totals} count(base_status) as base_tests, count(head_status) as head_tests,
                    count(*) filter (where base_status = 0 and head_status = 0) as passed_unchanged,
                    count(*) filter (where base_status = 1 and head_status = 1) as failed_unchanged
             from pair)
         select total.*, entry.kind, entry.base_status, entry.base_duration, entry.base_no, entry.base_idx,
                entry.head_status, entry.head_duration, entry.head_no, entry.head_idx, test_id, shown.name, suite, file_path,
                browser, device, os,
                case when entry.kind not in (1, 2) then
                     (select left(message, $6) from reports.result
                      where part = coalesce(entry.head_part, entry.base_part)
                        and report_no = coalesce(entry.head_no, entry.base_no)
                        and idx = coalesce(entry.head_idx, entry.base_idx) limit 1) end as message
         from total left join ({entries}) entry on true left join reports.test_case shown on shown.id = entry.case_id
         order by entry.kind, entry.rank"
    )
}

/// One result of each test of a side. `parts` and `numbers` are the parameters that say where they are.
fn side(identity: Identity, parts: u8, numbers: u8) -> String {
    let content = "md5(concat_ws(E'\\x1e', array_to_string(suite, E'\\x1f'), name, file_path))::uuid";
    let (test, renamed) = match identity {
        Identity::Id => ("test_id", ""),
        Identity::Became => (BECAME, RENAMED),
        Identity::Parts => (content, ""),
    };
    format!(
        "select distinct on (test, variant) * from (
             select {test} as test, {VARIANT} as variant, name collate \"C\" as name, case_id, status, duration_ms, part, report_no, idx
             from reports.result join reports.test_case on id = case_id {renamed}
             where part = any(${parts}) and report_no = any(${numbers})) result
         order by test, variant, report_no desc, status = 1 desc, idx desc"
    )
}

pub(super) fn parts(pieces: &[Piece]) -> Vec<i32> {
    pieces.iter().map(|piece| piece.part).collect::<BTreeSet<_>>().into_iter().collect()
}

pub(super) fn numbers(pieces: &[Piece]) -> Vec<i64> {
    pieces.iter().map(|piece| piece.no).collect()
}
