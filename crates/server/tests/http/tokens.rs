use crate::support::{Answer, Person, TestApp, config};
use axum::http::Method;
use scaledtest_domain::{TeamId, TeamRole, TokenId};
use scaledtest_eventlog::EventLog;
use scaledtest_server::accounts::{sweep::sweep, usage};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::sync::Arc;

fn path(person: &Person) -> String {
    format!("/api/v1/teams/{}/tokens", person.team)
}

#[tokio::test]
async fn a_new_token_shows_its_secret_once_and_works_at_once() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let answer = server.post(&ada.token, &path(&ada), json!({"name": "CI <main>"})).await;
    assert!(answer.header("st-position").is_some());
    let made = answer.expect(201);
    let secret = made["token"].as_str().unwrap();
    assert!(secret.len() == 68 && secret[4..].bytes().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()));
    assert_eq!(made["prefix"], secret[4..12]);
    assert_eq!(made["scopes"], json!(["upload", "read", "write", "worker"]));
    let listed = server.get(secret, &path(&ada)).await.expect(200);
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().remove("token");
    expected["team_id"] = json!(ada.team);
    expected["user_id"] = json!(ada.user);
    assert_eq!(listed, json!({"tokens": [expected]}));
    let stored: Vec<String> =
        sqlx::query_scalar("select t::text from auth.api_tokens t").fetch_all(&server.app.db).await.unwrap();
    assert!(!stored[0].contains(&secret[12..]));
}

#[tokio::test]
async fn tokens_are_listed_newest_first_with_their_last_use() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let secret = server.api_token(&ada, &["read"]).await;
    server.advance(1);
    server.post(&ada.token, &path(&ada), json!({"name": "second"})).await.expect(201);
    server.get(&secret, "/api/v1/teams").await.expect(200);
    usage::flush(&server.app).await.unwrap();
    let listed = server.get(&ada.token, &path(&ada)).await.expect(200);
    let names: Vec<_> = listed["tokens"].as_array().unwrap().iter().map(|token| token["name"].clone()).collect();
    assert_eq!(names, ["second", "CI"]);
    assert_eq!(listed["tokens"][0].get("last_used_at"), None);
    assert_eq!(listed["tokens"][1]["last_used_at"], "2026-01-15T12:00:01Z");
}

#[tokio::test]
async fn all_replicas_together_write_a_last_use_once_a_minute() {
    let database = Arc::new(scaledtest_testkit::database().await);
    let log = EventLog::in_memory();
    let one = TestApp::start_on(config(), Arc::clone(&database), log.clone()).await;
    let other = TestApp::start_without_projections(config(), database, log).await;
    let ada = one.register("ada@example.com").await;
    let secret = one.api_token(&ada, &["read"]).await;
    let use_of = async |server: &TestApp| {
        server.get(&secret, "/api/v1/teams").await.expect(200);
        usage::flush(&server.app).await.unwrap();
        let listed = one.get(&ada.token, &path(&ada)).await.expect(200);
        listed["tokens"][0]["last_used_at"].as_str().unwrap().to_owned()
    };
    assert_eq!(use_of(&one).await, "2026-01-15T12:00:00Z");
    other.advance(59);
    assert_eq!(use_of(&other).await, "2026-01-15T12:00:00Z");
    other.advance(60);
    assert_eq!(use_of(&other).await, "2026-01-15T12:01:59Z");
}

#[tokio::test]
async fn faulty_tokens_name_every_faulty_field() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let rows: [(Value, &[&str]); 6] = [
        (json!({}), &["name"]),
        (json!({"name": "x".repeat(256)}), &["name"]),
        (json!({"name": "CI", "scopes": []}), &["scopes"]),
        (json!({"name": "", "scopes": ["read", "admin"]}), &["name", "scopes[1]"]),
        (json!({"name": "CI", "expires_at": "2026-01-15T12:00:00Z"}), &["expires_at"]),
        (json!({"name": "CI", "expires_at": "tomorrow"}), &["expires_at"]),
    ];
    for (body, fields) in rows {
        let refusal = server.post(&ada.token, &path(&ada), body.clone()).await.refused(400, "invalid_request");
        let named: Vec<_> =
            refusal["details"].as_array().unwrap().iter().map(|detail| detail["field"].clone()).collect();
        assert_eq!(named, fields, "{body}");
    }
    assert_eq!(server.get(&ada.token, &path(&ada)).await.expect(200), json!({"tokens": []}));
}

