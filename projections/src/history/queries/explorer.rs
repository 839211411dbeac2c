//! Every test of a project with its latest state.

use super::QueryError;
use crate::history::{
    seen::{self, Entry},
    series::{Last, state_number, state_of},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{TeamId, report::Variant};
use scaledtest_insight::{Outcome, State};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

/// Runs that a strip shows.
const STRIP: usize = 30;

/// The owner of what nobody owns.
const NOBODY: &str = "none";

/// What the list of tests is narrowed to; all that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct TestFilter {
    /// Name or id of the project.
    pub project: Option<String>,
    /// Name of the branch; `*` is every branch, none the default branch, or the busiest one where nothing ran on that.
    pub branch: Option<String>,
    /// One of these; all if empty.
    pub states: Vec<State>,
    /// How the newest run ended.
    pub last: Option<Last>,
    /// A part of name, suite or file path.
    pub text: Option<String>,
    /// One of the test's tags.
    pub tag: Option<String>,
    /// One of the test's owners; `none` for tests that nobody owns.
    pub owner: Option<String>,
    /// Runs at least, and the newest not before.
    pub since: Option<(i32, DateTime<Utc>)>,
    /// Whether only those with a known duration.
    pub timed: bool,
}

/// The order of the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// By name.
    Name,
    /// What failed last first.
    #[default]
    FailedLast,
    /// The flakiest first, by the lower bound of the score.
    Score,
    /// The slowest first.
    P95,
    /// The lowest pass rate first.
    PassRate,
    /// What ran last first.
    RanLast,
}

impl Sort {
    /// Reads the word that the API uses.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "name" => Some(Self::Name),
            "-failed_at" => Some(Self::FailedLast),
            "-score" => Some(Self::Score),
            "-p95" => Some(Self::P95),
            "pass_rate" => Some(Self::PassRate),
            "-last_at" => Some(Self::RanLast),
            _ => None,
        }
    }

    /// What is sorted by, ascending; ties by name.
    fn key(self) -> &'static str {
        match self {
            Self::Name => "0::double precision",
            Self::FailedLast => "coalesce(-date_part('epoch', series.failed_at), 'infinity')",
            Self::Score => "-series.score_low",
            Self::P95 => "-coalesce(series.p95_ms, -1)::double precision",
            Self::PassRate => {
                "case when series.runs = 0 then 2 else (series.passed + series.flaked)::double precision / series.runs end"
            }
            Self::RanLast => "-date_part('epoch', series.last_at)",
        }
    }
}

/// A test on a branch, in a variant.
#[derive(Debug, Clone, FromRow)]
#[allow(missing_docs, reason = "as the test is called, and counts over the newest runs")]
pub struct TestRow {
    pub id: Uuid,
    pub name: String,
    pub suite: Json<Vec<String>>,
    pub file_path: Option<String>,
    pub tags: Json<Vec<String>>,
    pub owners: Json<Vec<String>>,
    pub project_id: Uuid,
    pub project: String,
    pub branch_id: Uuid,
    pub branch: String,
    pub variant: i64,
    browser: Option<String>,
    device: Option<String>,
    os: Option<String>,
    seen: Vec<u8>,
    pub runs: i32,
    pub passed: i32,
    pub flaked: i32,
    pub failed: i32,
    last_status: i16,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    pub failed_at: Option<DateTime<Utc>>,
    pub p50_ms: Option<i64>,
    pub p95_ms: Option<i64>,
    state: i16,
    pub since: Option<DateTime<Utc>>,
    pub score: f64,
    pub score_low: f64,
    pub score_high: f64,
    key: f64,
}

impl TestRow {
    /// What it ran on.
    pub fn variant(&self) -> Variant {
        Variant { browser: self.browser.clone(), device: self.device.clone(), os: self.os.clone() }
    }

    /// Its state.
    pub fn state(&self) -> State {
        state_of(self.state)
    }

    /// How the newest run ended.
    pub fn last(&self) -> Last {
        Last::of(self.last_status)
    }

    /// What the newest reports said, oldest first.
    pub(super) fn entries(&self) -> Vec<Entry> {
        seen::decode(&self.seen)
    }

