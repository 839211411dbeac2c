//! Reports written as CTRF are read as what they were.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Taken, corpus, index, project, report, take, taken};
use proptest::prelude::*;
use scaledtest_domain::{TestId, report::TestResult};
use scaledtest_formats::Writer;
use serde_json::{Value, json};

fn written(taken: &Taken) -> Vec<u8> {
    let mut writer = Writer::new(project());
    let mut document = writer.begin(&taken.outcome.meta, &taken.outcome.counts).unwrap().into_bytes();
    for result in &taken.results {
        writer.test(result, &mut document).unwrap();
    }
    document.extend_from_slice(writer.end().as_bytes());
    assert_eq!(writer.tests(), taken.results.len() as u64);
    document
}

/// Without what is not kept: the word behind an identity of its own, and times that would be read as seconds.
fn kept(result: &TestResult, was_named: bool) -> TestResult {
    let mut result = result.clone();
    let late = |time: &mut Option<i64>| *time = time.filter(|ms| *ms >= 100_000_000_000);
    late(&mut result.start_ms);
    late(&mut result.stop_ms);
    result.attempts.iter_mut().for_each(|attempt| late(&mut attempt.start_ms));
    if was_named {
        result.test_id = TestId::derived(&[b"any"]);
    }
    result
}

fn assert_same(before: &Taken, after: &Taken, of: &str) {
    assert_eq!(before.results.len(), after.results.len(), "{of}");
    for (before, after) in before.results.iter().zip(&after.results) {
        let was_named = before.test_id != after.test_id;
        assert_eq!(kept(before, was_named), kept(after, was_named), "{of}");
    }
    assert_eq!(before.outcome.counts, after.outcome.counts, "{of}");
}

fn assert_same_head(before: &Taken, after: &Taken, of: &str) {
    let (was, is) = (&before.outcome, &after.outcome);
    assert_eq!((was.meta.partial, &was.meta.tool), (is.meta.partial, &is.meta.tool), "{of}");
    assert_eq!((was.meta.start_ms, was.meta.stop_ms), (is.meta.start_ms, is.meta.stop_ms), "{of}");
    assert_eq!((was.meta.duration_ms, was.meta.timestamp), (is.meta.duration_ms, is.meta.timestamp), "{of}");
    assert_eq!((&was.meta.document_id, &was.meta.run_key), (&is.meta.document_id, &is.meta.run_key), "{of}");
    assert_eq!(was.meta.environment.clone().unwrap_or(json!({})), is.meta.environment.clone().unwrap(), "{of}");
    assert_eq!(before.envelope.origin, after.envelope.origin, "{of}");
    let mut extra = was.meta.extra.clone();
    extra.entry("generatedBy").or_insert_with(|| json!("ScaledTest"));
    assert_eq!(extra, is.meta.extra, "{of}");
}

#[test]
fn every_report_of_the_corpus_is_written_and_read_again_as_the_same() {
    let mut named = 0;
    for file in index() {
        let before = take(&corpus(&file.path)).unwrap();
        let document = written(&before);
        let after = take(&document).unwrap_or_else(|error| panic!("{}: {error}", file.path));
        assert_same(&before, &after, &file.path);
        named += before.results.iter().zip(&after.results).filter(|(was, is)| was.test_id != is.test_id).count();
        assert_same_head(&before, &after, &file.path);
    }
    // The one producer that names its tests is the format's own library.
    assert!(named <= 6, "{named}");
}

#[test]
fn suites_that_end_like_the_test_and_words_of_the_reporter_survive() {
    let tests = json!([
        {"name": "a", "status": "passed", "duration": 1, "suite": ["a", "a"]},
        {"name": "b", "status": "passed", "duration": 1, "flaky": true},
        {"name": "c", "status": "passed", "duration": 1, "flaky": true, "retries": 0},
        {"name": "d", "status": "timedOut", "duration": 1, "stdout": ["", "x", ""], "testId": "T-1"},
        {"name": "e", "status": "passed", "duration": 1, "steps": [{"name": "s", "status": "broken", "extra": {"extra": 1}}]},
    ]);
    let before = taken(&report(tests));
    let after = take(&written(&before)).unwrap();
    assert_same(&before, &after, "odd ones");
    assert_eq!(after.results[0].suite, ["a"]);
    assert_eq!([after.results[1].flaky, after.results[2].flaky], [true, false]);
    let again = take(&written(&after)).unwrap();
    assert_ne!(again.results[3].test_id, before.results[3].test_id);
}

fn field() -> impl Strategy<Value = (String, Value)> {
    let text = || "\\PC{0,8}(\n\\PC{0,4})?";
    let number = prop_oneof![Just(0_i64), 0..5_i64, 1_700_000_000_000_i64..1_800_000_000_000];
    let value = prop_oneof![
        text().prop_map(Value::from),
        number.prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop::collection::vec(text(), 0..3).prop_map(Value::from),
        Just(Value::Null),
    ];
    let parts = prop_oneof![
        Just(json!([{"attempt": 1, "status": "failed", "message": "m", "stderr": ["a", "b"]}])),
        Just(json!([{"name": "n", "status": "xfailed", "more": {"deep": [1]}}])),
        Just(json!([{"path": "a/b.png", "attachmentId": "x"}])),
    ];
    let names = [
        "name",
        "status",
        "suite",
        "duration",
        "start",
        "stop",
        "retries",
        "flaky",
        "message",
        "trace",
        "tags",
        "stdout",
        "filePath",
        "line",
        "rawStatus",
        "browser",
        "type",
        "extra",
        "unknown",
        "screenshot",
    ];
    let lists = ["retryAttempts", "steps", "attachments"];
    prop_oneof![
        5 => (prop::sample::select(names.to_vec()), value),
        1 => (prop::sample::select(lists.to_vec()), parts),
    ]
    .prop_map(|(name, value)| (name.to_owned(), value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_report_is_written_and_read_again_as_the_same(tests in prop::collection::vec(prop::collection::vec(field(), 0..10), 1..5)) {
        let tests: Vec<Value> = tests.into_iter().map(|fields| fields.into_iter().collect()).collect();
        let before = taken(&report(json!(tests)));
        let after = take(&written(&before)).unwrap();
        assert_same(&before, &after, "generated");
    }
}
