//! Whole reports and runs, for documents that hold everything: a page of results at a time, so that no connection waits for
//! whoever reads the document.

use super::reports::{FROM, SELECT};
use super::results::{self, OneResult, Scope, StatusColumn, Target};
use super::{Report, Summary};
use chrono::{DateTime, Utc};
use scaledtest_domain::TeamId;
use scaledtest_domain::report::{Attachment, Attempt, Counts, ReportMeta, TestResult, Tool, Variant};
use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use std::collections::BTreeMap;

/// The reports of a document, as they were when it was begun: what comes later is not in it.
#[derive(Debug)]
pub struct Whole {
    /// Oldest first.
    pub reports: Vec<WholeReport>,
    targets: Vec<Target>,
}

/// A report with everything that its document said of itself.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct WholeReport {
    /// As lists show it.
    #[sqlx(flatten)]
    pub report: Report,
    spec_version: Option<String>,
    document_id: Option<String>,
    document_at: Option<DateTime<Utc>>,
    extra: Option<Json<Map<String, Value>>>,
}

impl WholeReport {
    /// As the format gave it.
    pub fn meta(&self) -> ReportMeta {
        let (report, summary) = (&self.report, &self.report.summary);
        ReportMeta {
            format: report.format.clone(),
            spec_version: self.spec_version.clone(),
            document_id: self.document_id.clone(),
            run_key: report.run_key.clone(),
            tool: Tool { name: report.tool_name.clone(), version: report.tool_version.clone() },
            environment: report.environment.clone(),
            declared: report.declared.as_ref().map(|declared| declared.0),
            partial: report.partial,
            start_ms: summary.start_ms,
            stop_ms: summary.stop_ms,
            duration_ms: summary.duration_ms,
            timestamp: self.document_at,
            extra: self.extra.as_ref().map(|extra| extra.0.clone()).unwrap_or_default(),
        }
    }

    /// Counted from the results.
    pub fn counts(&self) -> Counts {
        Summary::counts(&self.report.summary)
    }
}

/// The place of a result: its report's number, and where it stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResultPlace(i64, i32);

/// Begins reading a report or a run; `None` if the team has no such one.
///
/// # Errors
/// What the database says.
pub async fn whole(pool: &PgPool, team: TeamId, scope: Scope) -> Result<Option<Whole>, sqlx::Error> {
    let targets = results::targets(pool, team, scope).await?;
    if targets.is_empty() {
        return Ok(None);
    }
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push(", entry.spec_version, entry.document_id, entry.document_at, entry.extra").push(FROM);
    query.push(" where entry.team_id = ").push_bind(team.0).push(" and entry.no = any(");
    query.push_bind(results::numbers(&targets)).push(") order by entry.no");
    let reports: Vec<WholeReport> = query.build_query_as().fetch_all(pool).await?;
    // Deleted in between.
    Ok((reports.len() == targets.len()).then_some(Whole { reports, targets }))
}

impl Whole {
    /// Whether some of its results were dropped when their time was over.
    pub fn is_dropped(&self) -> bool {
        self.targets.iter().any(Target::is_dropped)
    }

    /// How many results there are.
    pub fn results(&self) -> u64 {
        self.reports.iter().map(|report| report.counts().tests).sum()
    }

