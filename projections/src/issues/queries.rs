//! Questions about known issues. Errors and their projects are named as `history` knows them.

use crate::{cursor, history::queries::QueryError};
use chrono::{DateTime, Utc};
use scaledtest_domain::{IssueId, ProjectId, TeamId};
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use std::collections::HashMap;
use uuid::Uuid;

/// The ticket of an error.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs, reason = "as in the event")]
pub struct Ticket {
    pub id: Uuid,
    pub ticket: String,
    pub note: Option<String>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Which of these errors of a team, each a project and a fingerprint, had a ticket that was open at some time from `start` to
/// `end`, and which: linked before the end, neither closed nor expired before the start. An error's ticket is that of any
/// fingerprint in it: which one it is named by can change.
///
/// This is the one place where an issue is found by a fingerprint.
///
/// # Errors
/// What the database says.
pub async fn tickets_of(
    pool: &PgPool,
    team: TeamId,
    errors: &[(Uuid, Uuid)],
    (start, end): (DateTime<Utc>, DateTime<Utc>),
) -> Result<HashMap<(Uuid, Uuid), Ticket>, sqlx::Error> {
    if errors.is_empty() {
        return Ok(HashMap::new());
    }
    #[derive(FromRow)]
    struct Row {
        project: Uuid,
        kind: Uuid,
        #[sqlx(flatten)]
        ticket: Ticket,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select project, kind, issue.id, ticket, note, expires_at
         from (select distinct * from unnest($1::uuid[], $2::uuid[]) as one (project, kind)) wanted
         left join history.error asked on asked.project_id = project and asked.fingerprint = kind
         left join history.error member on member.project_id = project and member.cluster_id = asked.cluster_id
         join issues.issue on issue.project_id = project and issue.fingerprint = coalesce(member.fingerprint, kind)
         where issue.team_id = $3 and linked_at <= $5 and ends_at > $4 order by linked_at, issue.id",
    )
    .bind(errors.iter().map(|(project, _)| *project).collect::<Vec<_>>())
    .bind(errors.iter().map(|(_, fingerprint)| *fingerprint).collect::<Vec<_>>())
    .bind(team.0)
    .bind(start)
    .bind(end)
    .fetch_all(pool)
    .await?;
    // The newest one, if there were several.
    Ok(rows.into_iter().map(|row| ((row.project, row.kind), row.ticket)).collect())
}

/// The error of a project that a fingerprint is in, and what its first failure said; none if there is no such error. Failures
/// that say nothing have nothing in common, and are none.
///
/// # Errors
/// What the database says.
pub async fn error_of(
    pool: &PgPool,
    team: TeamId,
    project: ProjectId,
    fingerprint: Uuid,
) -> Result<Option<(Uuid, String)>, sqlx::Error> {
    if fingerprint.is_nil() {
        return Ok(None);
    }
    sqlx::query_as(
        "select first.fingerprint, first.message from history.error one
         join history.error first on first.project_id = one.project_id and first.fingerprint = one.cluster_id
         where one.project_id = $1 and one.fingerprint = $2 and one.team_id = $3",
    )
    .bind(project.0)
    .bind(fingerprint)
    .bind(team.0)
    .fetch_optional(pool)
    .await
}

/// An issue, open or not.
#[derive(Debug, Clone, FromRow)]
#[allow(missing_docs, reason = "as in the event")]
pub struct Issue {
    #[sqlx(flatten)]
    pub ticket: Ticket,
    pub project_id: Uuid,
    pub project: String,
    pub fingerprint: Uuid,
    /// What the first failure said; none if every report with the error was deleted.
    pub message: Option<String>,
    /// When the error was seen last.
    pub last_seen: Option<DateTime<Utc>>,
    /// Who linked it.
    pub user_id: Uuid,
    pub linked_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    pub changed_by: Uuid,
    pub closed_at: Option<DateTime<Utc>>,
    pub closed_by: Option<Uuid>,
}

/// Where an issue is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It excuses failures.
    Open,
    /// Its time is over.
    Expired,
    /// Somebody closed it.
    Closed,
}

impl Phase {
    /// Reads the word that the API uses.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "open" => Some(Self::Open),
            "expired" => Some(Self::Expired),
            "closed" => Some(Self::Closed),
            _ => None,
        }
    }
}

