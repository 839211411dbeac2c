//! What quarantine looks like on the wire.

#![allow(missing_docs, reason = "fields without a word are what their name says")]

use crate::http::insight::dto::Project;
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::events::{policy::Rules, quarantine as events};
use scaledtest_projections::quarantine::queries::{self, Phase};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// So long before its end a stay is said to end soon.
pub const SOON: TimeDelta = TimeDelta::days(3);

/// What becomes of a quarantined test in CI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = QuarantineMode)]
pub enum Mode {
    /// It runs, and its failures don't count.
    Mute,
    /// It does not run.
    Skip,
}

impl From<events::Mode> for Mode {
    fn from(mode: events::Mode) -> Self {
        match mode {
            events::Mode::Mute => Self::Mute,
            events::Mode::Skip => Self::Skip,
        }
    }
}

/// Where a stay is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = QuarantineState)]
pub enum State {
    /// The test is in quarantine.
    Active,
    /// Its time is over: the test counts again.
    Expired,
    /// It was ended before: the test counts again.
    Released,
}

/// Why a stay ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = QuarantineRelease)]
pub enum Release {
    /// Somebody ended it.
    Hand,
    /// Its time was over.
    Expired,
    /// The test does not fail any more.
    Recovered,
    /// The test is not flaky but broken; only of what the policy put there.
    Broken,
}

impl From<events::Why> for Release {
    fn from(why: events::Why) -> Self {
        match why {
            events::Why::Hand => Self::Hand,
            events::Why::Expired => Self::Expired,
            events::Why::Recovered => Self::Recovered,
            events::Why::Broken => Self::Broken,
        }
    }
}

/// Who put a test into quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = QuarantinedBy)]
pub enum By {
    /// Somebody.
    Person,
    /// The project's policy.
    Policy,
}

/// What was known of the test when it was put there.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = QuarantineEvidence)]
pub struct Evidence {
    pub branch: String,
    /// `healthy`, `flaky` or `broken`.
    pub state: String,
    /// The probability that an attempt fails although nothing is wrong, 0 to 1.
    pub score: f64,
    pub score_low: f64,
    pub score_high: f64,
    /// Runs that this was known from.
    pub runs: u32,
}

impl From<&events::Evidence> for Evidence {
    fn from(found: &events::Evidence) -> Self {
        Self {
            branch: found.branch.clone(),
            state: found.state.clone(),
            score: found.score,
            score_low: found.score_low,
            score_high: found.score_high,
            runs: found.runs,
        }
    }
}

/// A stay of a test in quarantine.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = QuarantineEntry)]
pub struct Entry {
    pub id: Uuid,
    pub project: Project,
    pub test_id: Uuid,
    /// Empty if every report with the test was deleted.
    pub name: String,
    pub suite: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    pub state: State,
    pub mode: Mode,
    pub reason: String,
    /// Who sees to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Where it is followed up: a link or a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    pub by: By,
    /// Who put it there; absent if the policy did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Uuid>,
    pub entered_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    /// From when on it counts again.
    pub expires_at: DateTime<Utc>,
    /// It is in quarantine, and counts again within three days.
    pub expires_soon: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_at: Option<DateTime<Utc>>,
    /// Why it is over, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// Who ended it; absent if nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_by: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

impl Entry {
    /// As it is at `now`.
    pub fn of(row: &queries::Entry, now: DateTime<Utc>) -> Self {
        let state = match row.phase(now) {
            Phase::Active => State::Active,
            Phase::Expired => State::Expired,
            Phase::Released => State::Released,
        };
        Self {
            id: row.id,
            project: Project { id: row.project_id, name: row.project.clone() },
            test_id: row.test_id,
            name: row.name.clone().unwrap_or_default(),
            suite: row.suite().to_vec(),
            file_path: row.file_path.clone(),
            state,
            mode: row.mode().into(),
            reason: row.reason.clone(),
            owner: row.owner.clone(),
            ticket: row.ticket.clone(),
            by: if row.user_id.is_some() { By::Person } else { By::Policy },
            user_id: row.user_id,
            entered_at: row.entered_at,
            changed_at: row.changed_at,
            expires_at: row.expires_at,
            expires_soon: state == State::Active && row.expires_at <= now + SOON,
            released_at: (state != State::Active).then_some(row.ends_at),
            release: row.why(now).map(Release::from),
            released_by: row.released_user,
            evidence: row.evidence().map(Evidence::from),
        }
    }

    /// The same with other terms, that hold from `at` on.
    #[must_use]
    pub fn with_terms(mut self, terms: events::Terms, at: DateTime<Utc>) -> Self {
        (self.mode, self.reason, self.owner) = (terms.mode.into(), terms.reason, terms.owner);
        (self.ticket, self.expires_at, self.changed_at) = (terms.ticket, terms.expires_at, at);
        self.expires_soon = self.state == State::Active && self.expires_at <= at + SOON;
        self
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuarantineEntries)]
pub struct Entries {
    pub entries: Vec<Entry>,
    pub total: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What quarantine has saved and what it costs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuarantineSummary)]
pub struct Summary {
    /// Days looked back.
    pub days: i64,
    /// Tests in quarantine now.
    pub active: i64,
    /// Of these, that count again within three days.
    pub expiring: i64,
    /// Tests that were in quarantine, times the days that they were.
    pub test_days: f64,
    /// Runs in which everything that failed was in quarantine, and failed in a known way.
    pub rescued_runs: i64,
    /// What these runs took, and running them again would have.
    pub rescued_ms: i64,
}

/// A quarantined test, as CI has to know it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuarantinedTest)]
pub struct Quarantined {
    pub test_id: Uuid,
    pub name: String,
    /// Outermost first.
    pub suite: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    pub mode: Mode,
    pub expires_at: DateTime<Utc>,
}

/// What is in quarantine in a project now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuarantineList)]
pub struct List {
    pub project: Project,
    /// By `test_id`.
    pub tests: Vec<Quarantined>,
    /// When the first of them counts again: this list is wrong from then on. Absent without tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
}

/// Which flaky tests of a project are quarantined without anybody's doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuarantinePolicy)]
pub struct Policy {
    pub project: Project,
    pub enabled: bool,
    pub mode: Mode,
    /// Per cent of the project's tests that may be in quarantine before the policy stops taking more.
    pub max_percent: f64,
    /// Tests that may be.
    pub max_count: u32,
    /// Days after which a stay ends.
    pub expiry_days: u32,
    /// Who sees to what the policy takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Tests that may be in quarantine with that owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_owner: Option<u32>,
    /// Absent as long as it is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_by: Option<Uuid>,
}

impl Policy {
    /// A project's policy.
    pub fn of(project: Project, rules: Rules, set: Option<(DateTime<Utc>, Uuid)>) -> Self {
        Self {
            project,
            enabled: rules.enabled,
            mode: rules.mode.into(),
            max_percent: (rules.max_share * 10_000.0).round() / 100.0,
            max_count: rules.max_count,
            expiry_days: rules.expiry_days,
            owner: rules.owner,
            max_per_owner: rules.max_per_owner,
            set_at: set.map(|(at, _)| at),
            set_by: set.map(|(_, by)| by),
        }
    }
}
