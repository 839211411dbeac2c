//! Links to runs: read by anybody who has one, and nothing beside the one run.

use crate::support::{Answer, Person, TestApp, config};
use axum::http::Method;
use scaledtest_domain::{ShareId, TeamRole};
use scaledtest_server::config::Config;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A failed test with everything that a test can have, a passed one, and an environment that is nobody's business.
fn report(word: &str) -> Value {
    let attempt = json!({"status": "failed", "attempt": 1, "duration": 3, "message": format!("{word} broke first"),
                         "attachments": [{"name": "log", "contentType": "text/plain", "path": "a.log", "owner": "hidden@example.com"}]});
    json!({"results": {
        "tool": {"name": "runner", "version": "2.0"},
        "environment": {"branchName": "main", "buildNumber": "12", "testEnvironment": "hidden-host",
                        "extra": {"secret": "hidden-value"}},
        "tests": [
            {"name": format!("{word} pays"), "status": "failed", "duration": 30, "message": format!("{word} broke"),
             "trace": format!("at {word}.ts:1"), "suite": ["checkout"], "tags": ["slow"], "retries": 1,
             "retryAttempts": [attempt], "steps": [{"name": "open", "status": "passed", "owner": "hidden@example.com"}],
             "extra": {"owner": "hidden@example.com"}},
            {"name": format!("{word} adds"), "status": "passed", "duration": 1},
        ],
    }})
}