    /// The newest reports, oldest first: `P` passed, `f` passed after a failure, `F` failed, `S` not run.
    pub fn strip(&self) -> String {
        let entries = self.entries();
        let newest = &entries[entries.len().saturating_sub(STRIP)..];
        let letter = |entry: &Entry| match entry.seen.outcome() {
            Some(Outcome::Passed) => 'P',
            Some(Outcome::Flaked) => 'f',
            Some(Outcome::Failed) => 'F',
            None => 'S',
        };
        newest.iter().map(letter).collect()
    }

    /// Per cent of the runs that passed, with or without a retry; none without runs.
    pub fn pass_rate(&self) -> Option<f64> {
        let passed = f64::from(self.passed) + f64::from(self.flaked);
        (self.runs > 0).then(|| (passed / f64::from(self.runs) * 10_000.0).round() / 100.0)
    }
}

pub(super) const COLUMNS: &str = "test.id, test.name, test.suite, test.file_path, test.tags, test.owners, project.id as project_id, \
    project.name as project, branch.id as branch_id, branch.name as branch, series.variant, series.browser, series.device, \
    series.os, series.seen, series.runs, series.passed, series.flaked, series.failed, series.last_status, series.first_at, \
    series.last_at, series.failed_at, series.p50_ms, series.p95_ms, series.state, series.since, series.score, \
    series.score_low, series.score_high";

pub(super) const TABLES: &str = " from history.project join history.branch on branch.project_id = project.id \
    join history.series on series.branch_id = branch.id join history.test on test.id = series.test_id";

/// Where the next page begins.
#[derive(Serialize, Deserialize)]
struct Cursor {
    /// Infinity is none.
    key: Option<f64>,
    name: String,
    test: Uuid,
    branch: Uuid,
    variant: i64,
}

impl Cursor {
    fn of(row: &TestRow) -> Self {
        let key = row.key.is_finite().then_some(row.key);
        let name = row.name.to_lowercase();
        Self { key, name, test: row.id, branch: row.branch_id, variant: row.variant }
    }

    fn encode(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        json.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn decode(text: &str) -> Result<Self, QueryError> {
        let pairs = text.as_bytes().chunks(2);
        let bytes =
            pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect::<Option<Vec<_>>>();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or(QueryError::Cursor)
    }
}

/// A page of tests, how many there are, and where the next page begins.
///
/// # Errors
/// When the cursor is none, or the database fails.
pub async fn list_tests(
    pool: &PgPool,
    team: TeamId,
    filter: &TestFilter,
    sort: Sort,
    (limit, cursor): (u32, Option<&str>),
) -> Result<(Vec<TestRow>, i64, Option<String>), QueryError> {
    let cursor = cursor.map(Cursor::decode).transpose()?;
    let is_first = cursor.is_none();
    let after = cursor.as_ref().map(|cursor| cursor.key.unwrap_or(f64::INFINITY));
    let branches = branches(pool, team, filter).await?;
    // What is sorted and counted is gathered narrow, without names; those are read of what can be on the page (ties are
    // ordered by name), and only the page is read whole.
    let mut query = QueryBuilder::<Postgres>::new("with entry as materialized (");
    push_entries(&mut query, &branches, filter, sort);
    query.push("), cut as (select key from entry");
    if let Some(after) = after {
        query.push(" where key > ").push_bind(after);
    }
    query.push(" order by key limit 1 offset ").push_bind(i64::from(limit));
    query.push(
        "), page as (select entry.*, lower(test.name) collate \"C\" as folded from entry join history.test using (id)
         where key <= coalesce((select key from cut), 'infinity')",
    );
    if let Some(cursor) = cursor {
        query.push(" and (key, lower(test.name) collate \"C\", id, branch_id, variant) > (").push_bind(after);
        query.push(", ").push_bind(cursor.name).push(", ").push_bind(cursor.test).push(", ").push_bind(cursor.branch);
        query.push(", ").push_bind(cursor.variant).push(")");
    }
    query.push(" order by key, folded, id, branch_id, variant limit ").push_bind(i64::from(limit) + 1);
    query.push(") select ").push(COLUMNS).push(
        ", page.key, (select count(*) from entry) as total from page join history.test on test.id = page.id
         join history.series on series.branch_id = page.branch_id and series.test_id = page.id and series.variant = page.variant
         join history.branch on branch.id = page.branch_id join history.project on project.id = branch.project_id
         order by page.key, page.folded, page.id, page.branch_id, page.variant",
    );
    let mut found: Vec<Found> = query.build_query_as().fetch_all(pool).await?;
    let total = match found.first() {
        Some(found) => found.total,
        None if is_first => 0,
        // Beyond the last page nothing says how many there are.
        None => count(pool, &branches, filter).await?,
    };
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let rows: Vec<TestRow> = found.into_iter().map(|found| found.row).collect();
    let next = rows.last().filter(|_| more).map(|last| Cursor::of(last).encode());
    Ok((rows, total, next))
}

/// A row of a page, and how many there are on all pages.
#[derive(Debug, FromRow)]
struct Found {
    total: i64,
    #[sqlx(flatten)]
    row: TestRow,
}

async fn count(pool: &PgPool, branches: &[Uuid], filter: &TestFilter) -> Result<i64, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new("select count(*) from (");
    push_entries(&mut query, branches, filter, Sort::Name);
    query.push(") entry");
    query.build_query_scalar().fetch_one(pool).await
}

