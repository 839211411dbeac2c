use chrono::{DateTime, Utc};
use scaledtest_domain::{ProjectId, TeamId};
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// Branches named of a project, at most.
const BRANCHES: i64 = 50;

/// A project and its recent branches.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Project {
    /// Which.
    #[sqlx(try_from = "Uuid")]
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// The branch that others are compared with.
    pub default_branch: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Those with the latest runs, latest first; at most 50.
    pub branches: Vec<String>,
}

/// A team's projects, by name.
///
/// # Errors
/// What the database says.
pub async fn list_projects(pool: &PgPool, team: TeamId) -> Result<Vec<Project>, sqlx::Error> {
    sqlx::query_as(
        r#"select project.id, project.name, project.default_branch, project.created_at,
                  array(select branch.name from reports.branch where branch.project_id = project.id
                        order by branch.last_run_at desc, branch.name collate "C" limit $2) as branches
           from reports.project where project.team_id = $1 order by lower(project.name), project.id"#,
    )
    .bind(team.0)
    .bind(BRANCHES)
    .fetch_all(pool)
    .await
}
