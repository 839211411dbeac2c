//! Keyless CI: teams trust workflows, and workflows upload without a secret.

use crate::support::{Answer, Person, TestApp, providers::Providers};
use axum::http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use scaledtest_domain::{PublisherId, TeamId, TeamRole};
use scaledtest_server::accounts::sweep::sweep;
use serde_json::{Value, json};

const AUDIENCE: &str = "http://localhost:8080";

fn path(team: TeamId) -> String {
    format!("/api/v1/teams/{team}/trusted-publishers")
}

/// A team trusts a repository at the first issuer, or something else that `change` says.
async fn trust(server: &TestApp, person: &Person, issuer: &str, change: Value) -> Value {
    let mut rule = json!({"issuer": issuer, "repository": "octo/app"});
    rule.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    server.post(&person.token, &path(person.team), rule).await.expect(201)
}

/// The claims of a workflow on `main`, with changes; null removes one.
fn claims(server: &TestApp, issuer: &str, change: Value) -> Value {
    let now = server.now().timestamp();
    let mut claims = json!({
        "iss": issuer, "aud": AUDIENCE, "sub": "repo:octo/app:ref:refs/heads/main", "jti": uuid::Uuid::new_v4(),
        "iat": now, "nbf": now, "exp": now + 300, "repository": "octo/app", "ref": "refs/heads/main", "ref_type": "branch",
    });
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

async fn exchange(server: &TestApp, token: &str) -> Answer {
    server.post("", "/api/v1/auth/oidc-exchange", json!({"token": token})).await
}

/// Exchanges a token with these changes to its claims.
async fn present(providers: &Providers, server: &TestApp, change: Value) -> Answer {
    let claims = claims(server, &providers.places.oidc, change);
    exchange(server, &providers.workflow_token("rsa", claims).await).await
}

#[track_caller]
fn untrusted(answer: &Answer, claim: &str) {
    let refusal = answer.refused(401, "untrusted_token");
    let sentence = refusal["error"].as_str().unwrap();
    assert!(sentence.starts_with(&format!("the token is not trusted: {claim}: ")), "{claim}: {sentence}");
}

async fn upload(server: &TestApp, token: &str) -> Answer {
    let tests = json!([{"name": "a", "status": "passed", "duration": 1}]);
    let report = json!({"results": {"tool": {"name": "jest"}, "summary": {"tests": 1}, "tests": tests}});
    server.post(token, "/api/v1/reports", report).await
}

#[tokio::test]
async fn owners_manage_whom_their_team_trusts_and_members_see_it() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let (ada, bob) = (server.register("ada@example.com").await, server.register("bob@example.com").await);
    let issuer = &providers.places.oidc;
    let made =
        trust(&server, &ada, &format!("{issuer}/"), json!({"branch": "release/*", "environment": "review app"})).await;
    assert_eq!((&made["provider"], &made["issuer"]), (&json!("custom"), &json!(issuer)));
    assert_eq!((&made["branch"], &made["environment"]), (&json!("release/*"), &json!("review app")));
    assert_eq!(made["created_by"], json!(ada.user));
    let second = trust(&server, &ada, issuer, json!({"branch": ""})).await;
    assert_eq!((second.get("branch"), second.get("environment")), (None, None));
    server.get(&bob.token, &path(ada.team)).await.refused(404, "team_not_found");
    server.join(ada.team, bob.user, TeamRole::Maintainer).await;
    let listed = server.get(&bob.token, &path(ada.team)).await.expect(200);
    assert_eq!(listed["publishers"], json!([second, made]));
    assert_eq!(listed["issuers"][0]["issuer"], json!(issuer));
    let rule = json!({"issuer": issuer, "repository": "octo/app"});
    server.post(&bob.token, &path(ada.team), rule.clone()).await.refused(403, "forbidden");
    let token = server.api_token(&ada, &["read", "write", "upload", "worker"]).await;
    server.post(&token, &path(ada.team), rule).await.refused(403, "token_not_allowed");
    let one = format!("{}/{}", path(ada.team), made["id"].as_str().unwrap());
    server.delete(&bob.token, &one).await.refused(403, "forbidden");
    server.delete(&token, &one).await.refused(403, "token_not_allowed");
    let elsewhere = one.replace(&ada.team.to_string(), &bob.team.to_string());
    server.delete(&bob.token, &elsewhere).await.refused(404, "publisher_not_found");
    assert_eq!(server.delete(&ada.token, &one).await.expect(200)["message"], "trusted publisher removed");
    server.delete(&ada.token, &one).await.refused(404, "publisher_not_found");
    server
        .delete(&ada.token, &format!("{}/{}", path(ada.team), PublisherId::new()))
        .await
        .refused(404, "publisher_not_found");
    assert_eq!(server.get(&token, &path(ada.team)).await.expect(200)["publishers"], json!([second]));
}

