//! What known issues look like on the wire.

#![allow(missing_docs, reason = "fields without a word are what their name says")]

use crate::http::insight::dto::Project;
use chrono::{DateTime, Utc};
use scaledtest_domain::events::issue::Terms;
use scaledtest_projections::issues::queries::{self, Phase};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The open ticket of an error.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = OpenIssue)]
pub struct Open {
    pub id: Uuid,
    /// An http(s) link or a key.
    pub ticket: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// From when on the error counts again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

impl From<queries::Ticket> for Open {
    fn from(row: queries::Ticket) -> Self {
        Self { id: row.id, ticket: row.ticket, note: row.note, expires_at: row.expires_at }
    }
}

/// Where an issue is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = IssueState)]
pub enum State {
    /// What fails with the error is a known issue.
    Open,
    /// Its time is over: the error counts again.
    Expired,
    /// Somebody closed it: the error counts again.
    Closed,
}

impl From<Phase> for State {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Open => Self::Open,
            Phase::Expired => Self::Expired,
            Phase::Closed => Self::Closed,
        }
    }
}

/// An error that is, or was, linked to a ticket.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Issue {
    pub id: Uuid,
    pub project: Project,
    pub fingerprint: Uuid,
    /// What the first failure said; empty if every report with the error was deleted.
    pub message: String,
    pub state: State,
    /// An http(s) link or a key.
    pub ticket: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub linked_at: DateTime<Utc>,
    /// Who linked it.
    pub linked_by: Uuid,
    pub changed_at: DateTime<Utc>,
    pub changed_by: Uuid,
    /// From when on the error counts again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<Uuid>,
    /// When something failed so last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<DateTime<Utc>>,
}

impl Issue {
    /// As it is at `now`.
    pub fn of(row: queries::Issue, now: DateTime<Utc>) -> Self {
        Self {
            state: row.phase(now).into(),
            id: row.ticket.id,
            project: Project { id: row.project_id, name: row.project },
            fingerprint: row.fingerprint,
            message: row.message.unwrap_or_default(),
            ticket: row.ticket.ticket,
            note: row.ticket.note,
            linked_at: row.linked_at,
            linked_by: row.user_id,
            changed_at: row.changed_at,
            changed_by: row.changed_by,
            expires_at: row.ticket.expires_at,
            closed_at: row.closed_at,
            closed_by: row.closed_by,
            last_seen: row.last_seen,
        }
    }

    /// The same with other terms.
    #[must_use]
    pub fn with_terms(self, terms: Terms) -> Self {
        Self { ticket: terms.ticket, note: terms.note, expires_at: terms.expires_at, ..self }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Issues {
    pub issues: Vec<Issue>,
    pub total: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
