use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What a member may do in a team. Ordered: each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TeamRole {
    /// Sees everything of the team.
    #[serde(alias = "member")]
    Readonly,
    /// Uploads, deletes reports, edits gates and webhooks.
    Maintainer,
    /// Manages members, tokens and the team itself.
    Owner,
}

/// What an account may do on the whole instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceRole {
    /// Passes `/admin/*`. The first account is one.
    Owner,
    /// Everybody else.
    Member,
}

/// What an API token may be used for, clipped to its creator's present role in the team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Send reports.
    Upload,
    /// Read everything of the team.
    Read,
    /// Change and delete.
    Write,
    /// Report on executions.
    Worker,
}

impl TeamRole {
    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Readonly => "readonly",
            Self::Maintainer => "maintainer",
            Self::Owner => "owner",
        }
    }
}

impl Scope {
    /// Every scope; what a token gets when none is asked for.
    pub const ALL: [Scope; 4] = [Self::Upload, Self::Read, Self::Write, Self::Worker];

    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Read => "read",
            Self::Write => "write",
            Self::Worker => "worker",
        }
    }
}

/// The word names no role or scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown word {0:?}")]
pub struct UnknownWord(pub String);

impl FromStr for TeamRole {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "readonly" | "member" => Ok(Self::Readonly),
            "maintainer" => Ok(Self::Maintainer),
            "owner" => Ok(Self::Owner),
            other => Err(UnknownWord(other.to_owned())),
        }
    }
}

impl FromStr for Scope {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word).ok_or_else(|| UnknownWord(word.to_owned()))
    }
}
