//! Teams are made, renamed, given away and deleted; members come, change and go.

use crate::support::{Answer, Person, TestApp};
use axum::http::Method;
use scaledtest_commands::report::{Command, Report};
use scaledtest_domain::{
    Event, Kind, ReportId, StreamId, TeamId, TeamRole, UploadId,
    events::report::{Event as Events, Ingested},
};
use scaledtest_effects::erase_deleted_teams;
use serde_json::{Value, json};

async fn patch(server: &TestApp, token: &str, path: &str, body: Value) -> Answer {
    server.call(Method::PATCH, path, &[("authorization", format!("Bearer {token}"))], Some(body)).await
}

fn member(team: TeamId, person: &Person) -> String {
    format!("/api/v1/teams/{team}/members/{}", person.user)
}

/// Ada owns a team in which Bob is something.
async fn two(server: &TestApp, role: TeamRole) -> (Person, Person) {
    let ada = server.register("ada@example.com").await;
    let bob = server.register("bob@example.com").await;
    server.join(ada.team, bob.user, role).await;
    (ada, bob)
}

#[tokio::test]
async fn a_team_that_is_made_belongs_to_its_maker_and_a_key_makes_it_once() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let headers = [("authorization", format!("Bearer {}", ada.token)), ("idempotency-key", "k".to_owned())];
    let make = |name: &str| {
        let (body, headers, server) = (json!({"name": name}), &headers, &server);
        async move { server.call(Method::POST, "/api/v1/teams", headers, Some(body)).await }
    };
    let first = make("Payments <3").await.expect(201);
    assert_eq!(first["name"], "Payments <3");
    assert_eq!(make("Payments <3").await.expect(201), first);
    make("Other").await.refused(422, "idempotency_key_reused");
    let shown = server.get(&ada.token, &format!("/api/v1/teams/{}", first["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(
        shown,
        json!({"team": first, "role": "owner", "members": 1, "badges_public": false,
                              "retention": {"chosen_days": null, "days": 400}})
    );
    for wrong in ["", "   ", "a\0b", &"x".repeat(256)] {
        let refused = server.post(&ada.token, "/api/v1/teams", json!({"name": wrong})).await;
        assert_eq!(refused.refused(400, "invalid_request")["details"][0]["field"], "name");
    }
    let secret = server.api_token(&ada, &["read", "write"]).await;
    server.post(&secret, "/api/v1/teams", json!({"name": "x"})).await.refused(403, "token_not_allowed");
}

#[tokio::test]
async fn only_owners_rename_a_team() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server, TeamRole::Maintainer).await;
    let path = format!("/api/v1/teams/{}", ada.team);
    patch(&server, &bob.token, &path, json!({"name": "Mine"})).await.refused(403, "forbidden");
    let renamed = patch(&server, &ada.token, &path, json!({"name": "Ours"})).await.expect(200);
    assert_eq!(renamed["team"]["name"], "Ours");
    assert_eq!(server.get(&bob.token, &path).await.expect(200)["team"], renamed["team"]);
    let stranger = server.register("eve@example.com").await;
    patch(&server, &stranger.token, &path, json!({"name": "Hers"})).await.refused(404, "team_not_found");
}

#[tokio::test]
async fn members_are_listed_with_their_addresses_for_people_and_without_for_tokens() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server, TeamRole::Readonly).await;
    let path = format!("/api/v1/teams/{}/members", ada.team);
    let list = server.get(&bob.token, &path).await.expect(200);
    let seen: Vec<_> = list["members"].as_array().unwrap().iter().map(|one| (&one["email"], &one["role"])).collect();
    assert_eq!(seen, [(&json!("ada@example.com"), &json!("owner")), (&json!("bob@example.com"), &json!("readonly"))]);
    let secret = server.api_token(&ada, &["read"]).await;
    let list = server.get(&secret, &path).await.expect(200);
    assert_eq!(list["members"][1]["display_name"], "Ada");
    assert!(!list.to_string().contains('@'));
}