#[tokio::test]
async fn the_same_key_gives_the_same_token_and_another_request_is_refused() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let auth = format!("Bearer {}", ada.token);
    let path = path(&ada);
    let create = |key: &'static str, name: &'static str| {
        let headers = [("authorization", auth.clone()), ("idempotency-key", key.to_owned())];
        let (server, path) = (&server, &path);
        async move { server.call(Method::POST, path, &headers, Some(json!({"name": name}))).await }
    };
    let first = create("k1", "CI").await.expect(201);
    assert_eq!(create("k1", "CI").await.expect(201), first);
    create("k1", "other").await.refused(422, "idempotency_key_reused");
    assert_ne!(create("k2", "CI").await.expect(201)["token"], first["token"]);
    assert_eq!(server.get(&ada.token, &path).await.expect(200)["tokens"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_revoked_token_is_useless_at_once_and_revoking_it_again_finds_nothing() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let secret = server.api_token(&ada, &["read"]).await;
    let listed = server.get(&secret, &path(&ada)).await.expect(200);
    let token = format!("{}/{}", path(&ada), listed["tokens"][0]["id"].as_str().unwrap());
    assert_eq!(server.delete(&ada.token, &token).await.expect(200)["message"], "token revoked");
    server.get(&secret, &path(&ada)).await.refused(401, "invalid_token");
    server.delete(&ada.token, &token).await.refused(404, "token_not_found");
    assert_eq!(server.get(&ada.token, &path(&ada)).await.expect(200), json!({"tokens": []}));
}

#[tokio::test]
async fn a_token_ends_when_it_said_it_would() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let body = json!({"name": "CI", "expires_at": "2026-01-15T13:00:00+01:00", "scopes": ["read"]});
    server.post(&ada.token, &path(&ada), body).await.refused(400, "invalid_request");
    let body = json!({"name": "CI", "expires_at": "2026-01-15T13:10:00+01:00", "scopes": ["read"]});
    let made = server.post(&ada.token, &path(&ada), body).await.expect(201);
    assert_eq!(made["expires_at"], "2026-01-15T12:10:00Z");
    let secret = made["token"].as_str().unwrap();
    server.advance(599);
    server.get(secret, "/api/v1/teams").await.expect(200);
    server.advance(1);
    server.get(secret, "/api/v1/teams").await.refused(401, "token_expired");
}

#[tokio::test]
async fn only_owners_manage_tokens_in_person_and_strangers_see_no_team() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let bob = server.register("bob@example.com").await;
    let body = || json!({"name": "CI"});
    for (method, tail) in [(Method::GET, ""), (Method::POST, ""), (Method::DELETE, "/x")] {
        let auth = [("authorization", format!("Bearer {}", bob.token))];
        let answer = server.call(method, &format!("{}{tail}", path(&ada)), &auth, Some(body())).await;
        answer.refused(404, if tail.is_empty() { "team_not_found" } else { "token_not_found" });
    }
    let stranger = format!("{}/{}", path(&ada), TokenId::new());
    server.delete(&bob.token, &stranger).await.refused(404, "team_not_found");
    server.join(ada.team, bob.user, TeamRole::Maintainer).await;
    server.get(&bob.token, &path(&ada)).await.expect(200);
    server.post(&bob.token, &path(&ada), body()).await.refused(403, "forbidden");
    server.delete(&bob.token, &stranger).await.refused(403, "forbidden");
    let secret = server.api_token(&ada, &["read", "write", "upload", "worker"]).await;
    server.post(&secret, &path(&ada), body()).await.refused(403, "token_not_allowed");
    server.get(&secret, "/api/v1/auth/me").await.refused(403, "token_not_allowed");
    let blind = server.api_token(&ada, &["upload"]).await;
    server.get(&blind, &path(&ada)).await.refused(403, "insufficient_scope");
    server.get(&ada.token, "/api/v1/teams/nonsense/tokens").await.refused(404, "team_not_found");
    server.get(&ada.token, &format!("/api/v1/teams/{}/tokens", TeamId::new())).await.refused(404, "team_not_found");
}

#[tokio::test]
async fn a_token_may_no_more_than_its_creator_may_now() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let secret = server.api_token(&ada, &["read"]).await;
    sqlx::query("delete from access.member where user_id = $1").bind(ada.user.0).execute(&server.app.db).await.unwrap();
    server.get(&secret, "/api/v1/teams").await.refused(401, "invalid_token");
}

