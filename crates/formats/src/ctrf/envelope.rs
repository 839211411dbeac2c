//! What the first pass has read, made into an [`Envelope`]; and completed once the tests are known.

use super::{MAX_EXTRA, fields::MAX_DURATION, head::Head, stream::Tally, words};
use crate::{
    Envelope, Outcome,
    cut::head,
    detect::other_json,
    epoch_ms,
    error::{EMPTY, FormatError, MISSING, UNSUPPORTED, WRONG_TYPE},
    loose::Loose,
    notes::{Code, Notes},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    events::report::Origin,
    report::{Counts, ReportMeta, Tool},
};
use serde_json::{Map, Value};

/// Bytes of an id, a branch, a URL or the like: what an index still takes.
const MAX_KEY: usize = 1024;

/// Tests that a summary may count: a run's sums must not overflow.
const MAX_COUNT: i64 = 1_000_000_000;

/// The summary as written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    missing: bool,
    tests: Option<u64>,
    passed: Option<u64>,
    failed: Option<u64>,
    skipped: Option<u64>,
    pending: Option<u64>,
    other: Option<u64>,
    flaky: Option<u64>,
    duration: Option<i64>,
}

impl Summary {
    /// How many tests it says there are.
    fn total(&self) -> Option<u64> {
        let parts = [self.passed, self.failed, self.skipped, self.pending, self.other];
        let sum = || parts.iter().flatten().fold(0, |sum: u64, part| sum.saturating_add(*part));
        self.tests.or_else(|| parts.iter().any(Option::is_some).then(sum))
    }

    fn agrees(&self, counts: &Counts) -> bool {
        let pairs = [
            (self.tests, counts.tests),
            (self.passed, counts.passed),
            (self.failed, counts.failed),
            (self.skipped, counts.skipped),
            (self.pending, counts.pending),
            (self.other, counts.other),
        ];
        pairs.iter().all(|(declared, counted)| declared.is_none_or(|declared| declared == *counted))
    }

    fn counts(&self) -> Counts {
        Counts {
            tests: self.total().unwrap_or(0),
            passed: self.passed.unwrap_or(0),
            failed: self.failed.unwrap_or(0),
            skipped: self.skipped.unwrap_or(0),
            pending: self.pending.unwrap_or(0),
            other: self.other.unwrap_or(0),
            flaky: self.flaky.unwrap_or(0),
        }
    }
}

/// `tests`: how many there are, if there is a list.
pub(super) fn build(mut read: Head, mut notes: Notes, tests: Option<u64>) -> Result<Envelope, FormatError> {
    notes.append(std::mem::take(&mut read.notes));
    let mut builder = Builder { notes, extra: Map::new(), extra_left: MAX_EXTRA };
    let root = &mut read.root;
    check_format(root)?;
    let Some(mut results) = read.results else {
        let other = other_json(|key| read.keys.iter().any(|known| known == key));
        return Err(other.unwrap_or_else(|| missing("results", "`results` is missing: this is no CTRF report.")));
    };
    let fields = &mut results.fields;
    let tool = builder.tool(fields.remove("tool"))?;
    let Some(tests) = tests else {
        return Err(missing("results.tests", "`results.tests` is missing: a report must list its tests."));
    };
    let (summary, start_ms, stop_ms) = builder.summary(fields.remove("summary"));
    if tests == 0 && summary.total().unwrap_or(0) == 0 {
        let message = "The report has no tests, and its summary counts none.";
        return Err(FormatError::at(EMPTY, "results.tests", message));
    }
    let environment = fields.remove("environment").filter(|value| !value.is_null());
    let place = environment.as_ref().map(Environment).unwrap_or(Environment(&Value::Null));
    let origin = builder.origin(&place);
    let shard_id = builder.key_of(&place, &["shardId"]);
    let os = builder.key_of(&place, &["osPlatform"]);
    let environment = builder.environment(environment, results.environment_over);

    let mut meta =
        ReportMeta { format: "ctrf".to_owned(), tool, environment, start_ms, stop_ms, ..ReportMeta::default() };
    meta.spec_version = builder.text(root.remove("specVersion"), "", "specVersion");
    meta.document_id = builder.text(root.remove("reportId"), "", "reportId");
    meta.run_key = builder.text(root.remove("runId"), "", "runId");
    meta.timestamp = builder.timestamp(root.remove("timestamp"));
    builder.rest(std::mem::take(root), "", &["generatedBy", "insights", "baseline", "extra"]);
    builder.rest(results.fields, "results", &["extra"]);
    meta.extra = builder.extra;
    Ok(Envelope { meta, origin, shard_id, os, tests, declared_tests: summary.total(), summary, notes: builder.notes })
}

