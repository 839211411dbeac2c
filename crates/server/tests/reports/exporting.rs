//! Reports and runs as CTRF: what comes out is what went in.

use crate::{corpus, ctrf, send, support::TestApp, test, upload};
use flate2::read::GzDecoder;
use scaledtest_domain::{ProjectId, report::TestResult};
use scaledtest_formats::{Limits, open};
use serde_json::{Value, json};
use std::{convert::Infallible, io::Read};

fn results(document: &[u8], project: ProjectId) -> Vec<TestResult> {
    let (document, envelope) = open(document, Limits::default()).unwrap();
    let mut results = Vec::new();
    let sink = |result| {
        results.push(result);
        Ok::<_, Infallible>(())
    };
    document.read_tests(&envelope, project, sink).unwrap();
    results
}

fn unpacked(file: &str) -> Vec<u8> {
    let mut document = Vec::new();
    GzDecoder::new(&*corpus(file)).read_to_end(&mut document).unwrap();
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_report_comes_back_whole_and_is_the_same_report_when_sent_again() {
    let server = TestApp::start().await;
    let (ada, bob) = (server.register("ada@example.test").await, server.register("bob@example.test").await);
    let file = "ctrf/playwright-showcase.json.gz";
    let sent = send(&server, &ada.token, "?project=shop", &[], corpus(file)).await.expect(201);
    let path = format!("/api/v1/reports/{}", sent["id"].as_str().unwrap());
    let project: ProjectId =
        server.get(&ada.token, &path).await.expect(200)["project_id"].as_str().unwrap().parse().unwrap();
    let export = server.get(&ada.token, &format!("{path}/ctrf")).await;
    assert_eq!((export.status.as_u16(), export.header("content-type")), (200, Some("application/json")));
    assert!(export.header("content-disposition").unwrap().ends_with(".ctrf.json\""));
    let (before, after) = (results(&unpacked(file), project), results(&export.body, project));
    assert!(before.iter().any(|result| !result.attempts.is_empty()) && before.iter().any(|one| !one.steps.is_empty()));
    assert_eq!(before, after);
    let again = send(&server, &bob.token, "?project=shop", &[], export.body.clone()).await.expect(201);
    assert_eq!(again["summary"], sent["summary"]);
    for kind in ["reports", "runs"] {
        let id = sent[if kind == "runs" { "run_id" } else { "id" }].as_str().unwrap();
        let foreign = server.get(&bob.token, &format!("/api/v1/{kind}/{id}/ctrf")).await;
        foreign.refused(404, if kind == "runs" { "run_not_found" } else { "report_not_found" });
    }
}

#[tokio::test]
async fn a_run_of_several_reports_is_one_document() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let (mut run, mut names) = (Value::Null, Vec::new());
    for shard in 0..3 {
        let tests: Vec<Value> =
            (0..350).map(|n| test(&format!("{shard} {n}"), if n == 7 { "failed" } else { "passed" })).collect();
        names.extend(tests.iter().map(|test| test["name"].clone()));
        let mut report = ctrf(&json!(tests));
        report["results"]["environment"] =
            json!({"branchName": "main", "osPlatform": "linux", "shardId": shard.to_string()});
        run = upload(&server, &ada, &format!("?project=shop&run_id=build-1&shard_id={shard}&shards=3"), &report).await
            ["run_id"]
            .clone();
    }
    let path = format!("/api/v1/runs/{}/ctrf", run.as_str().unwrap());
    let document = server.get(&ada.token, &path).await.expect(200);
    let body = &document["results"];
    let exported: Vec<Value> = body["tests"].as_array().unwrap().iter().map(|test| test["name"].clone()).collect();
    assert_eq!(exported, names);
    assert_eq!((&body["tool"], &document["runId"]), (&json!({"name": "runner", "version": "1.2"}), &json!("build-1")));
    assert_eq!(body["environment"], json!({"branchName": "main", "osPlatform": "linux"}));
    let summary = &body["summary"];
    assert_eq!([&summary["tests"], &summary["passed"], &summary["failed"]], [&json!(1_050), &json!(1_047), &json!(3)]);
    server.get(&ada.token, "/api/v1/runs/no-id/ctrf").await.refused(404, "run_not_found");
}

#[tokio::test]
async fn a_document_that_lost_a_report_on_the_way_breaks_off() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let sent = upload(&server, &ada, "", &ctrf(&json!([test("a", "passed"), test("b", "passed")]))).await;
    sqlx::query("delete from reports.result where idx = 1").execute(&server.app.db).await.unwrap();
    let request = axum::http::Request::get(format!("/api/v1/reports/{}/ctrf", sent["id"].as_str().unwrap()))
        .header("authorization", format!("Bearer {}", ada.token));
    let response = tower::ServiceExt::oneshot(server.router.clone(), request.body(axum::body::Body::empty()).unwrap());
    let body = axum::body::to_bytes(response.await.unwrap().into_body(), usize::MAX).await;
    assert!(body.is_err(), "{body:?}");
}
