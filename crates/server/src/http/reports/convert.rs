//! From rows to what is sent.

use super::dto;
use crate::config::Config;
use chrono::{DateTime, Utc};
use scaledtest_domain::report::{self as domain, Counts};
use scaledtest_projections::reports::queries::{self, AttemptRow, OneResult, ResultRow};
use serde_json::{Map, Value};

/// A count of a row: never negative there.
fn count(number: i64) -> u64 {
    number.unsigned_abs()
}

/// Where pages are.
pub fn pages(config: &Config, kind: &str, id: impl std::fmt::Display) -> String {
    format!("{}/{kind}/{id}", config.base_url)
}

/// Tool and version, for display.
pub fn report_name(tool: &str, version: Option<&str>) -> String {
    match version {
        Some(version) => format!("{tool} v{version}"),
        None => tool.to_owned(),
    }
}

/// Counts and times of a document or an event.
pub fn summary_of(counts: &Counts, start: i64, stop: i64, duration_ms: i64) -> dto::Summary {
    let Counts { tests, passed, failed, skipped, pending, other, flaky } = *counts;
    dto::Summary { tests, passed, failed, skipped, pending, other, flaky, start, stop, duration_ms }
}

fn summary(row: &queries::Summary) -> dto::Summary {
    summary_of(&row.counts(), row.start_ms, row.stop_ms, row.duration_ms)
}

/// Filtered reports leave tests out: then the declared counts are shown, and `partial` says so.
fn shown(summary: dto::Summary, partial: bool, declared: Option<&Counts>) -> dto::Summary {
    match declared {
        Some(declared) if partial => {
            let shown = summary_of(declared, summary.start, summary.stop, summary.duration_ms);
            dto::Summary { flaky: summary.flaky.max(shown.flaky), ..shown }
        }
        _ => summary,
    }
}

/// A document's own counts, for the answer to an upload.
pub fn shown_of_event(report: &scaledtest_domain::events::report::Ingested) -> dto::Summary {
    let meta = &report.meta;
    let summary = summary_of(&report.counts, meta.start_ms, meta.stop_ms, meta.duration_ms);
    shown(summary, meta.partial, meta.declared.as_ref())
}

pub fn report(config: &Config, row: queries::Report) -> dto::Report {
    let declared = row.declared.as_ref().map(|declared| declared.0);
    let summary = shown(summary(&row.summary), row.partial, declared.as_ref());
    dto::Report {
        id: row.id.0,
        team_id: row.team_id.0,
        name: report_name(&row.tool_name, row.tool_version.as_deref()),
        execution_id: row.execution_id().map(|id| id.0),
        tool_name: row.tool_name,
        tool_version: row.tool_version,
        created_at: row.created_at,
        environment: row.environment,
        test_count: summary.tests,
        passed: summary.passed,
        failed: summary.failed,
        skipped: summary.skipped,
        pending: summary.pending,
        other: summary.other,
        flaky: summary.flaky,
        summary,
        format: row.format,
        project: row.project,
        project_id: row.project_id.0,
        run_id: row.run_id.0,
        run_key: row.run_key,
        shard_id: row.shard_id,
        shards: row.shards.map(i32::unsigned_abs),
        origin: dto::Origin {
            branch: row.branch,
            commit: row.commit,
            base_commit: row.base_commit,
            target_branch: row.target_branch,
            pr: row.pr,
            build: row.build,
            build_url: row.build_url,
            repository: row.repository,
        },
        tags: row.tags,
        partial: row.partial,
        declared: declared.map(|declared| dto::Declared {
            tests: declared.tests,
            passed: declared.passed,
            failed: declared.failed,
            skipped: declared.skipped,
            pending: declared.pending,
            other: declared.other,
        }),
        run_at: row.run_at,
        received_at: row.received_at,
        url: pages(config, "reports", row.id),
    }
}

