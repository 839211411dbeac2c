//! What an upload is answered, and what it may say.

use crate::{ctrf, send, support::TestApp, test, upload};
use chrono::{TimeDelta, TimeZone, Utc};
use serde_json::json;
use std::io::Write;

#[tokio::test]
async fn the_answer_has_the_originals_fields_and_ours() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let answer =
        upload(&server, &ada, "?triage_github_status=true", &ctrf(&json!([test("a", "passed"), test("b", "failed")])))
            .await;
    assert_eq!(answer["message"], "report accepted");
    assert_eq!((answer["tool"].as_str(), answer["name"].as_str()), (Some("runner"), Some("runner v1.2")));
    assert_eq!((answer["tests"].as_u64(), answer["results"].as_u64()), (Some(2), Some(2)));
    assert_eq!(answer["summary"]["failed"], 1);
    assert_eq!(answer["triage_github_status"], true);
    assert_eq!(answer["diagnostics"], json!([]));
    assert_eq!(answer["verdict"]["state"], "regressions", "a new test that fails");
    assert_eq!(answer["verdict"]["counts"]["new_test_failing"], 1);
    assert!(answer.get("execution_id").is_none());
    let id = answer["id"].as_str().unwrap();
    assert_eq!(answer["url"], format!("http://localhost:8080/reports/{id}"));
}

#[tokio::test]
async fn a_write_is_seen_by_the_next_read_and_says_its_position() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let answer = send(&server, &ada.token, "", &[], ctrf(&json!([test("a", "passed")])).to_string()).await;
    let position = answer.header("st-position").unwrap().to_owned();
    assert!(answer.header("st-projection").is_none());
    let id = answer.expect(201)["id"].as_str().unwrap().to_owned();
    server.get(&ada.token, &format!("/api/v1/reports/{id}")).await.expect(200);
    let headers = [("authorization", format!("Bearer {}", ada.token)), ("st-min-position", position)];
    server.call(axum::http::Method::GET, "/api/v1/reports", &headers, None).await.expect(200);
}

#[tokio::test]
async fn respond_async_does_not_wait_for_the_read_models() {
    let server = TestApp::start_without_projections(
        crate::support::config(),
        scaledtest_testkit::database().await,
        scaledtest_eventlog::EventLog::in_memory(),
    );
    let mut server = server.await;
    server.start_projections();
    let ada = server.register("ada@example.test").await;
    let headers = [("prefer", "respond-async")];
    let answer = send(&server, &ada.token, "", &headers, ctrf(&json!([test("a", "passed")])).to_string()).await;
    assert_eq!(answer.header("preference-applied"), Some("respond-async"));
    answer.expect(202);
}

#[tokio::test]
async fn the_parameters_win_over_the_environment() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let mut report = ctrf(&json!([test("a", "passed")]));
    report["results"]["environment"] = json!({"repositoryName": "shop", "branchName": "main", "commit": "aaa", "buildNumber": "17", "buildUrl": "https://ci/17"});
    let query =
        "?branch=feature&base_commit=bbb&target_branch=main&pr=12&tags=nightly,smoke&shard_id=2&shards=3&run_id=r-1";
    let id = upload(&server, &ada, query, &report).await["id"].as_str().unwrap().to_owned();
    let found = server.get(&ada.token, &format!("/api/v1/reports/{id}")).await.expect(200);
    let told: Vec<_> = [
        "project",
        "branch",
        "commit",
        "base_commit",
        "target_branch",
        "pr",
        "build",
        "build_url",
        "run_key",
        "shard_id",
    ]
    .iter()
    .map(|field| found[*field].as_str().unwrap_or("-"))
    .collect();
    assert_eq!(told, ["shop", "feature", "aaa", "bbb", "main", "12", "17", "https://ci/17", "r-1", "2"]);
    assert_eq!((found["shards"].as_u64(), &found["tags"]), (Some(3), &json!(["nightly", "smoke"])));
    assert_eq!(found["environment"]["buildNumber"], "17");
}

#[tokio::test]
async fn a_project_is_named_by_query_header_repository_or_tool() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let plain = ctrf(&json!([test("a", "passed")]));
    let mut with_repository = plain.clone();
    with_repository["results"]["environment"] = json!({"repositoryName": "shop"});
    upload(&server, &ada, "?project=given", &with_repository).await;
    send(&server, &ada.token, "", &[("project", "header")], with_repository.to_string()).await.expect(201);
    upload(&server, &ada, "", &with_repository).await;
    upload(&server, &ada, "", &plain).await;
    let projects = server.get(&ada.token, "/api/v1/projects").await.expect(200);
    let names: Vec<_> =
        projects["projects"].as_array().unwrap().iter().map(|project| project["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["given", "header", "runner", "shop"]);
}

#[tokio::test]
async fn the_time_of_a_run_is_given_else_its_plausible_start_else_receipt() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let now = server.now();
    let mut report = ctrf(&json!([test("a", "passed")]));
    let run_at = async |query: &str, report: &serde_json::Value| {
        let id = upload(&server, &ada, query, report).await["id"].as_str().unwrap().to_owned();
        let found = server.get(&ada.token, &format!("/api/v1/reports/{id}")).await.expect(200);
        found["run_at"].as_str().unwrap().parse::<chrono::DateTime<Utc>>().unwrap()
    };
    assert_eq!(run_at("", &report).await, now, "a start of 0 is unknown");
    let start = now - TimeDelta::hours(2);
    report["results"]["summary"]["start"] = json!(start.timestamp_millis());
    assert_eq!(run_at("", &report).await, start);
    report["results"]["summary"]["start"] = json!((now + TimeDelta::days(1)).timestamp_millis());
    assert_eq!(run_at("", &report).await, now, "a start in the future is a wrong clock");
    let given = Utc.with_ymd_and_hms(2025, 3, 4, 5, 6, 7).unwrap();
    assert_eq!(run_at("?created_at=2025-03-04T05:06:07Z", &report).await, given);
}

