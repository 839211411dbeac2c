//! Whatever comes: an answer, never a panic.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{corpus, take};
use proptest::prelude::*;
use scaledtest_domain::report::{decode_chunk, encode_chunk};
use scaledtest_formats::{Limits, Tally, open};
use serde_json::{Value, json};
use std::convert::Infallible;

const TEST: &[&str] = &[
    "name",
    "status",
    "duration",
    "suite",
    "filePath",
    "start",
    "stop",
    "retries",
    "retry",
    "rawStatus",
    "flaky",
    "tags",
    "stdout",
    "stderr",
    "steps",
    "attachments",
    "message",
    "trace",
    "line",
    "snippet",
    "retryAttempts",
    "browser",
    "device",
    "testId",
    "screenshot",
    "extra",
    "parameters",
    "labels",
    "unheard",
];
const ATTEMPT: &[&str] = &[
    "attempt",
    "status",
    "duration",
    "start",
    "stop",
    "message",
    "trace",
    "line",
    "snippet",
    "stdout",
    "attachments",
    "x",
];
const PART: &[&str] = &["name", "status", "contentType", "path", "attachmentId", "extra", "x"];
const ROOT: &[&str] = &[
    "reportFormat",
    "specVersion",
    "reportId",
    "runId",
    "timestamp",
    "generatedBy",
    "insights",
    "extra",
    "results",
    "x",
];
const RESULTS: &[&str] = &["tool", "summary", "tests", "environment", "extra", "x"];
const SUMMARY: &[&str] =
    &["tests", "passed", "failed", "skipped", "other", "error", "start", "stop", "duration", "suites"];
