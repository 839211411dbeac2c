use super::filter::{literal, push_ilike};
use super::page::{Cursor, Listing, Page, QueryError};
use crate::copy::clean;
use crate::reports::rows::{status_number, status_of};
use scaledtest_domain::{
    ReportId, RunId, TeamId, TestId,
    report::{Attachment, Status, Step},
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Characters of a message that a list shows.
pub const MESSAGE_CHARS: i32 = 2_000;

/// Whose results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Of one report.
    Report(ReportId),
    /// Of all reports of a run.
    Run(RunId),
}

/// What a list of results is narrowed to; all that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct ResultFilter {
    /// One of these; all if empty and `flaky` is not set.
    pub statuses: Vec<Status>,
    /// Or flaky ones.
    pub flaky: bool,
    /// A part of the suite path.
    pub suite: Option<String>,
    /// Words in name, suite, file path or message.
    pub text: Option<String>,
    /// One of its tags.
    pub tag: Option<String>,
}

/// The order of a list of results. Position breaks ties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// As in the report.
    #[default]
    Position,
    /// Shortest first.
    Duration,
    /// Longest first.
    DurationDescending,
    /// By name.
    Name,
    /// Failed first, then other, pending, skipped, passed.
    Status,
}

impl Sort {
    /// Reads the word that the API uses.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "position" => Some(Self::Position),
            "duration" => Some(Self::Duration),
            "-duration" => Some(Self::DurationDescending),
            "name" => Some(Self::Name),
            "status" => Some(Self::Status),
            _ => None,
        }
    }

    /// What is sorted by, before the position; ascending.
    fn key(self) -> Option<&'static str> {
        match self {
            Self::Position => None,
            Self::Duration => Some("duration_ms"),
            Self::DurationDescending => Some("-duration_ms"),
            Self::Name => Some(r#"name collate "C""#),
            Self::Status => Some("(array[4, 0, 3, 2, 1]::smallint[])[status + 1]"),
        }
    }
}

/// A result as lists show it.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[allow(missing_docs, reason = "each is the field of TestResult of the same name")]
pub struct ResultRow {
    pub(super) report_no: i64,
    /// Its place in the report, from 0: with the report's id, its id.
    pub idx: i32,
    #[sqlx(try_from = "Uuid")]
    pub report_id: ReportId,
    #[sqlx(try_from = "Uuid")]
    pub test_id: TestId,
    pub name: String,
    pub suite: Vec<String>,
    pub file_path: Option<String>,
    pub line: Option<i32>,
    #[sqlx(try_from = "i16")]
    pub status: StatusColumn,
    pub raw_status: Option<String>,
    pub duration_ms: i64,
    pub retries: i32,
    pub flaky: bool,
    pub tags: Vec<String>,
    pub browser: Option<String>,
    pub device: Option<String>,
    pub os: Option<String>,
    /// Its first [`MESSAGE_CHARS`] characters.
    pub message: Option<String>,
}

/// A status as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusColumn(pub Status);

impl From<i16> for StatusColumn {
    fn from(number: i16) -> Self {
        Self(status_of(number))
    }
}

/// A report's number, the partition of its rows, and how many there are by status.
#[derive(Debug, FromRow)]
pub(super) struct Target {
    no: i64,
    part: i32,
    id: Uuid,
    tests: i64,
    passed: i64,
    failed: i64,
    skipped: i64,
    pending: i64,
    other: i64,
    dropped: bool,
}

impl Target {
    /// Whether its results were dropped when their time was over.
    pub fn is_dropped(&self) -> bool {
        self.dropped
    }

    /// Nothing is left of what was dropped.
    fn or_nothing(self) -> Self {
        match self.dropped {
            true => Self { tests: 0, passed: 0, failed: 0, skipped: 0, pending: 0, other: 0, ..self },
            false => self,
        }
    }

    fn of_status(&self, status: Status) -> i64 {
        match status {
            Status::Passed => self.passed,
            Status::Failed => self.failed,
            Status::Skipped => self.skipped,
            Status::Pending => self.pending,
            Status::Other => self.other,
        }
    }
}

