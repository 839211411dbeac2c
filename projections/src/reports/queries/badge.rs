use super::runs::QUIET;
use chrono::{DateTime, Utc};
use scaledtest_domain::ProjectId;
use sqlx::{FromRow, PgPool};

/// What a badge says: the newest complete run of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
#[allow(missing_docs, reason = "counts of results by status; see Counts")]
pub struct Badge {
    /// Absent where nothing ran yet; so are the others then.
    pub tests: Option<i64>,
    pub passed: Option<i64>,
    pub failed: Option<i64>,
}

/// The badge of a project's branch, of its default branch if none is named; `None` if there is no such project, or its team shows
/// its badges to nobody. One question for all of it: whoever asks cannot tell the one from the other.
///
/// # Errors
/// What the database says.
pub async fn badge(
    pool: &PgPool,
    project: ProjectId,
    branch: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<Badge>, sqlx::Error> {
    sqlx::query_as(
        "select newest.tests, newest.passed, newest.failed
         from reports.project join access.team on team.id = project.team_id and team.badges_public
         left join lateral (
             select tests, passed, failed from reports.run
             where run.team_id = project.team_id and run.project_id = project.id
                   and run.branch = coalesce($2, project.default_branch) and (run.complete or run.updated_at <= $3)
             order by run.created_at desc, run.no desc limit 1
         ) newest on true
         where project.id = $1",
    )
    .bind(project.0)
    .bind(branch)
    .bind(now - QUIET)
    .fetch_optional(pool)
    .await
}
