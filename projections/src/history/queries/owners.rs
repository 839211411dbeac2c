//! Who owns the tests of a project.

use crate::history::series::{Last, state_number};
use scaledtest_domain::{ProjectId, TeamId};
use scaledtest_insight::State;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// Owners that are listed, at most.
const MOST: i64 = 1_000;

/// What somebody owns. Counts are tests, by how they are on the project's default branch.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Owned {
    /// None: what nobody owns.
    pub owner: Option<String>,
    /// All.
    pub tests: i64,
    /// In the state flaky.
    pub flaky: i64,
    /// In the state broken.
    pub broken: i64,
    /// Whose newest run failed.
    pub failing: i64,
}

/// The owners of a project's tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectOwners {
    /// The project.
    pub project: ProjectId,
    /// The text of its `CODEOWNERS` file; none if nobody gave one.
    pub codeowners: Option<String>,
    /// By name, at most 1,000; what nobody owns last.
    pub owners: Vec<Owned>,
}

/// A team's project by its name or id.
///
/// # Errors
/// What the database says.
pub async fn find_project(pool: &PgPool, team: TeamId, project: &str) -> Result<Option<ProjectId>, sqlx::Error> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "select id from history.project where team_id = $1 and (name = $2 or id::text = $2) order by name = $2 desc limit 1",
    )
    .bind(team.0)
    .bind(project)
    .fetch_optional(pool)
    .await?;
    Ok(id.map(ProjectId))
}

/// Who owns the tests of a team's project; none if there is no such project.
///
/// # Errors
/// What the database says.
pub async fn project_owners(
    pool: &PgPool,
    team: TeamId,
    project: ProjectId,
) -> Result<Option<ProjectOwners>, sqlx::Error> {
    let codeowners: Option<Option<String>> =
        sqlx::query_scalar("select codeowners from history.project where id = $1 and team_id = $2")
            .bind(project.0)
            .bind(team.0)
            .fetch_optional(pool)
            .await?;
    let Some(codeowners) = codeowners else { return Ok(None) };
    let owners = sqlx::query_as(
        r#"with usual as (
             select branch.id from history.branch join history.project on project.id = branch.project_id
             where project.id = $1
             order by branch.name = project.default_branch desc, branch.reports desc, branch.name limit 1)
           select owner, count(distinct test.id) as tests,
                  count(distinct test.id) filter (where series.state = $2) as flaky,
                  count(distinct test.id) filter (where series.state = $3) as broken,
                  count(distinct test.id) filter (where series.last_status = $4) as failing
           from history.test left join lateral json_array_elements_text(test.owners) owner on true
           left join history.series on series.test_id = test.id and series.branch_id = (select id from usual)
           where test.project_id = $1 group by owner order by owner collate "C" nulls last limit $5"#,
    )
    .bind(project.0)
    .bind(state_number(State::Flaky))
    .bind(state_number(State::Broken))
    .bind(Last::Failed.number())
    .bind(MOST)
    .fetch_all(pool)
    .await?;
    Ok(Some(ProjectOwners { project, codeowners, owners }))
}