pub(super) async fn targets(pool: &PgPool, team: TeamId, scope: Scope) -> Result<Vec<Target>, sqlx::Error> {
    let (by, id) = match scope {
        Scope::Report(report) => (" and id = ", report.0),
        Scope::Run(run) => (" and run_id = ", run.0),
    };
    let mut query = QueryBuilder::<Postgres>::new(
        "select no, part, id, tests, passed, failed, skipped, pending, other, dropped from reports.report where team_id = ",
    );
    query.push_bind(team.0).push(by).push_bind(id).push(" order by no");
    let found: Vec<Target> = query.build_query_as().fetch_all(pool).await?;
    Ok(found.into_iter().map(Target::or_nothing).collect())
}

/// Results of a report or a run; `None` if the team has no such report or run.
///
/// # Errors
/// When the cursor is none, or the database fails.
pub async fn list_results(
    pool: &PgPool,
    team: TeamId,
    scope: Scope,
    filter: &ResultFilter,
    sort: Sort,
    page: &Page,
) -> Result<Option<Listing<ResultRow>>, QueryError> {
    let cursor = page.cursor()?;
    let targets = targets(pool, team, scope).await?;
    if targets.is_empty() {
        return Ok(None);
    }
    let (total, results) = match known_total(&targets, filter) {
        Some(total) => (total, list(pool, &targets, filter, sort, page, cursor).await?),
        None => search(pool, &targets, filter, sort, page, cursor).await?,
    };
    Ok(Some(page.listing(results, total, |result| Cursor(result.report_no, result.idx.into()))))
}

async fn list(
    pool: &PgPool,
    targets: &[Target],
    filter: &ResultFilter,
    sort: Sort,
    page: &Page,
    cursor: Option<Cursor>,
) -> Result<Vec<ResultRow>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new("select ");
    push_columns(&mut query, targets);
    query.push(" from reports.test_result");
    push_where(&mut query, targets, filter);
    push_order(&mut query, targets, sort, cursor);
    push_limit(&mut query, page, cursor);
    query.build_query_as().fetch_all(pool).await
}

/// A row of a search, and how many there are on all pages.
#[derive(Debug, FromRow)]
struct Found {
    total: i64,
    #[sqlx(flatten)]
    row: ResultRow,
}

/// Looks at every result once: what matches is gathered narrow, counted, sorted, and a page of it is read whole.
async fn search(
    pool: &PgPool,
    targets: &[Target],
    filter: &ResultFilter,
    sort: Sort,
    page: &Page,
    cursor: Option<Cursor>,
) -> Result<(i64, Vec<ResultRow>), sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new("with matching as materialized (select part, report_no, idx, ");
    query.push(sort.key().unwrap_or("0")).push(" as sort_key from reports.test_result");
    push_where(&mut query, targets, filter);
    query.push("), page as (select *, (select count(*) from matching) as total from matching");
    if let Some(Cursor(no, idx)) = cursor {
        let idx = i32::try_from(idx).unwrap_or(i32::MAX);
        query.push(" where (sort_key, report_no, idx) > ((select sort_key from matching where report_no = ");
        query.push_bind(no).push(" and idx = ").push_bind(idx).push("), ");
        query.push_bind(no).push(", ").push_bind(idx).push(")");
    }
    query.push(" order by sort_key, report_no, idx");
    push_limit(&mut query, page, cursor);
    query.push(") select total, ");
    push_columns(&mut query, targets);
    query.push(" from page join reports.test_result using (part, report_no, idx) order by sort_key, report_no, idx");
    let found: Vec<Found> = query.build_query_as().fetch_all(pool).await?;
    let total = match found.first() {
        Some(found) => found.total,
        None if cursor.is_none() && page.offset == 0 => 0,
        // Beyond the last page nothing says how many there are.
        None => count(pool, targets, filter).await?,
    };
    Ok((total, found.into_iter().map(|found| found.row).collect()))
}