#[tokio::test]
async fn faulty_rules_name_every_faulty_field() {
    let server = TestApp::start_with({
        let mut config = crate::support::config();
        config.oauth.trusted_issuers = vec!["https://token.actions.githubusercontent.com".to_owned()];
        config
    })
    .await;
    let ada = server.register("ada@example.com").await;
    let github = "https://token.actions.githubusercontent.com";
    let rows: [(Value, &[&str]); 5] = [
        (json!({}), &["issuer", "repository"]),
        (json!({"issuer": "https://evil.example", "repository": "a/b"}), &["issuer"]),
        (json!({"issuer": github, "repository": "a/*"}), &["repository"]),
        (json!({"issuer": github, "repository": "app"}), &["repository"]),
        (
            json!({"issuer": github, "repository": "a/b", "branch": "x y", "environment": "x".repeat(256)}),
            &["branch", "environment"],
        ),
    ];
    for (body, fields) in rows {
        let refusal = server.post(&ada.token, &path(ada.team), body.clone()).await.refused(400, "invalid_request");
        let named: Vec<_> =
            refusal["details"].as_array().unwrap().iter().map(|detail| detail["field"].as_str().unwrap()).collect();
        assert_eq!(named, fields, "{body}");
    }
    let listed = server.get(&ada.token, &path(ada.team)).await.expect(200);
    let issuer = json!({"provider": "github", "issuer": github, "name": "GitHub Actions"});
    assert_eq!(listed, json!({"publishers": [], "issuers": [issuer]}));
}

#[tokio::test]
async fn a_repeated_idempotency_key_makes_no_second_rule() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    let create = async |repository: &str| {
        let headers = [("authorization", format!("Bearer {}", ada.token)), ("idempotency-key", "k1".to_owned())];
        let body = json!({"issuer": providers.places.oidc, "repository": repository});
        server.call(Method::POST, &path(ada.team), &headers, Some(body)).await
    };
    let first = create("octo/app").await.expect(201);
    assert_eq!(create("octo/app").await.expect(201), first);
    create("octo/other").await.refused(422, "idempotency_key_reused");
    let one = format!("{}/{}", path(ada.team), first["id"].as_str().unwrap());
    server.delete(&ada.token, &one).await.expect(200);
    create("octo/app").await.refused(409, "publisher_removed");
}

#[tokio::test]
async fn a_trusted_workflow_uploads_to_its_team_and_can_do_nothing_else() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let (ada, bob) = (server.register("ada@example.com").await, server.register("bob@example.com").await);
    let rule = trust(&server, &ada, &providers.places.oidc, json!({})).await;
    let answer = present(&providers, &server, json!({})).await.expect(200);
    assert_eq!((&answer["team_id"], &answer["publisher_id"]), (&json!(ada.team), &rule["id"]));
    assert_eq!(answer["token_type"], "Bearer");
    let expires_at: chrono::DateTime<chrono::Utc> = answer["expires_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(expires_at.timestamp(), server.now().timestamp() + 900);
    let token = answer["access_token"].as_str().unwrap();
    let report = upload(&server, token).await.expect(201)["id"].clone();
    let listed = server.get(&ada.token, "/api/v1/reports").await.expect(200);
    assert_eq!(listed["reports"][0]["id"], report);
    server.settle_audit().await;
    let actor: Value = sqlx::query_scalar("select jsonb_agg(to_jsonb(entry)) from audit.entry")
        .fetch_one(&server.app.db)
        .await
        .unwrap();
    assert!(actor.to_string().contains(rule["id"].as_str().unwrap()), "{actor}");
    server.get(token, "/api/v1/reports").await.refused(403, "insufficient_scope");
    server.get(token, "/api/v1/teams").await.refused(403, "insufficient_scope");
    server.get(token, &path(ada.team)).await.refused(403, "insufficient_scope");
    server.get(token, "/api/v1/auth/me").await.refused(403, "token_not_allowed");
    server.get(token, "/api/v1/auth/identities").await.refused(403, "token_not_allowed");
    let rule = json!({"issuer": providers.places.oidc, "repository": "octo/app"});
    server.post(token, &path(ada.team), rule).await.refused(403, "token_not_allowed");
    let report = format!("/api/v1/reports/{}", report.as_str().unwrap());
    server.delete(token, &report).await.refused(403, "insufficient_scope");
    let elsewhere = [("authorization", format!("Bearer {token}")), ("x-team-id", bob.team.to_string())];
    let body = Some(json!({"results": {}}));
    server.call(Method::POST, "/api/v1/reports", &elsewhere, body).await.refused(403, "token_of_other_team");
    server.with_cookie("/auth/refresh", token).await.refused(401, "invalid_refresh_token");
    server.advance(900);
    upload(&server, token).await.refused(401, "token_expired");
}

