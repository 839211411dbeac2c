//! What owners of the instance may do, and nobody else.

use crate::support::{Answer, PASSWORD, Person, TestApp, config};
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request},
};
use scaledtest_domain::TeamRole;
use scaledtest_server::{accounts::usage, config::Config};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// The instance owner, and somebody who is none.
async fn two(server: &TestApp) -> (Person, Person) {
    (server.register("ada@example.com").await, server.register("bob@example.org").await)
}

async fn change(server: &TestApp, by: &Person, whom: &Person, body: Value) -> Answer {
    let path = format!("/api/v1/admin/users/{}", whom.user);
    server.call(Method::PATCH, &path, &[("authorization", format!("Bearer {}", by.token))], Some(body)).await
}

async fn log_in(server: &TestApp, email: &str) -> Answer {
    server.post("", "/auth/login", json!({"email": email, "password": PASSWORD})).await
}

async fn audit(server: &TestApp, by: &Person, query: &str) -> Value {
    server.settle_audit().await;
    server.get(&by.token, &format!("/api/v1/admin/audit-log{query}")).await.expect(200)
}

fn column<'a>(body: &'a Value, list: &str, field: &str) -> Vec<&'a str> {
    body[list].as_array().unwrap().iter().map(|one| one[field].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn accounts_are_listed_newest_first_and_searched() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server).await;
    server.join(ada.team, bob.user, TeamRole::Readonly).await;
    let all = server.get(&ada.token, "/api/v1/admin/users").await.expect(200);
    assert_eq!(column(&all, "users", "email"), ["bob@example.org", "ada@example.com"]);
    assert_eq!(all["total"], 2);
    let bobs = &all["users"][0];
    assert_eq!((&bobs["role"], &bobs["disabled"], &bobs["teams"]), (&json!("maintainer"), &json!(false), &json!(2)));
    let found = server.get(&ada.token, "/api/v1/admin/users?search=EXAMPLE.ORG").await.expect(200);
    assert_eq!((found["total"].clone(), column(&found, "users", "email")), (json!(1), vec!["bob@example.org"]));
    // A pattern's own characters are nothing special.
    for nothing in ["%25", "_", "%5C", "a%00z"] {
        let found = server.get(&ada.token, &format!("/api/v1/admin/users?search={nothing}")).await.expect(200);
        assert_eq!(found["total"], 0, "{nothing}");
    }
    let page = server.get(&ada.token, "/api/v1/admin/users?limit=1&offset=1").await.expect(200);
    assert_eq!((column(&page, "users", "email"), &page["total"]), (vec!["ada@example.com"], &json!(2)));
}

#[tokio::test]
async fn an_account_that_is_switched_off_is_out_at_once_and_comes_back() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server).await;
    let secret = server.api_token(&bob, &["read"]).await;
    let off = change(&server, &ada, &bob, json!({"disabled": true})).await.expect(200);
    assert_eq!(off["disabled"], true);
    server.with_cookie("/auth/refresh", &bob.refresh).await.refused(401, "invalid_refresh_token");
    server.advance(1);
    server.get(&secret, "/api/v1/reports").await.refused(401, "invalid_token");
    change(&server, &ada, &bob, json!({"disabled": false})).await.expect(200);
    log_in(&server, "bob@example.org").await.expect(200);
    server.advance(1);
    server.get(&secret, "/api/v1/reports").await.expect(200);
}

#[tokio::test]
async fn there_may_be_several_owners_of_the_instance_and_always_is_one() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server).await;
    change(&server, &bob, &bob, json!({"role": "owner"})).await.refused(403, "forbidden");
    change(&server, &ada, &ada, json!({"role": "maintainer"})).await.refused(409, "own_account");
    change(&server, &ada, &ada, json!({"disabled": true})).await.refused(409, "own_account");
    let promoted = change(&server, &ada, &bob, json!({"role": "owner"})).await.expect(200);
    assert_eq!(promoted["role"], "owner");
    server.get(&bob.token, "/api/v1/admin/users").await.expect(200);
    // Both demote each other at once: one of them is left.
    let demote = || json!({"role": "maintainer"});
    let (one, other) = tokio::join!(change(&server, &ada, &bob, demote()), change(&server, &bob, &ada, demote()));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
}

