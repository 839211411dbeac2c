//! Reports. The results themselves are chunks of the stream `RES`; the event names them.

use crate::{
    ClaimId, ExecutionId, Hash16, ProjectId, ReportId, RollupId, RunId, UploadId,
    events::events,
    report::{Counts, Diagnostic, ReportMeta},
    retention::{Part, Retention},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a report's results stand in the stream `RES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunks {
    /// How many.
    pub count: u32,
    /// Sequence of the first; 0 if there is none.
    pub first: u64,
    /// Sequence of the last; other uploads' chunks may stand between.
    pub last: u64,
    /// Hash over the chunks' payloads, in order.
    pub hash: Hash16,
}

/// The original document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Hash of the inflated document.
    pub hash: Hash16,
    /// Its size, bytes.
    pub bytes: u64,
    /// Its media type as guessed from its content: `application/json`.
    pub media_type: String,
}

/// Where the code came from and what built it: the report's environment, overlaid by the upload's parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is the upload parameter of the same name")]
pub struct Origin {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pr: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// A commit status that was asked for on GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is the upload parameter github_<name>")]
pub struct Github {
    pub owner: String,
    pub repo: String,
    pub sha: String,
}

/// A report was taken in: its results are durable in `RES` and belong to it from here on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ingested {
    /// Which.
    pub report: ReportId,
    /// Its project.
    pub project: ProjectId,
    /// Its run.
    pub run: RunId,
    /// What the uploader calls the run; absent if the report is a run of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_key: Option<String>,
    /// Which shard of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_id: Option<String>,
    /// How many shards the run has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
    /// The try that succeeded.
    pub upload: UploadId,
    /// Its results.
    pub chunks: Chunks,
    /// The original document.
    pub body: Body,
    /// What the document says of itself.
    pub meta: ReportMeta,
    /// Counted from the results.
    pub counts: Counts,
    /// Where the code came from.
    #[serde(default)]
    pub origin: Origin,
    /// Given with the upload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What orders history: `created_at` if allowed, else the report's start if plausible, else receipt.
    pub run_at: DateTime<Utc>,
    /// Shown as the report's time: receipt, or the allowed `created_at`.
    pub created_at: DateTime<Utc>,
    /// What was odd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
    /// The execution it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// Triage shall post a commit status.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub triage_github_status: bool,
    /// A commit status was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github: Option<Github>,
    /// The claim on the document's own id that it holds; released when it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimId>,
    /// With which others its results are dropped. Absent in what was taken in before there were parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

impl Ingested {
    /// With which others its results are dropped.
    pub fn part(&self) -> Part {
        self.part.unwrap_or_else(|| Part::of(Retention::default(), self.created_at, self.created_at))
    }
}

/// What histories need of a report stands in a roll-up: once its part is dropped, its chunks may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which.
    pub report: ReportId,
    /// The upload whose chunks and document are to be erased then.
    pub upload: UploadId,
    /// Where it stands.
    pub rollup: RollupId,
}

/// A report was deleted: from here on its chunks may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// Which.
    pub report: ReportId,
    /// The upload whose chunks and document are to be erased.
    pub upload: UploadId,
    /// Its chunks, to be erased.
    pub chunks: Chunks,
}

events! { Report:
    /// A report was taken in.
    "report.ingested" @ 1 => Ingested(Box<Ingested>),
    /// What histories need of a report stands in a roll-up.
    "report.sealed" @ 1 => Sealed(Sealed),
    /// A report was deleted.
    "report.deleted" @ 1 => Deleted(Deleted),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