#[tokio::test]
async fn a_token_that_does_not_fit_is_refused_with_the_claim_that_does_not() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    trust(&server, &ada, &providers.places.oidc, json!({"branch": "main", "environment": "prod*"})).await;
    let fine = json!({"environment": "production"});
    let now = server.now().timestamp();
    for (claim, change) in [
        ("aud", json!({"aud": "https://elsewhere.example"})),
        ("aud", json!({"aud": null})),
        ("aud", json!({"aud": ["https://elsewhere.example", format!("{AUDIENCE}/")]})),
        ("iss", json!({"iss": "https://token.actions.githubusercontent.com"})),
        ("iss", json!({"iss": null})),
        ("iss", json!({"iss": format!("{}.evil.example", providers.places.oidc)})),
        ("repository", json!({"repository": "octo/other"})),
        ("repository", json!({"repository": "Octo/App"})),
        ("repository", json!({"repository": ["octo/app"]})),
        ("project_path", json!({"repository": null})),
        ("ref", json!({"ref": "refs/heads/other"})),
        ("ref", json!({"ref": "refs/pull/1/merge"})),
        ("ref", json!({"ref": "refs/tags/main"})),
        ("ref", json!({"ref": null})),
        ("environment", json!({"environment": "staging"})),
        ("environment", json!({"environment": null})),
        ("exp", json!({"exp": now - 61})),
        ("exp", json!({"exp": null})),
        ("nbf", json!({"nbf": now + 120})),
        ("iat", json!({"iat": now + 120})),
        ("jti", json!({"jti": null})),
    ] {
        let mut all = fine.clone();
        all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = present(&providers, &server, all).await;
        untrusted(&answer, claim);
    }
    present(&providers, &server, fine).await.expect(200);
}

#[tokio::test]
async fn only_the_issuers_own_signature_counts() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    let issuer = &providers.places.oidc;
    trust(&server, &ada, issuer, json!({})).await;
    let claims = || claims(&server, issuer, json!({}));
    // The same key id, another key; and another trusted issuer's key.
    untrusted(&exchange(&server, &providers.workflow_token("unpublished", claims()).await).await, "signature");
    untrusted(&exchange(&server, &providers.workflow_token("ci", claims()).await).await, "kid");
    let good = providers.workflow_token("rsa", claims()).await;
    let parts: Vec<_> = good.split('.').collect();
    // {"alg":"none","typ":"JWT"}
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
    untrusted(&exchange(&server, &unsigned).await, "header");
    let pem = providers.ask("/public-key").await["pem"].as_str().unwrap().to_owned();
    let header = Header { kid: Some("rsa-1".to_owned()), ..Header::new(Algorithm::HS256) };
    let confused = encode(&header, &claims(), &EncodingKey::from_secret(pem.as_bytes())).unwrap();
    untrusted(&exchange(&server, &confused).await, "alg");
    let other = providers.workflow_token("rsa", claims()).await;
    let swapped = format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2]);
    untrusted(&exchange(&server, &swapped).await, "signature");
    for nonsense in ["x", "a.b.c", "..", "eyJhbGciOiJSUzI1NiJ9.e30."] {
        exchange(&server, nonsense).await.refused(401, "untrusted_token");
    }
    exchange(&server, &good).await.expect(200);
    exchange(&server, &providers.workflow_token("ec", claims()).await).await.expect(200);
    // What we sign ourselves vouches for nobody.
    untrusted(&exchange(&server, &ada.token).await, "iss");
}

#[tokio::test]
async fn faulty_exchanges_name_every_faulty_field() {
    let server = TestApp::start().await;
    let long = "x".repeat(16 * 1024 + 1);
    for (body, field) in [
        (json!({}), "token"),
        (json!({"token": long}), "token"),
        (json!({"token": "x", "team_id": "nonsense"}), "team_id"),
    ] {
        let refusal = server.post("", "/auth/oidc-exchange", body).await.refused(400, "invalid_request");
        assert_eq!(refusal["details"][0]["field"], field);
    }
}