#[tokio::test]
async fn a_demoted_owner_demotes_nobody_even_if_the_read_models_stand_still() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server).await;
    change(&server, &ada, &bob, json!({"role": "owner"})).await.expect(200);
    let (database, log) = (server.database.clone(), server.app.log.clone());
    server.stop().await;
    let server = TestApp::start_without_projections(config(), database, log).await;
    let demoted = change(&server, &ada, &bob, json!({"role": "maintainer"})).await;
    assert_eq!((demoted.status.as_u16(), demoted.header("st-projection")), (200, Some("lagging")));
    change(&server, &bob, &ada, json!({"role": "maintainer"})).await.refused(403, "forbidden");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server).await;
    change(&server, &ada, &bob, json!({})).await.refused(400, "invalid_request");
    let wrong = change(&server, &ada, &bob, json!({"role": "king"})).await;
    assert_eq!(wrong.refused(400, "invalid_request")["details"][0]["field"], "role");
    let nobody = "/api/v1/admin/users/019aab10-0000-7000-8000-000000000001";
    let headers = [("authorization", format!("Bearer {}", ada.token))];
    server.call(Method::PATCH, nobody, &headers, Some(json!({"disabled": true}))).await.refused(404, "user_not_found");
}

#[tokio::test]
async fn an_api_token_of_an_owner_is_no_key_to_the_instance() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server).await;
    let secret = server.api_token(&ada, &["read", "write", "upload", "worker"]).await;
    for path in ["users", "teams", "audit-log", "audit-log.csv", "settings"] {
        let path = format!("/api/v1/admin/{path}");
        server.get(&secret, &path).await.refused(403, "token_not_allowed");
        server.get(&bob.token, &path).await.refused(403, "forbidden");
    }
}

#[tokio::test]
async fn teams_are_listed_with_what_is_in_them() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server).await;
    server.join(bob.team, ada.user, TeamRole::Readonly).await;
    let report =
        json!({"results": {"tool": {"name": "t"}, "tests": [{"name": "a", "status": "passed", "duration": 1}]}});
    server.post(&bob.token, "/api/v1/reports", report).await.expect(201);
    let teams = server.get(&ada.token, "/api/v1/admin/teams").await.expect(200);
    let first = &teams["teams"][0];
    assert_eq!((&first["id"], &first["members"], &first["reports"]), (&json!(bob.team), &json!(2), &json!(1)));
    assert_eq!((&teams["total"], &first["last_report_at"]), (&json!(2), &json!("2026-01-15T12:00:00Z")));
    let none = server.get(&ada.token, "/api/v1/admin/teams?search=nowhere").await.expect(200);
    assert_eq!(none, json!({"teams": [], "total": 0}));
}