#[tokio::test]
async fn backdating_is_only_for_servers_without_rate_limits() {
    let config = scaledtest_server::config::Config { disable_rate_limit: false, ..crate::support::config() };
    let server = TestApp::start_with(config).await;
    let ada = server.register("ada@example.test").await;
    let id = upload(&server, &ada, "?created_at=2025-03-04T05:06:07Z", &ctrf(&json!([test("a", "passed")]))).await;
    let found = server.get(&ada.token, &format!("/api/v1/reports/{}", id["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(found["created_at"], json!(server.now()));
}

#[tokio::test]
async fn gzip_and_zstd_are_unpacked_with_or_without_a_header() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let report = ctrf(&json!([test("a", "passed")])).to_string();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(report.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = scaledtest_domain::compress(report.as_bytes()).unwrap();
    for (body, header) in [(gzip.clone(), Some("gzip")), (gzip, None), (zstd.clone(), Some("zstd")), (zstd, None)] {
        let headers: Vec<_> = header.map(|header| ("content-encoding", header)).into_iter().collect();
        let answer = send(&server, &ada.token, "", &headers, body).await.expect(201);
        let raw = server.get(&ada.token, &format!("/api/v1/reports/{}/raw", answer["id"].as_str().unwrap())).await;
        assert_eq!(raw.body, report.as_bytes(), "the document comes back as it was, unpacked");
    }
}

#[tokio::test]
async fn reports_with_the_same_run_id_are_one_run_in_any_order() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    for shard in ["3", "1"] {
        let report = ctrf(&json!([test(&format!("of shard {shard}"), "passed"), test("other", "failed")]));
        upload(&server, &ada, &format!("?project=p&run_id=build-7&shards=3&shard_id={shard}"), &report).await;
    }
    let runs = server.get(&ada.token, "/api/v1/runs").await.expect(200);
    assert_eq!(runs["total"], 1);
    let run = &runs["runs"][0];
    assert_eq!((run["reports"].as_u64(), run["complete"].as_bool()), (Some(2), Some(false)), "{run}");
    assert_eq!((run["summary"]["tests"].as_u64(), run["summary"]["failed"].as_u64()), (Some(4), Some(2)));
    let id = run["id"].as_str().unwrap().to_owned();
    upload(&server, &ada, "?project=p&run_id=build-7&shards=3&shard_id=2", &ctrf(&json!([test("last", "passed")])))
        .await;
    let run = server.get(&ada.token, &format!("/api/v1/runs/{id}")).await.expect(200);
    assert_eq!((run["complete"].as_bool(), run["report_list"].as_array().unwrap().len()), (Some(true), 3));
    let results = server.get(&ada.token, &format!("/api/v1/runs/{id}/results")).await.expect(200);
    assert_eq!(results["total"], 5);
    upload(&server, &ada, "?project=elsewhere&run_id=build-7", &ctrf(&json!([test("a", "passed")]))).await;
    assert_eq!(server.get(&ada.token, "/api/v1/runs").await.expect(200)["total"], 2, "a run_id is its project's");
}

#[tokio::test]
async fn a_run_whose_shards_never_come_is_complete_after_thirty_quiet_minutes() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    upload(&server, &ada, "?run_id=r&shards=2&shard_id=1", &ctrf(&json!([test("a", "passed")]))).await;
    // An access token would expire meanwhile.
    let token = server.api_token(&ada, &["read"]).await;
    let complete = async || server.get(&token, "/api/v1/runs").await.expect(200)["runs"][0]["complete"].clone();
    assert_eq!(complete().await, false);
    server.advance(29 * 60);
    assert_eq!(complete().await, false);
    server.advance(60);
    assert_eq!(complete().await, true);
}

#[tokio::test]
async fn only_members_with_the_role_and_tokens_with_the_scope_may_send_and_delete() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let report = ctrf(&json!([test("a", "passed")])).to_string();
    let reader = server.api_token(&ada, &["read"]).await;
    let sender = server.api_token(&ada, &["upload"]).await;
    send(&server, &reader, "", &[], report.clone()).await.refused(403, "insufficient_scope");
    let id = send(&server, &sender, "", &[], report).await.expect(201)["id"].as_str().unwrap().to_owned();
    server.get(&sender, "/api/v1/reports").await.refused(403, "insufficient_scope");
    server.get(&reader, &format!("/api/v1/reports/{id}")).await.expect(200);
    server.delete(&sender, &format!("/api/v1/reports/{id}")).await.refused(403, "insufficient_scope");
    let eve = server.register("eve@example.test").await;
    for path in ["", "/results", "/raw", "/results/0"] {
        let foreign = server.get(&eve.token, &format!("/api/v1/reports/{id}{path}")).await;
        assert_eq!(foreign.status, 404, "another team's report does not exist: {path}");
    }
    server.delete(&eve.token, &format!("/api/v1/reports/{id}")).await.refused(404, "report_not_found");
    assert_eq!(server.get(&eve.token, "/api/v1/reports").await.expect(200)["total"], 0);
}
