use crate::support::{PASSWORD, TestApp};
use axum::http::Method;
use serde_json::json;

#[tokio::test]
async fn registering_signs_in_and_gives_a_team_of_ones_own() {
    let server = TestApp::start().await;
    let body = json!({"email": " Ada@Example.com ", "password": PASSWORD, "display_name": "Ada <3"});
    let answer = server.post("", "/auth/register", body).await;
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    assert!(answer.header("st-position").is_some() && answer.header("st-projection").is_none());
    let body = answer.expect(201);
    assert!(cookie.ends_with("; Path=/auth; Max-Age=604800; HttpOnly; SameSite=Strict"), "{cookie}");
    assert_eq!(body["user"]["email"], "Ada@Example.com");
    assert_eq!(body["user"]["display_name"], "Ada <3");
    assert_eq!(body["user"]["role"], "owner");
    assert_eq!(body["expires_at"], "2026-01-15T12:15:00Z");
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(server.get(token, "/api/v1/auth/me").await.expect(200), body["user"]);
    let teams = server.get(token, "/api/v1/teams").await.expect(200);
    assert_eq!(teams["teams"].as_array().unwrap().len(), 1);
    assert_eq!(teams["teams"][0]["role"], "owner");
}

#[tokio::test]
async fn faulty_registrations_name_every_faulty_field() {
    let server = TestApp::start().await;
    let long = "x".repeat(1025);
    let rows = [
        (json!({}), vec!["email", "password", "display_name"]),
        (json!({"email": "ada", "password": PASSWORD, "display_name": "Ada"}), vec!["email"]),
        (json!({"email": "a@b.c", "password": "1234567", "display_name": ""}), vec!["password", "display_name"]),
        (json!({"email": "a@b.c", "password": long, "display_name": "Ada"}), vec!["password"]),
        (json!({"email": "a@b.c", "password": PASSWORD, "display_name": "a\u{0}b"}), vec!["display_name"]),
        (json!({"email": 5, "password": PASSWORD, "display_name": "Ada"}), vec!["email"]),
    ];
    for (body, fields) in rows {
        let refusal = server.post("", "/auth/register", body.clone()).await.refused(400, "invalid_request");
        assert!(refusal["error"].as_str().unwrap().starts_with("invalid request: "), "{refusal}");
        let named: Vec<_> =
            refusal["details"].as_array().unwrap().iter().map(|detail| detail["field"].as_str().unwrap()).collect();
        assert_eq!(named, fields, "{body}");
    }
    let empty = server.call(Method::POST, "/auth/register", &[("content-type", "text/plain")], None).await;
    empty.refused(400, "invalid_request");
    let large = server.post("", "/auth/register", json!({"email": "x".repeat(1024 * 1024)})).await;
    large.refused(413, "too_large");
}

#[tokio::test]
async fn an_address_can_be_taken_once_whatever_its_case() {
    let server = TestApp::start().await;
    server.register("ada@example.com").await;
    let body = json!({"email": "ADA@example.com", "password": PASSWORD, "display_name": "Eve"});
    server.post("", "/auth/register", body).await.refused(409, "email_taken");
}

#[tokio::test]
async fn signing_in_needs_the_right_password_and_says_the_same_for_unknown_people() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let login = |email: &str, password: &str| json!({"email": email, "password": password});
    let answer = server.post("", "/auth/login", login("ADA@example.com ", PASSWORD)).await;
    assert!(answer.refresh_cookie().is_some());
    let body = answer.expect(200);
    assert_eq!(body["user"]["id"], json!(ada.user));
    assert_eq!(body["user"]["role"], "owner");
    let wrong = server.post("", "/auth/login", login("ada@example.com", "wrong")).await;
    let unknown = server.post("", "/api/v1/auth/login", login("eve@example.com", PASSWORD)).await;
    let sentence = |answer: &crate::support::Answer| answer.refused(401, "invalid_credentials")["error"].clone();
    assert_eq!(sentence(&wrong), sentence(&unknown));
    server.post("", "/auth/login", json!({"email": "ada@example.com"})).await.refused(400, "invalid_request");
    let noted: Vec<String> =
        sqlx::query_scalar("select action from auth.audit order by id").fetch_all(&server.app.db).await.unwrap();
    assert_eq!(noted, ["registered", "signed_in", "sign_in_failed", "sign_in_failed"]);
}

#[tokio::test]
async fn the_token_carries_the_team_and_the_instance_role() {
    let server = TestApp::start().await;
    let first = server.register("ada@example.com").await;
    let second = server.register("bob@example.com").await;
    assert_eq!((first.role.as_str(), second.role.as_str()), ("owner", "maintainer"));
    let claims = claims(&second.token);
    assert_eq!(claims["tid"], json!(second.team));
    assert_eq!(claims["uid"], json!(second.user));
    assert_eq!(claims["sub"], json!(second.user));
    assert_eq!((&claims["role"], &claims["iss"]), (&json!("maintainer"), &json!("scaledtest")));
    assert_eq!(claims["email"], "bob@example.com");
}

/// What a token says, without checking it.
pub fn claims(token: &str) -> serde_json::Value {
    jsonwebtoken::dangerous::insecure_decode::<serde_json::Value>(token).unwrap().claims
}

#[tokio::test]
async fn the_shown_name_can_be_changed() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let auth = [("authorization", format!("Bearer {}", ada.token))];
    let change = |name: &str| server.call(Method::PATCH, "/api/v1/auth/me", &auth, Some(json!({"display_name": name})));
    assert_eq!(change("Countess").await.expect(200)["display_name"], "Countess");
    assert_eq!(server.get(&ada.token, "/api/v1/auth/me").await.expect(200)["display_name"], "Countess");
    change("").await.refused(400, "invalid_request");
}

#[tokio::test]
async fn a_csrf_token_is_given_to_whoever_asks() {
    let server = TestApp::start().await;
    let answer = server.get("", "/auth/csrf-token").await;
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    let token = answer.expect(200)["csrf_token"].as_str().unwrap().to_owned();
    assert!(cookie.starts_with(&format!("__csrf_token={token}; Path=/; Max-Age=86400; SameSite=Strict")), "{cookie}");
    let (nonce, signature) = token.split_once('.').unwrap();
    assert_eq!((nonce.len(), signature.len()), (64, 64));
}
