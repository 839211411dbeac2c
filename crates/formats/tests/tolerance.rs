//! What is read although the schema forbids it, and the rules that need several fields.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{one, report, take, taken};
use scaledtest_domain::report::{MAX_TEXT, decode_chunk, encode_chunk};
use scaledtest_formats::{Limits, ReadError, open};
use serde_json::{Value, json};

#[test]
fn flaky_is_what_passed_after_a_failure() {
    let failed = json!([{"status": "failed"}]);
    let passed = json!([{"status": "passed"}]);
    for (fields, flaky) in [
        (json!({"retryAttempts": failed}), true),
        (json!({"retryAttempts": passed, "flaky": true, "retries": 1}), false),
        (json!({"retries": 2}), true),
        (json!({"retry": 2}), true),
        (json!({"retries": 0, "flaky": true}), false),
        (json!({"flaky": true}), true),
        (json!({"retries": 1, "status": "failed"}), false),
        (json!({}), false),
    ] {
        let (result, odd) = one(fields.clone());
        assert_eq!((result.flaky, odd.len()), (flaky, 0), "{fields} {odd:?}");
        assert_eq!(result.reported_flaky, fields.get("flaky").and_then(Value::as_bool));
    }
}

#[test]
fn suites_are_read_as_text_and_as_list() {
    for (written, expected) in [
        (json!("chromium > cart.spec.ts > Cart"), vec!["chromium", "cart.spec.ts", "Cart"]),
        (json!(["a", null, 3, "b > c"]), vec!["a", "3", "b > c"]),
        (json!("cart > adds"), vec!["cart"]),
        (json!(""), vec![]),
        (json!("Outer.inner"), vec!["Outer.inner"]),
    ] {
        let (result, odd) = one(json!({"suite": written}));
        assert_eq!((result.suite, odd.len()), (expected.iter().map(ToString::to_string).collect(), 0), "{written}");
    }
    let mut wdio = report(json!([{"name": "adds", "status": "passed", "suite": "Outer.inner"}]));
    wdio["results"]["tool"]["name"] = json!("webdriverio");
    assert_eq!(taken(&wdio).results[0].suite, ["Outer", "inner"]);
}

#[test]
fn times_durations_and_numbers_are_read_loosely() {
    let (result, odd) = one(json!({"start": 1_794_721_683, "stop": 1_794_721_680, "duration": -5, "line": "12"}));
    assert_eq!((result.start_ms, result.stop_ms, result.duration_ms), (Some(1_794_721_683_000), None, 0));
    assert_eq!(result.line, Some(12));
    for expected in ["seconds_not_milliseconds", "stop_before_start", "negative_duration"] {
        assert!(odd.iter().any(|odd| odd.starts_with(expected)), "{expected}");
    }
    let (result, odd) = one(json!({"start": 1_794_721_683_000.4, "stop": 0, "duration": 12.5, "retries": "2"}));
    assert_eq!((result.start_ms, result.duration_ms, result.retries), (Some(1_794_721_683_000), 13, 2));
    assert_eq!(odd.len(), 0);
    let (result, odd) = one(json!({"duration": 1e300, "line": 5e9, "retries": -1}));
    assert_eq!((result.duration_ms, result.line, result.retries, odd.len()), (0, None, 0, 3));
}

#[test]
fn nulls_and_empty_texts_are_absent() {
    let fields = json!({"message": "", "trace": null, "stdout": [], "suite": null, "tags": null, "allureId": null,
        "retryAttempts": null, "attachments": null, "extra": null, "browser": "", "line": null});
    let (result, odd) = one(fields);
    let (bare, _) = one(json!({}));
    assert_eq!((result, odd.len()), (bare, 0));
}

#[test]
fn a_picture_is_only_mentioned() {
    for (picture, kind) in [
        ("iVBORw0KGgoAAAANSUhEUg", "image/png"),
        ("data:image/jpeg;base64,/9j/4AAQ", "image/jpeg"),
        ("something", "application/octet-stream"),
    ] {
        let (result, odd) = one(json!({"screenshot": picture}));
        let attachment = &result.attachments[0];
        assert_eq!((attachment.path.as_str(), attachment.content_type.as_str()), ("inline:screenshot", kind));
        assert_eq!(odd, ["inline_screenshot results.tests[0].screenshot"]);
        assert!(!json!(result).to_string().contains(picture));
    }
}

