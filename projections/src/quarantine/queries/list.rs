//! What is in quarantine at a moment.

use chrono::{DateTime, Utc};
use scaledtest_domain::{TeamId, events::quarantine::Mode};
use sqlx::{FromRow, PgPool, types::Json};
use std::collections::HashMap;
use uuid::Uuid;

/// A quarantined test, as CI has to know it.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "as the test is called")]
pub struct Muted {
    pub test_id: Uuid,
    pub name: String,
    pub suite: Vec<String>,
    pub file_path: Option<String>,
    pub mode: Mode,
    pub expires_at: DateTime<Utc>,
}

/// What is in quarantine in a project.
#[derive(Debug, Clone)]
pub struct CiList {
    /// Which project.
    pub project_id: Uuid,
    /// Its name.
    pub project: String,
    /// By id.
    pub tests: Vec<Muted>,
}

#[derive(FromRow)]
struct Row {
    project_id: Uuid,
    project: String,
    test_id: Option<Uuid>,
    name: Option<String>,
    suite: Option<Json<Vec<String>>>,
    file_path: Option<String>,
    mode: Option<String>,
    expires_at: Option<DateTime<Utc>>,
}

/// What is in quarantine in a project, named or by its id, each test under all the names that it had: older branches still run
/// it under an old one. None if the team has no such project.
///
/// # Errors
/// What the database says.
pub async fn ci_list(
    pool: &PgPool,
    team: TeamId,
    project: &str,
    now: DateTime<Utc>,
) -> Result<Option<CiList>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select project.id as project_id, project.name as project, found.*
         from (select id, name from history.project where team_id = $1 and (id::text = $2 or name = $2)
               order by id::text = $2 desc limit 1) project
         left join lateral (
           select distinct on (test.id) test.id as test_id, test.name, test.suite, test.file_path, entry.mode, entry.expires_at
           from quarantine.entry left join history.alias on alias.from_id = entry.test_id
           cross join lateral (
             select coalesce(alias.target_id, entry.test_id) as id
             union select from_id from history.alias old where old.target_id = coalesce(alias.target_id, entry.test_id)) one
           join history.test on test.id = one.id
           where entry.project_id = project.id and entry.team_id = $1 and entry.entered_at <= $3 and entry.ends_at > $3
           order by test.id, entry.ends_at desc
         ) found on true order by found.test_id",
    )
    .bind(team.0)
    .bind(project)
    .bind(now)
    .fetch_all(pool)
    .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (project_id, project) = (first.project_id, first.project.clone());
    let muted = |row: Row| {
        Some(Muted {
            test_id: row.test_id?,
            name: row.name?,
            suite: row.suite.map(|suite| suite.0).unwrap_or_default(),
            file_path: row.file_path,
            mode: Mode::from_word(&row.mode?).unwrap_or_default(),
            expires_at: row.expires_at?,
        })
    };
    Ok(Some(CiList { project_id, project, tests: rows.into_iter().filter_map(muted).collect() }))
}

/// The stay that a test is in.
#[derive(Debug, Clone)]
pub struct Active {
    /// Which.
    pub id: Uuid,
    /// As which test it was put there.
    pub entered_test_id: Uuid,
    /// What becomes of the test in CI.
    pub mode: Mode,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Which of these tests of a team are in quarantine, now or under a name that they had.
///
/// # Errors
/// What the database says.
pub async fn active_of(
    pool: &PgPool,
    team: TeamId,
    tests: &[Uuid],
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, Active>, sqlx::Error> {
    type Row = (Uuid, Uuid, Uuid, String, DateTime<Utc>);
    let rows: Vec<Row> = sqlx::query_as(
        "select coalesce(alias.target_id, entry.test_id), id, entry.test_id, mode, expires_at
         from quarantine.entry left join history.alias on alias.from_id = entry.test_id
         where entry.test_id = any($1 || array(select from_id from history.alias where target_id = any($1)))
           and entry.team_id = $2 and entered_at <= $3 and ends_at > $3 order by ends_at, id",
    )
    .bind(tests)
    .bind(team.0)
    .bind(now)
    .fetch_all(pool)
    .await?;
    let active = |(test, id, entered_test_id, mode, expires_at): Row| {
        (test, Active { id, entered_test_id, mode: Mode::from_word(&mode).unwrap_or_default(), expires_at })
    };
    Ok(rows.into_iter().map(active).collect())
}

/// Which of these tests were in quarantine in a run that lasted from `start` to `end`: put there before it ended, and not
/// out again before it began.
///
/// # Errors
/// What the database says.
pub async fn covering(
    pool: &PgPool,
    project: Uuid,
    tests: &[Uuid],
    (start, end): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Uuid>, sqlx::Error> {
    if tests.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(
        "select distinct coalesce(alias.target_id, entry.test_id)
         from quarantine.entry left join history.alias on alias.from_id = entry.test_id
         where entry.test_id = any($1 || array(select from_id from history.alias where target_id = any($1)))
           and entry.project_id = $2 and entered_at <= $4 and ends_at > $3",
    )
    .bind(tests)
    .bind(project)
    .bind(start)
    .bind(end)
    .fetch_all(pool)
    .await
}

/// How many tests of a project are in quarantine.
///
/// # Errors
/// What the database says.
pub async fn active_count(pool: &PgPool, team: TeamId, project: Uuid, now: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from quarantine.entry where project_id = $1 and team_id = $2 and ends_at > $3")
        .bind(project)
        .bind(team.0)
        .bind(now)
        .fetch_one(pool)
        .await
}
