//! A normalised report as CTRF again. What is read of it is the same report: a test does so with every file of the corpus.
//!
//! Three things are not kept. A test's own `testId` is known only as the hash that identity makes of it: that is written instead.
//! Times before March 1973 would be read as seconds and are left out. Fields of an attempt that are not ours never came this far.

use chrono::SecondsFormat;
use scaledtest_domain::{
    ProjectId,
    identity::{self, Parts, normalise_suite},
    report::{Attachment, Attempt, Counts, ReportMeta, Status, Step, TestResult},
};
use serde::Serialize;
use serde_json::{Error, Map, Value, json};

/// The first time that is not read as seconds, milliseconds since the epoch.
const FIRST_MS: i64 = 100_000_000_000;

/// Writes a document piece by piece, so that it need never be whole in memory.
#[derive(Debug)]
pub struct Writer {
    project: ProjectId,
    tests: u64,
}

impl Writer {
    /// For a report of this project: identities are derived in it.
    pub fn new(project: ProjectId) -> Self {
        Self { project, tests: 0 }
    }

    /// How many tests were written.
    pub fn tests(&self) -> u64 {
        self.tests
    }

    /// Everything that stands before the first test. A partial report declares what it declared.
    ///
    /// # Errors
    /// When serialising fails, which well-formed reports cannot make happen.
    pub fn begin(&self, meta: &ReportMeta, counts: &Counts) -> Result<String, Error> {
        let mut rest = meta.extra.clone();
        let mut part = |name: &str, fields: Value| {
            let mut part = match rest.remove(name) {
                Some(Value::Object(part)) => part,
                _ => Map::new(),
            };
            if let Value::Object(fields) = fields {
                part.extend(fields);
            }
            part
        };
        let mut tool = part("tool", json!({"name": meta.tool.name}));
        if let Some(version) = &meta.tool.version {
            tool.insert("version".to_owned(), json!(version));
        }
        let summary = part("summary", summary(meta, counts));
        let results =
            json!({"tool": tool, "summary": summary, "environment": meta.environment.as_ref().unwrap_or(&json!({}))});
        let results = part("results", results);
        let root = Root {
            report_format: "CTRF",
            spec_version: meta.spec_version.as_deref().unwrap_or("0.0.0"),
            report_id: meta.document_id.as_deref(),
            run_id: meta.run_key.as_deref(),
            timestamp: meta.timestamp.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            generated_by: (!rest.contains_key("generatedBy")).then_some("ScaledTest"),
            rest: &rest,
        };
        let (root, results) = (serde_json::to_string(&root)?, serde_json::to_string(&results)?);
        let opened = |object: &str| object.strip_suffix('}').unwrap_or(object).to_owned();
        Ok(format!("{},\"results\":{},\"tests\":[", opened(&root), opened(&results)))
    }

    /// Adds a test.
    ///
    /// # Errors
    /// As [`Writer::begin`].
    pub fn test(&mut self, result: &TestResult, into: &mut Vec<u8>) -> Result<(), Error> {
        if self.tests > 0 {
            into.push(b',');
        }
        self.tests += 1;
        serde_json::to_writer(into, &self.written(result))
    }

    /// Everything that stands after the last test.
    pub fn end(&self) -> &'static str {
        "]}}\n"
    }

    fn written<'r>(&self, result: &'r TestResult) -> Test<'r> {
        let parts =
            Parts { explicit: None, suite: &result.suite, name: &result.name, file_path: result.file_path.as_deref() };
        let is_derived = identity::test_id(self.project, parts) == result.test_id;
        Test {
            name: &result.name,
            status: result.status,
            duration: result.duration_ms,
            start: time(result.start_ms),
            stop: time(result.stop_ms),
            suite: suite(result),
            message: result.message.as_deref(),
            trace: result.trace.as_deref(),
            snippet: result.snippet.as_deref(),
            line: result.line,
            raw_status: result.raw_status.as_deref(),
            tags: &result.tags,
            file_path: result.file_path.as_deref(),
            // Where nothing was retried, and yet it is flaky, only the reporter's word says so: a number would overrule it.
            retries: (result.retries > 0 || !result.flaky).then_some(result.retries),
            flaky: result.reported_flaky,
            stdout: lines(result.stdout.as_deref()),
            stderr: lines(result.stderr.as_deref()),
            browser: result.variant.browser.as_deref(),
            device: result.variant.device.as_deref(),
            test_id: (!is_derived).then(|| result.test_id.to_string()),
            retry_attempts: result.attempts.iter().map(attempt).collect(),
            steps: result.steps.iter().map(step).collect(),
            attachments: result.attachments.iter().map(attachment).collect(),
            extra: &result.extra,
        }
    }
}