#[test]
fn additional_data_is_bounded_and_the_rest_is_kept() {
    let (result, odd) = one(json!({"a": "x".repeat(40_000), "b": ["y".repeat(40_000)], "c": {"small": true}}));
    assert_eq!(result.extra.keys().collect::<Vec<_>>(), ["a", "c"]);
    assert!(odd.contains(&"extra_too_large results.tests[0].b".to_owned()), "{odd:?}");
    let mut document = report(json!([{"name": "a", "status": "passed"}]));
    document["results"]["environment"] = json!({"branchName": "main", "dump": "x".repeat(70_000)});
    let taken = taken(&document);
    assert_eq!(taken.outcome.meta.environment, Some(json!({})));
    assert_eq!(taken.envelope.origin.branch.as_deref(), Some("main"));
    assert!(taken.odd().contains(&"environment_too_large results.environment".to_owned()));
}

#[test]
fn the_origin_comes_from_the_environment() {
    let mut document = report(json!([{"name": "a", "status": "passed"}]));
    document["results"]["environment"] = json!({"branch": "topic", "repository": "shop", "buildNumber": 41,
        "buildUrl": "https://ci.example.test/41", "osPlatform": "linux", "shardId": 2, "extra": {"pr": 7}});
    let taken = taken(&document);
    let origin = &taken.envelope.origin;
    assert_eq!(
        (origin.branch.as_deref(), origin.repository.as_deref(), origin.build.as_deref(), origin.pr.as_deref()),
        (Some("topic"), Some("shop"), Some("41"), Some("7"))
    );
    assert_eq!(taken.envelope.shard_id.as_deref(), Some("2"));
    assert_eq!(taken.results[0].variant.os.as_deref(), Some("linux"));
    document["results"]["environment"] = json!("verbatim");
    assert_eq!(common::taken(&document).outcome.meta.environment, Some(json!("verbatim")));
}

#[test]
fn run_times_come_from_the_summary_else_from_the_tests_else_from_the_timestamp() {
    let tests = json!([
        {"name": "a", "status": "passed", "duration": 5, "start": 1_794_721_683_000_i64, "stop": 1_794_721_684_000_i64},
        {"name": "b", "status": "passed", "duration": 7, "start": 1_794_721_682_000_i64},
    ]);
    let mut document = report(tests);
    let times = |document: &Value| {
        let meta = taken(document).outcome.meta;
        (meta.start_ms, meta.stop_ms, meta.duration_ms)
    };
    document["results"]["summary"] = json!({"start": 1_794_721_000_000_i64, "stop": 1_794_721_000_900_i64});
    assert_eq!(times(&document), (1_794_721_000_000, 1_794_721_000_900, 900));
    document["results"]["summary"] = json!({"start": 0, "stop": 0});
    assert_eq!(times(&document), (1_794_721_682_000, 1_794_721_684_000, 2000));
    document["results"]["tests"] =
        json!([{"name": "a", "status": "passed", "duration": 5}, {"name": "b", "duration": 7}]);
    document["timestamp"] = json!("2026-11-15T05:48:03.123Z");
    assert_eq!(times(&document), (1_794_721_683_123, 0, 12));
}

#[test]
fn one_unreadable_test_is_cleaned_alone() {
    let test = |name: &str, more: &str| format!("{{\"name\": \"{name}\", \"status\": \"ok\"{more}}}");
    let tests = [test("a", ""), test("half \\ud800", ""), test("c", ", \"extra\": [1e999]"), test("d", "")];
    let document = format!("{{\"results\": {{\"tool\": {{\"name\": \"x\"}}, \"tests\": [{}]}}}}", tests.join(","));
    let taken = take(document.as_bytes()).unwrap();
    let names: Vec<_> = taken.results.iter().map(|result| result.name.as_str()).collect();
    assert_eq!(names, ["a", "half \u{fffd}", "c", "d"]);
    let counts: Vec<_> = taken.outcome.diagnostics.iter().map(|odd| (odd.code.as_str(), odd.count)).collect();
    assert_eq!(counts, [("status_mapped", 4), ("lone_surrogate", 1), ("not_a_number", 1), ("summary_missing", 1)]);
}

