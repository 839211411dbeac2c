//! What the server does by itself, project by project.

use chrono::{DateTime, Utc};
use scaledtest_domain::{
    ProjectId, TeamId, UserId,
    events::{policy::Rules, quarantine::Mode},
};
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// The policy of a project that exists.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whose project.
    pub team: TeamId,
    /// Which project.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// The policy; the default one if none was set.
    pub rules: Rules,
    /// When it was set, and by whom.
    pub set: Option<(DateTime<Utc>, UserId)>,
}

#[derive(FromRow)]
struct Row {
    team_id: Uuid,
    project_id: Uuid,
    name: String,
    enabled: Option<bool>,
    mode: Option<String>,
    max_share: Option<f64>,
    max_count: Option<i64>,
    expiry_days: Option<i64>,
    owner: Option<String>,
    max_per_owner: Option<i64>,
    set_at: Option<DateTime<Utc>>,
    set_by: Option<Uuid>,
}

impl From<Row> for Policy {
    fn from(row: Row) -> Self {
        let usual = Rules::default();
        let count = |count: Option<i64>, usual| count.and_then(|count| u32::try_from(count).ok()).unwrap_or(usual);
        Self {
            team: row.team_id.into(),
            project: row.project_id.into(),
            name: row.name,
            rules: Rules {
                enabled: row.enabled.unwrap_or(usual.enabled),
                mode: row.mode.and_then(|mode| Mode::from_word(&mode)).unwrap_or(usual.mode),
                max_share: row.max_share.unwrap_or(usual.max_share),
                max_count: count(row.max_count, usual.max_count),
                expiry_days: count(row.expiry_days, usual.expiry_days),
                owner: row.owner,
                max_per_owner: row.max_per_owner.and_then(|count| u32::try_from(count).ok()),
            },
            set: row.set_at.zip(row.set_by.map(UserId::from)),
        }
    }
}

const SELECT: &str = "select project.team_id, project.id as project_id, project.name, enabled, mode, max_share, max_count, \
    expiry_days, owner, max_per_owner, set_at, set_by from history.project";

/// The policy of a project, named or by its id; none if the team has no such project.
///
/// # Errors
/// What the database says.
pub async fn policy(pool: &PgPool, team: TeamId, project: &str) -> Result<Option<Policy>, sqlx::Error> {
    let sql = format!(
        "{SELECT} left join quarantine.policy on policy.project_id = project.id and policy.team_id = project.team_id
         where project.team_id = $1 and (project.id::text = $2 or project.name = $2)
         order by project.id::text = $2 desc limit 1"
    );
    let row: Option<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(team.0).bind(project).fetch_optional(pool).await?;
    Ok(row.map(Policy::from))
}

/// Policies that are enabled, by project, after this one.
///
/// # Errors
/// What the database says.
pub async fn enabled_policies(pool: &PgPool, after: Option<Uuid>, limit: i64) -> Result<Vec<Policy>, sqlx::Error> {
    let sql = format!(
        "{SELECT} join quarantine.policy on policy.project_id = project.id and policy.team_id = project.team_id
         where enabled and ($1::uuid is null or project.id > $1) order by project.id limit $2"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(after).bind(limit).fetch_all(pool).await?;
    Ok(rows.into_iter().map(Policy::from).collect())
}
