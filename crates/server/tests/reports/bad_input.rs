//! The table of bad input, a row a test, as HTTP answers. The parser's own tests have the variations.

use crate::{ctrf, send, support::TestApp, test};
use serde_json::{Value, json};
use std::io::Write;

async fn refused(body: impl Into<axum::body::Body>, status: u16, code: &str) -> Value {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let answer = send(&server, &ada.token, "", &[], body).await.refused(status, code);
    assert_eq!(server.get(&ada.token, "/api/v1/reports").await.expect(200)["total"], 0);
    answer
}

async fn accepted(body: impl Into<axum::body::Body>) -> (Value, Value) {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let answer = send(&server, &ada.token, "", &[], body).await.expect(201);
    let path = format!("/api/v1/reports/{}/results", answer["id"].as_str().unwrap());
    let results = server.get(&ada.token, &path).await.expect(200);
    (answer, results)
}

fn codes(answer: &Value) -> Vec<&str> {
    answer["diagnostics"].as_array().unwrap().iter().map(|diagnostic| diagnostic["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_truncated_report_is_400_with_the_offset() {
    let whole = ctrf(&json!([test("a", "passed")])).to_string();
    let answer = refused(whole[..whole.len() - 9].to_owned(), 400, "unreadable_report").await;
    assert!(answer["error"].as_str().unwrap().contains(&(whole.len() - 9).to_string()), "{answer}");
}

#[tokio::test]
async fn something_that_is_no_report_is_400() {
    refused("hello", 400, "unreadable_report").await;
}

#[tokio::test]
async fn an_empty_body_is_400() {
    refused("", 400, "unreadable_report").await;
}

#[tokio::test]
async fn broken_gzip_is_400() {
    refused(vec![0x1f, 0x8b, 8, 0, 1, 2, 3], 400, "unreadable_report").await;
}

#[tokio::test]
async fn a_report_without_a_tool_is_400_with_the_path() {
    let body = json!({"results": {"summary": {}, "tests": [test("a", "passed")]}}).to_string();
    let answer = refused(body, 400, "missing_field").await;
    assert_eq!(answer["details"][0]["field"], "results.tool.name", "{answer}");
}

#[tokio::test]
async fn tests_that_are_no_array_are_400_with_the_path() {
    let body = json!({"results": {"tool": {"name": "x"}, "summary": {}, "tests": {}}}).to_string();
    assert_eq!(refused(body, 400, "wrong_type").await["details"][0]["field"], "results.tests");
}

#[tokio::test]
async fn a_test_that_is_no_object_is_400_with_the_path() {
    let body =
        json!({"results": {"tool": {"name": "x"}, "summary": {}, "tests": [test("a", "passed"), 7]}}).to_string();
    assert_eq!(refused(body, 400, "wrong_type").await["details"][0]["field"], "results.tests[1]");
}

#[tokio::test]
async fn no_tests_and_a_summary_of_zero_is_400() {
    refused(ctrf(&json!([])).to_string(), 400, "empty_report").await;
}

#[tokio::test]
async fn a_test_without_a_name_is_accepted_under_its_number() {
    let (answer, results) = accepted(ctrf(&json!([{"status": "passed", "duration": 1}])).to_string()).await;
    assert!(results["results"][0]["name"].as_str().unwrap().starts_with("(unnamed #"), "{results}");
    assert_eq!(codes(&answer).len(), 1);
}

#[tokio::test]
async fn an_unknown_status_is_other_and_an_odd_one_is_mapped() {
    let tests = json!([test("a", "ERROR"), test("b", "exploded"), {"name": "c", "status": 7, "duration": 1}]);
    let (answer, results) = accepted(ctrf(&tests).to_string()).await;
    let statuses: Vec<_> = results["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| (result["status"].clone(), result["raw_status"].clone()))
        .collect();
    assert_eq!(
        statuses,
        [(json!("failed"), json!("ERROR")), (json!("other"), json!("exploded")), (json!("other"), json!("7"))]
    );
    assert!(!codes(&answer).is_empty());
}

#[tokio::test]
async fn a_wrong_type_in_an_optional_field_costs_only_the_field() {
    let (answer, results) = accepted(
        ctrf(&json!([{"name": "a", "status": "passed", "duration": 1, "line": "ten", "tags": 3}])).to_string(),
    )
    .await;
    assert_eq!((results["total"].as_u64(), results["results"][0].get("line")), (Some(1), None));
    assert!(!codes(&answer).is_empty());
}

#[tokio::test]
async fn what_is_not_strict_json_is_read_and_cleaned() {
    let mut body = br#"{"results": {"tool": {"name": "x"}, "summary": {"tests": 1}, "tests": [{"name": "a"#.to_vec();
    body.extend_from_slice(b"\x01\xff");
    body.extend_from_slice(br#" \u0000b", "status": "failed", "status": "passed", "duration": NaN}]}}"#);
    let (answer, results) = accepted(body).await;
    assert_eq!(results["results"][0]["status"], "passed", "the last of duplicate keys wins");
    assert!(!results["results"][0]["name"].as_str().unwrap().contains('\0'));
    assert!(codes(&answer).len() >= 3, "{answer}");
}

#[tokio::test]
async fn a_summary_that_disagrees_is_overruled() {
    let mut body = ctrf(&json!([test("a", "passed"), test("b", "failed")]));
    body["results"]["summary"]["failed"] = json!(2);
    body["results"]["summary"]["passed"] = json!(0);
    let (answer, _) = accepted(body.to_string()).await;
    assert_eq!((answer["summary"]["failed"].as_u64(), codes(&answer).len()), (Some(1), 1));
}

#[tokio::test]
async fn a_filtered_report_is_partial_and_shows_the_declared_counts() {
    let mut body = ctrf(&json!([test("b", "failed")]));
    body["results"]["summary"]["tests"] = json!(51);
    body["results"]["summary"]["passed"] = json!(50);
    let (answer, results) = accepted(body.to_string()).await;
    assert_eq!(
        (answer["tests"].as_u64(), answer["results"].as_u64(), results["total"].as_u64()),
        (Some(51), Some(1), Some(1))
    );
    assert_eq!(codes(&answer), ["partial_report"]);
}

#[tokio::test]
async fn a_text_over_64_kib_keeps_its_head_and_tail() {
    let message = format!("HEAD{}TAIL", "x".repeat(100_000));
    let tests = json!([{"name": "a", "status": "failed", "duration": 1, "message": message}]);
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let answer = send(&server, &ada.token, "", &[], ctrf(&tests).to_string()).await.expect(201);
    let path = format!("/api/v1/reports/{}/results/0", answer["id"].as_str().unwrap());
    let kept = server.get(&ada.token, &path).await.expect(200)["message"].as_str().unwrap().to_owned();
    assert!(kept.starts_with("HEAD") && kept.ends_with("TAIL") && kept.len() <= 66_000, "{}", kept.len());
    assert_eq!(codes(&answer).len(), 1);
}

#[tokio::test]
async fn nesting_over_128_is_400() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let body = format!(
        r#"{{"results": {{"tool": {{"name": "x"}}, "summary": {{"tests": 1}}, "tests": [{{"name": "a", "status": "passed", "extra": {deep}}}]}}}}"#
    );
    refused(body, 400, "too_deep").await;
}

#[tokio::test]
async fn over_the_size_on_the_wire_is_413_and_names_the_limit() {
    let config = scaledtest_server::config::Config { max_report_wire_bytes: 1000, ..crate::support::config() };
    let server = TestApp::start_with(config).await;
    let ada = server.register("ada@example.test").await;
    let answer = send(&server, &ada.token, "", &[], " ".repeat(1001)).await.refused(413, "report_too_large");
    assert!(answer["error"].as_str().unwrap().contains("1000"), "{answer}");
}

#[tokio::test]
async fn over_the_inflated_size_is_413_for_a_bomb_too() {
    let config = scaledtest_server::config::Config { max_report_bytes: 100_000, ..crate::support::config() };
    let server = TestApp::start_with(config).await;
    let ada = server.register("ada@example.test").await;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..1000 {
        bomb.write_all(&[b' '; 65_536]).unwrap();
    }
    let answer = send(&server, &ada.token, "", &[], bomb.finish().unwrap()).await.refused(413, "report_too_large");
    assert!(answer["error"].as_str().unwrap().contains("100000"), "{answer}");
}

#[tokio::test]
async fn faulty_parameters_are_400_and_all_named() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let body = ctrf(&json!([test("a", "passed")])).to_string();
    let answer =
        send(&server, &ada.token, "?shards=0&execution_id=x", &[], body).await.refused(400, "invalid_parameter");
    let fields: Vec<_> =
        answer["details"].as_array().unwrap().iter().map(|detail| detail["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["shards", "execution_id"]);
}
