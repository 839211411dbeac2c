use crate::support::{PASSWORD, TestApp};
use axum::http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_refresh_gives_a_new_access_token_and_a_new_cookie() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    server.advance(60);
    let answer = server.with_cookie("/auth/refresh", &ada.refresh).await;
    let next = answer.refresh_cookie().unwrap();
    let body = answer.expect(200);
    assert_ne!(next, ada.refresh);
    assert_eq!((body["user"]["role"].as_str(), next.len()), (Some("owner"), 64));
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(super::accounts::claims(token)["tid"], serde_json::json!(ada.team));
    server.get(token, "/api/v1/auth/me").await.expect(200);
}

#[tokio::test]
async fn two_tabs_refreshing_at_once_get_the_same_session() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let (one, other) = tokio::join!(
        server.with_cookie("/auth/refresh", &ada.refresh),
        server.with_cookie("/auth/refresh", &ada.refresh)
    );
    assert_eq!(one.refresh_cookie(), other.refresh_cookie());
    let next = one.refresh_cookie().unwrap();
    server.advance(9);
    let late = server.with_cookie("/auth/refresh", &ada.refresh).await;
    assert_eq!(late.refresh_cookie(), Some(next.clone()));
    server.with_cookie("/auth/refresh", &next).await.expect(200);
}

#[tokio::test]
async fn an_old_refresh_token_used_again_later_ends_the_session() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let next = server.with_cookie("/auth/refresh", &ada.refresh).await.refresh_cookie().unwrap();
    server.advance(11);
    server.with_cookie("/auth/refresh", &ada.refresh).await.refused(401, "invalid_refresh_token");
    server.with_cookie("/auth/refresh", &next).await.refused(401, "invalid_refresh_token");
    let noted: i64 = sqlx::query_scalar("select count(*) from auth.audit where action = 'refresh_token_reused'")
        .fetch_one(&server.app.db)
        .await
        .unwrap();
    assert_eq!(noted, 1);
}

#[tokio::test]
async fn a_session_that_is_used_lives_on_and_one_that_is_not_expires() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let week = 168 * 3600;
    server.advance(week - 1);
    let next = server.with_cookie("/auth/refresh", &ada.refresh).await.refresh_cookie().unwrap();
    server.advance(week);
    let answer = server.with_cookie("/auth/refresh", &next).await;
    answer.refused(401, "refresh_token_expired");
    assert_eq!(answer.refresh_cookie().as_deref(), Some(""));
    server.with_cookie("/auth/refresh", &next).await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn without_a_cookie_or_with_an_unknown_one_there_is_no_session() {
    let server = TestApp::start().await;
    server
        .call(Method::POST, "/auth/refresh", &[] as &[(&str, &str)], None)
        .await
        .refused(401, "missing_refresh_token");
    server.with_cookie("/api/v1/auth/refresh", "nonsense").await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn logging_out_ends_this_session_and_no_other() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    let elsewhere = server.post("", "/auth/login", login).await.refresh_cookie().unwrap();
    let answer = server.with_cookie("/auth/logout", &ada.refresh).await;
    assert_eq!(answer.refresh_cookie().as_deref(), Some(""));
    assert_eq!(answer.expect(200)["message"], "logged out");
    server.with_cookie("/auth/refresh", &ada.refresh).await.refused(401, "invalid_refresh_token");
    server.with_cookie("/auth/refresh", &elsewhere).await.expect(200);
    server.with_cookie("/auth/logout", "unknown").await.expect(200);
}

#[tokio::test]
async fn pages_of_other_sites_cannot_use_the_cookie() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let cookie = format!("refresh_token={}", ada.refresh);
    for path in ["/auth/refresh", "/auth/logout"] {
        for origin in ["https://evil.example", "null", "http://localhost:8081", "http://localhost:5173"] {
            let headers = [("cookie", cookie.as_str()), ("origin", origin), ("host", "localhost:8080")];
            server.call(Method::POST, path, &headers, None).await.refused(403, "foreign_origin");
        }
    }
    for (origin, host) in [
        ("http://localhost:8080", "elsewhere"),
        ("http://localhost:5173", "localhost:5173"),
        ("http://10.0.0.1:9000", "10.0.0.1:9000"),
    ] {
        let headers = [("cookie", cookie.as_str()), ("origin", origin), ("host", host)];
        server.call(Method::POST, "/auth/refresh", &headers, None).await.expect(200);
    }
}

#[tokio::test]
async fn pages_of_other_sites_can_neither_sign_somebody_in_nor_set_their_password() {
    let server = TestApp::start().await;
    server.register("ada@example.com").await;
    let from = async |origin: &str, path: &str, body: &Value| {
        let headers = [("origin", origin), ("host", "localhost:8080")];
        server.call(Method::POST, path, &headers, Some(body.clone())).await
    };
    for (path, body, status) in [
        ("/auth/login", json!({"email": "ada@example.com", "password": PASSWORD}), 200),
        ("/auth/register", json!({"email": "eve@example.com", "password": PASSWORD, "display_name": "Eve"}), 201),
        ("/auth/reset-password", json!({"token": "x", "password": PASSWORD}), 410),
        ("/api/v1/invitations/inv_x/accept", json!({"password": PASSWORD, "display_name": "Eve"}), 404),
    ] {
        let refused = from("https://evil.example", path, &body).await;
        refused.refused(403, "foreign_origin");
        assert_eq!(refused.refresh_cookie(), None);
        assert_eq!(from("http://localhost:8080", path, &body).await.status, status, "{path}");
    }
    let people: i64 = sqlx::query_scalar("select count(*) from auth.users").fetch_one(&server.app.db).await.unwrap();
    assert_eq!(people, 2);
}

#[tokio::test]
async fn the_cookie_is_secure_where_the_browser_speaks_https() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let cookie = format!("refresh_token={}", ada.refresh);
    let headers = [("cookie", cookie.as_str()), ("x-forwarded-proto", "https")];
    let answer = server.call(Method::POST, "/auth/refresh", &headers, None).await;
    assert!(answer.header("set-cookie").unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn expired_sessions_are_removed() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    server.with_cookie("/auth/refresh", &ada.refresh).await.expect(200);
    server.advance(168 * 3600);
    scaledtest_server::accounts::sweep::sweep(&server.app).await.unwrap();
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from auth.sessions) + (select count(*) from auth.retired_refresh_tokens)",
    )
    .fetch_one(&server.app.db)
    .await
    .unwrap();
    assert_eq!(left, 0);
}
