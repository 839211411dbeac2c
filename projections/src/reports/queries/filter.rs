//! What lists of reports and runs can be narrowed to.

use crate::copy::clean;
use chrono::{DateTime, Utc};
use scaledtest_domain::TeamId;
use sqlx::{Postgres, QueryBuilder};

/// Which outcome a report or run must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportStatus {
    /// No failures.
    Passed,
    /// Any failure.
    Failed,
    /// Anything skipped.
    Skipped,
    /// Anything flaky.
    Flaky,
}

impl ReportStatus {
    /// Reads the word that the API uses.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "passed" => Some(Self::Passed),
            "failed" => Some(Self::Failed),
            "skipped" => Some(Self::Skipped),
            "flaky" => Some(Self::Flaky),
            _ => None,
        }
    }
}

/// What a list of reports or runs is narrowed to; all that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct ReportFilter {
    /// Shown time at or after this.
    pub since: Option<DateTime<Utc>>,
    /// Shown time at or before this.
    pub until: Option<DateTime<Utc>>,
    /// Name or id of the project.
    pub project: Option<String>,
    /// Name of the branch.
    pub branch: Option<String>,
    /// The outcome.
    pub status: Option<ReportStatus>,
    /// Name of the tool.
    pub tool: Option<String>,
    /// Words in name, tool, project, branch, build; or how commit or id begin.
    pub text: Option<String>,
}

/// A pattern for `ilike` in which the text stands for itself.
pub(super) fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        // Postgres takes no NUL, and nothing contains one.
        pattern.push(if character == '\0' { '\u{fffd}' } else { character });
    }
    pattern
}

/// Adds ` ilike <pattern>`. Folding the case of ASCII alone is several times faster, and enough for a pattern of ASCII.
pub(super) fn push_ilike(query: &mut QueryBuilder<Postgres>, pattern: String) {
    let ascii = pattern.is_ascii();
    query.push(" ilike ").push_bind(pattern);
    if ascii {
        query.push(r#" collate "C""#);
    }
}

/// What differs between the tables `report` and `run`, each known as `entry` beside its `project`.
pub(super) struct Columns {
    /// A condition on the tool whose last operand is the name.
    pub tool: &'static str,
    pub tool_end: &'static str,
    /// What `text` is looked for in.
    pub texts: &'static [&'static str],
    pub prefixes: &'static [&'static str],
}

/// Adds `where ...` with the team and the filter.
pub(super) fn push(query: &mut QueryBuilder<Postgres>, columns: &Columns, team: TeamId, filter: &ReportFilter) {
    query.push(" where entry.team_id = ").push_bind(team.0);
    if let Some(since) = filter.since {
        query.push(" and entry.created_at >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" and entry.created_at <= ").push_bind(until);
    }
    if let Some(project) = &filter.project {
        query.push(" and (project.name = ").push_bind(clean(project));
        query.push(" or project.id::text = lower(").push_bind(clean(project)).push("))");
    }
    if let Some(branch) = &filter.branch {
        query.push(" and entry.branch = ").push_bind(clean(branch));
    }
    if let Some(tool) = &filter.tool {
        query.push(" and ").push(columns.tool).push_bind(clean(tool)).push(columns.tool_end);
    }
    if let Some(status) = filter.status {
        query.push(match status {
            ReportStatus::Passed => " and entry.failed = 0",
            ReportStatus::Failed => " and entry.failed > 0",
            ReportStatus::Skipped => " and entry.skipped > 0",
            ReportStatus::Flaky => " and entry.flaky > 0",
        });
    }
    if let Some(text) = filter.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let pattern = literal(text);
        query.push(" and (false");
        for column in columns.texts {
            push_ilike(query.push(" or ").push(column), format!("%{pattern}%"));
        }
        for column in columns.prefixes {
            push_ilike(query.push(" or ").push(column), format!("{pattern}%"));
        }
        query.push(")");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn wildcards_stand_for_themselves() {
        assert_eq!(super::literal(r"50%_a\b"), r"50\%\_a\\b");
    }
}
