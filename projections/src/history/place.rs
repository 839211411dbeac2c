//! Where a report's results belong: branch and slice, and the sums over it.

use crate::copy::clean;
use chrono::{DateTime, Utc};
use scaledtest_domain::{TeamId, events::report::Ingested};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Upper ends of the ranges of durations, milliseconds; the last range has none. The original's buckets.
pub const RANGES: [i64; 6] = [100, 500, 1_000, 5_000, 30_000, 120_000];

/// A report's place.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub no: i64,
    pub team: TeamId,
    pub branch: String,
    pub branch_id: Uuid,
    pub environment: String,
    pub tags: Vec<String>,
    pub slice_id: Uuid,
    pub at: DateTime<Utc>,
}

impl Place {
    pub fn of(no: i64, team: TeamId, report: &Ingested) -> Self {
        let branch = clean(report.origin.branch.as_deref().unwrap_or_default());
        let environment = clean(environment(report.meta.environment.as_ref()));
        let mut tags: Vec<String> = report.tags.iter().map(|tag| clean(tag)).collect();
        tags.sort_unstable();
        tags.dedup();
        let project = report.project.0.as_bytes().as_slice();
        let branch_id = id(&[project, branch.as_bytes()]);
        let parts = [project, branch.as_bytes(), environment.as_bytes()];
        let slice_id = id(&parts.into_iter().chain(tags.iter().map(String::as_bytes)).collect::<Vec<_>>());
        Self { no, team, branch, branch_id, environment, tags, slice_id, at: report.run_at }
    }
}

/// CTRF's `testEnvironment`.
fn environment(environment: Option<&Value>) -> &str {
    environment.and_then(|environment| environment.get("testEnvironment")).and_then(Value::as_str).unwrap_or_default()
}

/// Which range a duration falls into; negative ones into the first.
pub(super) fn range(duration_ms: i64) -> usize {
    RANGES.iter().position(|end| duration_ms < *end).unwrap_or(RANGES.len())
}

/// The id that always follows from parts.
fn id(parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hash.finalize()[..16]);
    Uuid::new_v8(first)
}

/// The id of a branch of a project.
pub fn branch_id(project: Uuid, branch: &str) -> Uuid {
    id(&[project.as_bytes(), branch.as_bytes()])
}
