//! What sums can be narrowed to.

use chrono::{DateTime, Utc};
use scaledtest_domain::TeamId;
use sqlx::{Postgres, QueryBuilder};

/// What analytics are narrowed to; all that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct Narrow {
    /// Name or id of the project.
    pub project: Option<String>,
    /// Name of the branch.
    pub branch: Option<String>,
    /// The report's `testEnvironment`.
    pub environment: Option<String>,
    /// One of the upload's tags.
    pub tag: Option<String>,
}

/// From when to when, both inclusive.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// First.
    pub start: DateTime<Utc>,
    /// Last.
    pub end: DateTime<Utc>,
}

impl Narrow {
    /// Adds the conditions on `slice`, after a `where`.
    pub(super) fn push(&self, query: &mut QueryBuilder<Postgres>, team: TeamId) {
        query.push(" slice.team_id = ").push_bind(team.0);
        if let Some(project) = &self.project {
            query.push(" and slice.project_id in (select id from history.project where team_id = ").push_bind(team.0);
            query.push(" and (name = ").push_bind(project.clone());
            query.push(" or id::text = ").push_bind(project.clone()).push("))");
        }
        if let Some(branch) = &self.branch {
            query.push(" and slice.branch = ").push_bind(branch.clone());
        }
        if let Some(environment) = &self.environment {
            query.push(" and slice.environment = ").push_bind(environment.clone());
        }
        if let Some(tag) = &self.tag {
            query.push(" and ").push_bind(tag.clone()).push(" = any(slice.tags)");
        }
    }
}

impl Span {
    /// Adds the conditions on `<table>.at`: whole quarters of an hour.
    pub(super) fn push(&self, query: &mut QueryBuilder<Postgres>, table: &str) {
        query.push(" and ").push(table).push(".at > ").push_bind(self.start - chrono::TimeDelta::minutes(15));
        query.push(" and ").push(table).push(".at <= ").push_bind(self.end);
    }
}
