use super::filter::{self, Columns, ReportFilter};
use super::page::{Cursor, Listing, Page, QueryError, Summary};
use super::reports::push_page;
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::{ProjectId, RunId, TeamId};
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

/// A run that nothing was added to for so long is complete.
pub const QUIET: TimeDelta = TimeDelta::minutes(30);

/// A run: its live reports together.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[allow(missing_docs, reason = "those without a word are as in the first report that says them")]
pub struct Run {
    /// Position of its first live report's commit.
    pub no: i64,
    #[sqlx(try_from = "Uuid")]
    pub id: RunId,
    #[sqlx(try_from = "Uuid")]
    pub team_id: TeamId,
    #[sqlx(try_from = "Uuid")]
    pub project_id: ProjectId,
    /// The project's name.
    pub project: String,
    /// What the uploader calls it.
    pub key: Option<String>,
    pub branch: Option<String>,
    pub commit: Option<String>,
    pub pr: Option<String>,
    pub build: Option<String>,
    pub build_url: Option<String>,
    /// How many reports it has.
    pub reports: i64,
    /// How many shards it shall have.
    pub shards: Option<i32>,
    complete: bool,
    /// Whether one of its reports is partial.
    pub partial: bool,
    /// Names, sorted.
    pub tools: Vec<String>,
    /// Of all its reports, sorted.
    pub tags: Vec<String>,
    #[sqlx(flatten)]
    pub summary: Summary,
    /// Of its first report.
    pub created_at: DateTime<Utc>,
    /// The earliest of its reports.
    pub run_at: DateTime<Utc>,
    /// When its last report came.
    pub updated_at: DateTime<Utc>,
}

impl Run {
    /// Whether nothing more is expected: it is one report, or all its shards are there, or nothing came for [`QUIET`].
    pub fn is_complete(&self, now: DateTime<Utc>) -> bool {
        self.complete || now - self.updated_at >= QUIET
    }

    /// How many shards did not come, however long ago the others did; at least one as long as the run lacks any.
    pub fn missing_shards(&self) -> u32 {
        let expected = self.shards.filter(|_| !self.complete).map_or(0, i64::from);
        if expected == 0 { 0 } else { u32::try_from(expected - self.reports).unwrap_or(1).max(1) }
    }
}

const SELECT: &str = "select entry.no, entry.id, entry.team_id, entry.project_id, coalesce(project.name, '') as project, \
     entry.key, entry.branch, entry.commit, entry.pr, entry.build, entry.build_url, entry.reports, entry.shards, \
     entry.complete, entry.partial, entry.tools, entry.tags, entry.tests, entry.passed, entry.failed, entry.skipped, \
     entry.pending, entry.other, entry.flaky, entry.start_ms, entry.stop_ms, entry.duration_ms, entry.created_at, \
     entry.run_at, entry.updated_at";

const FROM: &str = " from reports.run entry left join reports.project on project.id = entry.project_id";

const COLUMNS: Columns = Columns {
    tool: "lower(",
    tool_end: ") = any(select lower(tool) from unnest(entry.tools) tool)",
    texts: &["array_to_string(entry.tools, ' ')", "entry.key", "project.name", "entry.branch", "entry.build"],
    prefixes: &["entry.commit", "entry.id::text"],
};

/// A team's runs, newest first.
///
/// # Errors
/// When the cursor is none, or the database fails.
pub async fn list_runs(
    pool: &PgPool,
    team: TeamId,
    filter: &ReportFilter,
    page: &Page,
) -> Result<Listing<Run>, QueryError> {
    let cursor = page.cursor()?;
    let mut query = QueryBuilder::<Postgres>::new("select count(*)");
    query.push(FROM);
    filter::push(&mut query, &COLUMNS, team, filter);
    let total: i64 = query.build_query_scalar().fetch_one(pool).await?;

    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push(FROM);
    filter::push(&mut query, &COLUMNS, team, filter);
    push_page(&mut query, page, cursor);
    let runs: Vec<Run> = query.build_query_as().fetch_all(pool).await?;
    Ok(page.listing(runs, total, |run| Cursor(run.created_at.timestamp_micros(), run.no)))
}

/// One run of a team.
///
/// # Errors
/// What the database says.
pub async fn get_run(pool: &PgPool, team: TeamId, run: RunId) -> Result<Option<Run>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push(FROM).push(" where entry.team_id = ").push_bind(team.0);
    query.push(" and entry.id = ").push_bind(run.0);
    query.build_query_as().fetch_optional(pool).await
}