pub fn report_detail(config: &Config, row: queries::ReportDetail) -> dto::ReportDetail {
    dto::ReportDetail {
        diagnostics: row.diagnostics().iter().map(diagnostic).collect(),
        raw: dto::Raw { bytes: count(row.body_bytes), media_type: row.media_type.clone() },
        report: report(config, row.report),
    }
}

pub fn diagnostic(diagnostic: &domain::Diagnostic) -> dto::Diagnostic {
    let domain::Diagnostic { path, code, message, count } = diagnostic.clone();
    dto::Diagnostic { path, code, message, count }
}

pub fn run(config: &Config, row: queries::Run, now: DateTime<Utc>) -> dto::Run {
    let complete = row.is_complete(now);
    let name = row.key.clone().or_else(|| row.build.clone().map(|build| format!("#{build}")));
    dto::Run {
        id: row.id.0,
        team_id: row.team_id.0,
        name: name.unwrap_or_else(|| row.tools.join(", ")),
        project: row.project,
        project_id: row.project_id.0,
        key: row.key,
        origin: dto::Origin {
            branch: row.branch,
            commit: row.commit,
            pr: row.pr,
            build: row.build,
            build_url: row.build_url,
            ..dto::Origin::default()
        },
        reports: u32::try_from(row.reports).unwrap_or(u32::MAX),
        shards: row.shards.map(i32::unsigned_abs),
        complete,
        tools: row.tools,
        tags: row.tags,
        summary: summary(&row.summary),
        partial: row.partial,
        created_at: row.created_at,
        run_at: row.run_at,
        updated_at: row.updated_at,
        url: pages(config, "runs", row.id),
    }
}

pub fn result(row: ResultRow) -> dto::TestResult {
    dto::TestResult {
        id: row.idx.to_string(),
        report_id: row.report_id.0,
        test_id: row.test_id.0,
        name: row.name,
        suite: row.suite,
        file_path: row.file_path,
        line: row.line.map(i32::unsigned_abs),
        status: row.status.0.into(),
        raw_status: row.raw_status,
        duration_ms: row.duration_ms,
        retries: row.retries.unsigned_abs(),
        flaky: row.flaky,
        tags: row.tags,
        browser: row.browser,
        device: row.device,
        os: row.os,
        message: row.message,
    }
}

pub fn result_detail(row: OneResult) -> dto::ResultDetail {
    dto::ResultDetail {
        steps: row.steps().iter().map(step).collect(),
        attachments: row.attachments().iter().map(attachment).collect(),
        extra: row.extra().and_then(object),
        attempts: row.attempts.iter().map(attempt).collect(),
        trace: row.trace,
        snippet: row.snippet,
        stdout: row.stdout,
        stderr: row.stderr,
        start_ms: row.start_ms,
        stop_ms: row.stop_ms,
        reported_flaky: row.reported_flaky,
        result: result(row.result),
    }
}

fn object(map: &Map<String, Value>) -> Option<Value> {
    (!map.is_empty()).then(|| Value::Object(map.clone()))
}

fn step(step: &domain::Step) -> dto::Step {
    dto::Step { name: step.name.clone(), status: step.status.into(), extra: object(&step.extra) }
}

fn attachment(attachment: &domain::Attachment) -> dto::Attachment {
    dto::Attachment {
        name: attachment.name.clone(),
        content_type: attachment.content_type.clone(),
        path: attachment.path.clone(),
        extra: object(&attachment.extra),
    }
}

fn attempt(row: &AttemptRow) -> dto::Attempt {
    dto::Attempt {
        attempt: row.attempt.unsigned_abs(),
        status: row.status.0.into(),
        duration_ms: row.duration_ms,
        start_ms: row.start_ms,
        message: row.message.clone(),
        trace: row.trace.clone(),
        line: row.line.map(i32::unsigned_abs),
        snippet: row.snippet.clone(),
        stdout: row.stdout.clone(),
        stderr: row.stderr.clone(),
        attachments: row.attachments().iter().map(attachment).collect(),
    }
}