impl Issue {
    /// Where it is in its life at `now`.
    pub fn phase(&self, now: DateTime<Utc>) -> Phase {
        if self.closed_at.is_some() {
            Phase::Closed
        } else if self.ticket.expires_at.is_some_and(|end| end <= now) {
            Phase::Expired
        } else {
            Phase::Open
        }
    }
}

/// What the list is narrowed to; all that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Name or id of the project.
    pub project: Option<String>,
    /// Where in their life they are.
    pub phase: Option<Phase>,
    /// A part of ticket, note or message.
    pub text: Option<String>,
}

const COLUMNS: &str = "select issue.id, issue.ticket, issue.note, issue.expires_at, issue.project_id, \
    coalesce(project.name, '') as project, issue.fingerprint, error.message, \
    (select max(newest.at) from history.error member cross join lateral \
       (select at from history.failure where failure.project_id = member.project_id and failure.fingerprint = member.fingerprint \
        order by at desc limit 1) newest \
     where member.project_id = issue.project_id and member.cluster_id = error.cluster_id) as last_seen, \
    issue.user_id, issue.linked_at, issue.changed_at, issue.changed_by, issue.closed_at, issue.closed_by";
const TABLES: &str = " from issues.issue left join history.project on project.id = issue.project_id \
    left join history.error on error.project_id = issue.project_id and error.fingerprint = issue.fingerprint";

/// An issue of a team.
///
/// # Errors
/// What the database says.
pub async fn issue(pool: &PgPool, team: TeamId, id: IssueId) -> Result<Option<Issue>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(TABLES).push(" where issue.team_id = ").push_bind(team.0).push(" and issue.id = ").push_bind(id.0);
    query.build_query_as().fetch_optional(pool).await
}

/// A page of issues, the newest first, how many there are, and where the next page begins.
///
/// # Errors
/// When the cursor is none, or the database fails.
pub async fn list_issues(
    pool: &PgPool,
    team: TeamId,
    filter: &Filter,
    now: DateTime<Utc>,
    (limit, cursor): (u32, Option<&str>),
) -> Result<(Vec<Issue>, i64, Option<String>), QueryError> {
    let mut query = QueryBuilder::<Postgres>::new("select count(*)");
    query.push(TABLES);
    push(&mut query, team, filter, now);
    let total = query.build_query_scalar().fetch_one(pool).await?;

    let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
    query.push(TABLES);
    push(&mut query, team, filter, now);
    if let Some(cursor) = cursor {
        let (at, id) = cursor::decode(cursor)?;
        query.push(" and (issue.linked_at, issue.id) < (").push_bind(at).push(", ").push_bind(id).push(")");
    }
    query.push(" order by issue.linked_at desc, issue.id desc limit ").push_bind(i64::from(limit) + 1);
    let mut rows: Vec<Issue> = query.build_query_as().fetch_all(pool).await?;
    let next = cursor::cut(&mut rows, limit, |row| (row.linked_at, row.ticket.id));
    Ok((rows, total, next))
}

fn push(query: &mut QueryBuilder<Postgres>, team: TeamId, filter: &Filter, now: DateTime<Utc>) {
    query.push(" where issue.team_id = ").push_bind(team.0);
    if let Some(project) = &filter.project {
        query.push(" and (project.name = ").push_bind(project.clone());
        query.push(" or issue.project_id::text = ").push_bind(project.clone()).push(")");
    }
    match filter.phase {
        Some(Phase::Open) => query.push(" and issue.ends_at > ").push_bind(now),
        Some(Phase::Expired) => query.push(" and issue.closed_at is null and issue.ends_at <= ").push_bind(now),
        Some(Phase::Closed) => query.push(" and issue.closed_at is not null"),
        None => query,
    };
    if let Some(text) = &filter.text {
        query.push(" and strpos(lower(concat_ws(' ', issue.ticket, issue.note, error.message)), ");
        query.push_bind(text.to_lowercase()).push(") > 0");
    }
}

/// How many issues of a project are open.
///
/// # Errors
/// What the database says.
pub async fn open_count(
    pool: &PgPool,
    team: TeamId,
    project: ProjectId,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from issues.issue where project_id = $1 and team_id = $2 and ends_at > $3")
        .bind(project.0)
        .bind(team.0)
        .bind(now)
        .fetch_one(pool)
        .await
}
