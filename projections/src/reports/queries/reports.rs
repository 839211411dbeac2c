use super::filter::{self, Columns, ReportFilter};
use super::page::{Cursor, Listing, Page, QueryError, Summary};
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    ExecutionId, ProjectId, ReportId, RunId, TeamId, UploadId,
    events::report::Github,
    report::{Counts, Diagnostic},
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

/// A report as lists show it.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[allow(missing_docs, reason = "each is the field of the event report.ingested of the same name")]
pub struct Report {
    /// Position of its commit.
    pub no: i64,
    #[sqlx(try_from = "Uuid")]
    pub id: ReportId,
    #[sqlx(try_from = "Uuid")]
    pub team_id: TeamId,
    #[sqlx(try_from = "Uuid")]
    pub project_id: ProjectId,
    /// The project's name.
    pub project: String,
    #[sqlx(try_from = "Uuid")]
    pub run_id: RunId,
    pub run_key: Option<String>,
    pub shard_id: Option<String>,
    pub shards: Option<i32>,
    pub tool_name: String,
    pub tool_version: Option<String>,
    pub format: String,
    pub branch: Option<String>,
    pub commit: Option<String>,
    pub base_commit: Option<String>,
    pub target_branch: Option<String>,
    pub pr: Option<String>,
    pub build: Option<String>,
    pub build_url: Option<String>,
    pub repository: Option<String>,
    pub tags: Vec<String>,
    #[sqlx(flatten)]
    pub summary: Summary,
    pub partial: bool,
    pub declared: Option<Json<Counts>>,
    pub environment: Option<Value>,
    execution: Option<Uuid>,
    pub triage_github_status: bool,
    pub created_at: DateTime<Utc>,
    pub run_at: DateTime<Utc>,
    pub received_at: DateTime<Utc>,
}

impl Report {
    /// The execution that it came from.
    pub fn execution_id(&self) -> Option<ExecutionId> {
        self.execution.map(ExecutionId)
    }
}

/// A report with what only its own page shows.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct ReportDetail {
    /// As lists show it.
    #[sqlx(flatten)]
    pub report: Report,
    diagnostics: Option<Json<Vec<Diagnostic>>>,
    /// The upload that stored it; names its chunks and its document.
    #[sqlx(try_from = "Uuid")]
    pub upload_id: UploadId,
    /// Size of the original document, bytes.
    pub body_bytes: i64,
    /// Its media type.
    pub media_type: String,
    /// Hash of the original document.
    pub body_hash: String,
    /// Where a commit status was asked for.
    pub github: Option<Json<Github>>,
    extra: Option<Json<Map<String, Value>>>,
}

impl ReportDetail {
    /// What was odd.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        self.diagnostics.as_ref().map_or(&[], |diagnostics| &diagnostics.0)
    }

    /// What else the document said of itself.
    pub fn extra(&self) -> Option<&Map<String, Value>> {
        self.extra.as_ref().map(|extra| &extra.0)
    }
}

pub(super) const SELECT: &str = "select entry.no, entry.id, entry.team_id, entry.project_id, \
     coalesce(project.name, '') as project, entry.run_id, entry.run_key, entry.shard_id, entry.shards, entry.tool_name, \
     entry.tool_version, entry.format, entry.branch, entry.commit, entry.base_commit, entry.target_branch, entry.pr, \
     entry.build, entry.build_url, entry.repository, entry.tags, entry.tests, entry.passed, entry.failed, entry.skipped, \
     entry.pending, entry.other, entry.flaky, entry.start_ms, entry.stop_ms, entry.duration_ms, entry.partial, \
     entry.declared, entry.environment, entry.execution_id as execution, entry.triage_github_status, entry.created_at, \
     entry.run_at, entry.received_at";

pub(super) const FROM: &str = " from reports.report entry left join reports.project on project.id = entry.project_id";

const COLUMNS: Columns = Columns {
    tool: "lower(entry.tool_name) = lower(",
    tool_end: ")",
    texts: &[
        "(entry.tool_name || coalesce(' v' || entry.tool_version, ''))",
        "project.name",
        "entry.branch",
        "entry.build",
    ],
    prefixes: &["entry.commit", "entry.id::text"],
};