/// Completes what only the tests tell.
pub(crate) fn complete(envelope: &Envelope, tally: Tally) -> Outcome {
    let (summary, counts, mut meta) = (&envelope.summary, tally.counts, envelope.meta.clone());
    let mut notes = envelope.notes.clone();
    notes.append(tally.notes);
    let mut note = |code| notes.add(code, "results", "summary", "", || "results.summary".to_owned());
    meta.partial = summary.total().is_some_and(|declared| declared > counts.tests);
    if summary.missing {
        note(Code::SummaryMissing);
    } else if meta.partial {
        note(Code::Partial);
        meta.declared = Some(summary.counts());
    } else if !summary.agrees(&counts) {
        note(Code::SummaryMismatch);
        meta.declared = Some(summary.counts());
    }
    if meta.start_ms == 0 {
        meta.start_ms = tally.first_start.or_else(|| meta.timestamp.map(epoch_ms)).unwrap_or(0).max(0);
    }
    if meta.stop_ms == 0 {
        meta.stop_ms = tally.last_stop.filter(|stop| *stop >= meta.start_ms).unwrap_or(0);
    }
    let span = (meta.start_ms > 0 && meta.stop_ms >= meta.start_ms).then_some(meta.stop_ms - meta.start_ms);
    meta.duration_ms = span.or(summary.duration).unwrap_or(tally.duration_ms).min(MAX_DURATION);
    Outcome { meta, counts, diagnostics: notes.into_diagnostics() }
}

fn missing(path: &str, message: &str) -> FormatError {
    FormatError::at(MISSING, path, message)
}

fn check_format(root: &mut Map<String, Value>) -> Result<(), FormatError> {
    match root.remove("reportFormat") {
        Some(Value::String(format)) if !format.eq_ignore_ascii_case("ctrf") && !format.is_empty() => {
            let message = format!("`reportFormat` is `{}`; only CTRF can be read.", head(&format, 80));
            Err(FormatError::at(UNSUPPORTED, "reportFormat", message))
        }
        _ => Ok(()),
    }
}

/// The environment; a key is looked for in it, then in its `extra`.
struct Environment<'v>(&'v Value);

impl<'v> Environment<'v> {
    fn find(&self, key: &str) -> Option<&'v Value> {
        let inner = self.0.get("extra");
        self.0.get(key).filter(|value| !value.is_null()).or_else(|| inner?.get(key).filter(|value| !value.is_null()))
    }
}

struct Builder {
    notes: Notes,
    extra: Map<String, Value>,
    extra_left: usize,
}

impl Builder {
    fn note(&mut self, code: Code, place: &'static str, field: &str) {
        self.notes.add(code, place, field, "", || path(place, field));
    }

    /// A short text; numbers are taken as well.
    fn text(&mut self, value: Option<Value>, place: &'static str, field: &str) -> Option<String> {
        let text = match value? {
            Value::Null => return None,
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => {
                self.note(Code::WrongType, place, field);
                return None;
            }
        };
        if text.len() > MAX_KEY {
            self.note(Code::TooLong, place, field);
            return None;
        }
        (!text.is_empty()).then_some(text)
    }

    fn tool(&mut self, tool: Option<Value>) -> Result<Tool, FormatError> {
        let no_name = || missing("results.tool.name", "`results.tool.name` is missing.");
        let mut tool = match tool {
            Some(Value::Object(tool)) => tool,
            None | Some(Value::Null) => return Err(no_name()),
            Some(_) => return Err(FormatError::at(WRONG_TYPE, "results.tool", "`results.tool` must be an object.")),
        };
        let name = match tool.remove("name") {
            Some(Value::String(name)) if !name.trim().is_empty() => name,
            None | Some(Value::Null | Value::String(_)) => return Err(no_name()),
            Some(_) => {
                return Err(FormatError::at(WRONG_TYPE, "results.tool.name", "`results.tool.name` must be a text."));
            }
        };
        if name.len() > MAX_KEY {
            self.note(Code::NameCut, "results.tool", "name");
        }
        let name = head(&name, MAX_KEY).to_owned();
        let version = self.text(tool.remove("version"), "results.tool", "version");
        self.rest(tool, "results.tool", &["extra"]);
        Ok(Tool { name, version })
    }

