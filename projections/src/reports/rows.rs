//! How a report, a test case, a result and an attempt are laid out as rows of `COPY ... (format binary)`.

use crate::copy::{Rows, saturate, saturate8};
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Hash16, TeamId,
    events::report::Ingested,
    report::{Attempt, Status, TestResult},
    retention::Part,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Copies results into a table (or a partition of it); [`write_result`] writes such rows.
pub fn copy_results(table: &str) -> String {
    format!(
        "copy {table} (report_no, duration_ms, start_ms, stop_ms, part, idx, line, retries, status, flaky, \
         reported_flaky, case_id, raw_status, message, trace, snippet, stdout, stderr, steps, attachments, extra) \
         from stdin (format binary)"
    )
}

/// Fields of such a row.
const RESULT_FIELDS: i16 = 21;

/// Copies test cases in; [`write_case`] writes such rows.
pub const COPY_CASE: &str =
    "copy test_case (id, test_id, name, suite, file_path, browser, device, os, tags) from stdin (format binary)";
const CASE_FIELDS: i16 = 9;

/// Copies attempts into a table (or a partition of it); [`write_attempt`] writes such rows.
pub fn copy_attempts(table: &str) -> String {
    format!(
        "copy {table} (report_no, duration_ms, start_ms, part, idx, attempt, line, status, message, trace, \
         snippet, stdout, stderr, attachments) from stdin (format binary)"
    )
}

/// Fields of such a row.
const ATTEMPT_FIELDS: i16 = 14;

/// Copies reports in; [`write_report`] writes such rows.
pub const COPY_REPORT: &str = "copy report (no, id, team_id, project_id, run_id, upload_id, part, created_at, run_at, \
     received_at, document_at, tests, passed, failed, skipped, pending, other, flaky, start_ms, stop_ms, duration_ms, \
     body_bytes, chunk_first, chunk_last, chunk_count, shards, partial, triage_github_status, execution_id, claim_id, run_key, \
     shard_id, format, spec_version, document_id, tool_name, tool_version, branch, commit, base_commit, target_branch, pr, \
     build, build_url, repository, media_type, body_hash, chunk_hash, tags, github, declared, environment, diagnostics, extra) \
     from stdin (format binary)";
const REPORT_FIELDS: i16 = 54;

/// Where a report's rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The report's number: the position of its commit.
    pub report_no: i64,
    /// With which others its results are dropped.
    pub part: Part,
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

/// The id of what a result has in common with the same test's in other runs: SHA-256 over its length-prefixed parts, cut to
/// a version 8 UUID. The test's identity is one of them, so nothing is shared between projects.
pub fn case_id(result: &TestResult) -> Uuid {
    let mut hash = Sha256::new();
    let mut part = |part: Option<&str>| {
        // An absent part is told from an empty one.
        hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        hash.update(part.unwrap_or_default());
    };
    part(Some(&result.name));
    part(result.file_path.as_deref());
    part(result.variant.browser.as_deref());
    part(result.variant.device.as_deref());
    part(result.variant.os.as_deref());
    result.suite.iter().for_each(|word| part(Some(word)));
    part(None);
    result.tags.iter().for_each(|word| part(Some(word)));
    hash.update(result.test_id.0);
    Uuid::new_v8(Hash16::from_digest(&hash.finalize()).0)
}

/// One row of `test_case`, with the id that [`case_id`] gives.
pub fn write_case(rows: &mut Rows, id: Uuid, result: &TestResult) {
    rows.row(CASE_FIELDS)
        .uuid(id)
        .uuid(result.test_id)
        .text(&result.name)
        .texts(&result.suite)
        .opt_text(result.file_path.as_deref())
        .opt_text(result.variant.browser.as_deref())
        .opt_text(result.variant.device.as_deref())
        .opt_text(result.variant.os.as_deref())
        .texts(&result.tags);
}

/// One row of `result`, of the case that [`case_id`] gives. `idx` counts the results of the report from 0.
///
/// # Errors
/// When a JSON field cannot be serialised.
pub fn write_result(
    rows: &mut Rows,
    place: Place,
    idx: i32,
    case: Uuid,
    result: &TestResult,
) -> Result<(), serde_json::Error> {
    rows.row(RESULT_FIELDS)
        .int8(place.report_no)
        .int8(result.duration_ms)
        .opt(result.start_ms, Rows::int8)
        .opt(result.stop_ms, Rows::int8)
        .int4(place.part.0)
        .int4(idx)
        .opt(result.line.map(u64::from).map(saturate), Rows::int4)
        .int4(saturate(result.retries.into()))
        .int2(status_number(result.status))
        .bool(result.flaky)
        .opt(result.reported_flaky, Rows::bool)
        .uuid(case)
        .opt_text(result.raw_status.as_deref())
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
    rows.row(ATTEMPT_FIELDS)
        .int8(place.report_no)
        .opt(attempt.duration_ms, Rows::int8)
        .opt(attempt.start_ms, Rows::int8)
        .int4(place.part.0)
        .int4(idx)
        .int4(saturate(attempt.attempt.into()))
        .opt(attempt.line.map(u64::from).map(saturate), Rows::int4)
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
        .int4(place.part.0)
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