#[tokio::test]
async fn a_new_role_counts_at_the_next_call() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server, TeamRole::Readonly).await;
    patch(&server, &bob.token, &member(ada.team, &bob), json!({"role": "owner"})).await.refused(403, "forbidden");
    let wrong = patch(&server, &ada.token, &member(ada.team, &bob), json!({"role": "king"})).await;
    assert_eq!(wrong.refused(400, "invalid_request")["details"][0]["field"], "role");
    let changed = patch(&server, &ada.token, &member(ada.team, &bob), json!({"role": "owner"})).await.expect(200);
    assert_eq!(changed, json!({"user_id": bob.user, "role": "owner"}));
    // `member` is another word for readonly.
    let changed = patch(&server, &bob.token, &member(ada.team, &ada), json!({"role": "member"})).await.expect(200);
    assert_eq!(changed["role"], "readonly");
    let eve = server.register("eve@example.com").await;
    patch(&server, &bob.token, &member(ada.team, &eve), json!({"role": "owner"}))
        .await
        .refused(404, "member_not_found");
}

#[tokio::test]
async fn the_last_owner_stays_owner() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server, TeamRole::Maintainer).await;
    server.delete(&ada.token, &member(ada.team, &ada)).await.refused(409, "last_owner");
    patch(&server, &ada.token, &member(ada.team, &ada), json!({"role": "readonly"})).await.refused(409, "last_owner");
    patch(&server, &ada.token, &member(ada.team, &bob), json!({"role": "owner"})).await.expect(200);
    // Of two owners who leave at once, one stays.
    let (ada_path, bob_path) = (member(ada.team, &ada), member(ada.team, &bob));
    let (one, other) = tokio::join!(server.delete(&ada.token, &ada_path), server.delete(&bob.token, &bob_path));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn who_leaves_or_is_removed_is_out_with_their_tokens() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server, TeamRole::Owner).await;
    let eve = server.register("eve@example.com").await;
    server.join(ada.team, eve.user, TeamRole::Maintainer).await;
    let tokens = format!("/api/v1/teams/{}/tokens", ada.team);
    let made = server.post(&bob.token, &tokens, json!({"name": "CI"})).await.expect(201);
    let secret = made["token"].as_str().unwrap();
    server.get(secret, "/api/v1/reports").await.expect(200);
    server.delete(&eve.token, &member(ada.team, &bob)).await.refused(403, "forbidden");
    server.delete(&ada.token, &member(ada.team, &bob)).await.expect(200);
    server.advance(1);
    server.get(secret, "/api/v1/reports").await.refused(401, "invalid_token");
    server.get(&bob.token, &tokens).await.refused(404, "team_not_found");
    assert_eq!(server.get(&ada.token, &tokens).await.expect(200)["tokens"], json!([]));
    server.join(ada.team, bob.user, TeamRole::Owner).await;
    server.advance(1);
    // Who comes back comes back without them.
    server.get(secret, "/api/v1/reports").await.refused(401, "invalid_token");
    server.delete(&bob.token, &member(ada.team, &bob)).await.expect(200);
    server.delete(&eve.token, &member(ada.team, &eve)).await.expect(200);
    server.delete(&ada.token, &member(ada.team, &eve)).await.refused(404, "member_not_found");
}

#[tokio::test]
async fn a_transfer_leaves_the_giver_a_maintainer() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server, TeamRole::Readonly).await;
    let path = format!("/api/v1/teams/{}/transfer", ada.team);
    server.post(&bob.token, &path, json!({"user_id": bob.user})).await.refused(403, "forbidden");
    server.post(&ada.token, &path, json!({"user_id": bob.user})).await.expect(200);
    let shown = server.get(&ada.token, &format!("/api/v1/teams/{}", ada.team)).await.expect(200);
    assert_eq!(shown["role"], "maintainer");
    server.post(&ada.token, &path, json!({"user_id": ada.user})).await.refused(403, "forbidden");
}

fn report() -> Value {
    json!({"results": {"tool": {"name": "runner"}, "summary": {"tests": 1}, "tests": [{"name": "a", "status": "passed", "duration": 1}]}})
}