/// What a [`ResultRow`] is read from.
pub(super) fn push_columns(query: &mut QueryBuilder<Postgres>, targets: &[Target]) {
    query.push("report_no, idx, (").push_bind(targets.iter().map(|target| target.id).collect::<Vec<_>>());
    query.push("::uuid[])[array_position(").push_bind(numbers(targets));
    query.push(
        ", report_no)] as report_id, test_id, name, suite, file_path, line, status, raw_status, duration_ms, retries, \
         flaky, tags, browser, device, os, left(message, ",
    );
    query.push_bind(MESSAGE_CHARS).push(") as message");
}

fn push_limit(query: &mut QueryBuilder<Postgres>, page: &Page, cursor: Option<Cursor>) {
    query.push(" limit ").push_bind(page.fetch());
    if cursor.is_none() {
        query.push(" offset ").push_bind(crate::checkpoint::signed(page.offset));
    }
}

pub(super) fn numbers(targets: &[Target]) -> Vec<i64> {
    targets.iter().map(|target| target.no).collect()
}

/// The counts of the reports answer most filters; only others need a look at the results.
fn known_total(targets: &[Target], filter: &ResultFilter) -> Option<i64> {
    if filter.suite.is_some() || filter.text.is_some() || filter.tag.is_some() || filter.flaky {
        return None;
    }
    if filter.statuses.is_empty() {
        return Some(targets.iter().map(|target| target.tests).sum());
    }
    let statuses: BTreeSet<Status> = filter.statuses.iter().copied().collect();
    Some(statuses.iter().flat_map(|status| targets.iter().map(|target| target.of_status(*status))).sum())
}

async fn count(pool: &PgPool, targets: &[Target], filter: &ResultFilter) -> Result<i64, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new("select count(*) from reports.test_result");
    push_where(&mut query, targets, filter);
    query.build_query_scalar().fetch_one(pool).await
}

/// The rows of these reports, in `test_result` or `attempt`.
pub(super) fn push_partitions(query: &mut QueryBuilder<Postgres>, targets: &[Target]) {
    let parts: BTreeSet<i32> = targets.iter().map(|target| target.part).collect();
    // The part chooses the partitions; the number chooses the rows.
    query.push(" where part = any(").push_bind(parts.into_iter().collect::<Vec<_>>());
    query.push(") and ");
    match targets {
        [target] => query.push("report_no = ").push_bind(target.no),
        many => query.push("report_no = any(").push_bind(numbers(many)).push(")"),
    };
}

fn push_where(query: &mut QueryBuilder<Postgres>, targets: &[Target], filter: &ResultFilter) {
    push_partitions(query, targets);
    if !filter.statuses.is_empty() || filter.flaky {
        let statuses: Vec<i16> = filter.statuses.iter().map(|status| status_number(*status)).collect();
        query.push(" and (status = any(").push_bind(statuses).push(")");
        query.push(if filter.flaky { " or flaky)" } else { ")" });
    }
    if let Some(suite) = &filter.suite {
        push_ilike(query.push(" and array_to_string(suite, ' > ')"), format!("%{}%", literal(suite)));
    }
    if let Some(tag) = &filter.tag {
        query.push(" and ").push_bind(clean(tag)).push(" = any(tags)");
    }
    if let Some(text) = filter.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        // One comparison of a joined text costs a third of four.
        query.push(" and concat_ws(E'\\n', name, array_to_string(suite, ' > '), file_path, message)");
        push_ilike(query, format!("%{}%", literal(text)));
    }
}

/// The cursor names a row; what it sorts by is looked up again, so that a cursor is small however long a name is.
fn push_order(query: &mut QueryBuilder<Postgres>, targets: &[Target], sort: Sort, cursor: Option<Cursor>) {
    let key = sort.key();
    if let Some(Cursor(no, idx)) = cursor {
        let idx = i32::try_from(idx).unwrap_or(i32::MAX);
        if let Some(key) = key {
            query.push(" and (").push(key).push(", report_no, idx) > ((select ").push(key);
            query.push(" from reports.test_result where report_no = ").push_bind(no);
            query.push(" and idx = ").push_bind(idx);
            // Cursors are the client's to invent: what stands in other reports must not be told by comparing with it.
            query.push(" and report_no = any(").push_bind(numbers(targets)).push(")), ");
        } else {
            query.push(" and (report_no, idx) > (");
        }
        query.push_bind(no).push(", ").push_bind(idx).push(")");
    }
    query.push(" order by ");
    if let Some(key) = key {
        query.push(key).push(", ");
    }
    query.push("report_no, idx");
}

