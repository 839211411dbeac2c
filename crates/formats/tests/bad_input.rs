//! What bad input gets: a test for each row of the table in the documentation.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{report, take, taken};
use scaledtest_domain::{ErrorKind, report::MAX_TEXT, report::Status};
use scaledtest_formats::{FormatError, Limits, open};
use serde_json::{Value, json};

fn refused(document: impl AsRef<[u8]>) -> FormatError {
    match take(document.as_ref()) {
        Err(error) => error,
        Ok(_) => panic!("taken: {}", String::from_utf8_lossy(document.as_ref())),
    }
}

/// The code and the path of the refusal.
fn refusal(document: &Value) -> (String, String) {
    let error = refused(document.to_string());
    assert_eq!(error.kind(), ErrorKind::Invalid);
    (error.code.to_owned(), error.path.unwrap_or_default())
}

fn pair(code: &str, path: &str) -> (String, String) {
    (code.to_owned(), path.to_owned())
}

#[test]
fn what_is_no_json_or_truncated_is_unreadable_with_an_offset() {
    let whole = report(json!([{"name": "a", "status": "passed"}])).to_string();
    for (document, offset) in [
        ("", 0),
        ("  \n", 0),
        ("hello", 0),
        ("{\"results\": oops}", 13),
        ("{\n\n \"results\": ,}", 16),
        ("{} {}", 4),
        ("\u{feff}{} {}", 7),
        (&whole[..40], 40),
        (&whole[..whole.len() - 1], whole.len() as u64 - 1),
    ] {
        let error = refused(document);
        assert_eq!((error.code, error.offset), ("unreadable_report", Some(offset)), "{document}: {error}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    assert!(refused(&whole[..40]).message.contains("truncated"));
    assert_eq!(refused([0x1f, 0x8b, 8, 0]).code, "unreadable_report");
    assert_eq!(refused([b'{', 0xff, b'}']).code, "unreadable_report");
}

#[test]
fn the_offset_is_that_of_the_document_before_it_was_cleaned() {
    let document = "{\"a\": NaN, \"b\": ?}";
    let error = refused(document);
    assert_eq!(error.offset.unwrap() as usize, document.find('?').unwrap() + 1);
}

#[test]
fn json_without_a_tool_name_is_refused_with_the_path() {
    let tool = |tool: Value| json!({"results": {"tool": tool, "tests": [{"name": "a", "status": "passed"}]}});
    assert_eq!(refusal(&json!({})), pair("missing_field", "results"));
    assert_eq!(refusal(&json!({"results": null})), pair("missing_field", "results"));
    assert_eq!(refusal(&json!({"results": {}})), pair("missing_field", "results.tool.name"));
    assert_eq!(refusal(&tool(json!(null))), pair("missing_field", "results.tool.name"));
    assert_eq!(refusal(&tool(json!({}))), pair("missing_field", "results.tool.name"));
    assert_eq!(refusal(&tool(json!({"name": ""}))), pair("missing_field", "results.tool.name"));
    assert_eq!(refusal(&tool(json!({"name": 1}))), pair("wrong_type", "results.tool.name"));
    assert_eq!(refusal(&tool(json!("jest"))), pair("wrong_type", "results.tool"));
    assert_eq!(refusal(&json!({"results": [1]})), pair("wrong_type", "results"));
    assert_eq!(refusal(&json!([1])), pair("wrong_type", "$"));
}

#[test]
fn other_formats_are_named() {
    for (document, word) in [
        ("<?xml version=\"1.0\"?><testsuites/>", "JUnit"),
        ("{\"metrics\": []}", "pytest-beacon"),
        ("{\"numTotalTests\": 1, \"testResults\": []}", "Jest"),
        ("{\"config\": {}, \"suites\": []}", "Playwright"),
        ("{\"Time\":\"2026-01-01T00:00:00Z\",\"Action\":\"start\"}\n{}", "go test"),
        ("TAP version 13\nok 1", "TAP"),
        ("{\"reportFormat\": \"OTHER\", \"results\": {}}", "OTHER"),
    ] {
        let error = refused(document);
        assert_eq!((error.code, error.kind()), ("unsupported_format", ErrorKind::Invalid), "{document}");
        assert!(error.message.contains(word), "{error}");
    }
}

#[test]
fn tests_that_are_no_array_of_objects_are_refused_with_the_path() {
    assert_eq!(refusal(&report(json!({"a": 1}))), pair("wrong_type", "results.tests"));
    assert_eq!(refusal(&report(json!("none"))), pair("wrong_type", "results.tests"));
    assert_eq!(refusal(&report(json!(null))), pair("missing_field", "results.tests"));
    assert_eq!(refusal(&report(json!([{}, {}, 3]))), pair("wrong_type", "results.tests[2]"));
    assert_eq!(refusal(&report(json!([null]))), pair("wrong_type", "results.tests[0]"));
}

#[test]
fn no_tests_and_none_declared_is_an_empty_report() {
    assert_eq!(refusal(&report(json!([]))), pair("empty_report", "results.tests"));
    let mut document = report(json!([]));
    document["results"]["summary"] = json!({"tests": 0, "passed": 0});
    assert_eq!(refusal(&document), pair("empty_report", "results.tests"));
}

#[test]
fn a_test_without_a_name_is_called_after_its_place() {
    let taken = taken(&report(json!([
        {"name": "a", "status": "passed"},
        {"status": "passed"},
        {"name": "", "status": "passed"},
        {"name": [], "status": "passed"},
    ])));
    let names: Vec<_> = taken.results.iter().map(|result| result.name.as_str()).collect();
    assert_eq!(names, ["a", "(unnamed #2)", "(unnamed #3)", "(unnamed #4)"]);
    assert!(taken.odd().contains(&"name_missing results.tests[1].name".to_owned()));
}

#[test]
fn odd_statuses_are_mapped_and_their_words_are_kept() {
    for (written, status, raw) in [
        (json!("Passed"), Status::Passed, Some("Passed")),
        (json!("error"), Status::Failed, Some("error")),
        (json!("timedOut"), Status::Failed, Some("timedOut")),
        (json!("purple"), Status::Other, Some("purple")),
        (json!(3), Status::Other, Some("3")),
        (json!(["passed"]), Status::Other, None),
        (json!(null), Status::Other, None),
        (json!("skipped"), Status::Skipped, None),
    ] {
        let (result, odd) = common::one(json!({"status": written}));
        assert_eq!((result.status, result.raw_status.as_deref()), (status, raw), "{written}");
        assert_eq!(odd.is_empty(), status == Status::Skipped, "{written}: {odd:?}");
    }
    let (result, _) = common::one(json!({"status": "error", "rawStatus": "setup_failed"}));
    assert_eq!(result.raw_status.as_deref(), Some("setup_failed"));
}

#[test]
fn fields_of_a_wrong_type_are_left_out_and_unknown_ones_are_kept() {
    let (result, odd) = common::one(json!({
        "message": 1, "trace": [], "suite": {}, "filePath": true, "line": "x", "tags": 5, "flaky": "maybe", "retries": {},
        "retryAttempts": {"a": 1}, "steps": [3], "attachments": "a.png", "stdout": 1, "duration": "long", "start": [],
        "browser": {}, "colour": {"a": [1, null]}, "extra": "text",
    }));
    assert_eq!(odd.len(), 16, "{odd:#?}");
    assert!(odd.contains(&"wrong_type results.tests[0].steps[0]".to_owned()), "{odd:#?}");
    assert!(odd.contains(&"unknown_field results.tests[0].colour".to_owned()));
    assert_eq!(Value::Object(result.extra), json!({"colour": {"a": [1, null]}, "extra": "text"}));
    assert_eq!((result.message, result.duration_ms, result.retries), (None, 0, 0));
}

#[test]
fn what_json_forbids_is_read_cleaned_and_noted() {
    let document = b"\xef\xbb\xbf{\"results\": {\"tool\": {\"name\": \"a\"}, \"tests\": [{\"name\": \"bell \x07 nul \0\", \
        \"status\": \"passed\", \"duration\": NaN, \"message\": \"\xff \\ud800 \\u0000\", \"extra\": {\"x\": -Infinity, \"y\": \
        \"\\u0000\"}}]}}";
    let taken = take(document).unwrap();
    let result = &taken.results[0];
    assert_eq!(result.name, "bell \u{7} nul ");
    assert_eq!(result.message.as_deref(), Some("\u{fffd} \u{fffd} "));
    assert_eq!(result.extra["extra"], json!({"x": null, "y": ""}));
    let mut odd = taken.odd();
    odd.sort();
    let expected = ["control_characters $", "invalid_utf8 $", "lone_surrogate $", "not_a_number $", "nul_removed $"];
    assert_eq!(odd[..5], expected);
}

#[test]
fn nul_escapes_are_removed_from_strict_json_too() {
    let mut document = report(json!([{
        "name": "a\0b", "status": "pas\0sed", "suite": ["s\0"], "tags": ["t\0"], "stdout": ["o\0"], "k\0ey": "v\0",
        "extra": {"k\0": ["v\0"]}, "steps": [{"name": "s\0", "status": "passed"}], "browser": "b\0",
        "retryAttempts": [{"status": "failed", "message": "m\0"}],
    }]));
    document["results"]["environment"] = json!({"bran\0ch": "x\0", "commit": "c\0"});
    document["results"]["tool"] = json!({"name": "je\0st"});
    document["ext\0ra"] = json!("x\0");
    let taken = taken(&document);
    let everything = json!({
        "results": taken.results, "meta": taken.outcome.meta, "origin": taken.envelope.origin,
        "diagnostics": taken.outcome.diagnostics,
    });
    assert!(!everything.to_string().contains("\\u0000"), "{everything:#}");
    assert_eq!((taken.results[0].name.as_str(), taken.results[0].status), ("ab", Status::Passed));
    assert!(taken.odd().iter().any(|odd| odd.starts_with("nul_removed results.tests[0].name")));
}

#[test]
fn of_repeated_keys_the_last_one_counts() {
    let document = r#"{"reportId": "x", "reportId": "y", "results": {"tool": {"name": "old"}}, "results": {
        "tool": {"name": "a", "name": "b"}, "tests": [1], "tests": [{"name": "first", "name": "last", "status": "failed",
        "status": "passed", "message": "m", "message": null, "z": 1, "z": 2, "extra": {"q": 1, "q": 2}}]}}"#;
    let document = document.replace("\"tests\": [1], ", "\"tests\": [{\"name\": \"dropped\"}], ");
    let taken = take(document.as_bytes()).unwrap();
    let result = &taken.results[0];
    assert_eq!((taken.results.len(), result.name.as_str(), result.status), (1, "last", Status::Passed));
    assert_eq!((&result.message, &result.extra["z"], &result.extra["extra"]), (&None, &json!(2), &json!({"q": 2})));
    assert_eq!(taken.outcome.meta.tool.name, "b");
    assert_eq!(taken.outcome.meta.document_id.as_deref(), Some("y"));
    for path in ["reportId", "results", "results.tool", "results.tests", "results.tests[0].name", "results.tests[0].z"]
    {
        assert!(taken.odd().contains(&format!("duplicate_key {path}")), "{path}: {:#?}", taken.odd());
    }
}

