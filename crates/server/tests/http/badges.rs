//! Badges: seen by anybody where the team says so, and else not to be told from what is not there.

use crate::support::{Answer, Person, TestApp};
use axum::http::Method;
use scaledtest_domain::TeamRole;
use serde_json::{Value, json};

async fn upload(server: &TestApp, by: &Person, query: &str, statuses: &[(&str, usize)]) -> String {
    let test = |status: &str, n: usize| json!({"name": format!("{status} {n}"), "status": status, "duration": 1});
    let tests: Vec<Value> =
        statuses.iter().flat_map(|(status, count)| (0..*count).map(|n| test(status, n)).collect::<Vec<_>>()).collect();
    let report = json!({"results": {"tool": {"name": "runner"}, "tests": tests}});
    server.post(&by.token, &format!("/api/v1/reports?project=shop&{query}"), report).await.expect(201);
    let projects = server.get(&by.token, "/api/v1/projects").await.expect(200);
    projects["projects"][0]["id"].as_str().unwrap().to_owned()
}

async fn show(server: &TestApp, by: &Person, public: bool) -> Answer {
    let path = format!("/api/v1/teams/{}/badges", by.team);
    let headers = [("authorization", format!("Bearer {}", by.token))];
    server.call(Method::PUT, &path, &headers, Some(json!({"public": public}))).await
}

/// What the picture says.
async fn says(server: &TestApp, project: &str, query: &str) -> String {
    let badge = server.get("", &format!("/badges/{project}.svg{query}")).await;
    assert_eq!((badge.status.as_u16(), badge.header("content-type")), (200, Some("image/svg+xml; charset=utf-8")));
    let (_, title) = badge.text().split_once("<title>tests: ").unwrap();
    title.split_once("</title>").unwrap().0.to_owned()
}

#[tokio::test]
async fn a_badge_says_what_became_of_the_newest_complete_run() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let project = upload(&server, &ada, "branch=main", &[("passed", 1_234), ("skipped", 2)]).await;
    assert_eq!(show(&server, &ada, true).await.expect(200), json!({"public": true}));
    assert_eq!(says(&server, &project, "").await, "1,234 passed");
    assert_eq!(says(&server, &project, "?branch=topic%00%3Cb%3E").await, "no runs");
    server.advance(60);
    upload(&server, &ada, "branch=topic", &[("failed", 3), ("passed", 1)]).await;
    assert_eq!(says(&server, &project, "?branch=topic").await, "3 failed");
    assert_eq!(says(&server, &project, "?branch=main").await, "1,234 passed");
    server.advance(60);
    // The first of two shards: nobody knows yet what the run will be.
    upload(&server, &ada, "branch=main&run_id=b2&shards=2&shard_id=1", &[("failed", 1)]).await;
    assert_eq!(says(&server, &project, "").await, "1,234 passed");
    upload(&server, &ada, "branch=main&run_id=b2&shards=2&shard_id=2", &[("passed", 1)]).await;
    assert_eq!(says(&server, &project, "").await, "1 failed");
    server.advance(60);
    upload(&server, &ada, "branch=main&run_id=b3&shards=2&shard_id=1", &[("skipped", 1)]).await;
    server.advance(31 * 60);
    assert_eq!(says(&server, &project, "").await, "none passed", "nothing came for half an hour");
}

#[tokio::test]
async fn a_badge_is_cached_for_a_minute_and_asked_for_by_its_tag() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let project = upload(&server, &ada, "branch=main", &[("passed", 1)]).await;
    show(&server, &ada, true).await.expect(200);
    let path = format!("/badges/{project}.svg");
    let badge = server.get("", &path).await;
    assert_eq!(badge.header("cache-control"), Some("public, max-age=60"));
    let tag = badge.header("etag").unwrap().to_owned();
    let again = server.call(Method::GET, &path, &[("if-none-match", &tag)], None).await;
    assert_eq!((again.status.as_u16(), again.body.len(), again.header("etag")), (304, 0, Some(tag.as_str())));
    server.advance(60);
    upload(&server, &ada, "branch=main", &[("failed", 1)]).await;
    let changed = server.call(Method::GET, &path, &[("if-none-match", &tag)], None).await;
    assert_eq!(changed.status, 200);
}

#[tokio::test]
async fn a_private_badge_is_answered_like_an_unknown_one() {
    let server = TestApp::start().await;
    let (ada, bob) = (server.register("ada@example.com").await, server.register("bob@example.com").await);
    let project = upload(&server, &ada, "branch=main", &[("passed", 1)]).await;
    // Another team's choice is its own.
    show(&server, &bob, true).await.expect(200);
    let shape = async |path: &str| {
        let answer = server.get("", path).await;
        let body = answer.refused(404, "badge_not_found");
        let headers: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
        (body["error"].clone(), headers)
    };
    let private = shape(&format!("/badges/{project}.svg")).await;
    for unknown in ["019aab10-0000-7000-8000-00000000ffff.svg", "x.svg", &project] {
        assert_eq!(shape(&format!("/badges/{unknown}")).await, private, "{unknown}");
    }
    show(&server, &ada, true).await.expect(200);
    assert_eq!(says(&server, &project, "").await, "1 passed");
    show(&server, &ada, false).await.expect(200);
    assert_eq!(shape(&format!("/badges/{project}.svg")).await, private);
    show(&server, &ada, true).await.expect(200);
    server.delete(&ada.token, &format!("/api/v1/teams/{}", ada.team)).await.expect(200);
    assert_eq!(shape(&format!("/badges/{project}.svg")).await, private);
}

#[tokio::test]
async fn the_switch_is_for_maintainers_and_in_the_audit_log() {
    let server = TestApp::start().await;
    let (ada, bob) = (server.register("ada@example.com").await, server.register("bob@example.com").await);
    server.join(ada.team, bob.user, TeamRole::Readonly).await;
    let bob_in_adas = Person { team: ada.team, ..bob.clone() };
    show(&server, &bob_in_adas, true).await.refused(403, "forbidden");
    let detail = async || server.get(&ada.token, &format!("/api/v1/teams/{}", ada.team)).await.expect(200);
    assert_eq!(detail().await["badges_public"], false);
    show(&server, &ada, true).await.expect(200);
    show(&server, &ada, true).await.expect(200);
    assert_eq!(detail().await["badges_public"], true);
    server.settle_audit().await;
    let log = server.get(&ada.token, "/api/v1/admin/audit-log?action=team.badges_made_public").await.expect(200);
    assert_eq!((&log["total"], &log["audit_log"][0]["resource_id"]), (&json!(1), &json!(ada.team)));
}