#[tokio::test]
async fn the_audit_log_knows_what_was_done_and_who_tried() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server).await;
    let secret = server.api_token(&bob, &["upload"]).await;
    let report =
        json!({"results": {"tool": {"name": "t"}, "tests": [{"name": "a", "status": "passed", "duration": 1}]}});
    let report = server.post(&secret, "/api/v1/reports", report).await.expect(201);
    server
        .post("", "/auth/login", json!({"email": "bob@example.org", "password": "wrong"}))
        .await
        .refused(401, "invalid_credentials");
    server.delete(&bob.token, &format!("/api/v1/teams/{}", bob.team)).await.expect(200);
    server.settle().await;

    let submitted = audit(&server, &ada, "?action=report.submitted").await;
    let line = &submitted["audit_log"][0];
    // Through a token it was still somebody.
    assert_eq!((&line["actor_id"], &line["actor_email"]), (&json!(bob.user), &json!("bob@example.org")));
    assert_eq!((&line["resource_type"], &line["resource_id"]), (&json!("report"), &report["id"]));
    assert_eq!((&line["metadata"]["tool"], &line["metadata"]["tests"]), (&json!("t"), &json!(1)));
    let failed = audit(&server, &ada, "?action=sign_in_failed").await;
    assert_eq!(failed["audit_log"][0]["actor_email"], "bob@example.org");
    // Nobody is said to be nobody.
    assert_eq!(failed["audit_log"][0].get("actor_id"), Some(&Value::Null));
    let deleted = audit(&server, &ada, "?action=team.deleted").await;
    assert_eq!(deleted["audit_log"][0]["team_id"], json!(bob.team));

    let of_bob = audit(&server, &ada, &format!("?actor_id={}", bob.user)).await;
    assert!(column(&of_bob, "audit_log", "actor_id").iter().all(|actor| *actor == bob.user.to_string()));
    let of_team = audit(&server, &ada, &format!("?team_id={}&resource_type=token", bob.team)).await;
    assert_eq!(column(&of_team, "audit_log", "action"), ["token.created"]);
    let later = audit(&server, &ada, "?since=2026-01-15T12:00:01Z").await;
    assert_eq!(later["total"], 0);
    let until = audit(&server, &ada, "?until=2026-01-15T12:00:00Z").await;
    assert_eq!(until["total"], audit(&server, &ada, "").await["total"]);
    for wrong in ["?actor_id=x", "?team_id=x", "?resource_id=x", "?since=yesterday", "?cursor=x"] {
        server.get(&ada.token, &format!("/api/v1/admin/audit-log{wrong}")).await.refused(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn ones_own_act_is_in_the_audit_log_that_one_looks_at_next() {
    let server = TestApp::start().await;
    let (ada, _) = two(&server).await;
    for n in 0..3 {
        let made = server.post(&ada.token, "/api/v1/teams", json!({"name": format!("Team {n}")})).await;
        let bearer = format!("Bearer {}", ada.token);
        let headers = [("authorization", bearer.as_str()), ("st-min-position", made.header("st-position").unwrap())];
        let team = made.json()["id"].clone();
        let query = format!("?resource_id={}", team.as_str().unwrap());
        for path in ["/api/v1/admin/audit-log", "/api/v1/admin/audit-log.csv"] {
            let seen = server.call(Method::GET, &format!("{path}{query}"), &headers, None).await;
            assert!(seen.status == 200 && seen.text().contains("team.created"), "{}", seen.text());
        }
        let body = server.get(&ada.token, &format!("/api/v1/admin/audit-log{query}")).await.expect(200);
        assert!(column(&body, "audit_log", "resource_id").iter().all(|id| *id == team), "{body}");
    }
}

#[tokio::test]
async fn an_export_that_is_cut_off_says_so() {
    let server = TestApp::start().await;
    let (ada, _) = two(&server).await;
    sqlx::query(
        "insert into auth.audit (at, action, email) select $1 - n * interval '1 second', 'sign_in_failed', 'x@example.com'
         from generate_series(1, 100001) n",
    )
    .bind(server.now())
    .execute(&server.app.db)
    .await
    .unwrap();
    let export = server.get(&ada.token, "/api/v1/admin/audit-log.csv?action=sign_in_failed").await;
    let lines: Vec<_> = export.text().lines().collect();
    assert_eq!(lines.len(), 1 + 100_000 + 1);
    let last = lines.last().unwrap();
    let next =
        (server.now() - chrono::TimeDelta::seconds(100_001)).to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    assert!(last.contains("export.truncated") && last.contains(&format!("until={next}")), "{last}");
    assert_eq!(last.matches(',').count(), lines[0].matches(',').count());
}

#[tokio::test]
async fn pages_of_the_audit_log_fit_together_and_the_export_is_the_same() {
    let server = TestApp::start().await;
    let (ada, _) = two(&server).await;
    for _ in 0..7 {
        server.advance(1);
        server.get("", "/auth/csrf-token").await.expect(200);
        log_in(&server, "=cmd@example.com").await.refused(401, "invalid_credentials");
        server.clear_attempts().await;
    }
    let all = audit(&server, &ada, "?limit=100").await;
    let ids = |body: &Value| column(body, "audit_log", "id").into_iter().map(str::to_owned).collect::<Vec<_>>();
    let (mut paged, mut query) = (Vec::new(), "?limit=3".to_owned());
    loop {
        let page = audit(&server, &ada, &query).await;
        paged.extend(ids(&page));
        assert_eq!(page["total"], all["total"]);
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(paged, ids(&all));
    let export = server.get(&ada.token, "/api/v1/admin/audit-log.csv").await;
    assert_eq!(export.header("content-type"), Some("text/csv; charset=utf-8"));
    let lines: Vec<_> = export.text().lines().collect();
    assert_eq!(lines.len(), paged.len() + 1);
    assert!(lines.iter().skip(1).zip(&paged).all(|(line, id)| line.ends_with(id.as_str())));
    assert!(export.text().contains("\"'=cmd@example.com\""));
}

#[tokio::test]
async fn settings_are_shown_without_secrets() {
    let server = TestApp::start_with(Config { allowed_origins: vec!["https://a.example".into()], ..config() }).await;
    let (ada, _) = two(&server).await;
    let settings = server.get(&ada.token, "/api/v1/admin/settings").await.expect(200);
    let of = |name: &str| {
        settings["settings"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!((of("ST_ALLOWED_ORIGINS"), of("ST_JWT_SECRET")), (json!("https://a.example"), json!("set")));
}

#[tokio::test]
async fn what_the_data_take_is_shown_part_by_part() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server).await;
    let report = json!({"results": {"tool": {"name": "t"}, "summary": {"tests": 1, "passed": 1, "failed": 0, "skipped": 0,
        "pending": 0, "other": 0, "start": 0, "stop": 0}, "tests": [{"name": "a", "status": "passed", "duration": 1}]}});
    for days in [30, 90] {
        let path = format!("/api/v1/teams/{}/retention", bob.team);
        let headers = [("authorization", format!("Bearer {}", bob.token))];
        server.call(Method::PUT, &path, &headers, Some(json!({"days": days}))).await.expect(200);
        server.post(&bob.token, &format!("/api/v1/reports?project=p{days}"), report.clone()).await.expect(201);
    }
    let shown = server.get(&ada.token, "/api/v1/admin/storage").await.expect(200);
    assert_eq!((shown["results"].as_i64(), shown["retention_days"].as_i64()), (Some(2), Some(400)));
    assert!(shown["database_bytes"].as_i64().unwrap() > 1_000_000 && shown["bytes_per_result"].as_f64().unwrap() > 0.0);
    assert_eq!(shown["disk_bytes"], Value::Null, "the database of this test is not the server's own");
    let parts = shown["parts"].as_array().unwrap();
    let days: Vec<_> =
        parts.iter().map(|part| (part["days"].as_i64().unwrap(), part["results"].as_i64().unwrap())).collect();
    assert_eq!(days, [(30, 1), (90, 1)], "the next to be dropped first");
    assert!(parts.iter().all(|part| part["bytes"].as_i64().unwrap() > 0 && part["expires_at"].is_string()));
}

#[tokio::test]
async fn an_api_token_used_from_an_address_for_the_first_time_is_noted_once() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server).await;
    let secret = server.api_token(&bob, &["read"]).await;
    let call = |address: &'static str| {
        let peer: SocketAddr = format!("{address}:1").parse().unwrap();
        let request = Request::get("/api/v1/teams").header("authorization", format!("Bearer {secret}"));
        server.send(request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap())
    };
    for address in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        call(address).await.expect(200);
        usage::flush(&server.app).await.unwrap();
        server.advance(61);
    }
    let noted = audit(&server, &ada, "?action=token_used_from_new_address").await;
    assert_eq!(column(&noted, "audit_log", "ip"), ["192.0.2.2", "192.0.2.1"]);
    let line = &noted["audit_log"][0];
    assert_eq!((&line["actor_email"], &line["team_id"]), (&json!("bob@example.org"), &json!(bob.team)));
    assert_eq!(line["resource_type"], "token");
}

