//! What is deleted is gone, and its ids are free.

use crate::{ctrf, send, support::TestApp, test, upload};
use scaledtest_domain::{Event, Kind, ReportId, StreamId, events::report::Event as ReportEvent};
use scaledtest_eventlog::ChunkError;
use serde_json::json;

#[tokio::test]
async fn rows_results_chunks_and_document_are_gone() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let answer = upload(&server, &ada, "", &ctrf(&json!([test("a", "failed")]))).await;
    let (id, run) = (answer["id"].as_str().unwrap(), answer["run_id"].as_str().unwrap());
    let path = format!("/api/v1/reports/{id}");
    let report: ReportId = id.parse().unwrap();
    let history = server.app.log.load(&StreamId::of(ada.team, Kind::Report, report)).await.unwrap();
    let Event::Report(ReportEvent::Ingested(ingested)) = history[0].commit.decode_events().unwrap().remove(0) else {
        panic!()
    };

    assert_eq!(server.delete(&ada.token, &path).await.expect(200), json!({"id": id, "deleted": true}));
    for path in [path.clone(), format!("{path}/results"), format!("{path}/raw"), format!("/api/v1/runs/{run}")] {
        assert_eq!(server.get(&ada.token, &path).await.status, 404, "{path}");
    }
    let chunks = server.app.log.read_chunks(ada.team, report, ingested.upload, &ingested.chunks).await;
    assert!(matches!(chunks, Err(ChunkError::Missing { found: 0, .. })), "{chunks:?}");
    assert_eq!(server.app.log.get_raw(ada.team, report, ingested.upload).await.unwrap(), None);
    for table in ["reports.report", "reports.result", "reports.attempt", "reports.run"] {
        let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        let rows: i64 = sqlx::query_scalar(sql).fetch_one(&server.database.pool).await.unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    server.delete(&ada.token, &path).await.refused(404, "report_not_found");
}

#[tokio::test]
async fn a_run_keeps_its_other_reports() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let first = upload(&server, &ada, "?run_id=r", &ctrf(&json!([test("a", "failed")]))).await;
    upload(&server, &ada, "?run_id=r", &ctrf(&json!([test("b", "passed")]))).await;
    server.delete(&ada.token, &format!("/api/v1/reports/{}", first["id"].as_str().unwrap())).await.expect(200);
    let run = server.get(&ada.token, &format!("/api/v1/runs/{}", first["run_id"].as_str().unwrap())).await.expect(200);
    assert_eq!((run["summary"]["tests"].as_u64(), run["summary"]["failed"].as_u64()), (Some(1), Some(0)));
}

#[tokio::test]
async fn the_documents_id_and_the_key_are_free_again() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let document = |name: &str| {
        let mut report = ctrf(&json!([test(name, "passed")]));
        report["reportId"] = json!("6f0a3f0e-6a53-4c52-9f5e-7d8b8f6f2c11");
        report
    };
    let first = upload(&server, &ada, "", &document("a")).await;
    server.delete(&ada.token, &format!("/api/v1/reports/{}", first["id"].as_str().unwrap())).await.expect(200);
    let other = upload(&server, &ada, "", &document("b")).await;
    assert_eq!(other["diagnostics"], json!([]), "nobody holds the id any more");
    let key = [("idempotency-key", "k")];
    let first = send(&server, &ada.token, "", &key, ctrf(&json!([test("x", "passed")])).to_string()).await.expect(201);
    let path = format!("/api/v1/reports/{}", first["id"].as_str().unwrap());
    server.delete(&ada.token, &path).await.expect(200);
    send(&server, &ada.token, "", &key, ctrf(&json!([test("y", "passed")])).to_string()).await.expect(201);
    assert_eq!(server.get(&ada.token, &format!("{path}/results")).await.expect(200)["results"][0]["name"], "y");
}

#[tokio::test]
async fn a_rebuild_after_a_deletion_needs_no_chunks() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let gone = upload(&server, &ada, "", &ctrf(&json!([test("a", "failed")]))).await;
    let kept = upload(&server, &ada, "", &ctrf(&json!([test("b", "failed")]))).await;
    server.delete(&ada.token, &format!("/api/v1/reports/{}", gone["id"].as_str().unwrap())).await.expect(200);
    for projection in scaledtest_projections::all() {
        scaledtest_projections::rebuild(&server.database.pool, &server.app.log, &projection, |_| {}).await.unwrap();
    }
    let reports = server.get(&ada.token, "/api/v1/reports").await.expect(200);
    assert_eq!((reports["total"].as_u64(), &reports["reports"][0]["id"]), (Some(1), &kept["id"]));
}