    /// The summary, start and stop.
    fn summary(&mut self, summary: Option<Value>) -> (Summary, i64, i64) {
        let mut fields = match summary {
            Some(Value::Object(fields)) => fields,
            other => {
                if other.is_some_and(|value| !value.is_null()) {
                    self.note(Code::WrongType, "results", "summary");
                }
                return (Summary { missing: true, ..Summary::default() }, 0, 0);
            }
        };
        let mut count = |field: &str| {
            let value = fields.remove(field).filter(|value| !value.is_null())?;
            let Some(number) = Loose::from(&value).numeric() else {
                self.note(Code::WrongType, "results.summary", field);
                return None;
            };
            let most = if field == "duration" { MAX_DURATION } else { MAX_COUNT };
            let number = number.rounded().filter(|number| (0..=most).contains(number)).map(i64::unsigned_abs);
            if number.is_none() {
                self.note(Code::OutOfRange, "results.summary", field);
            }
            number
        };
        let mut summary = Summary {
            missing: false,
            tests: count("tests"),
            passed: count("passed"),
            failed: count("failed"),
            skipped: count("skipped"),
            pending: count("pending"),
            other: count("other"),
            flaky: count("flaky"),
            duration: count("duration").map(u64::cast_signed),
        };
        // Errors are failures here as they are in the tests.
        for field in ["error", "errors"] {
            if let Some(errors) = count(field) {
                summary.failed = Some(summary.failed.unwrap_or(0).saturating_add(errors));
            }
        }
        let start = self.time(fields.remove("start"), "start");
        let stop = self.time(fields.remove("stop"), "stop");
        if start > 0 && stop > 0 && stop < start {
            self.note(Code::StopBeforeStart, "results.summary", "stop");
            self.rest(fields, "results.summary", &["suites", "extra"]);
            return (summary, start, 0);
        }
        self.rest(fields, "results.summary", &["suites", "extra"]);
        (summary, start, stop)
    }

    /// 0 if unknown.
    fn time(&mut self, value: Option<Value>, field: &str) -> i64 {
        let Some(value) = value else { return 0 };
        let (ms, odd) = match words::time(&Loose::from(&value)) {
            words::Time::At(ms) => (ms, None),
            words::Time::Seconds(ms) => (ms, Some(Code::Seconds)),
            words::Time::Unknown => (0, None),
            words::Time::OutOfRange => (0, Some(Code::OutOfRange)),
            words::Time::Unreadable => (0, Some(Code::WrongType)),
        };
        if let Some(code) = odd {
            self.note(code, "results.summary", field);
        }
        ms
    }

    fn timestamp(&mut self, value: Option<Value>) -> Option<DateTime<Utc>> {
        let value = value.filter(|value| !value.is_null())?;
        let ms = match words::time(&Loose::from(&value)) {
            words::Time::At(_) if value.is_string() => {
                let exact = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
                return exact.map(|time| time.to_utc());
            }
            words::Time::At(ms) | words::Time::Seconds(ms) => ms,
            _ => {
                self.note(Code::WrongType, "", "timestamp");
                return None;
            }
        };
        DateTime::from_timestamp_millis(ms)
    }

    /// The first of `keys` that has a usable value.
    fn key_of(&mut self, environment: &Environment<'_>, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| self.text(environment.find(key).cloned(), "results.environment", key))
    }

    fn origin(&mut self, environment: &Environment<'_>) -> Origin {
        let mut key = |keys: &[&str]| self.key_of(environment, keys);
        Origin {
            branch: key(&["branchName", "branch"]),
            commit: key(&["commit", "commitSha", "commitHash"]),
            base_commit: key(&["baseCommit", "base_commit"]),
            target_branch: key(&["targetBranch", "target_branch", "baseBranch"]),
            pr: key(&["pr", "prNumber", "pullRequest", "pullRequestNumber", "pull_request"]),
            build: key(&["buildNumber", "buildName", "buildId"]),
            build_url: key(&["buildUrl"]),
            repository: key(&["repositoryName", "repository"]),
        }
    }

    fn environment(&mut self, environment: Option<Value>, over: bool) -> Option<Value> {
        if over {
            self.note(Code::EnvironmentTooLarge, "results", "environment");
            return Some(Value::Object(Map::new()));
        }
        if environment.as_ref().is_some_and(|value| !value.is_object()) {
            self.notes.add(Code::NoObject, "results", "environment", "", || "results.environment".to_owned());
        }
        environment
    }

    /// Keeps the remaining fields of an object: the root's by their names, the others' in an object named like their place.
    fn rest(&mut self, fields: Map<String, Value>, place: &'static str, known: &[&str]) {
        let mut kept = Map::new();
        for (name, value) in fields {
            if value.is_null() {
                continue;
            }
            let size = name.len() + value.to_string().len() + 4;
            if size > self.extra_left {
                self.note(Code::ExtraTooLarge, place, &name);
                continue;
            }
            self.extra_left -= size;
            if !known.contains(&name.as_str()) {
                self.note(Code::UnknownField, place, &name);
            }
            kept.insert(name, value);
        }
        if place.is_empty() {
            self.extra.extend(kept);
        } else if !kept.is_empty() {
            let group = place.rsplit('.').next().unwrap_or(place);
            self.extra.insert(group.to_owned(), Value::Object(kept));
        }
    }
}

fn path(place: &str, field: &str) -> String {
    if place.is_empty() { field.to_owned() } else { format!("{place}.{field}") }
}