#[test]
fn the_sinks_error_stops_the_reading() {
    let document = report(json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])).to_string();
    let (document, envelope) = open(document.as_bytes(), Limits::default()).unwrap();
    let mut seen = 0;
    let stopped = document.read_tests(&envelope, common::project(), |_| {
        seen += 1;
        if seen == 2 { Err("full") } else { Ok(()) }
    });
    assert!(matches!(stopped, Err(ReadError::Sink("full"))));
    assert_eq!(seen, 2);
}

#[test]
fn diagnostics_are_counted_by_kind_and_bounded() {
    let tests: Vec<_> = (0..300).map(|n| json!({"name": "a", "status": "Passed", format!("odd{n}"): 1})).collect();
    let taken = taken(&report(json!(tests)));
    let diagnostics = &taken.outcome.diagnostics;
    assert_eq!(diagnostics.len(), 100);
    assert_eq!((diagnostics[0].count, diagnostics[0].code.as_str()), (1, "unknown_field"));
    let mapped = diagnostics.iter().find(|odd| odd.code == "status_mapped").unwrap();
    assert_eq!((mapped.path.as_str(), mapped.count), ("results.tests[0].status", 300));
    let last = diagnostics.last().unwrap();
    assert_eq!((last.code.as_str(), last.count), ("diagnostics_left_out", 203));
}

#[test]
fn the_largest_result_still_fits_a_chunk() {
    // A control character takes six bytes of JSON.
    let text = |length| "\u{1}".repeat(length);
    let (huge, long) = (text(MAX_TEXT), text(4096));
    let texts = json!({"message": huge, "trace": huge, "snippet": huge, "stdout": huge, "stderr": huge});
    let mut attempt = texts.clone();
    attempt["status"] = json!("failed");
    let mut test = texts;
    test["retryAttempts"] = json!(vec![attempt; 20]);
    test["steps"] = json!(vec![json!({"name": text(2048), "status": "passed"}); 501]);
    test["attachments"] = json!(vec![json!({"name": long, "path": long, "contentType": text(256)}); 101]);
    for field in ["suite", "tags"] {
        test[field] = json!(vec![&long; 101]);
    }
    for field in ["name", "filePath", "browser", "device"] {
        test[field] = json!(long);
    }
    test["a"] = json!(text(60_000));
    let (result, odd) = one(test);
    assert_eq!((result.attempts.len(), result.message.as_ref().map(String::len)), (20, Some(MAX_TEXT)));
    assert!(odd.contains(&"result_shortened results.tests[0]".to_owned()), "{odd:?}");
    let chunk = encode_chunk(std::slice::from_ref(&result)).unwrap();
    assert_eq!(decode_chunk(&chunk).unwrap(), [result]);
}

/// Letters that no compression makes fewer, out of `alphabet`.
struct Noise(u64);

impl Noise {
    fn text(&mut self, alphabet: &[char], length: usize) -> String {
        let mut letter = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            alphabet[(self.0 >> 33) as usize % alphabet.len()]
        };
        let mut text = String::new();
        while text.len() < length {
            text.push(letter());
        }
        text
    }
}

/// Printable, control characters, whatever takes an escape, and beyond ASCII.
fn alphabets() -> [Vec<char>; 4] {
    let all = |range: std::ops::Range<u32>| range.filter_map(char::from_u32).collect::<Vec<_>>();
    [all(0x20..0x7f), all(1..0x20), all(1..0x80), all(0x80..0x7ff)]
}

/// Payload and headers of a message of the log.
const MESSAGE: usize = 1024 * 1024 - 4096;