#[tokio::test]
async fn an_owner_of_the_instance_hands_somebody_a_link_for_a_new_password() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server).await;
    let path = format!("/api/v1/admin/users/{}/reset-password", bob.user);
    server.post(&bob.token, &path, json!({})).await.refused(403, "forbidden");
    let handed = server.post(&ada.token, &path, json!({})).await.expect(200);
    assert_eq!((&handed["mailed"], &handed["expires_at"]), (&json!(false), &json!("2026-01-15T13:00:00Z")));
    // Whoever is in is out, and the old password is good until the link is used.
    server.get(&bob.token, "/api/v1/teams").await.refused(401, "invalid_token");
    log_in(&server, "bob@example.org").await.expect(200);
    let token = handed["reset_url"].as_str().unwrap().strip_prefix("http://localhost:8080/reset-password/").unwrap();
    let new = json!({"token": token, "password": "another horse battery"});
    server.post("", "/auth/reset-password", new).await.expect(200);
    log_in(&server, "bob@example.org").await.refused(401, "invalid_credentials");
    let noted = audit(&server, &ada, "?action=password_reset_handed").await;
    let line = &noted["audit_log"][0];
    assert_eq!((&line["actor_id"], &line["resource_id"]), (&json!(ada.user), &json!(bob.user)));
}