fn summary(meta: &ReportMeta, counts: &Counts) -> Value {
    let shown = meta.declared.as_ref().filter(|_| meta.partial).unwrap_or(counts);
    let Counts { tests, passed, failed, skipped, pending, other, .. } = shown;
    json!({
        "tests": tests, "passed": passed, "failed": failed, "skipped": skipped, "pending": pending, "other": other,
        "flaky": counts.flaky.max(shown.flaky), "start": time(Some(meta.start_ms)).unwrap_or(0),
        "stop": time(Some(meta.stop_ms)).unwrap_or(0), "duration": meta.duration_ms,
    })
}

fn time(ms: Option<i64>) -> Option<i64> {
    ms.filter(|ms| *ms >= FIRST_MS)
}

/// A last part like the name is cut off when it is read: one that has to stay gets another behind it.
fn suite(result: &TestResult) -> Vec<&str> {
    let mut suite: Vec<&str> = result.suite.iter().map(String::as_str).collect();
    if normalise_suite(result.suite.clone(), &result.name) != result.suite {
        suite.push(&result.name);
    }
    suite
}

fn lines(text: Option<&str>) -> Option<Vec<&str>> {
    text.map(|text| text.split('\n').collect())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Root<'r> {
    report_format: &'static str,
    spec_version: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    report_id: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generated_by: Option<&'static str>,
    #[serde(flatten)]
    rest: &'r Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Test<'r> {
    name: &'r str,
    status: Status,
    duration: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suite: Vec<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_status: Option<&'r str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    file_path: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flaky: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout: Option<Vec<&'r str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr: Option<Vec<&'r str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    browser: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retry_attempts: Vec<AttemptOut<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepOut<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<AttachmentOut<'r>>,
    /// None has the name of a field above: those are read apart.
    #[serde(flatten)]
    extra: &'r Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptOut<'r> {
    attempt: u32,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout: Option<Vec<&'r str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr: Option<Vec<&'r str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<AttachmentOut<'r>>,
}

#[derive(Serialize)]
struct StepOut<'r> {
    name: &'r str,
    status: Status,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extra: &'r Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttachmentOut<'r> {
    name: &'r str,
    content_type: &'r str,
    path: &'r str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extra: &'r Map<String, Value>,
}

fn attempt(attempt: &Attempt) -> AttemptOut<'_> {
    AttemptOut {
        attempt: attempt.attempt,
        status: attempt.status,
        duration: attempt.duration_ms,
        start: time(attempt.start_ms),
        message: attempt.message.as_deref(),
        trace: attempt.trace.as_deref(),
        line: attempt.line,
        snippet: attempt.snippet.as_deref(),
        stdout: lines(attempt.stdout.as_deref()),
        stderr: lines(attempt.stderr.as_deref()),
        attachments: attempt.attachments.iter().map(attachment).collect(),
    }
}

fn step(step: &Step) -> StepOut<'_> {
    StepOut { name: &step.name, status: step.status, extra: &step.extra }
}

fn attachment(attachment: &Attachment) -> AttachmentOut<'_> {
    let Attachment { name, content_type, path, extra } = attachment;
    AttachmentOut { name, content_type, path, extra }
}
