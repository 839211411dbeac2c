//! The same upload twice is one report.

use crate::{ctrf, send, support::TestApp, test, upload};
use futures_util::future::join_all;
use scaledtest_domain::{ProjectId, ReportId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn report(name: &str) -> Value {
    ctrf(&json!([test(name, "passed")]))
}

fn with_id(name: &str, id: &str) -> Value {
    let mut report = report(name);
    report["reportId"] = json!(id);
    report
}

const ID: &str = "6f0a3f0e-6a53-4c52-9f5e-7d8b8f6f2c11";

async fn total(server: &TestApp, token: &str) -> Value {
    server.get(token, "/api/v1/reports").await.expect(200)["total"].clone()
}

#[tokio::test]
async fn the_same_key_and_body_is_the_first_answer_again() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let key = [("idempotency-key", "build-1")];
    let first = send(&server, &ada.token, "?branch=main", &key, report("a").to_string()).await.expect(201);
    server.advance(60);
    let second = send(&server, &ada.token, "?branch=main", &key, report("a").to_string()).await.expect(201);
    assert_eq!(first, second);
    assert_eq!(total(&server, &ada.token).await, 1);
}

#[tokio::test]
async fn the_same_key_with_another_body_or_other_parameters_is_422() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let key = [("idempotency-key", "build-1")];
    send(&server, &ada.token, "", &key, report("a").to_string()).await.expect(201);
    send(&server, &ada.token, "", &key, report("b").to_string()).await.refused(422, "idempotency_key_reused");
    send(&server, &ada.token, "?branch=x", &key, report("a").to_string()).await.refused(422, "idempotency_key_reused");
    assert_eq!(total(&server, &ada.token).await, 1);
}