#[test]
fn the_largest_result_fits_a_message_and_keeps_what_matters_most() {
    for alphabet in alphabets() {
        let mut noise = Noise(1);
        let mut text = |length| noise.text(&alphabet, length);
        let mut texts = || {
            let mut texts = json!({"status": "failed"});
            for field in ["message", "trace", "snippet", "stdout", "stderr"] {
                texts[field] = json!(text(MAX_TEXT));
            }
            texts
        };
        let mut test = texts();
        test["retryAttempts"] = (0..20).map(|_| texts()).collect();
        let (only_texts, odd) = one(test.clone());
        assert_eq!(odd.iter().filter(|odd| odd.starts_with("result_shortened")).count(), 1);
        let lengths = |attempt: &scaledtest_domain::report::Attempt| attempt.message.as_ref().map(String::len);
        assert_eq!(only_texts.message.as_ref().map(|text| json!(text)), Some(test["message"].clone()));
        assert!(lengths(&only_texts.attempts[0]).unwrap() <= 1024, "the oldest attempt goes first");
        assert_eq!(
            lengths(&only_texts.attempts[19]),
            Some(test["retryAttempts"][19]["message"].as_str().unwrap().len())
        );

        test["steps"] = (0..500).map(|_| json!({"name": text(2048), "status": "passed"})).collect();
        test["attachments"] = (0..100).map(|_| json!({"name": text(4096), "path": text(4096)})).collect();
        test["suite"] = (0..64).map(|_| json!(text(4096))).collect();
        test["tags"] = (0..100).map(|_| json!(text(256))).collect();
        test["extra"] = json!(text(40_000));
        let (everything, _) = one(test);
        assert_eq!((everything.attempts.len(), everything.suite.len()), (20, 64));
        for result in [only_texts, everything] {
            let chunk = encode_chunk(std::slice::from_ref(&result)).unwrap();
            assert!(chunk.len() < MESSAGE, "{} bytes of {:?}", chunk.len(), alphabet[0]);
        }
    }
}

#[test]
fn what_a_commit_says_of_the_largest_report_fits_a_message() {
    for alphabet in alphabets() {
        let mut noise = Noise(2);
        let mut text = |length| noise.text(&alphabet, length);
        let mut document = report((0..200).map(|_| json!({"name": "a", "status": "passed", text(600): 1})).collect());
        for number in 0..30 {
            document[format!("odd{number}")] = json!(text(5000));
        }
        document["results"]["environment"] = json!({"odd": text(50_000)});
        for key in ["branch", "commit", "baseCommit", "targetBranch", "pr", "buildId", "buildUrl", "repository"] {
            document["results"]["environment"][key] = json!(text(1000));
        }
        let taken = taken(&document);
        assert_eq!(taken.outcome.diagnostics.len(), 100);
        assert!(taken.outcome.meta.environment.is_some() && !taken.outcome.meta.extra.is_empty());
        let said = serde_json::to_vec(&(taken.outcome.meta, taken.envelope.origin, taken.outcome.diagnostics)).unwrap();
        let said = scaledtest_domain::compress(&said).unwrap();
        // Tags and what the upload's parameters say take the rest, a few dozen KiB.
        assert!(said.len() < MESSAGE / 2, "{} bytes", said.len());
    }
}

#[test]
fn a_summary_beyond_all_bounds_is_left_out() {
    let mut document = report(json!([{"name": "a", "status": "passed", "duration": 31_557_600_000_000_i64}, {
        "name": "b", "status": "passed", "duration": 31_557_600_000_000_i64,
    }]));
    document["results"]["summary"] = json!({"tests": i64::MAX, "passed": 1e30, "duration": i64::MAX});
    let taken = taken(&document);
    assert_eq!(taken.envelope.declared_tests, None);
    assert_eq!(taken.outcome.meta.duration_ms, 31_557_600_000_000, "a sum is bounded, too");
    let odd = ["tests", "passed", "duration"].map(|field| format!("out_of_range results.summary.{field}"));
    assert_eq!(taken.odd(), odd);
}
