//! Tests that were renamed.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    ProjectId, TeamId,
    events::alias::{Named, Reason},
};
use sqlx::{FromRow, PgPool, types::Json};
use std::collections::HashMap;
use uuid::Uuid;

/// Renamed tests that are listed, at most.
const LISTED: i64 = 1_000;

/// A test that was joined with another one.
#[derive(Debug, Clone, FromRow)]
pub struct Renamed {
    /// The old test.
    pub from_id: Uuid,
    /// The new one.
    pub to_id: Uuid,
    /// What the new one has become since; itself if it was not renamed.
    pub target_id: Uuid,
    from_named: Json<Named>,
    to_named: Json<Named>,
    /// 1 − edit distance / length, of the names.
    pub similarity: f64,
    reason: String,
    /// Who joined them.
    pub user_id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// When a report named the old test last, on any branch; none if there is no such report any more.
    pub last_seen: Option<DateTime<Utc>>,
}

impl Renamed {
    /// What the old one was called.
    pub fn from_named(&self) -> &Named {
        &self.from_named
    }

    /// What the new one was called.
    pub fn to_named(&self) -> &Named {
        &self.to_named
    }

    /// Why they were taken for one.
    pub fn reason(&self) -> Reason {
        Reason::from_word(&self.reason).unwrap_or(Reason::ByHand)
    }
}

/// Which renamed tests.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    /// Those of a project.
    Project(ProjectId),
    /// Those that have become this one.
    Target(Uuid),
    /// This old one of a project.
    From(ProjectId, Uuid),
}

/// Renamed tests of a team, those that were joined last first; at most 1,000.
///
/// # Errors
/// What the database says.
pub async fn renames(pool: &PgPool, team: TeamId, of: Of) -> Result<Vec<Renamed>, sqlx::Error> {
    let (project, target, from) = match of {
        Of::Project(project) => (Some(project.0), None, None),
        Of::Target(target) => (None, Some(target), None),
        Of::From(project, from) => (Some(project.0), None, Some(from)),
    };
    sqlx::query_as(
        "select from_id, to_id, target_id, from_named, to_named, similarity, reason, user_id, at,
                (select max(last_at) from history.part where part.test_id = from_id) as last_seen
         from history.alias where team_id = $1 and ($2::uuid is null or project_id = $2)
           and ($3::uuid is null or target_id = $3) and ($4::uuid is null or from_id = $4)
         order by at desc, from_id limit $5",
    )
    .bind(team.0)
    .bind(project)
    .bind(target)
    .bind(from)
    .bind(LISTED)
    .fetch_all(pool)
    .await
}

/// Whether any tests of a project are joined.
///
/// # Errors
/// What the database says.
pub async fn has_renames(pool: &PgPool, project: ProjectId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from history.alias where project_id = $1)")
        .bind(project.0)
        .fetch_one(pool)
        .await
}

/// What a test has become, step by step.
///
/// # Errors
/// What the database says.
pub async fn leads(pool: &PgPool, test: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "with recursive lead as (
           select to_id from history.alias where from_id = $1
           union select alias.to_id from lead join history.alias on alias.from_id = lead.to_id)
         select to_id from lead",
    )
    .bind(test)
    .fetch_all(pool)
    .await
}

/// Tests of a team's project by id, as reports name them; without those that there are not.
///
/// # Errors
/// What the database says.
pub async fn named(
    pool: &PgPool,
    team: TeamId,
    project: ProjectId,
    tests: &[Uuid],
) -> Result<HashMap<Uuid, Named>, sqlx::Error> {
    type Row = (Uuid, String, Json<Vec<String>>, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "select id, name, suite, file_path from history.test where team_id = $1 and project_id = $2 and id = any($3)",
    )
    .bind(team.0)
    .bind(project.0)
    .bind(tests)
    .fetch_all(pool)
    .await?;
    let named = |(id, name, Json(suite), file_path): Row| (id, Named { name, suite, file_path });
    Ok(rows.into_iter().map(named).collect())
}