#[test]
fn a_summary_that_disagrees_or_is_missing_is_computed() {
    let mut document = report(json!([{"name": "a", "status": "passed"}, {"name": "b", "status": "failed"}]));
    let first = taken(&document);
    assert_eq!(first.odd(), ["summary_missing results.summary"]);
    assert_eq!(first.outcome.meta.declared, None);
    document["results"]["summary"] = json!({"tests": 2, "passed": 2, "failed": 0});
    let second = taken(&document);
    assert_eq!(second.odd(), ["summary_mismatch results.summary"]);
    assert_eq!((second.outcome.counts.passed, second.outcome.counts.failed), (1, 1));
    assert_eq!(second.outcome.meta.declared.unwrap().passed, 2);
    assert!(!second.outcome.meta.partial);
    document["results"]["summary"] = json!({"tests": 2, "passed": "1", "failed": 1.0});
    let third = taken(&document);
    assert_eq!((third.odd().len(), third.outcome.meta.declared), (0, None));
}

#[test]
fn fewer_tests_than_declared_is_a_partial_report() {
    for tests in [json!([{"name": "a", "status": "failed"}]), json!([])] {
        let mut document = report(tests);
        document["results"]["summary"] = json!({"tests": 5, "passed": 4, "failed": 1});
        let taken = taken(&document);
        assert!(taken.outcome.meta.partial);
        assert_eq!(taken.outcome.meta.declared.unwrap().passed, 4);
        assert_eq!(taken.envelope.declared_tests, Some(5));
        assert_eq!(taken.odd(), ["partial_report results.summary"]);
    }
}