/// One result with everything that is known of it.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[allow(missing_docs, reason = "each is the field of TestResult of the same name")]
pub struct OneResult {
    /// As lists show it, but with the whole message.
    #[sqlx(flatten)]
    pub result: ResultRow,
    pub start_ms: Option<i64>,
    pub stop_ms: Option<i64>,
    pub reported_flaky: Option<bool>,
    pub trace: Option<String>,
    pub snippet: Option<String>,
    pub stdout: Option<String>,
    pub stderr: Option<String>,
    steps: Option<Json<Vec<Step>>>,
    attachments: Option<Json<Vec<Attachment>>>,
    extra: Option<Json<Map<String, Value>>>,
    /// Executions before the final one, ascending.
    #[sqlx(skip)]
    pub attempts: Vec<AttemptRow>,
}

impl OneResult {
    /// Steps.
    pub fn steps(&self) -> &[Step] {
        self.steps.as_ref().map_or(&[], |steps| &steps.0)
    }

    /// Files, by name only.
    pub fn attachments(&self) -> &[Attachment] {
        self.attachments.as_ref().map_or(&[], |attachments| &attachments.0)
    }

    /// Every other field of the test.
    pub fn extra(&self) -> Option<&Map<String, Value>> {
        self.extra.as_ref().map(|extra| &extra.0)
    }
}

/// One execution before the final one.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[allow(missing_docs, reason = "each is the field of Attempt of the same name")]
pub struct AttemptRow {
    pub attempt: i32,
    #[sqlx(try_from = "i16")]
    pub status: StatusColumn,
    pub duration_ms: Option<i64>,
    pub start_ms: Option<i64>,
    pub message: Option<String>,
    pub trace: Option<String>,
    pub line: Option<i32>,
    pub snippet: Option<String>,
    pub stdout: Option<String>,
    pub stderr: Option<String>,
    attachments: Option<Json<Vec<Attachment>>>,
}

impl AttemptRow {
    /// Files, by name only.
    pub fn attachments(&self) -> &[Attachment] {
        self.attachments.as_ref().map_or(&[], |attachments| &attachments.0)
    }
}

/// One result of a team's report, by its place in the report.
///
/// # Errors
/// What the database says.
pub async fn get_result(
    pool: &PgPool,
    team: TeamId,
    report: ReportId,
    idx: i32,
) -> Result<Option<OneResult>, sqlx::Error> {
    let Some(target) = targets(pool, team, Scope::Report(report)).await?.pop() else { return Ok(None) };
    let found: Option<OneResult> = sqlx::query_as(
        "select report_no, idx, $4::uuid as report_id, test_id, name, suite, file_path, line, status, raw_status, duration_ms,
                retries, flaky, tags, browser, device, os, message, start_ms, stop_ms, reported_flaky, trace, snippet,
                stdout, stderr, steps, attachments, extra
         from reports.test_result where part = $1 and report_no = $2 and idx = $3",
    )
    .bind(target.part)
    .bind(target.no)
    .bind(idx)
    .bind(report.0)
    .fetch_optional(pool)
    .await?;
    let Some(mut found) = found else { return Ok(None) };
    found.attempts = sqlx::query_as(
        "select attempt, status, duration_ms, start_ms, message, trace, line, snippet, stdout, stderr, attachments
         from reports.attempt where part = $1 and report_no = $2 and idx = $3 order by attempt",
    )
    .bind(target.part)
    .bind(target.no)
    .bind(idx)
    .fetch_all(pool)
    .await?;
    Ok(Some(found))
}
