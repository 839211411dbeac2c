//! What renamed tests look like on the wire.

#![allow(missing_docs, reason = "fields without a word are what their name says")]

use crate::http::insight::dto::{Point, Project};
use chrono::{DateTime, Utc};
use scaledtest_domain::events::alias::{self, Named};
use scaledtest_projections::history::queries::{self, Renamed};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Why two tests are taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RenameReason)]
pub enum Reason {
    /// The same name in another file or suite, and nowhere else.
    Moved,
    /// Similar names in one suite or file.
    Similar,
    /// The only one that vanished from and appeared in its suite and file, and one name has all words of the other.
    OnlyOne,
    /// Somebody says so.
    ByHand,
}

impl From<alias::Reason> for Reason {
    fn from(reason: alias::Reason) -> Self {
        match reason {
            alias::Reason::Moved => Self::Moved,
            alias::Reason::Similar => Self::Similar,
            alias::Reason::OnlyOne => Self::OnlyOne,
            alias::Reason::ByHand => Self::ByHand,
        }
    }
}

/// A test as its reports name it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RenamedTest)]
pub struct Test {
    pub id: Uuid,
    pub name: String,
    pub suite: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
}

impl Test {
    pub fn of(id: Uuid, named: &Named) -> Self {
        Self { id, name: named.name.clone(), suite: named.suite.clone(), file_path: named.file_path.clone() }
    }
}

/// A test that was renamed: what reports say of `from`, in whatever branch, belongs to `to`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Rename {
    pub from: Test,
    pub to: Test,
    /// What `to` has become since; the same if it was not renamed again.
    pub current_id: Uuid,
    /// Of the names, 0 to 1.
    pub similarity: f64,
    pub reason: Reason,
    pub accepted_at: DateTime<Utc>,
    pub accepted_by: Uuid,
    /// When a report named the old one last, on any branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<DateTime<Utc>>,
}

impl From<&Renamed> for Rename {
    fn from(row: &Renamed) -> Self {
        Self {
            from: Test::of(row.from_id, row.from_named()),
            to: Test::of(row.to_id, row.to_named()),
            current_id: row.target_id,
            similarity: rounded(row.similarity),
            reason: row.reason().into(),
            accepted_at: row.at,
            accepted_by: row.user_id,
            last_seen_at: row.last_seen,
        }
    }
}

/// Two tests that seem to be one: the old one vanished in the commit in which the new one appeared.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RenameProposal)]
pub struct Proposal {
    pub from: Test,
    pub to: Test,
    /// Of the names, 0 to 1.
    pub similarity: f64,
    pub reason: Reason,
    /// The last report with the old one.
    pub last_seen: Point,
    /// The first report with the new one.
    pub first_seen: Point,
}

impl From<queries::Proposal> for Proposal {
    fn from(found: queries::Proposal) -> Self {
        let point = |point: queries::Point| Point {
            report_id: point.report_id,
            run_id: point.run_id,
            at: point.at,
            commit: point.commit,
        };
        Self {
            from: Test::of(found.from.0, &found.from.1),
            to: Test::of(found.to.0, &found.to.1),
            similarity: rounded(found.similarity),
            reason: super::reason(found.reason).into(),
            last_seen: point(found.last_seen),
            first_seen: point(found.first_seen),
        }
    }
}

/// To three digits.
fn rounded(similarity: f64) -> f64 {
    (similarity * 1_000.0).round() / 1_000.0
}

/// The renamed tests of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct Renames {
    pub project: Project,
    /// The branch that proposals are made from; absent if nothing ran yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The newest first; at most 100.
    pub proposals: Vec<Proposal>,
    /// What was accepted, the latest first; at most 1,000.
    pub renames: Vec<Rename>,
}