#[test]
fn long_texts_and_many_attempts_keep_head_and_tail() {
    let long = format!("HEAD{}TAIL", "ü".repeat(MAX_TEXT));
    let attempts: Vec<_> = (1..=50).map(|number| json!({"status": "failed", "message": number.to_string()})).collect();
    let (result, odd) = common::one(json!({
        "message": long, "trace": long, "stdout": long, "stderr": [long, "x", long], "snippet": long,
        "retryAttempts": attempts, "name": "n".repeat(5000),
    }));
    for text in [&result.message, &result.trace, &result.stdout, &result.stderr, &result.snippet] {
        let text = text.as_ref().unwrap();
        assert!(text.len() <= MAX_TEXT && text.starts_with("HEAD") && text.ends_with("TAIL"));
        assert!(text.contains(" bytes left out ...]\n"));
    }
    let numbers: Vec<u32> = result.attempts.iter().map(|attempt| attempt.attempt).collect();
    assert_eq!(numbers, (1..=10).chain(41..=50).collect::<Vec<_>>());
    assert_eq!((result.retries, result.flaky, result.name.len()), (50, true, 4096));
    assert_eq!(odd.iter().filter(|odd| odd.starts_with("text_cut")).count(), 5);
    assert!(odd.contains(&"too_many_attempts results.tests[0].retryAttempts".to_owned()));
    assert!(odd.contains(&"name_cut results.tests[0].name".to_owned()));
}

