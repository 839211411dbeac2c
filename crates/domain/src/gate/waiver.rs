//! Waivers: a rule that does not hold, and is let pass for a while.

use super::Rule;
use crate::{RunId, UserId, WaiverId};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How long a waiver may last.
pub const LONGEST_WAIVER: TimeDelta = TimeDelta::days(90);

/// Somebody answers for it that a rule need not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiver {
    /// Which.
    pub id: WaiverId,
    /// The rule as it was; once the gate asks something else in its place, that is not waived.
    pub rule: Rule,
    /// Where.
    pub extent: Extent,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: UserId,
    /// Until when, this moment excluded.
    pub expires_at: DateTime<Utc>,
}

/// Where a waiver holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// For one run.
    Run(RunId),
    /// For every run of the branch with this name.
    Branch(String),
}

impl Waiver {
    /// Whether it holds for a run at a moment.
    pub fn is_for(&self, run: RunId, branch: Option<&str>, at: DateTime<Utc>) -> bool {
        let covers = match &self.extent {
            Extent::Run(waived) => *waived == run,
            Extent::Branch(waived) => branch == Some(waived),
        };
        covers && at < self.expires_at
    }
}
