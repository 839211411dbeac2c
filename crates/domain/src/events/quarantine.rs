//! Tests in quarantine: known to be flaky, so that their failures hold up nobody until they are mended.

use crate::{ProjectId, QuarantineId, TestId, UserId, events::events};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What becomes of a quarantined test in CI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It runs, and its failures don't count.
    #[default]
    Mute,
    /// It does not run.
    Skip,
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mute, Self::Skip];

    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Skip => "skip",
        }
    }

    /// Undoes [`Self::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// Who put a test into quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum By {
    /// Somebody; for an API token its creator.
    Person {
        /// Who.
        user: UserId,
    },
    /// The project's policy.
    Policy,
}

/// What can be changed while a test is in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What becomes of it in CI.
    pub mode: Mode,
    /// Why it is there.
    pub reason: String,
    /// Who sees to it: a team or a handle, no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Where it is followed up: a link or a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// From when on it counts again.
    pub expires_at: DateTime<Utc>,
}

/// What was known of the test at that moment, on one branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which branch.
    pub branch: String,
    /// `healthy`, `flaky` or `broken`.
    pub state: String,
    /// The probability that an attempt fails although nothing is wrong, 0 to 1.
    pub score: f64,
    /// Lower end of its 95 % interval.
    pub score_low: f64,
    /// Upper end of its 95 % interval.
    pub score_high: f64,
    /// Runs that this is known from.
    pub runs: u32,
}

/// A test was put into quarantine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entered {
    /// This stay.
    pub quarantine: QuarantineId,
    /// The test's project.
    pub project: ProjectId,
    /// The test, in all its variants.
    pub test: TestId,
    /// Who did it.
    #[serde(flatten)]
    pub by: By,
    /// Why and for how long.
    pub terms: Terms,
    /// What was known of the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// The terms of a stay were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Which stay.
    pub quarantine: QuarantineId,
    /// All of them, as they are from now on.
    pub terms: Terms,
}

/// Why a stay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Somebody ended it.
    Hand,
    /// Its time was over.
    Expired,
    /// The test does not fail any more.
    Recovered,
    /// The test is not flaky but broken, and had been put there by policy.
    Broken,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hand, Self::Expired, Self::Recovered, Self::Broken];

    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hand => "hand",
            Self::Expired => "expired",
            Self::Recovered => "recovered",
            Self::Broken => "broken",
        }
    }

    /// Undoes [`Self::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.as_str() == word)
    }
}

/// A stay ended: the test's failures count again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Which stay.
    pub quarantine: QuarantineId,
    /// Why.
    pub why: Why,
    /// Who ended it; for an API token its creator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}

events! { Quarantine:
    /// A test was put into quarantine.
    "quarantine.entered" @ 1 => Entered(Entered),
    /// The terms of a stay were changed.
    "quarantine.changed" @ 1 => Changed(Changed),
    /// A stay ended.
    "quarantine.released" @ 1 => Released(Released),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
