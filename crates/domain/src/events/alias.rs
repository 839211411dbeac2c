//! Renamed tests: one test that its reports first gave one id, and later another.
//!
//! The aggregate is the old test's: it is joined with at most one other.

use crate::{AliasId, ProjectId, TestId, UserId, events::events};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A test as its report names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its suite path, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suite: Vec<String>,
    /// Its file, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
}

/// Why two are taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Proposed: the same name in another file or suite.
    Moved,
    /// Proposed: similar names in one suite or file.
    Similar,
    /// Proposed: the only ones that vanished from and appeared in their suite and file.
    OnlyOne,
    /// Somebody says so.
    ByHand,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Moved, Self::Similar, Self::OnlyOne, Self::ByHand];

    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Similar => "similar",
            Self::OnlyOne => "only_one",
            Self::ByHand => "by_hand",
        }
    }

    /// Undoes [`Self::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// What was known when the two were joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The old test.
    pub from: Named,
    /// The new one.
    pub to: Named,
    /// 1 − edit distance / length, of the names.
    pub similarity: f64,
    /// Why.
    pub reason: Reason,
}

/// Two tests are one from now on: what is, was and will be reported of the old one belongs to the new one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// The old test's alias.
    pub alias: AliasId,
    /// The project of both.
    pub project: ProjectId,
    /// The old test.
    pub from: TestId,
    /// The new one. It may itself have become another since.
    pub to: TestId,
    /// Who says so; for an API token its creator.
    pub user: UserId,
    /// Why.
    pub evidence: Evidence,
}

/// Two tests are not one: it is not proposed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissed {
    /// The old test's alias.
    pub alias: AliasId,
    /// The project of both.
    pub project: ProjectId,
    /// The test that seemed to be the old one.
    pub from: TestId,
    /// The test that seemed to be the new one.
    pub to: TestId,
    /// Who says so; for an API token its creator.
    pub user: UserId,
}

/// The two that were joined are two again, as if they had never been joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// The old test's alias.
    pub alias: AliasId,
    /// The project of both.
    pub project: ProjectId,
    /// The old test.
    pub from: TestId,
    /// The new one.
    pub to: TestId,
    /// Who says so; for an API token its creator.
    pub user: UserId,
}

events! { Alias:
    /// Two tests were joined.
    "alias.accepted" @ 1 => Accepted(Box<Accepted>),
    /// Two tests were said not to be one.
    "alias.dismissed" @ 1 => Dismissed(Dismissed),
    /// Two tests that were joined were separated.
    "alias.removed" @ 1 => Removed(Removed),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