#[tokio::test]
async fn a_deleted_team_is_out_of_reach_at_once_and_its_data_is_erased() {
    let server = TestApp::start().await;
    let (ada, bob) = two(&server, TeamRole::Maintainer).await;
    let path = format!("/api/v1/teams/{}", ada.team);
    let secret = server.api_token(&ada, &["read", "upload"]).await;
    let sent = server.post(&secret, "/api/v1/reports", report()).await.expect(201);
    let id = sent["id"].as_str().unwrap().to_owned();
    server.delete(&bob.token, &path).await.refused(403, "forbidden");
    server.delete(&ada.token, &path).await.expect(200);
    server.delete(&ada.token, &path).await.refused(404, "team_not_found");
    server.advance(1);
    server.get(&secret, "/api/v1/reports").await.refused(401, "invalid_token");
    let teams = server.get(&ada.token, "/api/v1/teams").await.expect(200);
    assert_eq!(teams["teams"], json!([]));
    server.get(&ada.token, &format!("/api/v1/reports/{id}")).await.refused(404, "team_not_found");
    let erased = erase_deleted_teams(&server.app.log, &server.app.db, server.now()).await.unwrap();
    assert_eq!(erased, 1);
    server.settle().await;
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from reports.report where team_id = $1) + (select count(*) from reports.result)
              + (select count(*) from auth.api_tokens where team_id = $1) + (select count(*) from access.token)",
    )
    .bind(ada.team.0)
    .fetch_one(&server.app.db)
    .await
    .unwrap();
    assert_eq!(left, 0);
    assert_eq!(server.app.log.chunk_uploads(0).await.unwrap().0, []);
    assert_eq!(erase_deleted_teams(&server.app.log, &server.app.db, server.now()).await.unwrap(), 0);
}

/// Sends a report as another one was sent, up to its commit, which is returned.
async fn half_an_upload(server: &TestApp, team: TeamId, like: ReportId) -> Box<Ingested> {
    let log = &server.app.log;
    let history = log.load(&StreamId::of(team, Kind::Report, like)).await.unwrap();
    let Event::Report(Events::Ingested(mut ingested)) = history[0].commit.decode_events().unwrap().remove(0) else {
        panic!()
    };
    let chunks = log.read_chunks(team, like, ingested.upload, &ingested.chunks).await.unwrap();
    (ingested.report, ingested.upload) = (ReportId::new(), UploadId::new());
    let mut writer = log.chunk_writer(team, ingested.report, ingested.upload);
    for chunk in chunks {
        writer.push(chunk.to_vec()).await.unwrap();
    }
    ingested.chunks = writer.finish().await.unwrap();
    log.put_raw(team, ingested.report, ingested.upload, b"document".as_slice().into()).await.unwrap();
    ingested
}

#[tokio::test]
async fn an_upload_that_ends_after_its_team_did_leaves_nothing_behind() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let secret = server.api_token(&ada, &["upload"]).await;
    let sent = server.post(&secret, "/api/v1/reports", report()).await.expect(201);
    let late = half_an_upload(&server, ada.team, sent["id"].as_str().unwrap().parse().unwrap()).await;
    server.delete(&ada.token, &format!("/api/v1/teams/{}", ada.team)).await.expect(200);
    let (id, upload) = (late.report, late.upload);
    let stream = StreamId::of(ada.team, Kind::Report, id);
    server.app.log.execute_new::<Report>(stream, Command::Ingest(late), &server.command()).await.unwrap();
    server.settle().await;
    let rows = async || {
        let all = "select (select count(*) from reports.report) + (select count(*) from reports.result)";
        sqlx::query_scalar::<_, i64>(all).fetch_one(&server.app.db).await.unwrap()
    };
    let document = async || server.app.log.get_raw(ada.team, id, upload).await.unwrap();
    assert_eq!((rows().await, server.app.log.chunk_uploads(0).await.unwrap().0.len()), (4, 2));
    assert!(document().await.is_some());
    assert_eq!(erase_deleted_teams(&server.app.log, &server.app.db, server.now()).await.unwrap(), 2);
    server.settle().await;
    assert_eq!((rows().await, server.app.log.chunk_uploads(0).await.unwrap().0.len()), (0, 0));
    assert_eq!(document().await, None);
}
