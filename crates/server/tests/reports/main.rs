//! Reports from outside: sent, read, merged into runs, deleted, watched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of tests are tests")]

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod comparing;
mod corpus;
mod deleting;
mod errors;
mod exporting;
mod gates;
mod histories;
mod idempotency;
mod issues;
mod live;
mod lost_answer;
mod owners;
mod poisoned;
mod proxy;
mod quarantine;
mod reading;
mod renames;
mod retention;
mod sending;

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use support::{Answer, Person, TestApp};

/// A report of these tests.
pub fn ctrf(tests: &Value) -> Value {
    json!({"results": {"tool": {"name": "runner", "version": "1.2"}, "summary": summary(tests), "tests": tests}})
}

fn summary(tests: &Value) -> Value {
    let tests = tests.as_array().unwrap();
    let of = |status: &str| tests.iter().filter(|test| test["status"] == status).count();
    json!({
        "tests": tests.len(), "passed": of("passed"), "failed": of("failed"), "skipped": of("skipped"),
        "pending": of("pending"), "other": of("other"), "start": 0, "stop": 0
    })
}

/// A test of a report.
pub fn test(name: &str, status: &str) -> Value {
    json!({"name": name, "status": status, "duration": 12})
}

/// Sends bytes as a report.
pub async fn send(
    server: &TestApp,
    token: &str,
    query: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    let mut request =
        Request::post(format!("/api/v1/reports{query}")).header("authorization", format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(body.into()).unwrap()).await
}

/// Sends a report that is accepted.
pub async fn upload(server: &TestApp, person: &Person, query: &str, report: &Value) -> Value {
    send(server, &person.token, query, &[], report.to_string()).await.expect(201)
}

/// A file of the corpus, as it lies there (some are gzipped).
pub fn corpus(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
