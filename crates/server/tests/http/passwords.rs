//! Passwords that are changed or forgotten.

use super::mail::Mailing;
use crate::support::{Answer, PASSWORD, TestApp};
use scaledtest_effects::send_mail::Round;
use scaledtest_server::accounts::{recovery, users};
use serde_json::{Value, json};

const NEW: &str = "a better password";

fn login(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password})
}

async fn change(server: &TestApp, token: &str, current: &str, new: &str) -> Answer {
    let body = json!({"current_password": current, "new_password": new});
    server.post(token, "/api/v1/auth/change-password", body).await
}

#[tokio::test]
async fn changing_the_password_ends_every_other_session_at_once() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let (elsewhere, refresh) = server.sign_in("ada@example.com").await;
    assert_eq!(change(&server, &ada.token, PASSWORD, NEW).await.expect(200)["message"], "password changed");
    server.get(&elsewhere, "/api/v1/auth/me").await.refused(401, "invalid_token");
    server.with_cookie("/auth/refresh", &refresh).await.refused(401, "invalid_refresh_token");
    server.get(&ada.token, "/api/v1/auth/me").await.expect(200);
    server.with_cookie("/auth/refresh", &ada.refresh).await.expect(200);
    server.post("", "/auth/login", login("ada@example.com", PASSWORD)).await.refused(401, "invalid_credentials");
    server.post("", "/auth/login", login("ada@example.com", NEW)).await.expect(200);
    assert!(server.audited().await.contains(&"password_changed".to_owned()));
}

#[tokio::test]
async fn changing_the_password_needs_the_present_one_and_a_good_new_one() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    change(&server, &ada.token, "wrong password", NEW).await.refused(401, "invalid_current_password");
    for (current, new, fields) in [
        ("", NEW, vec!["current_password"]),
        (PASSWORD, "1234567", vec!["new_password"]),
        ("", "", vec!["current_password", "new_password"]),
    ] {
        let refusal = change(&server, &ada.token, current, new).await.refused(400, "invalid_request");
        let named: Vec<_> =
            refusal["details"].as_array().unwrap().iter().map(|detail| detail["field"].as_str().unwrap()).collect();
        assert_eq!(named, fields);
    }
    change(&server, &ada.token, PASSWORD, &"x".repeat(1025)).await.refused(400, "invalid_request");
    let token = server.api_token(&ada, &["upload", "read", "write", "worker"]).await;
    change(&server, &token, PASSWORD, NEW).await.refused(403, "token_not_allowed");
    server.post("", "/auth/login", login("ada@example.com", PASSWORD)).await.expect(200);
}

#[tokio::test]
async fn every_sign_in_costs_one_hash_whoever_it_is_about() {
    let server = TestApp::start().await;
    server.register("ada@example.com").await;
    server.register("elsewhere@example.com").await;
    sqlx::query("update auth.users set password_hash = '' where email = 'elsewhere@example.com'")
        .execute(&server.app.db)
        .await
        .unwrap();
    // The hash to compare with is made once.
    server.post("", "/auth/login", login("ada@example.com", PASSWORD)).await.expect(200);
    for (email, password, status) in [
        ("ada@example.com", PASSWORD, 200),
        ("ada@example.com", "wrong password", 401),
        ("elsewhere@example.com", PASSWORD, 401),
        ("nobody@example.com", PASSWORD, 401),
        ("nonsense", PASSWORD, 401),
    ] {
        let before = server.app.password_hashes();
        server.post("", "/auth/login", login(email, password)).await.expect(status);
        assert_eq!(server.app.password_hashes() - before, 1, "{email}");
    }
}

