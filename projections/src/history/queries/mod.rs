//! Questions that are answered from the roll-ups. Every one is about a single team.

mod analytics;
mod durations;
mod errors;
mod explorer;
mod narrow;
mod outcomes;
mod owners;
mod proposals;
mod recent;
mod renames;
mod standing;
mod test;
mod verdict;

pub use analytics::{Group, Trend, duration_distribution, trends};
pub use durations::DurationShift;
pub use errors::{ErrorDetail, ErrorKind, TestOfError, Variant, error_analysis, get_error};
pub use explorer::{Sort, TestFilter, TestRow, list_tests};
pub use narrow::{Narrow, Span};
pub use outcomes::{Alike, Outcomes, outcomes};
pub use owners::{Owned, ProjectOwners, project_owners};
pub use proposals::{Proposal, Proposals, Reason, propose};
pub use recent::Recent;
pub use renames::{Of, Renamed, has_renames, leads, named, renames};
pub use standing::{UsualBranch, clean_runs, usual_branch};
pub(crate) use test::push_target;
pub use test::{Chosen, ErrorOfTest, Evidence, Point, Seen, ShiftOf, TestDetail, flips, get_test, test_history};
pub use verdict::{Baseline, Failing, RunVerdict, run_verdict};

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The cursor is none of ours.
    #[error("cursor is not one that an earlier page gave")]
    Cursor,
    /// Unknown to the database.
    #[error("time_zone is not a name of the IANA time zone database, such as Europe/Berlin")]
    TimeZone,
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}