/// The branches whose tests are listed.
async fn branches(pool: &PgPool, team: TeamId, filter: &TestFilter) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select branch.id from history.project join history.branch on branch.project_id = project.id
         where project.team_id = ",
    );
    query.push_bind(team.0);
    if let Some(project) = &filter.project {
        query.push(" and (project.name = ").push_bind(project.clone());
        query.push(" or project.id::text = ").push_bind(project.clone()).push(")");
    }
    match filter.branch.as_deref() {
        Some("*") => {}
        Some(branch) => {
            query.push(" and branch.name = ").push_bind(branch.to_owned());
        }
        None => {
            query.push(
                " and branch.id = (select usual.id from history.branch usual where usual.project_id = project.id
                   order by usual.name = project.default_branch desc, usual.reports desc, usual.name limit 1)",
            );
        }
    }
    query.build_query_scalar().fetch_all(pool).await
}

/// The series on these branches that pass the filter, and what they are sorted by.
fn push_entries(query: &mut QueryBuilder<Postgres>, branches: &[Uuid], filter: &TestFilter, sort: Sort) {
    query.push("select series.test_id as id, series.branch_id, series.variant, ").push(sort.key());
    query.push(" as key from history.series");
    if filter.text.is_some() || filter.tag.is_some() || filter.owner.is_some() {
        query.push(" join history.test on test.id = series.test_id");
    }
    query.push(" where series.branch_id = any(").push_bind(branches.to_vec()).push(")");
    if !filter.states.is_empty() {
        let states: Vec<i16> = filter.states.iter().map(|state| state_number(*state)).collect();
        query.push(" and series.state = any(").push_bind(states).push(")");
    }
    if let Some(last) = filter.last {
        let numbers =
            if last == Last::Passed { vec![Last::Passed.number(), Last::Flaked.number()] } else { vec![last.number()] };
        query.push(" and series.last_status = any(").push_bind(numbers).push(")");
    }
    if let Some(text) = &filter.text {
        query.push(" and strpos(test.words, ").push_bind(text.to_lowercase()).push(") > 0");
    }
    if let Some(tag) = &filter.tag {
        query.push(" and ").push_bind(tag.clone()).push(" in (select json_array_elements_text(test.tags))");
    }
    match filter.owner.as_deref() {
        None => {}
        Some(NOBODY) => {
            query.push(" and json_array_length(test.owners) = 0");
        }
        Some(owner) => {
            query.push(" and ").push_bind(owner.to_owned()).push(" in (select json_array_elements_text(test.owners))");
        }
    }
    if let Some((runs, at)) = filter.since {
        query.push(" and series.runs >= ").push_bind(runs).push(" and series.last_at >= ").push_bind(at);
    }
    if filter.timed {
        query.push(" and series.p95_ms is not null");
    }
}