#[tokio::test]
async fn of_two_changes_at_once_one_wins() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let (one, other) = tokio::join!(
        change(&server, &ada.token, PASSWORD, "the first password"),
        change(&server, &ada.token, PASSWORD, "the other password")
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_by_a_mailed_link_once_and_every_session_ends() {
    let server = Mailing::start().await;
    let ada = server.register("Ada@example.com").await;
    server.post("", "/auth/forgot-password", json!({"email": "aDA@example.com"})).await.expect(202);
    server.post("", "/auth/forgot-password", json!({"email": "ada@example.com"})).await.expect(202);
    let mails = server.mails_to("Ada@example.com").await;
    let subjects: Vec<_> = mails.iter().filter_map(|mail| mail.header("Subject")).collect();
    assert!(subjects.contains(&"Set a new password for ScaledTest".to_owned()), "{subjects:?}");
    let tokens: Vec<_> = mails.iter().filter_map(|mail| mail.link("/reset-password/")).collect();
    assert_eq!(tokens.len(), 2);
    let token = |n: usize| tokens[n].rsplit('/').next().unwrap();
    let reset = |token: &str, password: &str| json!({"token": token, "password": password});
    server.post("", "/auth/reset-password", reset(token(0), "short")).await.refused(400, "invalid_request");
    let done = server.post("", "/api/v1/auth/reset-password", reset(token(0), NEW)).await;
    assert_eq!(done.expect(200)["message"], "password changed");
    server.get(&ada.token, "/api/v1/auth/me").await.refused(401, "invalid_token");
    server.with_cookie("/auth/refresh", &ada.refresh).await.refused(401, "invalid_refresh_token");
    for used in [token(0), token(1), "nonsense"] {
        server.post("", "/auth/reset-password", reset(used, PASSWORD)).await.refused(410, "reset_expired");
    }
    server.post("", "/auth/login", login("ada@example.com", PASSWORD)).await.refused(401, "invalid_credentials");
    server.post("", "/auth/login", login("ada@example.com", NEW)).await.expect(200);
    let audited = server.audited().await;
    assert_eq!(audited[..4], ["registered", "password_reset_requested", "password_reset_requested", "password_reset"]);
}

#[tokio::test]
async fn a_link_used_twenty_times_at_once_sets_one_password() {
    let server = Mailing::start().await;
    server.register("ada@example.com").await;
    server.post("", "/auth/forgot-password", json!({"email": "ada@example.com"})).await.expect(202);
    let token = server.token("ada@example.com", "reset-password").await;
    let tries = (0..20).map(|n| {
        let body = json!({"token": token, "password": format!("password number {n}")});
        server.post("", "/auth/reset-password", body)
    });
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let late = answers.iter().filter(|answer| answer.status != 200);
    late.for_each(|answer| drop(answer.refused(410, "reset_expired")));
}

#[tokio::test]
async fn a_link_is_good_for_an_hour() {
    let server = Mailing::start().await;
    server.register("ada@example.com").await;
    server.post("", "/auth/forgot-password", json!({"email": "ada@example.com"})).await.expect(202);
    let token = server.token("ada@example.com", "reset-password").await;
    server.advance(3600);
    let reset = json!({"token": token, "password": NEW});
    server.post("", "/auth/reset-password", reset).await.refused(410, "reset_expired");
}

#[tokio::test]
async fn nobody_learns_whether_an_address_has_an_account() {
    let server = Mailing::start().await;
    server.register("ada@example.com").await;
    server.round().await;
    let before = server.smtp.delivered().len();
    let ask = |email: &str| server.post("", "/auth/forgot-password", json!({"email": email}));
    let (known, unknown) = (ask("ada@example.com").await, ask("nobody@example.com").await);
    assert_eq!(known.body, unknown.body);
    assert_eq!((known.status.as_u16(), unknown.status.as_u16()), (202, 202));
    let queued: i64 = sqlx::query_scalar("select count(*) from auth.mail where template = 'reset_password'")
        .fetch_one(&server.app.db)
        .await
        .unwrap();
    assert_eq!(queued, 2, "the same work for both");
    assert_eq!(server.round().await, Round { sent: 1, dropped: 1, ..Round::default() });
    assert_eq!(server.smtp.delivered().len(), before + 1);
    for bad in [json!({}), json!({"email": "nonsense"})] {
        server.post("", "/auth/forgot-password", bad).await.refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn an_address_gets_three_links_an_hour_and_the_answer_stays_the_same() {
    let server = Mailing::start().await;
    server.register("ada@example.com").await;
    server.round().await;
    let links = async || {
        for _ in 0..5 {
            server.post("", "/auth/forgot-password", json!({"email": "ada@example.com"})).await.expect(202);
        }
        server.round().await.sent
    };
    assert_eq!(links().await, 3);
    server.advance(3599);
    assert_eq!(links().await, 0);
    server.advance(1);
    assert_eq!(links().await, 3);
}

#[tokio::test]
async fn an_administrator_can_hand_somebody_a_link() {
    let server = Mailing::start().await;
    let ada = server.register("ada@example.com").await;
    let user = users::by_id(&server.app, ada.user).await.unwrap().unwrap();
    let handed = recovery::hand_reset(&server.app, &user).await.unwrap();
    assert!(handed.mailed);
    assert_eq!(handed.expires_at, server.now() + chrono::TimeDelta::hours(1));
    server.get(&ada.token, "/api/v1/auth/me").await.refused(401, "invalid_token");
    server.token("ada@example.com", "reset-password").await;
    let token = handed.url.strip_prefix("http://localhost:8080/reset-password/").unwrap();
    server.post("", "/auth/reset-password", json!({"token": token, "password": NEW})).await.expect(200);
}