#[tokio::test]
async fn a_token_is_exchanged_once() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    let issuer = &providers.places.oidc;
    trust(&server, &ada, issuer, json!({})).await;
    let id = json!({"jti": "one"});
    present(&providers, &server, id.clone()).await.expect(200);
    untrusted(&present(&providers, &server, id.clone()).await, "jti");
    // Remembered as long as it would be believed, and no longer.
    server.advance(359);
    sweep(&server.app).await.unwrap();
    let used = "select count(*) from auth.used_workflow_tokens";
    assert_eq!(sqlx::query_scalar::<_, i64>(used).fetch_one(&server.app.db).await.unwrap(), 1);
    server.advance(1);
    sweep(&server.app).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(used).fetch_one(&server.app.db).await.unwrap(), 0);
}

#[tokio::test]
async fn a_token_that_is_shown_by_many_at_once_is_exchanged_once() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    trust(&server, &ada, &providers.places.oidc, json!({})).await;
    let token = providers.workflow_token("rsa", claims(&server, &providers.places.oidc, json!({}))).await;
    let (a, b, c) = tokio::join!(exchange(&server, &token), exchange(&server, &token), exchange(&server, &token));
    let good = [a, b, c].iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1);
}

#[tokio::test]
async fn a_removed_rule_takes_its_tokens_with_it_within_a_second() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    // Another process, with memories of its own.
    let replica = TestApp::start_without_projections(
        providers.config(),
        std::sync::Arc::clone(&server.database),
        server.app.log.clone(),
    )
    .await;
    replica.clock.set(server.now());
    let rule = trust(&server, &ada, &providers.places.oidc, json!({})).await;
    let answer = present(&providers, &server, json!({})).await.expect(200);
    let token = answer["access_token"].as_str().unwrap();
    server.get(token, "/api/v1/teams").await.refused(403, "insufficient_scope");
    replica.get(token, "/api/v1/teams").await.refused(403, "insufficient_scope");
    let one = format!("{}/{}", path(ada.team), rule["id"].as_str().unwrap());
    server.delete(&ada.token, &one).await.expect(200);
    upload(&server, token).await.refused(401, "invalid_token");
    replica.get(token, "/api/v1/teams").await.refused(403, "insufficient_scope");
    replica.advance(1);
    replica.get(token, "/api/v1/teams").await.refused(401, "invalid_token");
    untrusted(&present(&providers, &server, json!({})).await, "repository");
}

#[tokio::test]
async fn where_several_teams_trust_a_workflow_it_says_which_it_means() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let (ada, bob, eve) = (
        server.register("ada@example.com").await,
        server.register("bob@example.com").await,
        server.register("eve@example.com").await,
    );
    let issuer = &providers.places.oidc;
    for person in [&ada, &bob] {
        trust(&server, person, issuer, json!({})).await;
    }
    trust(&server, &eve, issuer, json!({"branch": "other"})).await;
    let token = providers.workflow_token("rsa", claims(&server, issuer, json!({}))).await;
    let refusal = exchange(&server, &token).await.refused(400, "team_required");
    let sentence = refusal["error"].as_str().unwrap();
    let named = |person: &Person| sentence.contains(&person.team.to_string());
    assert_eq!((named(&ada), named(&bob), named(&eve)), (true, true, false), "{sentence}");
    // The token is not used up by that.
    let to = |team: TeamId| json!({"token": token, "team_id": team});
    untrusted(&server.post("", "/auth/oidc-exchange", to(eve.team)).await, "team_id");
    let answer = server.post("", "/auth/oidc-exchange", to(bob.team)).await.expect(200);
    assert_eq!(answer["team_id"], json!(bob.team));
}

#[tokio::test]
async fn pipelines_of_gitlab_name_their_project_their_way() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    trust(&server, &ada, &providers.places.ci, json!({"repository": "group/sub/app", "branch": "main"})).await;
    let gitlab = |change: Value| {
        let mut all = json!({"repository": null, "project_path": "group/sub/app", "ref": "main"});
        all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims(&server, &providers.places.ci, all)
    };
    let good = gitlab(json!({"ref_path": "refs/heads/main"}));
    exchange(&server, &providers.workflow_token("ci", good).await).await.expect(200);
    for change in [json!({"ref_type": "tag"}), json!({"ref_path": "refs/merge-requests/1/head"})] {
        untrusted(&exchange(&server, &providers.workflow_token("ci", gitlab(change)).await).await, "ref");
    }
}