#[test]
fn nesting_beyond_the_limit_is_refused() {
    let nested = |levels: usize| {
        let mut value = json!(1);
        for level in 0..levels {
            value = if level % 2 == 0 { json!([value]) } else { json!({"a": value}) };
        }
        value
    };
    // The root, `results`, `tests` and the test are four levels.
    let in_test = |levels: usize| report(json!([{"name": "[{", "status": "passed", "deep": nested(levels - 4)}]));
    let in_environment = |levels: usize| {
        let mut document = report(json!([{"name": "a", "status": "passed"}]));
        document["results"]["environment"] = json!({"deep": nested(levels - 3)});
        document
    };
    assert_eq!(taken(&in_test(128)).results.len(), 1);
    assert_eq!(taken(&in_environment(128)).results.len(), 1);
    assert_eq!(refusal(&in_test(129)), pair("too_deep", "results.tests[0]"));
    assert_eq!(refusal(&in_environment(129)), pair("too_deep", "results.environment"));
    assert_eq!(refused("[".repeat(100_000)).code, "unreadable_report");
    let deep = format!("{{\"results\": {}{}}}", "{\"a\":".repeat(50_000), "1".to_owned() + &"}".repeat(50_000));
    assert_eq!(refused(deep).code, "too_deep");
}

#[test]
fn more_tests_than_allowed_are_too_large() {
    let document = report(json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])).to_string();
    let limits = |max_tests| Limits { max_tests, ..Limits::default() };
    assert_eq!(open(document.as_bytes(), limits(3)).unwrap().1.tests, 3);
    let error = open(document.as_bytes(), limits(2)).unwrap_err();
    assert_eq!((error.code, error.kind()), ("too_many_tests", ErrorKind::TooLarge));
    assert!(error.message.contains('2'));
}
