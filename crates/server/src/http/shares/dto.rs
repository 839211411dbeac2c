//! What links look like to members, and what they show to anybody: a selection, field by field.

use crate::http::reports::dto::{Origin, Report, ResultDetail, Run, Summary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How long the link shall be good.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CreateShare {
    /// Days from now.
    #[serde(default = "usual_days")]
    #[schema(default = 30, minimum = 1, maximum = 365)]
    pub expires_in_days: i64,
}

fn usual_days() -> i64 {
    30
}

/// A link through which anybody may read a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Share {
    pub id: Uuid,
    pub run_id: Uuid,
    /// What it holds: whoever has it may read the run.
    pub token: String,
    /// The page that it opens.
    pub url: String,
    pub created_by: Uuid,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// The links to a run that are good.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Shares {
    /// Newest first.
    pub shares: Vec<Share>,
}

/// A run, for whoever holds a link to it: nothing of its team, nor of the machines that it ran on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SharedRun {
    /// For display.
    pub name: String,
    /// The project's name.
    pub project: String,
    #[serde(flatten)]
    pub origin: Origin,
    pub summary: Summary,
    pub tools: Vec<String>,
    pub tags: Vec<String>,
    /// One of its reports has fewer results than it says.
    pub partial: bool,
    /// Nothing more is expected.
    pub complete: bool,
    pub run_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// How many shards it shall have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
    /// Oldest first.
    pub reports: Vec<SharedReport>,
    /// Until when the link is good.
    pub expires_at: DateTime<Utc>,
}

/// A report of a shared run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SharedReport {
    /// As its results name it.
    pub id: Uuid,
    pub tool_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
    pub summary: Summary,
    /// It has fewer results than it says.
    pub partial: bool,
    pub received_at: DateTime<Utc>,
}

impl SharedRun {
    pub fn of(run: Run, reports: Vec<Report>, expires_at: DateTime<Utc>) -> Self {
        Self {
            name: run.name,
            project: run.project,
            origin: run.origin,
            summary: run.summary,
            tools: run.tools,
            tags: run.tags,
            partial: run.partial,
            complete: run.complete,
            run_at: run.run_at,
            updated_at: run.updated_at,
            shards: run.shards,
            reports: reports.into_iter().map(SharedReport::of).collect(),
            expires_at,
        }
    }
}

impl SharedReport {
    fn of(report: Report) -> Self {
        Self {
            id: report.id,
            tool_name: report.tool_name,
            tool_version: report.tool_version,
            shard_id: report.shard_id,
            shards: report.shards,
            summary: report.summary,
            partial: report.partial,
            received_at: report.received_at,
        }
    }
}

/// What a result says beside its named fields may be anything, people's addresses too: it is not shown.
pub(super) fn without_extras(mut result: ResultDetail) -> ResultDetail {
    result.extra = None;
    result.steps.iter_mut().for_each(|step| step.extra = None);
    let attempts = result.attempts.iter_mut().flat_map(|attempt| &mut attempt.attachments);
    result.attachments.iter_mut().chain(attempts).for_each(|attachment| attachment.extra = None);
    result
}
