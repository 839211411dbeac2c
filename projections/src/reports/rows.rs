//! How a report, a result and an attempt are laid out as rows of `COPY ... (format binary)`.

use crate::copy::{Rows, saturate, saturate8};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use scaledtest_domain::{
    TeamId,
    events::report::Ingested,
    report::{Attempt, Status, TestResult},
};

/// Copies results into a table (or a partition of it); [`write_result`] writes such rows.
pub fn copy_results(table: &str) -> String {
    format!(
        "copy {table} (report_no, month, duration_ms, start_ms, stop_ms, idx, line, retries, class, status, flaky, \
         reported_flaky, test_id, name, suite, file_path, raw_status, browser, device, os, tags, message, trace, snippet, \
         stdout, stderr, steps, attachments, extra) from stdin (format binary)"
    )
}

/// Fields of such a row.
const RESULT_FIELDS: i16 = 29;

/// Copies attempts into a table (or a partition of it); [`write_attempt`] writes such rows.
pub fn copy_attempts(table: &str) -> String {
    format!(
        "copy {table} (report_no, month, duration_ms, start_ms, idx, attempt, line, class, status, message, trace, \
         snippet, stdout, stderr, attachments) from stdin (format binary)"
    )
}

/// Fields of such a row.
const ATTEMPT_FIELDS: i16 = 15;

/// Copies reports in; [`write_report`] writes such rows.
pub const COPY_REPORT: &str = "copy report (no, id, team_id, project_id, run_id, upload_id, class, month, created_at, run_at, \
     received_at, document_at, tests, passed, failed, skipped, pending, other, flaky, start_ms, stop_ms, duration_ms, \
     body_bytes, chunk_first, chunk_last, chunk_count, shards, partial, triage_github_status, execution_id, claim_id, run_key, \
     shard_id, format, spec_version, document_id, tool_name, tool_version, branch, commit, base_commit, target_branch, pr, \
     build, build_url, repository, media_type, body_hash, chunk_hash, tags, github, declared, environment, diagnostics, extra) \
     from stdin (format binary)";
const REPORT_FIELDS: i16 = 55;

/// The retention class of every report so far.
pub const CLASS: i16 = 0;

/// Where a report's rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The report's number: the position of its commit.
    pub report_no: i64,
    /// First day of the month in which it was taken in; see [`month_of`].
    pub month: NaiveDate,
}

impl Place {
    /// What every row of `result` and `attempt` begins with.
    fn write(self, rows: &mut Rows) -> &mut Rows {
        rows.int8(self.report_no).date(self.month)
    }
}

/// The first day of the month of a time, in UTC: the partition of a report that was taken in then.
pub fn month_of(at: DateTime<Utc>) -> NaiveDate {
    let day = at.date_naive();
    day.with_day(1).unwrap_or(day)
}

/// The number that a status has in the tables.
pub fn status_number(status: Status) -> i16 {
    match status {
        Status::Passed => 0,
        Status::Failed => 1,
        Status::Skipped => 2,
        Status::Pending => 3,
        Status::Other => 4,
    }
}

/// Undoes [`status_number`].
pub fn status_of(number: i16) -> Status {
    Status::ALL.into_iter().find(|status| status_number(*status) == number).unwrap_or(Status::Other)
}

/// One row of `result`. `idx` counts the results of the report from 0.
///
/// # Errors
/// When a JSON field cannot be serialised.
pub fn write_result(rows: &mut Rows, place: Place, idx: i32, result: &TestResult) -> Result<(), serde_json::Error> {
    place
        .write(rows.row(RESULT_FIELDS))
        .int8(result.duration_ms)
        .opt(result.start_ms, Rows::int8)
        .opt(result.stop_ms, Rows::int8)
        .int4(idx)
        .opt(result.line.map(u64::from).map(saturate), Rows::int4)
        .int4(saturate(result.retries.into()))
        .int2(CLASS)
        .int2(status_number(result.status))
        .bool(result.flaky)
        .opt(result.reported_flaky, Rows::bool)
        .uuid(result.test_id)
        .text(&result.name)
        .texts(&result.suite)
        .opt_text(result.file_path.as_deref())
        .opt_text(result.raw_status.as_deref())
        .opt_text(result.variant.browser.as_deref())
        .opt_text(result.variant.device.as_deref())
        .opt_text(result.variant.os.as_deref())
        .texts(&result.tags)
        .opt_text(result.message.as_deref())
        .opt_text(result.trace.as_deref())
        .opt_text(result.snippet.as_deref())
        .opt_text(result.stdout.as_deref())
        .opt_text(result.stderr.as_deref())
        .json((!result.steps.is_empty()).then_some(&result.steps))?
        .json((!result.attachments.is_empty()).then_some(&result.attachments))?
        .json((!result.extra.is_empty()).then_some(&result.extra))?;
    Ok(())
}