    /// The next results after a place, at most `limit`, and the place of the last of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn page(
        &self,
        pool: &PgPool,
        after: Option<ResultPlace>,
        limit: u32,
    ) -> Result<(Vec<TestResult>, Option<ResultPlace>), sqlx::Error> {
        let mut query = QueryBuilder::<Postgres>::new("select ");
        results::push_columns(&mut query, &self.targets);
        query.push(", message as whole_message, start_ms, stop_ms, reported_flaky, trace, snippet, stdout, stderr, steps, attachments, extra");
        query.push(" from reports.test_result");
        self.push_place(&mut query, after);
        query.push(" order by report_no, idx limit ").push_bind(i64::from(limit));
        let rows: Vec<Row> = query.build_query_as().fetch_all(pool).await?;
        let places = |row: &Row| ResultPlace(row.one.result.report_no, row.one.result.idx);
        let Some(last) = rows.last().map(places) else { return Ok((Vec::new(), None)) };
        let mut attempts = self.attempts(pool, after, last).await?;
        let result = |row: Row| {
            let attempts = attempts.remove(&places(&row)).unwrap_or_default();
            row.into_result(attempts)
        };
        Ok((rows.into_iter().map(result).collect(), Some(last)))
    }

    async fn attempts(
        &self,
        pool: &PgPool,
        after: Option<ResultPlace>,
        last: ResultPlace,
    ) -> Result<BTreeMap<ResultPlace, Vec<Attempt>>, sqlx::Error> {
        let mut query = QueryBuilder::<Postgres>::new(
            "select report_no, idx, attempt, status, duration_ms, start_ms, message, trace, line, snippet, stdout, stderr, \
             attachments from reports.attempt",
        );
        self.push_place(&mut query, after);
        query.push(" and (report_no, idx) <= (").push_bind(last.0).push(", ").push_bind(last.1);
        query.push(") order by report_no, idx, attempt");
        let rows: Vec<AttemptAt> = query.build_query_as().fetch_all(pool).await?;
        let mut attempts: BTreeMap<ResultPlace, Vec<Attempt>> = BTreeMap::new();
        for row in rows {
            attempts.entry(ResultPlace(row.report_no, row.idx)).or_default().push(row.into_attempt());
        }
        Ok(attempts)
    }

    fn push_place(&self, query: &mut QueryBuilder<Postgres>, after: Option<ResultPlace>) {
        results::push_partitions(query, &self.targets);
        if let Some(ResultPlace(no, idx)) = after {
            query.push(" and (report_no, idx) > (").push_bind(no).push(", ").push_bind(idx).push(")");
        }
    }
}

#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    one: OneResult,
    whole_message: Option<String>,
}

impl Row {
    fn into_result(self, attempts: Vec<Attempt>) -> TestResult {
        let OneResult { ref result, .. } = self.one;
        TestResult {
            test_id: result.test_id,
            name: result.name.clone(),
            suite: result.suite.clone(),
            file_path: result.file_path.clone(),
            line: result.line.map(i32::unsigned_abs),
            status: result.status.0,
            raw_status: result.raw_status.clone(),
            duration_ms: result.duration_ms,
            start_ms: self.one.start_ms,
            stop_ms: self.one.stop_ms,
            retries: result.retries.unsigned_abs(),
            flaky: result.flaky,
            reported_flaky: self.one.reported_flaky,
            variant: Variant { browser: result.browser.clone(), device: result.device.clone(), os: result.os.clone() },
            tags: result.tags.clone(),
            message: self.whole_message,
            steps: self.one.steps().to_vec(),
            attachments: self.one.attachments().to_vec(),
            extra: self.one.extra().cloned().unwrap_or_default(),
            trace: self.one.trace,
            snippet: self.one.snippet,
            stdout: self.one.stdout,
            stderr: self.one.stderr,
            attempts,
        }
    }
}

#[derive(FromRow)]
struct AttemptAt {
    report_no: i64,
    idx: i32,
    attempt: i32,
    #[sqlx(try_from = "i16")]
    status: StatusColumn,
    duration_ms: Option<i64>,
    start_ms: Option<i64>,
    message: Option<String>,
    trace: Option<String>,
    line: Option<i32>,
    snippet: Option<String>,
    stdout: Option<String>,
    stderr: Option<String>,
    attachments: Option<Json<Vec<Attachment>>>,
}

impl AttemptAt {
    fn into_attempt(self) -> Attempt {
        Attempt {
            attempt: self.attempt.unsigned_abs(),
            status: self.status.0,
            duration_ms: self.duration_ms,
            start_ms: self.start_ms,
            message: self.message,
            trace: self.trace,
            line: self.line.map(i32::unsigned_abs),
            snippet: self.snippet,
            stdout: self.stdout,
            stderr: self.stderr,
            attachments: self.attachments.map(|attachments| attachments.0).unwrap_or_default(),
        }
    }
}