#[tokio::test]
async fn what_a_crash_left_of_tokens_is_finished_or_removed() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let kept = server.api_token(&ada, &["read"]).await;
    let revoked = server.api_token(&ada, &["read"]).await;
    // As if the process had died after the log, before the log, and while revoking.
    sqlx::query("update auth.api_tokens set state = 'pending'").execute(&server.app.db).await.unwrap();
    sqlx::query(
        "insert into auth.api_tokens (id, team_id, user_id, token_hash, scopes, created_at)
         select gen_random_uuid(), team_id, user_id, 'nothing', scopes, created_at from auth.api_tokens limit 1",
    )
    .execute(&server.app.db)
    .await
    .unwrap();
    let listed = server.get(&ada.token, &path(&ada)).await.expect(200);
    let newest: uuid::Uuid = listed["tokens"][0]["id"].as_str().unwrap().parse().unwrap();
    sqlx::query("update auth.api_tokens set state = 'revoked' where id = $1")
        .bind(newest)
        .execute(&server.app.db)
        .await
        .unwrap();
    server.get(&kept, "/api/v1/teams").await.refused(401, "invalid_token");
    server.advance(121);
    assert_eq!(sweep(&server.app).await.unwrap().tokens, 3);
    server.settle().await;
    server.get(&kept, "/api/v1/teams").await.expect(200);
    server.get(&revoked, "/api/v1/teams").await.refused(401, "invalid_token");
    let listed = server.get(&ada.token, &path(&ada)).await.expect(200);
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 1);
}

async fn create_with_key(server: &TestApp, person: &Person, key: &str, body: Value) -> Answer {
    let headers = [("authorization", format!("Bearer {}", person.token)), ("idempotency-key", key.to_owned())];
    server.call(Method::POST, &path(person), &headers, Some(body)).await
}

async fn rows(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from auth.api_tokens").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn the_key_of_a_revoked_token_makes_no_token_any_more() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let made = create_with_key(&server, &ada, "k1", json!({"name": "CI"})).await.expect(201);
    let secret = made["token"].as_str().unwrap();
    let token = format!("{}/{}", path(&ada), made["id"].as_str().unwrap());
    server.delete(&ada.token, &token).await.expect(200);
    create_with_key(&server, &ada, "k1", json!({"name": "CI"})).await.refused(409, "token_revoked");
    server.get(secret, "/api/v1/teams").await.refused(401, "invalid_token");
    assert_eq!(rows(&server.app.db).await, 0);
}

#[tokio::test]
async fn the_key_of_a_token_that_is_being_revoked_does_not_show_its_secret_again() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    create_with_key(&server, &ada, "k1", json!({"name": "CI"})).await.expect(201);
    // As if revoking had not reached the log yet.
    sqlx::query("update auth.api_tokens set state = 'revoked'").execute(&server.app.db).await.unwrap();
    create_with_key(&server, &ada, "k1", json!({"name": "CI"})).await.refused(409, "token_revoked");
    server.advance(121);
    assert_eq!(sweep(&server.app).await.unwrap().tokens, 1);
    assert_eq!(rows(&server.app.db).await, 0);
}

#[tokio::test]
async fn the_sweep_does_not_finish_what_was_revoked() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let secret = server.api_token(&ada, &["read"]).await;
    let save = "create table saved as select * from auth.api_tokens";
    sqlx::query(save).execute(&server.app.db).await.unwrap();
    let listed = server.get(&ada.token, &path(&ada)).await.expect(200);
    let token = format!("{}/{}", path(&ada), listed["tokens"][0]["id"].as_str().unwrap());
    server.delete(&ada.token, &token).await.expect(200);
    // As a process leaves it that dies while the key is used again.
    sqlx::query("update saved set state = 'pending'").execute(&server.app.db).await.unwrap();
    sqlx::query("insert into auth.api_tokens select * from saved").execute(&server.app.db).await.unwrap();
    server.advance(121);
    assert_eq!(sweep(&server.app).await.unwrap().tokens, 1);
    server.get(&secret, "/api/v1/teams").await.refused(401, "invalid_token");
    assert_eq!(rows(&server.app.db).await, 0);
}

#[tokio::test]
async fn a_key_whose_first_use_never_reached_the_log_is_free_for_another_token() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let other = create_with_key(&server, &ada, "k1", json!({"name": "CI", "scopes": ["upload"]})).await.expect(201);
    // The row of that attempt, but under the id of a key that the log has not seen: as if it had died before the log.
    let unused = TokenId::derived(&[b"create_token", &ada.team.0.into_bytes(), &ada.user.0.into_bytes(), b"k2"]);
    sqlx::query("update auth.api_tokens set id = $1, state = 'pending'")
        .bind(unused.0)
        .execute(&server.app.db)
        .await
        .unwrap();
    let body = json!({"name": "nightly", "scopes": ["read"], "expires_at": "2026-02-01T00:00:00Z"});
    let made = create_with_key(&server, &ada, "k2", body).await.expect(201);
    assert_eq!(made["id"], json!(unused));
    server.get(made["token"].as_str().unwrap(), "/api/v1/teams").await.expect(200);
    server.get(other["token"].as_str().unwrap(), "/api/v1/teams").await.refused(401, "invalid_token");
    server.clock.set("2026-02-01T00:00:00Z".parse().unwrap());
    server.get(made["token"].as_str().unwrap(), "/api/v1/teams").await.refused(401, "token_expired");
}
