use crate::support::TestApp;
use axum::http::Method;
use scaledtest_domain::TeamRole;
use serde_json::{Value, json};

#[tokio::test]
async fn teams_are_listed_with_the_oldest_membership_first() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let bob = server.register("bob@example.com").await;
    server.join(ada.team, bob.user, TeamRole::Readonly).await;
    let body = server.get(&bob.token, "/api/v1/teams").await.expect(200);
    let seen: Vec<(Value, Value)> =
        body["teams"].as_array().unwrap().iter().map(|team| (team["id"].clone(), team["role"].clone())).collect();
    assert_eq!(seen, [(json!(bob.team), json!("owner")), (json!(ada.team), json!("readonly"))]);
    assert_eq!(body["teams"][0]["created_at"], "2026-01-15T12:00:00Z");
}

#[tokio::test]
async fn a_token_of_one_team_sees_only_that_team() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let bob = server.register("bob@example.com").await;
    server.join(ada.team, bob.user, TeamRole::Readonly).await;
    let secret = server.api_token(&bob, &["read"]).await;
    let body = server.get(&secret, "/api/v1/teams").await.expect(200);
    assert_eq!(body["teams"].as_array().unwrap().len(), 1);
    assert_eq!(body["teams"][0]["id"], json!(bob.team));
    // The bare form, as workers send it.
    server.call(Method::GET, "/api/v1/teams", &[("authorization", secret)], None).await.expect(200);
}

#[tokio::test]
async fn a_read_waits_for_the_position_it_names() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let auth = format!("Bearer {}", ada.token);
    let read = |position: String| {
        let headers = [("authorization", auth.clone()), ("st-min-position", position)];
        let server = &server;
        async move { server.call(Method::GET, "/api/v1/teams", &headers, None).await }
    };
    let last = server.app.log.last().await.unwrap();
    read(last.to_string()).await.expect(200);
    read("yesterday".to_owned()).await.refused(400, "invalid_position");
    let lagging = read(format!("{}-{}", last.epoch, last.n + 1)).await;
    lagging.refused(503, "projection_lagging");
    assert_eq!(lagging.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn the_header_chooses_the_team_and_only_among_the_callers_own() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let bob = server.register("bob@example.com").await;
    server.join(ada.team, bob.user, TeamRole::Readonly).await;
    let as_team = |credential: String, team: String| {
        let headers = [("authorization", format!("Bearer {credential}")), ("x-team-id", team)];
        let server = &server;
        async move { server.call(Method::GET, "/api/v1/reports", &headers, None).await }
    };
    for team in [bob.team, ada.team] {
        as_team(bob.token.clone(), team.to_string()).await.expect(200);
    }
    as_team(ada.token.clone(), bob.team.to_string()).await.refused(404, "team_not_found");
    as_team(ada.token.clone(), "nonsense".to_owned()).await.refused(404, "team_not_found");
    let secret = server.api_token(&bob, &["read"]).await;
    as_team(secret.clone(), bob.team.to_string()).await.expect(200);
    as_team(secret.clone(), ada.team.to_string()).await.refused(403, "token_of_other_team");
    // Whoever was thrown out of the team that their browser remembers still sees which teams are left.
    let headers = [("authorization", format!("Bearer {}", ada.token)), ("x-team-id", bob.team.to_string())];
    server.call(Method::GET, "/api/v1/teams", &headers, None).await.expect(200);
}
