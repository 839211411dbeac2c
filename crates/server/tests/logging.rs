//! What is in the log of the server, and what is not. Alone in its process: whoever listens to the log listens to all of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of tests are tests")]

#[path = "support/mod.rs"]
mod support;

use serde_json::json;
use std::{
    io,
    sync::{Arc, Mutex},
};
use support::TestApp;

/// What was logged.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_a_link_to_a_run_holds_is_in_no_log() {
    let logged = Logged::default();
    let writer = logged.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let report =
        json!({"results": {"tool": {"name": "runner"}, "tests": [{"name": "a", "status": "passed", "duration": 1}]}});
    let made = server.post(&ada.token, "/api/v1/reports?project=shop", report).await.expect(201);
    let (run, report) = (made["run_id"].as_str().unwrap(), made["id"].as_str().unwrap());
    let made = server.post(&ada.token, &format!("/api/v1/runs/{run}/shares"), json!({})).await.expect(201);
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    for path in ["", "/results", &format!("/results/{report}/0"), "/nothing"] {
        server.get("", &format!("/api/v1/shared/{token}{path}")).await;
    }
    server.get("", &format!("/shared/{token}")).await;
    server.get("", &format!("/api/v1/shared/{token}0")).await.refused(404, "share_not_found");
    server.delete(&ada.token, &format!("/api/v1/shares/{id}")).await.expect(200);
    let text = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("/api/v1/shared/{token}"), "requests are logged, by their route");
    let found: Vec<&str> = text.lines().filter(|line| line.contains(&token[36..])).collect();
    assert!(found.is_empty(), "{found:#?}");
}
