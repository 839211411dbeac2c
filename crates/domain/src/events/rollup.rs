//! Roll-ups: what histories need of some reports, written down before the results themselves are dropped.

use crate::{ProjectId, ReportId, RollupId, UploadId, events::events, events::report::Chunks, retention::Part};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A report in a roll-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rolled {
    /// Which.
    pub report: ReportId,
    /// The upload that it consisted of.
    pub upload: UploadId,
}

/// What histories need of these reports is durable in `RES`. Again with other chunks when one of the reports is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which.
    pub rollup: RollupId,
    /// Whose reports.
    pub project: ProjectId,
    /// The part that they are in.
    pub part: Part,
    /// The reports, in the order of the log.
    pub reports: Vec<Rolled>,
    /// Names its chunks.
    pub upload: UploadId,
    /// Where it stands.
    pub chunks: Chunks,
}

/// The last of its reports was deleted: its chunks may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Which.
    pub rollup: RollupId,
}

events! { Rollup:
    /// What histories need of some reports is durable.
    "rollups.sealed" @ 1 => Sealed(Sealed),
    /// The last of its reports was deleted.
    "rollups.erased" @ 1 => Erased(Erased),
}

fn upcast(_name: &str, _version: u32, data: Value) -> Value {
    data
}