#[tokio::test]
async fn a_rule_means_the_repository_that_used_it_first_not_the_next_one_of_its_name() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    let rule = trust(&server, &ada, &providers.places.oidc, json!({})).await;
    let ids = |repository: Value, owner: Value| json!({"repository_id": repository, "repository_owner_id": owner});
    // Refused for something else: nothing is remembered of it.
    let mut foreign = ids(json!("7"), json!("8"));
    foreign["aud"] = json!("https://elsewhere.example");
    untrusted(&present(&providers, &server, foreign).await, "aud");
    for _ in 0..2 {
        present(&providers, &server, ids(json!("11"), json!("22"))).await.expect(200);
    }
    present(&providers, &server, ids(json!(11), json!(22))).await.expect(200);
    for (claim, change) in [
        ("repository_id", ids(json!("12"), json!("22"))),
        ("repository_owner_id", ids(json!("11"), json!("23"))),
        ("repository_id", ids(Value::Null, Value::Null)),
        ("repository_id", json!({"project_id": "11", "namespace_id": "22"})),
    ] {
        untrusted(&present(&providers, &server, change).await, claim);
    }
    let one = format!("{}/{}", path(ada.team), rule["id"].as_str().unwrap());
    server.delete(&ada.token, &one).await.expect(200);
    trust(&server, &ada, &providers.places.oidc, json!({})).await;
    present(&providers, &server, ids(json!("12"), json!("23"))).await.expect(200);
    // A project of GitLab likewise.
    trust(&server, &ada, &providers.places.ci, json!({"repository": "group/app"})).await;
    let gitlab = async |project: &str, namespace: &str| {
        let change =
            json!({"repository": null, "project_path": "group/app", "project_id": project, "namespace_id": namespace});
        let claims = claims(&server, &providers.places.ci, change);
        exchange(&server, &providers.workflow_token("ci", claims).await).await
    };
    gitlab("1", "2").await.expect(200);
    untrusted(&gitlab("3", "2").await, "project_id");
    untrusted(&gitlab("1", "4").await, "namespace_id");
}

#[tokio::test]
async fn new_keys_of_an_issuer_are_fetched_at_most_once_a_minute() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    let issuer = &providers.places.ci;
    trust(&server, &ada, issuer, json!({})).await;
    let present =
        async || exchange(&server, &providers.workflow_token("ci", claims(&server, issuer, json!({}))).await).await;
    let fetches = async || providers.ask("/ci/fetches").await["fetches"].as_i64().unwrap();
    present().await.expect(200);
    present().await.expect(200);
    assert_eq!(fetches().await, 1);
    providers.ask("/ci/rotate").await;
    untrusted(&present().await, "kid");
    assert_eq!(fetches().await, 1);
    server.advance(60);
    present().await.expect(200);
    assert_eq!(fetches().await, 2);
    server.advance(3599);
    present().await.expect(200);
    assert_eq!(fetches().await, 2);
    server.advance(1);
    present().await.expect(200);
    assert_eq!(fetches().await, 3);
}

#[tokio::test]
async fn an_issuer_that_is_away_is_no_verdict_about_the_token() {
    let mut providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    trust(&server, &ada, &providers.places.oidc, json!({})).await;
    let token = providers.workflow_token("rsa", claims(&server, &providers.places.oidc, json!({}))).await;
    providers.stop().await;
    let answer = exchange(&server, &token).await;
    answer.refused(503, "issuer_unavailable");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn exchanges_are_in_the_audit_log() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    let rule = trust(&server, &ada, &providers.places.oidc, json!({})).await;
    present(&providers, &server, json!({"repository": "octo/other"})).await.refused(401, "untrusted_token");
    let answer = present(&providers, &server, json!({})).await.expect(200);
    let rows: Vec<(String, Option<uuid::Uuid>, Value)> =
        sqlx::query_as("select action, team_id, detail from auth.audit where detail is not null order by id")
            .fetch_all(&server.app.db)
            .await
            .unwrap();
    let [refused, exchanged] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((refused.0.as_str(), refused.1), ("token_exchange_refused", None));
    assert_eq!(refused.2["repository"], "octo/other");
    assert_eq!((exchanged.0.as_str(), exchanged.1), ("token_exchanged", Some(ada.team.0)));
    assert_eq!((&exchanged.2["publisher_id"], &exchanged.2["branch"]), (&rule["id"], &json!("main")));
    assert!(!exchanged.2.to_string().contains(answer["access_token"].as_str().unwrap()));
}