/// A team's reports, newest first.
///
/// # Errors
/// When the cursor is none, or the database fails.
pub async fn list_reports(
    pool: &PgPool,
    team: TeamId,
    filter: &ReportFilter,
    page: &Page,
) -> Result<Listing<Report>, QueryError> {
    let cursor = page.cursor()?;
    let mut query = QueryBuilder::<Postgres>::new("select count(*)");
    query.push(FROM);
    filter::push(&mut query, &COLUMNS, team, filter);
    let total: i64 = query.build_query_scalar().fetch_one(pool).await?;

    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push(FROM);
    filter::push(&mut query, &COLUMNS, team, filter);
    push_page(&mut query, page, cursor);
    let reports: Vec<Report> = query.build_query_as().fetch_all(pool).await?;
    Ok(page.listing(reports, total, |report| Cursor(report.created_at.timestamp_micros(), report.no)))
}

/// Newest first, after the cursor. Postgres keeps microseconds, so the cursor is exact.
pub(super) fn push_page(query: &mut QueryBuilder<Postgres>, page: &Page, cursor: Option<Cursor>) {
    if let Some(Cursor(created, no)) = cursor {
        let created = DateTime::from_timestamp_micros(created).unwrap_or_default();
        query.push(" and (entry.created_at, entry.no) < (").push_bind(created);
        query.push(", ").push_bind(no).push(")");
    }
    query.push(" order by entry.created_at desc, entry.no desc limit ").push_bind(page.fetch());
    if cursor.is_none() {
        query.push(" offset ").push_bind(crate::checkpoint::signed(page.offset));
    }
}

/// One report of a team.
///
/// # Errors
/// What the database says.
pub async fn get_report(pool: &PgPool, team: TeamId, report: ReportId) -> Result<Option<ReportDetail>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push(
        ", entry.diagnostics, entry.upload_id, entry.body_bytes, entry.media_type, entry.body_hash, entry.github, entry.extra",
    );
    query.push(FROM).push(" where entry.team_id = ").push_bind(team.0);
    query.push(" and entry.id = ").push_bind(report.0);
    query.build_query_as().fetch_optional(pool).await
}

/// The reports of a run, in the order in which they came.
///
/// # Errors
/// What the database says.
pub async fn reports_of_run(pool: &PgPool, team: TeamId, run: RunId) -> Result<Vec<Report>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push(FROM).push(" where entry.team_id = ").push_bind(team.0);
    query.push(" and entry.run_id = ").push_bind(run.0).push(" order by entry.no");
    query.build_query_as().fetch_all(pool).await
}

/// What a report says of its size, and what there is: the two agree, or the read model is damaged.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ReportCount {
    /// Position of its commit.
    pub no: i64,
    /// Which.
    #[sqlx(try_from = "Uuid")]
    pub id: ReportId,
    /// Results as its event counts them.
    pub tests: i64,
    /// Rows of results.
    pub results: i64,
    /// There are none any more: their time was over.
    pub dropped: bool,
}

/// The next reports of every team after a number, by number, with their rows counted; for checking against the log.
///
/// # Errors
/// What the database says.
pub async fn count_reports(pool: &PgPool, after: i64, limit: u32) -> Result<Vec<ReportCount>, sqlx::Error> {
    sqlx::query_as(
        "select report.no, report.id, report.tests,
                (select count(*) from reports.result
                 where part = report.part and report_no = report.no) as results,
                report.dropped
         from reports.report where report.no > $1 order by report.no limit $2",
    )
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await
}

/// The ids of a team's reports with their positions, oldest first, from after a position.
///
/// # Errors
/// What the database says.
pub async fn ids_of_team(
    pool: &PgPool,
    team: TeamId,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, ReportId)>, sqlx::Error> {
    let rows: Vec<(i64, Uuid)> =
        sqlx::query_as("select no, id from reports.report where team_id = $1 and no > $2 order by no limit $3")
            .bind(team.0)
            .bind(after)
            .bind(limit)
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().map(|(no, id)| (no, ReportId(id))).collect())
}
