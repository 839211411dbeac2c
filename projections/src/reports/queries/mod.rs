//! What the API asks of reports, runs and results. Every query names the team: nothing crosses it.

mod badge;
mod branches;
mod branches_by_series;
mod compare;
mod export;
mod filter;
mod page;
mod projects;
mod reports;
mod results;
mod retention;
mod runs;

pub use badge::{Badge, badge};
pub use branches::{
    BranchTotals, Comparison, Contrast, Contrasted, MAX_RUNS, Place, ProjectName, Rules, Runs, Sample, Shown, contrast,
    find_project, sample,
};
pub use compare::{Difference, Entry, MAX_ENTRIES, MAX_RESULTS, Outcome, Side, Totals, What, compare, find_sides};
pub use export::{ResultPlace, Whole, WholeReport, whole};
pub use filter::{ReportFilter, ReportStatus};
pub use page::{CursorError, Listing, Page, QueryError, Summary};
pub use projects::{Project, list_projects};
pub use reports::{
    Report, ReportCount, ReportDetail, count_reports, get_report, ids_of_team, list_reports, reports_of_run,
};
pub use results::{
    AttemptRow, MESSAGE_CHARS, OneResult, ResultFilter, ResultRow, Scope, Sort, get_result, list_results,
};
pub use retention::{Kept, PartSize, Unsealed, kept, let_go, part_sizes, parts, reports_of_part, unsealed};
pub use runs::{QUIET, Run, get_run, list_runs};
