use crate::support::{Answer, TestApp, config};
use axum::http::Method;
use scaledtest_server::{config::Config, http::openapi::openapi_json};
use serde_json::json;

#[tokio::test]
async fn health_asks_nobody_and_tells_the_time_in_whole_seconds() {
    let server = TestApp::start().await;
    server.app.db.close().await;
    let body = server.get("", "/health").await.expect(200);
    assert_eq!(body, json!({"status": "ok", "timestamp": "2026-01-15T12:00:00Z"}));
    let head = server.call(Method::HEAD, "/health", &[] as &[(&str, &str)], None).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn readiness_names_database_log_and_every_projection() {
    let server = TestApp::start().await;
    server.register("ada@example.com").await;
    server.settle().await;
    let body = server.get("", "/readyz").await.expect(200);
    assert_eq!((&body["status"], &body["database"], &body["log"]), (&json!("ready"), &json!("ok"), &json!("ok")));
    let names: Vec<_> = body["projections"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["access", "audit", "gates", "history", "issues", "quarantine", "reports"]);
    assert_eq!(body["projections"][0]["lag"], 0);
    sqlx::query("update ops.projection set state = 'halted', error = 'poison' where name = 'reports'")
        .execute(&server.app.db)
        .await
        .unwrap();
    let body = server.get("", "/readyz").await.expect(503);
    let reports = body["projections"].as_array().unwrap().iter().find(|one| one["name"] == "reports").unwrap();
    assert_eq!((&body["status"], &reports["state"]), (&json!("not_ready"), &json!("halted")));
    server.app.db.close().await;
    let body = server.get("", "/readyz").await.expect(503);
    assert_eq!(body["database"], "not available");
}

#[tokio::test]
async fn metrics_count_by_route_template_and_never_by_path() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    server.get(&ada.token, &format!("/api/v1/teams/{}/tokens", ada.team)).await.expect(200);
    server.get("", "/no/such/page.png").await.refused(404, "not_found");
    let metrics = server.get("", "/metrics").await;
    let text = metrics.text();
    assert!(text.contains("route=\"/api/v1/teams/{team_id}/tokens\""), "{text}");
    assert!(text.contains("process_resident_memory_bytes") && text.contains("projection_lag"), "{text}");
    assert!(!text.contains(&ada.team.to_string()) && !text.contains("page.png"));
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_the_requests_id() {
    let server = TestApp::start().await;
    for path in ["/health", "/", "/api/v1/teams", "/assets/gone.js", "/api/docs"] {
        let answer = server.call(Method::GET, path, &[("x-request-id", "my-id-1")], None).await;
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{path}"));
        assert!(policy.starts_with("default-src 'self'; script-src 'self'; "), "{path}");
        assert!(policy.ends_with("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
        assert_eq!(answer.header("x-request-id"), Some("my-id-1"), "{path}");
    }
    let invented = server.call(Method::GET, "/health", &[("x-request-id", "no spaces please")], None).await;
    assert_eq!(invented.header("x-request-id").unwrap().len(), 36);
}

#[tokio::test]
async fn errors_of_every_origin_have_the_same_shape() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    server.get("", "/api/v1/nothing").await.refused(401, "missing_authorization");
    server.get(&ada.token, "/api/v1/nothing").await.refused(404, "not_found");
    server.get("", "/assets/gone.js").await.refused(404, "not_found");
    server.post("", "/nothing", json!({})).await.refused(404, "not_found");
    server.get("", "/ws/nothing").await.refused(404, "not_found");
    let wrong = server.get("", "/auth/login").await;
    wrong.refused(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), Some("POST"));
    let garbage = server.call(Method::POST, "/auth/login", &[] as &[(&str, &str)], Some(json!([1]))).await;
    garbage.refused(400, "invalid_request");
}

#[tokio::test]
async fn a_database_that_is_away_is_503_and_comes_with_a_time_to_retry() {
    let server = TestApp::start().await;
    server.app.db.close().await;
    let body = json!({"email": "ada@example.com", "password": "wrong password"});
    let answer = server.post("", "/auth/login", body).await;
    answer.refused(503, "database_unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn tables_of_an_older_version_are_503_until_they_are_made_anew() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    server.settle().await;
    server.get(&ada.token, "/api/v1/tests").await.expect(200);
    for change in ["alter table history.series drop column score_low", "drop schema history cascade"] {
        sqlx::query(change).execute(&server.app.db).await.unwrap();
        let refused = server.get(&ada.token, "/api/v1/tests").await;
        refused.refused(503, "projection_missing");
        assert!(refused.header("retry-after").is_some());
    }
}

async fn preflight(server: &TestApp, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,x-team-id,idempotency-key"),
    ];
    server.call(Method::OPTIONS, "/api/v1/auth/me", &headers, None).await
}

#[tokio::test]
async fn browsers_of_our_own_origin_may_call_with_every_method_and_no_others() {
    let server = TestApp::start().await;
    let answer = preflight(&server, "http://localhost:8080").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:8080"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("access-control-max-age"), Some("300"));
    let methods = answer.header("access-control-allow-methods").unwrap();
    assert!(methods.contains("PATCH") && methods.contains("HEAD"), "{methods}");
    for other in ["https://evil.example", "http://localhost:5173", "null"] {
        assert_eq!(preflight(&server, other).await.header("access-control-allow-origin"), None, "{other}");
    }
}

#[tokio::test]
async fn an_origin_that_the_settings_name_may_call_and_send_the_cookie() {
    let origin = "http://localhost:5173";
    let server = TestApp::start_with(Config { allowed_origins: vec![origin.to_owned()], ..config() }).await;
    for allowed in [origin, "http://localhost:8080"] {
        let answer = preflight(&server, allowed).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(allowed));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    }
    assert_eq!(preflight(&server, "https://evil.example").await.header("access-control-allow-origin"), None);
    let ada = server.register("ada@example.com").await;
    let cookie = format!("refresh_token={}", ada.refresh);
    let headers = [("cookie", cookie.as_str()), ("origin", origin), ("host", "localhost:8080")];
    server.call(Method::POST, "/auth/refresh", &headers, None).await.expect(200);
}

#[tokio::test]
async fn json_is_packed_for_those_who_accept_it() {
    let server = TestApp::start().await;
    for coding in ["gzip", "br"] {
        let answer = server.call(Method::GET, "/api/v1/openapi.json", &[("accept-encoding", coding)], None).await;
        assert_eq!(answer.header("content-encoding"), Some(coding));
        assert!(answer.body.len() < openapi_json().len() / 4);
    }
}

#[tokio::test]
async fn the_reference_page_lists_every_operation_and_needs_no_script() {
    let server = TestApp::start().await;
    let answer = server.get("", "/api/docs").await;
    let page = answer.text();
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    let document: serde_json::Value = serde_json::from_str(openapi_json()).unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
    }
}

#[tokio::test]
async fn the_kept_openapi_document_is_the_served_one() {
    let server = TestApp::start().await;
    let served = server.get("", "/api/v1/openapi.json").await;
    assert_eq!(served.text(), openapi_json());
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == openapi_json(),
        "openapi.json is not what the server serves: run `make openapi` and look at the difference"
    );
}
