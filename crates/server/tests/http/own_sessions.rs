//! Where somebody is signed in, and how that ends at once.

use crate::support::{PASSWORD, TestApp, config};
use axum::http::Method;
use scaledtest_eventlog::EventLog;
use serde_json::{Value, json};

const SESSIONS: &str = "/api/v1/auth/sessions";

async fn list(server: &TestApp, token: &str) -> Vec<Value> {
    server.get(token, SESSIONS).await.expect(200)["sessions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn everybody_sees_their_own_sessions_the_last_used_first() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    server.register("eve@example.com").await;
    server.advance(60);
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let elsewhere = server.call(Method::POST, "/auth/login", &[("user-agent", agent)], Some(body)).await.expect(200);
    let sessions = list(&server, elsewhere["access_token"].as_str().unwrap()).await;
    assert_eq!(sessions.len(), 2);
    assert_eq!((&sessions[0]["device"], &sessions[0]["user_agent"]), (&json!("Firefox on Linux"), &json!(agent)));
    assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!(sessions[1]["device"], "Unknown device");
    assert_eq!(sessions[1]["last_seen_at"], "2026-01-15T12:00:00Z");

    server.advance(60);
    server.with_cookie("/auth/refresh", &ada.refresh).await.expect(200);
    let sessions = list(&server, &ada.token).await;
    assert_eq!(sessions[0]["device"], "Unknown device");
    assert_eq!(sessions[0]["current"], true);
    assert_eq!(sessions[0]["created_at"], "2026-01-15T12:00:00Z");
    assert_eq!(sessions[0]["last_seen_at"], "2026-01-15T12:02:00Z");
    assert_eq!(sessions[0]["expires_at"], "2026-01-22T12:02:00Z");
}

#[tokio::test]
async fn an_ended_session_is_refused_at_once_by_every_replica() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let (token, refresh) = server.sign_in("ada@example.com").await;
    let replica = TestApp::start_without_projections(config(), server.database.clone(), EventLog::in_memory()).await;
    replica.get(&token, "/api/v1/teams").await.expect(200);
    let sessions = list(&server, &token).await;
    let id = sessions.iter().find(|session| session["current"] == true).unwrap()["id"].as_str().unwrap();
    let answer = server.delete(&ada.token, &format!("{SESSIONS}/{id}")).await;
    assert_eq!(answer.refresh_cookie(), None, "the session that asked goes on");
    assert_eq!(answer.expect(200)["message"], "session ended");
    for server in [&server, &replica] {
        server.get(&token, "/api/v1/teams").await.refused(401, "invalid_token");
        server.with_cookie("/auth/refresh", &refresh).await.refused(401, "invalid_refresh_token");
        server.get(&ada.token, "/api/v1/teams").await.expect(200);
    }
    server.delete(&ada.token, &format!("{SESSIONS}/{id}")).await.refused(404, "session_not_found");
    assert_eq!(server.audited().await, ["registered", "signed_in", "session_ended"]);
}

#[tokio::test]
async fn nobody_ends_somebody_elses_session() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let eve = server.register("eve@example.com").await;
    let id = list(&server, &ada.token).await[0]["id"].as_str().unwrap().to_owned();
    server.delete(&eve.token, &format!("{SESSIONS}/{id}")).await.refused(404, "session_not_found");
    server.delete(&eve.token, &format!("{SESSIONS}/nonsense")).await.refused(404, "session_not_found");
    server.delete(&eve.token, &format!("{SESSIONS}?all=true")).await.expect(200);
    assert_eq!(list(&server, &ada.token).await.len(), 1);
}

#[tokio::test]
async fn all_other_sessions_or_simply_all_can_be_ended() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let others = [server.sign_in("ada@example.com").await, server.sign_in("ada@example.com").await];
    let ended = server.delete(&ada.token, SESSIONS).await.expect(200);
    assert_eq!((&ended["ended"], &ended["message"]), (&json!(2), &json!("sessions ended")));
    for (token, refresh) in &others {
        server.get(token, "/api/v1/auth/me").await.refused(401, "invalid_token");
        server.with_cookie("/auth/refresh", refresh).await.refused(401, "invalid_refresh_token");
    }
    server.delete(&ada.token, &format!("{SESSIONS}?all=perhaps")).await.refused(400, "invalid_parameter");
    let answer = server.delete(&ada.token, &format!("{SESSIONS}?all=true")).await;
    assert_eq!(answer.refresh_cookie().as_deref(), Some(""));
    assert_eq!(answer.expect(200)["ended"], 1);
    server.get(&ada.token, "/api/v1/auth/me").await.refused(401, "invalid_token");
}

#[tokio::test]
async fn sessions_are_not_for_api_tokens() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let token = server.api_token(&ada, &["upload", "read", "write", "worker"]).await;
    server.get(&token, SESSIONS).await.refused(403, "token_not_allowed");
    server.delete(&token, SESSIONS).await.refused(403, "token_not_allowed");
    server.delete(&token, &format!("{SESSIONS}/nonsense")).await.refused(403, "token_not_allowed");
}

#[tokio::test]
async fn an_account_that_is_switched_off_is_out_at_once_and_cannot_come_back() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let (_, refresh) = server.sign_in("ada@example.com").await;
    let api_token = server.api_token(&ada, &["read"]).await;
    server.disable(ada.user).await;
    server.get(&ada.token, "/api/v1/auth/me").await.refused(401, "invalid_token");
    server.get(&api_token, "/api/v1/teams").await.refused(401, "invalid_token");
    let login = |password: &str| json!({"email": "ada@example.com", "password": password});
    server.post("", "/auth/login", login(PASSWORD)).await.refused(403, "account_disabled");
    server.post("", "/auth/login", login("wrong password")).await.refused(401, "invalid_credentials");
    let answer = server.with_cookie("/auth/refresh", &refresh).await;
    answer.refused(401, "invalid_refresh_token");
    assert_eq!(answer.refresh_cookie().as_deref(), Some(""));
    let left: i64 = sqlx::query_scalar("select count(*) from auth.sessions").fetch_one(&server.app.db).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_password_that_was_changed_during_the_sign_in_opens_no_session() {
    use scaledtest_server::accounts::{Client, sessions, users};
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let user = users::by_id(&server.app, ada.user).await.unwrap().unwrap();
    sqlx::query("update auth.users set password_hash = 'another'").execute(&server.app.db).await.unwrap();
    assert!(sessions::open(&server.app, &user, &Client::default()).await.unwrap().is_none());
}