/// One row of `attempt`, of the result `idx`.
///
/// # Errors
/// When a JSON field cannot be serialised.
pub fn write_attempt(rows: &mut Rows, place: Place, idx: i32, attempt: &Attempt) -> Result<(), serde_json::Error> {
    place
        .write(rows.row(ATTEMPT_FIELDS))
        .opt(attempt.duration_ms, Rows::int8)
        .opt(attempt.start_ms, Rows::int8)
        .int4(idx)
        .int4(saturate(attempt.attempt.into()))
        .opt(attempt.line.map(u64::from).map(saturate), Rows::int4)
        .int2(CLASS)
        .int2(status_number(attempt.status))
        .opt_text(attempt.message.as_deref())
        .opt_text(attempt.trace.as_deref())
        .opt_text(attempt.snippet.as_deref())
        .opt_text(attempt.stdout.as_deref())
        .opt_text(attempt.stderr.as_deref())
        .json((!attempt.attachments.is_empty()).then_some(&attempt.attachments))?;
    Ok(())
}

/// One row of `report`, taken in at `received_at`.
///
/// # Errors
/// When a JSON field cannot be serialised.
pub fn write_report(
    rows: &mut Rows,
    place: Place,
    team: TeamId,
    received_at: DateTime<Utc>,
    report: &Ingested,
) -> Result<(), serde_json::Error> {
    let (meta, counts, origin, chunks) = (&report.meta, &report.counts, &report.origin, &report.chunks);
    rows.row(REPORT_FIELDS)
        .int8(place.report_no)
        .uuid(report.report)
        .uuid(team)
        .uuid(report.project)
        .uuid(report.run)
        .uuid(report.upload)
        .int2(CLASS)
        .date(place.month)
        .timestamp(report.created_at)
        .timestamp(report.run_at)
        .timestamp(received_at)
        .opt(meta.timestamp, Rows::timestamp);
    for count in
        [counts.tests, counts.passed, counts.failed, counts.skipped, counts.pending, counts.other, counts.flaky]
    {
        rows.int8(saturate8(count));
    }
    rows.int8(meta.start_ms)
        .int8(meta.stop_ms)
        .int8(meta.duration_ms)
        .int8(saturate8(report.body.bytes))
        .int8(saturate8(chunks.first))
        .int8(saturate8(chunks.last))
        .int4(saturate(chunks.count.into()))
        .opt(report.shards.map(u64::from).map(saturate), Rows::int4)
        .bool(meta.partial)
        .bool(report.triage_github_status)
        .opt(report.execution, Rows::uuid)
        .opt(report.claim, Rows::uuid)
        .opt_text(report.run_key.as_deref())
        .opt_text(report.shard_id.as_deref())
        .text(&meta.format)
        .opt_text(meta.spec_version.as_deref())
        .opt_text(meta.document_id.as_deref())
        .text(&meta.tool.name)
        .opt_text(meta.tool.version.as_deref())
        .opt_text(origin.branch.as_deref())
        .opt_text(origin.commit.as_deref())
        .opt_text(origin.base_commit.as_deref())
        .opt_text(origin.target_branch.as_deref())
        .opt_text(origin.pr.as_deref())
        .opt_text(origin.build.as_deref())
        .opt_text(origin.build_url.as_deref())
        .opt_text(origin.repository.as_deref())
        .text(&report.body.media_type)
        .text(&report.body.hash.to_string())
        .text(&chunks.hash.to_string())
        .texts(&report.tags)
        .json(report.github.as_ref())?
        .json(meta.declared.as_ref())?
        .json(meta.environment.as_ref())?
        .json((!report.diagnostics.is_empty()).then_some(&report.diagnostics))?
        .json((!meta.extra.is_empty()).then_some(&meta.extra))?;
    Ok(())
}
