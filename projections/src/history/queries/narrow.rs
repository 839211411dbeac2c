//! What sums can be narrowed to.

use crate::history::sums::Step;
use chrono::{DateTime, TimeDelta, Utc};
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
    /// What adds up to the span, as a table expression: rows of `quarter` (or `error_quarter`), by whole quarters of an hour.
    pub(super) fn push_quarters(&self, query: &mut QueryBuilder<Postgres>, prefix: &str) {
        let since = self.start - TimeDelta::minutes(15);
        query.push(format!("(select * from history.{prefix}quarter where at > ")).push_bind(since);
        query.push(" and at <= ").push_bind(self.end).push(")");
    }

    /// The same in fewer rows: of days (UTC) that are wholly in the span there is one row each, of `day` (or `error_day`).
    pub(super) fn push_days(&self, query: &mut QueryBuilder<Postgres>, prefix: &str) {
        let first = Step::Day.begin(self.start + TimeDelta::days(1) - TimeDelta::microseconds(1));
        let end = Step::Day.begin(self.end);
        if first >= end {
            return self.push_quarters(query, prefix);
        }
        query.push(format!("(select * from history.{prefix}day where at >= ")).push_bind(first);
        query.push(" and at < ").push_bind(end).push(" union all select * from ");
        Self { start: self.start, end: first - TimeDelta::microseconds(1) }.push_quarters(query, prefix);
        query.push(" before union all select * from ");
        Self { start: end, end: self.end }.push_quarters(query, prefix);
        query.push(" after)");
    }
}