/// Uploads a run and says its id and its report's.
async fn upload(server: &TestApp, by: &Person, word: &str, query: &str) -> (String, String) {
    let path = format!("/api/v1/reports?project={word}&{query}");
    let made = server.post(&by.token, &path, report(word)).await.expect(201);
    (made["run_id"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

async fn share(server: &TestApp, by: &Person, run: &str, body: Value) -> Answer {
    server.post(&by.token, &format!("/api/v1/runs/{run}/shares"), body).await
}

/// Makes a link, and says its id and what it holds.
async fn link(server: &TestApp, by: &Person, run: &str) -> (String, String) {
    let made = share(server, by, run, json!({})).await.expect(201);
    (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn whoever_has_a_link_reads_the_run_without_an_account() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let (run, report) = upload(&server, &ada, "shop", "run_id=build-7&commit=abc").await;
    let made = share(&server, &ada, &run, json!({"expires_in_days": 7})).await.expect(201);
    let token = made["token"].as_str().unwrap();
    assert_eq!(made["url"], format!("http://localhost:8080/shared/{token}"));
    assert_eq!(made["expires_at"], json!(server.now() + chrono::TimeDelta::days(7)));

    let answer = server.get("", &format!("/api/v1/shared/{token}")).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-robots-tag"), Some("noindex, nofollow"));
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    let shown = answer.expect(200);
    // Field by field: what is added to runs and reports is not shown to anybody by itself.
    let fields = ["branch", "build", "commit", "complete", "expires_at", "name", "partial", "project", "reports"];
    let fields = [&fields[..], &["run_at", "summary", "tags", "tools", "updated_at"]].concat();
    assert_eq!(keys(&shown), fields.into_iter().collect());
    let fields = ["id", "partial", "received_at", "summary", "tool_name", "tool_version"];
    assert_eq!(keys(&shown["reports"][0]), fields.into_iter().collect());
    assert_eq!((&shown["name"], &shown["project"]), (&json!("build-7"), &json!("shop")));
    assert_eq!((&shown["summary"]["tests"], &shown["summary"]["failed"]), (&json!(2), &json!(1)));

    let results = format!("/api/v1/shared/{token}/results");
    let first = server.get("", &format!("{results}?sort=status&limit=1")).await.expect(200);
    assert_eq!((&first["total"], &first["results"][0]["name"]), (&json!(2), &json!("shop pays")));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = server.get("", &format!("{results}?sort=status&limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!(second["results"][0]["name"], "shop adds");
    let found = server.get("", &format!("{results}?text=broke&status=failed&tag=slow&suite=check")).await.expect(200);
    assert_eq!((&found["total"], &found["results"][0]["message"]), (&json!(1), &json!("shop broke")));
    server.get("", &format!("{results}?status=odd")).await.refused(400, "invalid_parameter");

    let one = server.get("", &format!("{results}/{report}/0")).await.expect(200);
    assert_eq!((&one["trace"], &one["steps"][0]["name"]), (&json!("at shop.ts:1"), &json!("open")));
    assert_eq!(one["attempts"][0]["message"], "shop broke first");
    assert_eq!(one["attempts"][0]["attachments"][0]["name"], "log");
    for all in [shown, first, one] {
        let text = all.to_string();
        assert!(!text.contains("hidden"), "{text}");
        assert!(!text.contains(&ada.team.to_string()) && !text.contains(&ada.user.to_string()), "{text}");
    }
    // The page of the link, too, is none for search engines.
    let page = server.get("", &format!("/shared/{token}")).await;
    assert_eq!((page.status.as_u16(), page.header("x-robots-tag")), (200, Some("noindex, nofollow")));
    assert_eq!(server.get("", "/login").await.header("x-robots-tag"), None);
}

#[tokio::test]
async fn a_link_that_is_not_valid_is_answered_alike_whatever_the_reason() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let (run, report) = upload(&server, &ada, "shop", "").await;
    let (_, good) = link(&server, &ada, &run).await;
    let (id, revoked) = link(&server, &ada, &run).await;
    server.delete(&ada.token, &format!("/api/v1/shares/{id}")).await.expect(200);
    let short = share(&server, &ada, &run, json!({"expires_in_days": 1})).await.expect(201);
    let expired = short["token"].as_str().unwrap().to_owned();
    let (gone_run, gone_report) = upload(&server, &ada, "gone", "").await;
    let (_, gone) = link(&server, &ada, &gone_run).await;
    server.delete(&ada.token, &format!("/api/v1/reports/{gone_report}")).await.expect(200);
    server.advance(86_400);

    let unknown = format!("shr_{}", "0".repeat(64));
    let id_alone = good[..36].to_owned();
    let forged = format!("{}{}", &good[..36], &revoked[36..]);
    let mut answers = BTreeSet::new();
    for token in [&unknown, &revoked, &expired, &gone, &id_alone, &forged, &run] {
        for rest in ["", "/results", "/results?text=x", &format!("/results/{report}/0")] {
            let answer = server.get("", &format!("/api/v1/shared/{token}{rest}")).await;
            let body = answer.refused(404, "share_not_found");
            let headers: Vec<_> = answer.headers.iter().filter(|(name, _)| *name != "x-request-id").collect();
            answers.insert(format!("{} {headers:?}", body["error"]));
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    server.get("", &format!("/api/v1/shared/{good}")).await.expect(200);
    // A team that ends takes its links with it.
    let (token, _) = server.sign_in("ada@example.com").await;
    server.delete(&token, &format!("/api/v1/teams/{}", ada.team)).await.expect(200);
    server.get("", &format!("/api/v1/shared/{good}")).await.refused(404, "share_not_found");
}

#[tokio::test]
async fn a_link_shows_no_other_run_project_or_team() {
    let server = TestApp::start().await;
    let (ada, bob) = (server.register("ada@example.com").await, server.register("bob@example.com").await);
    let (run, report) = upload(&server, &ada, "shop", "run_id=build-7").await;
    let others = [
        upload(&server, &ada, "shop", "run_id=build-8").await,
        upload(&server, &ada, "site", "run_id=build-7").await,
        upload(&server, &bob, "shop", "run_id=build-7").await,
    ];
    let (_, token) = link(&server, &ada, &run).await;
    let results = format!("/api/v1/shared/{token}/results");
    server.get("", &format!("{results}/{report}/0")).await.expect(200);
    for (other_run, other_report) in &others {
        for id in [other_run, other_report] {
            server.get("", &format!("{results}/{id}/0")).await.refused(404, "result_not_found");
        }
        let asked = format!("{results}?run_id={other_run}&id={other_run}&report_id={other_report}&limit=1000");
        let listed = server.get("", &asked).await.expect(200);
        let of: BTreeSet<_> =
            listed["results"].as_array().unwrap().iter().map(|one| one["report_id"].as_str()).collect();
        assert_eq!((listed["total"].as_i64(), of), (Some(2), [Some(report.as_str())].into()));
        // Nor a credential, nor a team's name, widens it.
        let headers = [("authorization", format!("Bearer {}", bob.token)), ("x-team-id", bob.team.to_string())];
        let answer = server.call(Method::GET, &format!("/api/v1/shared/{token}"), &headers, None).await;
        assert_eq!(answer.expect(200)["reports"][0]["id"], json!(report));
    }
    for index in ["2", "-1", "x", "99999999999"] {
        server.get("", &format!("{results}/{report}/{index}")).await.refused(404, "result_not_found");
    }
}

#[tokio::test]
async fn a_made_up_cursor_compares_with_nothing_of_others() {
    let server = TestApp::start().await;
    let (ada, bob) = (server.register("ada@example.com").await, server.register("bob@example.com").await);
    let (secret_run, _) = upload(&server, &bob, "aaa", "").await;
    let (run, _) = upload(&server, &ada, "shop", "").await;
    let (_, token) = link(&server, &ada, &run).await;
    for sort in ["name", "duration", "-duration", "status"] {
        let theirs = format!("/api/v1/runs/{secret_run}/results?limit=1&sort={sort}");
        let cursor = server.get(&bob.token, &theirs).await.expect(200)["next_cursor"].as_str().unwrap().to_owned();
        let asked = format!("/api/v1/shared/{token}/results?sort={sort}&cursor={cursor}");
        let listed = server.get("", &asked).await.expect(200);
        assert_eq!(listed["results"], json!([]), "{sort}: what comes after it would tell what it is");
    }
}

#[tokio::test]
async fn maintainers_share_and_revoke_and_every_member_sees_the_links() {
    let server = TestApp::start().await;
    let (ada, bob) = (server.register("ada@example.com").await, server.register("bob@example.com").await);
    let eve = server.register("eve@example.com").await;
    server.join(ada.team, bob.user, TeamRole::Maintainer).await;
    let (run, _) = upload(&server, &ada, "shop", "").await;
    let shares = format!("/api/v1/runs/{run}/shares");
    let as_bob = [("authorization", format!("Bearer {}", bob.token)), ("x-team-id", ada.team.to_string())];
    let call = async |method, path: &str, body| server.call(method, path, &as_bob, body).await;
    let of_bob = call(Method::POST, &shares, Some(json!({}))).await.expect(201);
    let of_ada = share(&server, &ada, &run, json!({})).await.expect(201);
    let listed = call(Method::GET, &shares, None).await.expect(200);
    assert_eq!(listed["shares"], json!([of_ada, of_bob]), "with what they hold, again");
    // Another team's member does not even learn that there is such a run.
    share(&server, &eve, &run, json!({})).await.refused(404, "run_not_found");
    server.get(&eve.token, &shares).await.refused(404, "run_not_found");
    let path = |share: &Value| format!("/api/v1/shares/{}", share["id"].as_str().unwrap());
    server.delete(&eve.token, &path(&of_ada)).await.refused(404, "share_not_found");

    // Who may only read sees the links, makes none, and takes back their own.
    let demote = format!("/api/v1/teams/{}/members/{}", ada.team, bob.user);
    let headers = [("authorization", format!("Bearer {}", ada.token))];
    server.call(Method::PATCH, &demote, &headers, Some(json!({"role": "readonly"}))).await.expect(200);
    call(Method::POST, &shares, Some(json!({}))).await.refused(403, "forbidden");
    call(Method::DELETE, &path(&of_ada), None).await.refused(403, "forbidden");
    assert_eq!(call(Method::GET, &shares, None).await.expect(200), listed);
    assert_eq!(call(Method::DELETE, &path(&of_bob), None).await.expect(200)["message"], "share revoked");
    call(Method::DELETE, &path(&of_bob), None).await.refused(403, "forbidden");
    server.delete(&ada.token, &path(&of_ada)).await.expect(200);
    server.delete(&ada.token, &path(&of_ada)).await.refused(404, "share_not_found");
    let unknown = format!("/api/v1/shares/{}", ShareId::new());
    server.delete(&ada.token, &unknown).await.refused(404, "share_not_found");
    assert_eq!(call(Method::GET, &shares, None).await.expect(200)["shares"], json!([]));

    server.settle_audit().await;
    let log = server.get(&ada.token, "/api/v1/admin/audit-log?resource_type=share").await.expect(200);
    let lines: Vec<_> = log["audit_log"].as_array().unwrap().iter().collect();
    assert_eq!(lines.iter().map(|line| &line["action"]).filter(|action| *action == "share.revoked").count(), 2);
    let created = lines.iter().find(|line| line["resource_id"] == of_ada["id"] && line["action"] == "share.created");
    let metadata = &created.unwrap()["metadata"];
    assert_eq!((&metadata["run_id"], &metadata["expires_at"]), (&json!(run), &of_ada["expires_at"]));
    assert!(!log.to_string().contains("shr_"), "ids only");
}

#[tokio::test]
async fn links_are_bounded_in_time_and_number_and_made_once_under_a_key() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let token = server.api_token(&ada, &["upload", "read", "write"]).await;
    let ada = Person { token, ..ada };
    let (run, _) = upload(&server, &ada, "shop", "").await;
    for days in [json!(0), json!(-1), json!(366), json!(i64::MAX), json!("7"), json!(1.5), json!(null)] {
        let refused = share(&server, &ada, &run, json!({"expires_in_days": days})).await;
        let body = refused.refused(400, "invalid_request");
        assert_eq!(body["details"][0]["field"], "expires_in_days", "{body}");
    }
    let keyed = async |run: &str, days: i64| {
        let headers = [("authorization", format!("Bearer {}", ada.token)), ("idempotency-key", "k".to_owned())];
        let path = format!("/api/v1/runs/{run}/shares");
        server.call(Method::POST, &path, &headers, Some(json!({"expires_in_days": days}))).await
    };
    let first = keyed(&run, 1).await.expect(201);
    server.advance(60);
    assert_eq!(keyed(&run, 1).await.expect(201), first);
    keyed(&run, 2).await.refused(422, "idempotency_key_reused");
    for _ in 1..20 {
        share(&server, &ada, &run, json!({"expires_in_days": 365})).await.expect(201);
    }
    share(&server, &ada, &run, json!({})).await.refused(409, "too_many_shares");
    assert_eq!(keyed(&run, 1).await.expect(201), first, "it is one of the twenty");
    // Another run has its own.
    let (other, _) = upload(&server, &ada, "site", "").await;
    let revoked = keyed(&other, 1).await.expect(201);
    server.delete(&ada.token, &format!("/api/v1/shares/{}", revoked["id"].as_str().unwrap())).await.expect(200);
    keyed(&other, 1).await.refused(409, "share_revoked");
    // What has expired makes room, and is not listed any more.
    server.advance(86_400);
    link(&server, &ada, &run).await;
    let listed = server.get(&ada.token, &format!("/api/v1/runs/{run}/shares")).await.expect(200);
    assert_eq!(listed["shares"].as_array().unwrap().len(), 20);
    assert!(!listed.to_string().contains(first["id"].as_str().unwrap()));
}

#[tokio::test]
async fn reading_through_links_is_limited_on_its_own() {
    let server = TestApp::start_with(Config { disable_rate_limit: false, ..config() }).await;
    let ada = server.register("ada@example.com").await;
    let (run, _) = upload(&server, &ada, "shop", "").await;
    let (_, token) = link(&server, &ada, &run).await;
    let path = format!("/api/v1/shared/{token}");
    for n in 0..300 {
        let answer = server.get("", &path).await;
        assert_eq!(answer.header("x-ratelimit-limit"), Some("300"));
        assert_eq!(answer.status, 200, "call {n}");
    }
    let refused = server.get("", &path).await;
    refused.refused(429, "rate_limited");
    assert_eq!(refused.header("x-robots-tag"), Some("noindex, nofollow"));
    assert_eq!(server.get("", "/api/v1/auth/methods").await.header("x-ratelimit-limit"), Some("100"));
}