const ENVIRONMENT: &[&str] = &["branchName", "commit", "buildNumber", "osPlatform", "shardId", "extra", "x"];

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-10_i64..10).prop_map(Value::from),
        "[a-zé\\x00\\x1b >./0-9-]{0,12}".prop_map(Value::from),
        prop::sample::select(&["passed", "failed", "Error", "CTRF", "1794721683", "a > b"][..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\\x00]{0,4}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// An object with some of these fields, each of any type.
fn object(fields: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let field = prop::sample::select(fields);
    prop::collection::btree_map(field, anything(), 0..fields.len()).prop_map(|map| json!(map))
}

fn test() -> impl Strategy<Value = Value> {
    let list = |fields| prop::collection::vec(prop_oneof![4 => object(fields), 1 => anything()], 0..4);
    let parts = (object(TEST), list(ATTEMPT), list(PART), list(PART), any::<[bool; 3]>());
    parts.prop_map(|(mut test, attempts, steps, attachments, use_them)| {
        let nested = [("retryAttempts", attempts), ("steps", steps), ("attachments", attachments)];
        for ((field, value), wanted) in nested.into_iter().zip(use_them) {
            if wanted {
                test[field] = json!(value);
            }
        }
        test
    })
}

/// Whatever is taken can be stored; whatever is refused says where, unless it is the format.
fn check(document: &Value) -> Result<bool, TestCaseError> {
    match take(document.to_string().as_bytes()) {
        Ok(taken) => {
            let last = document["results"]["tests"].as_array().map_or(0, Vec::len);
            prop_assert_eq!(taken.results.len(), last);
            prop_assert_eq!(taken.outcome.counts.tests, last as u64);
            let all = json!([taken.results, taken.outcome.meta, taken.outcome.diagnostics, taken.envelope.origin])
                .to_string();
            prop_assert!(!all.contains("\\u0000"));
            let chunk = encode_chunk(&taken.results).unwrap();
            prop_assert_eq!(decode_chunk(&chunk).unwrap().len(), last);
            for result in &taken.results {
                prop_assert!(result.duration_ms >= 0 && !result.name.is_empty());
            }
            Ok(true)
        }
        Err(error) => {
            prop_assert!(error.path.is_some() || error.code == "unsupported_format", "{:?}", error);
            Ok(false)
        }
    }
}

/// Such a part is no UTF-8, and what it is read as is longer than it is.
#[test]
fn a_report_cut_within_a_character_ends_where_it_was_cut() {
    let whole = common::report(json!([{"name": "Zürich → Genève 🚆", "status": "passed"}])).to_string();
    let inside: Vec<usize> = (0..whole.len()).filter(|cut| !whole.is_char_boundary(*cut)).collect();
    assert_eq!(inside.len(), 7);
    for cut in inside {
        let error = take(&whole.as_bytes()[..cut]).err().unwrap();
        assert_eq!((error.code, error.offset), ("unreadable_report", Some(cut as u64)), "{error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_value_in_any_field_of_a_test_is_taken(tests in prop::collection::vec(test(), 1..4)) {
        prop_assert!(check(&common::report(json!(tests)))?);
    }

    /// Also with a byte order mark before it, and with what has to be cleaned first.
    #[test]
    fn however_its_tests_are_divided_a_document_says_the_same(
        tests in prop::collection::vec(test(), 1..6), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        has_mark in any::<bool>(), has_nan in any::<bool>(),
    ) {
        let mut tests = tests;
        if has_nan { tests[0]["odd"] = json!("no number"); }
        let mut text = common::report(json!(tests)).to_string().replace("\"no number\"", "NaN");
        if has_mark { text.insert(0, '\u{feff}'); }
        let whole = take(text.as_bytes()).unwrap();
        let (document, envelope) = open(text.into_bytes(), Limits::default()).unwrap();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(tests.len() + 1)).chain([0, tests.len()]).collect();
        cuts.sort_unstable();
        let (mut tally, mut results) = (Tally::default(), Vec::new());
        for part in cuts.windows(2) {
            let sink = |result| {
                results.push(result);
                Ok::<_, Infallible>(())
            };
            tally.append(document.read_part(&envelope, common::project(), part[0]..part[1], sink).unwrap());
        }
        let outcome = envelope.complete(tally);
        prop_assert_eq!(results, whole.results);
        prop_assert_eq!((outcome.counts, outcome.meta), (whole.outcome.counts, whole.outcome.meta));
        prop_assert_eq!(outcome.diagnostics, whole.outcome.diagnostics);
    }

    #[test]
    fn any_value_in_any_other_field_is_taken_or_refused_with_a_path(
        root in object(ROOT), results in object(RESULTS), summary in object(SUMMARY), environment in object(ENVIRONMENT),
        tool in object(&["name", "version", "extra"]), nested in any::<[bool; 5]>(),
    ) {
        let (mut root, mut results) = (root, results);
        if nested[0] { results["summary"] = summary; }
        if nested[1] { results["environment"] = environment; }
        if nested[2] { results["tool"] = tool; }
        if nested[3] { results["tests"] = json!([{"name": "a", "status": "passed"}]); }
        if nested[4] { root["results"] = results; }
        check(&root)?;
    }

    #[test]
    fn a_truncated_report_is_refused_at_its_end(file in 0_usize..4, cut in any::<prop::sample::Index>()) {
        let files = ["jest-showcase.json", "pytest-json-ctrf-showcase.json", "ctrf-lib-all-fields.json", "playwright-shards/shard-1-of-3.json"];
        let whole = corpus(&format!("ctrf/{}", files[file]));
        let end = whole.trim_ascii_end().len();
        let part = &whole[..cut.index(end)];
        let error = take(part).err().unwrap();
        prop_assert_eq!(error.code, "unreadable_report");
        prop_assert!(error.offset.unwrap() <= part.len() as u64);
    }

    #[test]
    fn a_damaged_report_never_panics(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = corpus("ctrf/ctrf-lib-all-fields.json");
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(taken) = take(&bytes) {
            prop_assert_eq!(taken.outcome.counts.tests as usize, taken.results.len());
        }
    }
}