#[tokio::test]
async fn a_key_that_met_a_known_document_stands_for_that_request_too() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let (body, key) = (with_id("a", ID).to_string(), [("idempotency-key", "build-1")]);
    let first = upload(&server, &ada, "", &with_id("a", ID)).await;
    assert_eq!(send(&server, &ada.token, "", &key, body.clone()).await.expect(201), first);
    assert_eq!(send(&server, &ada.token, "", &key, body.clone()).await.expect(201), first);
    for (query, other) in [("", report("b").to_string()), ("", with_id("b", ID).to_string()), ("?branch=x", body)] {
        send(&server, &ada.token, query, &key, other).await.refused(422, "idempotency_key_reused");
    }
    assert_eq!(total(&server, &ada.token).await, 1);

    let (keyed, other_key) = (with_id("c", "another id"), [("idempotency-key", "build-2")]);
    let third = send(&server, &ada.token, "", &[("idempotency-key", "build-3")], keyed.to_string()).await.expect(201);
    assert_eq!(send(&server, &ada.token, "", &other_key, keyed.to_string()).await.expect(201), third);
    send(&server, &ada.token, "", &other_key, report("d").to_string()).await.refused(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_key_that_met_a_known_document_is_free_once_that_is_deleted() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let key = [("idempotency-key", "build-1")];
    let mut last = Value::Null;
    for name in ["a", "b"] {
        let first = upload(&server, &ada, "", &with_id(name, ID)).await;
        let again = send(&server, &ada.token, "", &key, with_id(name, ID).to_string()).await.expect(201);
        assert_eq!(again, first);
        assert_ne!(first["id"], last);
        last = first["id"].clone();
        server.delete(&ada.token, &format!("/api/v1/reports/{}", last.as_str().unwrap())).await.expect(200);
    }
    let own = send(&server, &ada.token, "", &key, report("c").to_string()).await.expect(201);
    assert_ne!(own["id"], last);
    send(&server, &ada.token, "", &key, report("d").to_string()).await.refused(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_key_is_the_teams_own() {
    let server = TestApp::start().await;
    let (ada, eve) = (server.register("ada@example.test").await, server.register("eve@example.test").await);
    let key = [("idempotency-key", "build-1")];
    let first = send(&server, &ada.token, "", &key, report("a").to_string()).await.expect(201);
    let other = send(&server, &eve.token, "", &key, report("b").to_string()).await.expect(201);
    assert_ne!(first["id"], other["id"]);
}

#[tokio::test]
async fn the_same_document_again_is_the_first_answer_and_another_under_its_id_a_report_with_a_diagnostic() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let first = upload(&server, &ada, "", &with_id("a", ID)).await;
    assert_eq!(upload(&server, &ada, "", &with_id("a", ID)).await, first);
    let other = upload(&server, &ada, "", &with_id("b", ID)).await;
    assert_ne!(other["id"], first["id"]);
    assert_eq!(other["diagnostics"][0]["code"], "duplicate_report_id");
    assert_eq!(upload(&server, &ada, "", &with_id("b", ID)).await, other, "and that one again is its first answer");
    assert_eq!(total(&server, &ada.token).await, 2);
    let elsewhere = upload(&server, &ada, "?project=elsewhere", &with_id("a", ID)).await;
    assert_eq!(elsewhere["diagnostics"], json!([]), "the id is unique in its project");
}

#[tokio::test]
async fn without_key_and_id_two_uploads_are_two_reports() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    upload(&server, &ada, "", &report("a")).await;
    upload(&server, &ada, "", &report("a")).await;
    assert_eq!(total(&server, &ada.token).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_copies_at_once_are_one_report() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let (body, key) = (report("a").to_string(), [("idempotency-key", "build-1")]);
    let copies = join_all((0..20).map(|_| send(&server, &ada.token, "", &key, body.clone()))).await;
    let answers: BTreeSet<String> = copies.into_iter().map(|answer| answer.expect(201).to_string()).collect();
    assert_eq!(answers.len(), 1, "all twenty get the same answer");
    let body = with_id("b", ID).to_string();
    let copies = join_all((0..20).map(|_| send(&server, &ada.token, "", &[], body.clone()))).await;
    let answers: BTreeSet<String> = copies.into_iter().map(|answer| answer.expect(201).to_string()).collect();
    assert_eq!(answers.len(), 1, "all twenty get the same answer");
    assert_eq!(total(&server, &ada.token).await, 2);
}

#[tokio::test]
async fn an_upload_that_broke_off_after_its_claim_is_finished_by_the_retry() {
    use scaledtest_commands::claim;
    use scaledtest_domain::{ClaimId, Hash16, Kind, StreamId};
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let body = with_id("a", ID).to_string();
    let hash = Hash16::of(body.as_bytes());
    let project = ProjectId::derived(&[ada.team.0.as_bytes(), b"runner"]);
    let claimed = ClaimId::derived(&[b"document", project.0.as_bytes(), ID.as_bytes()]);
    let holder = ReportId::derived(&[b"document", project.0.as_bytes(), ID.as_bytes(), &hash.0]);
    let meta = server.command();
    let take = claim::Command::Take { holder: holder.0, content: Some(hash) };
    server.app.log.execute::<claim::Claim>(StreamId::of(ada.team, Kind::Claim, claimed), take, &meta).await.unwrap();
    let answer = send(&server, &ada.token, "", &[], body).await.expect(201);
    assert_eq!(answer["id"], holder.to_string());
    assert_eq!(answer["diagnostics"], json!([]));
}

#[tokio::test]
async fn a_retry_after_a_lost_answer_finds_the_first_commit() {
    // The first answer never reached the client: a crash between the log and the answer looks like this to a retry.
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let key = [("idempotency-key", "build-1")];
    let before = server.app.log.last().await.unwrap().n;
    let lost = send(&server, &ada.token, "", &key, report("a").to_string()).await;
    let position = lost.header("st-position").unwrap().to_owned();
    let after = server.app.log.last().await.unwrap().n;
    assert_eq!(after - before, 2, "the project and the report");
    let retry = send(&server, &ada.token, "", &key, report("a").to_string()).await;
    assert_eq!(retry.header("st-position"), Some(position.as_str()));
    assert_eq!(server.app.log.last().await.unwrap().n, after, "nothing was written again");
}

#[tokio::test]
async fn a_refused_document_leaves_nothing_behind_and_does_not_hold_its_id() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let good = with_id("a", ID).to_string();
    let bad = good[..good.len() - 3].to_owned();
    let refused = send(&server, &ada.token, "", &[], bad).await;
    assert!(refused.status.is_client_error(), "{:?}", refused.body);
    let answer = send(&server, &ada.token, "", &[], good).await.expect(201);
    assert_eq!(answer["diagnostics"], json!([]), "nobody else has the id");
    let (uploads, _) = server.app.log.chunk_uploads(0).await.unwrap();
    assert_eq!(uploads.len(), 1, "only the accepted report has chunks");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_copies_at_once_are_one_report_on_a_real_log_too() {
    scaledtest_testkit::install_crypto();
    let nats = scaledtest_testkit::nats().await;
    let options = scaledtest_eventlog::NatsOptions::new(nats.url());
    let log = scaledtest_eventlog::EventLog::connect(options).await.unwrap();
    let database = scaledtest_testkit::database().await;
    let server = TestApp::start_on(crate::support::config(), database, log).await;
    let ada = server.register("ada@example.test").await;
    let (body, key) = (with_id("a", ID).to_string(), [("idempotency-key", "build-1")]);
    let copies = join_all((0..20).map(|_| send(&server, &ada.token, "", &key, body.clone()))).await;
    let answers: BTreeSet<String> = copies.into_iter().map(|answer| answer.expect(201).to_string()).collect();
    assert_eq!(answers.len(), 1, "all twenty get the same answer");
    assert_eq!(total(&server, &ada.token).await, 1);
}
