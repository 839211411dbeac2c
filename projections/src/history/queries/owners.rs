//! Who owns the tests of a project.

use super::standing::usual_branch_name;
use crate::history::series::{Last, state_number};
use scaledtest_domain::{ProjectId, TeamId};
use scaledtest_insight::State;
use sqlx::{FromRow, PgPool};

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
    let usual = usual_branch_name(pool, project.0).await?.map(|(id, _)| id);
    let owners = sqlx::query_as(
        r#"select owner, count(distinct test.id) as tests,
                  count(distinct test.id) filter (where series.state = $2) as flaky,
                  count(distinct test.id) filter (where series.state = $3) as broken,
                  count(distinct test.id) filter (where series.last_status = $4) as failing
           from history.test left join lateral json_array_elements_text(test.owners) owner on true
           left join history.series on series.test_id = test.id and series.branch_id = $6
           where test.project_id = $1 and not exists (select from history.alias where from_id = test.id) group by owner order by owner collate "C" nulls last limit $5"#,
    )
    .bind(project.0)
    .bind(state_number(State::Flaky))
    .bind(state_number(State::Broken))
    .bind(Last::Failed.number())
    .bind(MOST)
    .bind(usual)
    .fetch_all(pool)
    .await?;
    Ok(Some(ProjectOwners { project, codeowners, owners }))
}
