//! Invitations: made, mailed, taken back, sent again, and accepted once.

use super::mail::Mailing;
use crate::support::{Answer, PASSWORD, Person, TestApp, config};
use axum::http::Method;
use futures_util::future::join_all;
use scaledtest_commands::{Team, team};
use scaledtest_domain::{Kind, StreamId, TeamId, TeamRole};
use scaledtest_server::{
    accounts::sweep::sweep,
    config::{Config, Registration},
};
use serde_json::{Value, json};

fn path(team: TeamId) -> String {
    format!("/api/v1/teams/{team}/invitations")
}

async fn invite(server: &TestApp, by: &Person, team: TeamId, email: &str, role: &str) -> Answer {
    server.post(&by.token, &path(team), json!({"email": email, "role": role})).await
}

/// Invites somebody and returns the answer.
pub async fn invited(server: &TestApp, by: &Person, email: &str, role: &str) -> Value {
    invite(server, by, by.team, email, role).await.expect(201)
}

pub fn token(made: &Value) -> &str {
    made["token"].as_str().unwrap()
}

pub async fn accept(server: &TestApp, token: &str, password: &str) -> Answer {
    let body = json!({"password": password, "display_name": "Bob"});
    server.post("", &format!("/api/v1/invitations/{token}/accept"), body).await
}

async fn preview(server: &TestApp, token: &str) -> Answer {
    server.get("", &format!("/api/v1/invitations/{token}")).await
}

pub async fn list(server: &TestApp, by: &Person) -> Vec<Value> {
    server.get(&by.token, &path(by.team)).await.expect(200)["invitations"].as_array().unwrap().clone()
}

async fn command(server: &TestApp, team: TeamId, command: team::Command) {
    let stream = StreamId::of(team, Kind::Team, team);
    server.app.log.execute::<Team>(stream, command, &server.command()).await.unwrap();
    server.settle().await;
}

async fn join(server: &TestApp, person: &Person, team: TeamId, role: TeamRole) {
    command(server, team, team::Command::Join { user: person.user, role }).await;
}

pub async fn teams(server: &TestApp, email: &str, password: &str) -> Vec<(String, String)> {
    let login = server.post("", "/auth/login", json!({"email": email, "password": password})).await.expect(200);
    let teams = server.get(login["access_token"].as_str().unwrap(), "/api/v1/teams").await.expect(200);
    let word = |team: &Value, name: &str| team[name].as_str().unwrap().to_owned();
    teams["teams"].as_array().unwrap().iter().map(|team| (word(team, "id"), word(team, "role"))).collect()
}

#[tokio::test]
async fn somebody_new_joins_with_the_link_and_gets_no_team_of_their_own() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let made = invited(&server, &ada, " Bob@example.com ", "maintainer").await;
    let invitation = &made["invitation"];
    assert_eq!(invitation["email"], "Bob@example.com");
    assert_eq!((&invitation["team_id"], &invitation["invited_by"]), (&json!(ada.team), &json!(ada.user)));
    assert_eq!((&invitation["state"], &invitation["mail"]), (&json!("pending"), &json!("off")));
    assert_eq!(invitation["created_at"], "2026-01-15T12:00:00Z");
    assert_eq!(invitation["expires_at"], "2026-01-22T12:00:00Z");
    let secret = token(&made);
    assert!(secret.starts_with("inv_") && secret.len() == 68, "{secret}");
    assert_eq!(made["url"], format!("http://localhost:8080/invitations/{secret}"));
    assert_eq!(list(&server, &ada).await, std::slice::from_ref(invitation));

    let seen = preview(&server, secret).await.expect(200);
    let expected = json!({"email": "Bob@example.com", "role": "maintainer", "team_name": "My team",
                          "expires_at": "2026-01-22T12:00:00Z", "account_exists": false});
    assert_eq!(seen, expected);
    let answer = accept(&server, secret, "bob's own password").await;
    assert_eq!(answer.refresh_cookie(), None, "accepting signs nobody in");
    let accepted = answer.expect(200);
    assert_eq!((&accepted["message"], &accepted["role"]), (&json!("invitation accepted"), &json!("maintainer")));
    let expected = [(ada.team.to_string(), "maintainer".to_owned())];
    assert_eq!(teams(&server, "bob@example.com", "bob's own password").await, expected);
    let login = json!({"email": "bob@example.com", "password": "bob's own password"});
    let bob = server.post("", "/auth/login", login).await.expect(200);
    assert_eq!((&bob["user"]["role"], &bob["user"]["display_name"]), (&json!("maintainer"), &json!("Bob")));
    assert_eq!((&bob["user"]["id"], &bob["user"]["email_verified"]), (&accepted["user_id"], &json!(false)));

    let listed = &list(&server, &ada).await[0];
    assert_eq!((&listed["state"], &listed["accepted_at"]), (&json!("accepted"), &json!("2026-01-15T12:00:00Z")));
    preview(&server, secret).await.refused(410, "invitation_accepted");
    accept(&server, secret, "bob's own password").await.refused(410, "invitation_accepted");
    let id = listed["id"].as_str().unwrap();
    let one = format!("{}/{id}", path(ada.team));
    server.post(&ada.token, &format!("{one}/resend"), json!({})).await.refused(409, "invitation_accepted");
}

#[tokio::test]
async fn an_accepted_invitation_can_be_taken_off_the_list_and_who_joined_stays() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let made = invited(&server, &ada, "bob@example.com", "readonly").await;
    accept(&server, token(&made), PASSWORD).await.expect(200);
    let one = format!("{}/{}", path(ada.team), made["invitation"]["id"].as_str().unwrap());
    let stage = |stage: &'static str| sqlx::query("update auth.invitations set state = $1").bind(stage);
    stage("accepting").execute(&server.app.db).await.unwrap();
    server.delete(&ada.token, &one).await.refused(409, "invitation_accepted");
    stage("accepted").execute(&server.app.db).await.unwrap();
    assert_eq!(server.delete(&ada.token, &one).await.expect(200)["message"], "invitation revoked");
    assert!(list(&server, &ada).await.is_empty());
    server.delete(&ada.token, &one).await.refused(404, "invitation_not_found");
    accept(&server, token(&made), PASSWORD).await.refused(404, "invitation_not_found");
    let expected = [(ada.team.to_string(), "readonly".to_owned())];
    assert_eq!(teams(&server, "bob@example.com", PASSWORD).await, expected);
    let rows: i64 =
        sqlx::query_scalar("select count(*) from auth.invitations").fetch_one(&server.app.db).await.unwrap();
    assert_eq!(rows, 0, "the address is forgotten");
}

#[tokio::test]
async fn nobody_is_invited_while_too_much_mail_waits() {
    let server = Mailing::start().await;
    let ada = server.register("ada@example.com").await;
    let made = invited(&server, &ada, "bob@example.com", "readonly").await;
    sqlx::query(
        "insert into auth.mail (id, recipient, template, subject_id, params, next_at, created_at)
         select gen_random_uuid(), 'p' || n || '@example.com', 'invitation', gen_random_uuid(), '{}', $1, $1
         from generate_series(1, 10000) n",
    )
    .bind(server.now())
    .execute(&server.app.db)
    .await
    .unwrap();
    invite(&server, &ada, ada.team, "eve@example.com", "readonly").await.refused(503, "mail_busy");
    let resend = format!("{}/{}/resend", path(ada.team), made["invitation"]["id"].as_str().unwrap());
    server.post(&ada.token, &resend, json!({})).await.refused(503, "mail_busy");
    preview(&server, token(&made)).await.expect(200);
}

#[tokio::test]
async fn somebody_with_an_account_proves_it_by_password_or_by_being_signed_in() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let (bob, eve) = (server.register("bob@example.com").await, server.register("eve@example.com").await);
    let made = invited(&server, &ada, "BOB@example.com", "readonly").await;
    assert_eq!(preview(&server, token(&made)).await.expect(200)["account_exists"], true);
    accept(&server, token(&made), "wrong password").await.refused(401, "invalid_password");
    accept(&server, token(&made), "").await.refused(400, "invalid_request");
    let accept_path = format!("/api/v1/invitations/{}/accept", token(&made));
    server.post(&eve.token, &accept_path, json!({})).await.refused(403, "other_account");
    server.post("nonsense", &accept_path, json!({})).await.refused(401, "invalid_token");
    let api_token = server.api_token(&bob, &["upload", "read", "write", "worker"]).await;
    server.post(&api_token, &accept_path, json!({})).await.refused(403, "token_not_allowed");
    assert_eq!(server.post(&bob.token, &accept_path, json!({})).await.expect(200)["user_id"], json!(bob.user));
    let mine = server.get(&bob.token, "/api/v1/teams").await.expect(200);
    assert_eq!(mine["teams"].as_array().unwrap().len(), 2);

    let made = invited(&server, &ada, "eve@example.com", "owner").await;
    let accepted = accept(&server, token(&made), PASSWORD).await.expect(200);
    assert_eq!((&accepted["user_id"], &accepted["role"]), (&json!(eve.user), &json!("owner")));
    let role = server.get(&eve.token, "/api/v1/auth/me").await.expect(200)["role"].clone();
    assert_eq!(role, "maintainer", "who owns a team does not own the instance");
}

#[tokio::test]
async fn twenty_people_with_the_same_link_at_once_become_one_member() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let made = invited(&server, &ada, "bob@example.com", "readonly").await;
    let passwords: Vec<_> = (0..20).map(|n| format!("password number {}", n % 10)).collect();
    let answers = join_all(passwords.iter().map(|password| accept(&server, token(&made), password))).await;
    let mut users = std::collections::BTreeSet::new();
    for answer in answers {
        match answer.status.as_u16() {
            200 => drop(users.insert(answer.json()["user_id"].as_str().unwrap().to_owned())),
            401 => drop(answer.refused(401, "invalid_password")),
            _ => drop(answer.refused(410, "invitation_accepted")),
        }
    }
    assert_eq!(users.len(), 1);
    let accounts: i64 =
        sqlx::query_scalar("select count(*) from auth.users where state = 'active' and lower(email) like 'bob@%'")
            .fetch_one(&server.app.db)
            .await
            .unwrap();
    let members: i64 = sqlx::query_scalar("select count(*) from access.member where team_id = $1")
        .bind(ada.team.0)
        .fetch_one(&server.app.db)
        .await
        .unwrap();
    assert_eq!((accounts, members), (1, 2));
}

#[tokio::test]
async fn who_may_invite_whom() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let (bob, eve) = (server.register("bob@example.com").await, server.register("eve@example.com").await);
    join(&server, &bob, ada.team, TeamRole::Maintainer).await;
    join(&server, &eve, ada.team, TeamRole::Readonly).await;
    let stranger = server.register("stranger@example.com").await;
    invite(&server, &bob, ada.team, "new@example.com", "maintainer").await.expect(201);
    invite(&server, &bob, ada.team, "new@example.com", "member").await.expect(201);
    invite(&server, &bob, ada.team, "new@example.com", "owner").await.refused(403, "forbidden");
    let owners = invited(&server, &ada, "chief@example.com", "owner").await;
    let one = format!("{}/{}", path(ada.team), owners["invitation"]["id"].as_str().unwrap());
    let resend = server.post(&bob.token, &format!("{one}/resend"), json!({})).await;
    resend.refused(403, "forbidden");
    let refusal = invite(&server, &eve, ada.team, "new@example.com", "readonly").await.refused(403, "forbidden");
    assert_eq!(refusal["error"], "maintainer or owner role required");
    server.delete(&eve.token, &one).await.refused(403, "forbidden");
    server.get(&eve.token, &path(ada.team)).await.expect(200);
    let refusal = invite(&server, &stranger, ada.team, "x@example.com", "owner").await.refused(403, "not_a_member");
    assert_eq!(refusal["error"], "not a member of this team");
    server.get(&stranger.token, &path(ada.team)).await.refused(403, "not_a_member");
    server.get(&ada.token, "/api/v1/teams/nonsense/invitations").await.refused(403, "not_a_member");
    server.delete(&stranger.token, &one).await.refused(403, "not_a_member");
    server.post(&stranger.token, &format!("{one}/resend"), json!({})).await.refused(403, "not_a_member");
    let elsewhere = format!("{}/{}", path(stranger.team), owners["invitation"]["id"].as_str().unwrap());
    server.delete(&stranger.token, &elsewhere).await.refused(404, "invitation_not_found");
    server.post(&stranger.token, &format!("{elsewhere}/resend"), json!({})).await.refused(404, "invitation_not_found");
    for id in ["nonsense", "01890000-0000-7000-8000-000000000000"] {
        let one = format!("{}/{id}", path(ada.team));
        server.delete(&ada.token, &one).await.refused(404, "invitation_not_found");
    }
    let api_token = server.api_token(&ada, &["read", "write"]).await;
    server.get(&api_token, &path(ada.team)).await.expect(200);
    let body = json!({"email": "x@example.com", "role": "readonly"});
    server.post(&api_token, &path(ada.team), body).await.refused(403, "token_not_allowed");
    server.delete(&api_token, &one).await.refused(403, "token_not_allowed");
    let blind = server.api_token(&ada, &["upload"]).await;
    server.get(&blind, &path(ada.team)).await.refused(403, "insufficient_scope");
}

#[tokio::test]
async fn faulty_invitations_say_what_is_wrong() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let refusal = invite(&server, &ada, ada.team, "x@example.com", "boss").await.refused(400, "invalid_request");
    assert_eq!(refusal["error"], "invalid role: must be readonly, maintainer, or owner");
    let refusal = invite(&server, &ada, ada.team, "nonsense", "boss").await.refused(400, "invalid_request");
    assert_eq!(refusal["details"].as_array().unwrap().len(), 2);
    invite(&server, &ada, ada.team, "a@example.com\r\nBcc: b@example.com", "owner")
        .await
        .refused(400, "invalid_request");
    invite(&server, &ada, ada.team, "ADA@example.com", "readonly").await.refused(409, "already_member");
    for token in ["nonsense", "inv_0000"] {
        preview(&server, token).await.refused(404, "invitation_not_found");
        accept(&server, token, PASSWORD).await.refused(404, "invitation_not_found");
    }
    let made = invited(&server, &ada, "bob@example.com", "readonly").await;
    let path = format!("/api/v1/invitations/{}/accept", token(&made));
    let refusal = server.post("", &path, json!({"password": "short"})).await.refused(400, "invalid_request");
    assert_eq!(refusal["details"].as_array().unwrap().len(), 2);
    server.call(Method::POST, &path, &[("x", "y")], None).await.refused(400, "invalid_request");
    accept(&server, token(&made), PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_invitation_that_was_taken_back_or_replaced_is_dead_at_once() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let first = invited(&server, &ada, "bob@example.com", "readonly").await;
    let second = invited(&server, &ada, "BOB@example.com", "maintainer").await;
    preview(&server, token(&first)).await.refused(404, "invitation_not_found");
    accept(&server, token(&first), PASSWORD).await.refused(404, "invitation_not_found");
    server.settle().await;
    assert_eq!(list(&server, &ada).await, [second["invitation"].clone()]);
    let one = format!("{}/{}", path(ada.team), second["invitation"]["id"].as_str().unwrap());
    assert_eq!(server.delete(&ada.token, &one).await.expect(200)["message"], "invitation revoked");
    accept(&server, token(&second), PASSWORD).await.refused(404, "invitation_not_found");
    assert!(list(&server, &ada).await.is_empty());
    server.delete(&ada.token, &one).await.refused(404, "invitation_not_found");
    let rows: i64 =
        sqlx::query_scalar("select count(*) from auth.invitations").fetch_one(&server.app.db).await.unwrap();
    assert_eq!(rows, 0, "the address is forgotten");
}

#[tokio::test]
async fn the_same_address_invited_ten_times_at_once_has_one_invitation() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let tries = (0..10).map(|_| invite(&server, &ada, ada.team, "bob@example.com", "readonly"));
    let answers = join_all(tries).await;
    let made: Vec<_> = answers.into_iter().filter(|answer| answer.status == 201).map(|answer| answer.json()).collect();
    assert!(!made.is_empty());
    let mut alive = 0;
    for made in &made {
        alive += usize::from(preview(&server, token(made)).await.status == 200);
    }
    server.settle().await;
    assert_eq!((alive, list(&server, &ada).await.len()), (1, 1));
    server.advance(121);
    sweep(&server.app).await.unwrap();
    server.settle().await;
    let live: i64 =
        sqlx::query_scalar("select count(*) from access.invitation").fetch_one(&server.app.db).await.unwrap();
    assert_eq!(live, 1, "the log agrees");
}

#[tokio::test]
async fn an_expired_invitation_is_good_again_once_it_is_sent_again_with_a_new_link() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let made = invited(&server, &ada, "bob@example.com", "readonly").await;
    server.advance(7 * 86_400 - 1);
    preview(&server, token(&made)).await.expect(200);
    server.advance(1);
    preview(&server, token(&made)).await.refused(410, "invitation_expired");
    accept(&server, token(&made), PASSWORD).await.refused(410, "invitation_expired");
    let (session, _) = server.sign_in("ada@example.com").await;
    let ada = Person { token: session, ..ada };
    assert_eq!(list(&server, &ada).await[0]["state"], "expired");
    let resend = format!("{}/{}/resend", path(ada.team), made["invitation"]["id"].as_str().unwrap());
    let again = server.post(&ada.token, &resend, json!({})).await.expect(200);
    assert_eq!(again["invitation"]["expires_at"], "2026-01-29T12:00:00Z");
    assert_eq!(again["invitation"]["created_at"], made["invitation"]["created_at"]);
    assert_eq!(list(&server, &ada).await, [again["invitation"].clone()]);
    preview(&server, token(&made)).await.refused(404, "invitation_not_found");
    accept(&server, token(&again), PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_same_key_gets_the_same_invitation() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let make = async |key: &str, email: &str| {
        let headers = [("authorization", format!("Bearer {}", ada.token)), ("idempotency-key", key.to_owned())];
        let body = json!({"email": email, "role": "readonly"});
        server.call(Method::POST, &path(ada.team), &headers, Some(body)).await
    };
    let first = make("k1", "bob@example.com").await.expect(201);
    server.advance(60);
    assert_eq!(make("k1", "bob@example.com").await.expect(201), first);
    make("k1", "eve@example.com").await.refused(422, "idempotency_key_reused");
    preview(&server, token(&first)).await.expect(200);
    let other = make("k2", "bob@example.com").await.expect(201);
    assert_ne!(other, first);
    make("k1", "bob@example.com").await.refused(409, "invitation_revoked");
    preview(&server, token(&other)).await.expect(200);
    accept(&server, token(&other), PASSWORD).await.expect(200);
    let replayed = make("k2", "bob@example.com").await.expect(201);
    assert_eq!((token(&replayed), &replayed["invitation"]["state"]), (token(&other), &json!("accepted")));
    let at_once = join_all((0..5).map(|_| make("k3", "carl@example.com"))).await;
    let tokens: std::collections::BTreeSet<_> =
        at_once.into_iter().map(|answer| token(&answer.expect(201)).to_owned()).collect();
    assert_eq!(tokens.len(), 1);
}

#[tokio::test]
async fn an_invitation_is_good_only_as_long_as_its_sender_may_invite() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let bob = server.register("bob@example.com").await;
    join(&server, &bob, ada.team, TeamRole::Owner).await;
    let made = invite(&server, &bob, ada.team, "new@example.com", "owner").await.expect(201);
    let lower = team::Command::ChangeRole { user: bob.user, role: TeamRole::Maintainer };
    command(&server, ada.team, lower).await;
    preview(&server, token(&made)).await.refused(410, "invitation_expired");
    accept(&server, token(&made), PASSWORD).await.refused(410, "invitation_expired");
    assert_eq!(list(&server, &ada).await[0]["state"], "expired");
    let resend = format!("{}/{}/resend", path(ada.team), made["invitation"]["id"].as_str().unwrap());
    let again = server.post(&ada.token, &resend, json!({})).await.expect(200);
    preview(&server, token(&again)).await.expect(200);
    command(&server, ada.team, team::Command::Delete { team: ada.team }).await;
    preview(&server, token(&again)).await.refused(404, "invitation_not_found");
    accept(&server, token(&again), PASSWORD).await.refused(404, "invitation_not_found");
    sweep(&server.app).await.unwrap();
    let rows: i64 =
        sqlx::query_scalar("select count(*) from auth.invitations").fetch_one(&server.app.db).await.unwrap();
    assert_eq!(rows, 0, "the address goes with the team");
}

#[tokio::test]
async fn who_joined_meanwhile_never_loses_a_role_by_accepting() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let bob = server.register("bob@example.com").await;
    for (invited_as, is, becomes) in
        [("readonly", TeamRole::Maintainer, "maintainer"), ("owner", TeamRole::Readonly, "owner")]
    {
        let made = invited(&server, &ada, "bob@example.com", invited_as).await;
        join(&server, &bob, ada.team, is).await;
        assert_eq!(accept(&server, token(&made), PASSWORD).await.expect(200)["role"], becomes);
        command(&server, ada.team, team::Command::Remove { user: bob.user }).await;
    }
}

#[tokio::test]
async fn an_invitation_makes_an_account_where_registration_is_by_invitation_and_none_where_it_is_closed() {
    for (registration, is_open) in [(Registration::Invite, true), (Registration::Closed, false)] {
        let server = TestApp::start_with(Config {
            registration,
            allowed_email_domains: vec!["example.com".to_owned()],
            ..config()
        })
        .await;
        let ada = server.register("ada@example.com").await;
        let made = invited(&server, &ada, "bob@Example.com", "readonly").await;
        let accepted = accept(&server, token(&made), PASSWORD).await;
        if is_open {
            accepted.expect(200);
        } else {
            accepted.refused(403, "registration_closed");
        }
        invite(&server, &ada, ada.team, "eve@elsewhere.org", "readonly").await.refused(403, "email_domain_not_allowed");
    }
}

#[tokio::test]
async fn a_mailed_invitation_proves_the_address_and_a_handed_one_does_not() {
    let server = Mailing::start().await;
    let ada = server.register("ada@example.com").await;
    let made = invited(&server, &ada, "bob@example.com", "readonly").await;
    assert_eq!(made["invitation"]["mail"], "queued");
    let mails = server.mails_to("bob@example.com").await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].header("Subject").unwrap(), "Join My team on ScaledTest");
    let mailed = server.token("bob@example.com", "invitations").await;
    assert!(mailed.starts_with("inv_") && mailed != token(&made));
    assert_eq!(list(&server, &ada).await[0]["mail"], "sent");
    preview(&server, &mailed).await.expect(200);
    accept(&server, &mailed, PASSWORD).await.expect(200);
    accept(&server, token(&made), PASSWORD).await.refused(410, "invitation_accepted");
    let verified = async |email: &str| {
        let (token, _) = server.sign_in(email).await;
        server.get(&token, "/api/v1/auth/me").await.expect(200)["email_verified"].clone()
    };
    assert_eq!(verified("bob@example.com").await, true);

    let made = invited(&server, &ada, "carl@example.com", "readonly").await;
    accept(&server, token(&made), PASSWORD).await.expect(200);
    assert_eq!(verified("carl@example.com").await, false);
    let mails = server.mails_to("carl@example.com").await;
    assert_eq!(mails.len(), 1, "the invitation is pointless by now");
    assert!(mails[0].link("/verify-email/").is_some());
}

#[tokio::test]
async fn a_mail_that_was_overtaken_is_not_sent_and_one_that_failed_says_so() {
    let server = Mailing::start_with(Config { disable_rate_limit: false, ..config() }).await;
    let ada = server.register("ada@example.com").await;
    let made = invited(&server, &ada, "bob@example.com", "readonly").await;
    let resend = format!("{}/{}/resend", path(ada.team), made["invitation"]["id"].as_str().unwrap());
    server.post(&ada.token, &resend, json!({})).await.expect(200);
    assert_eq!(server.mails_to("bob@example.com").await.len(), 1, "the first letter's link is dead");
    let first = server.token("bob@example.com", "invitations").await;
    preview(&server, &first).await.expect(200);
    server.smtp.refuse_next("550 5.1.1 no such user");
    server.post(&ada.token, &resend, json!({})).await.expect(200);
    server.round().await;
    assert_eq!(list(&server, &ada).await[0]["mail"], "failed");
    preview(&server, &first).await.refused(404, "invitation_not_found");
    for _ in 0..8 {
        server.post(&ada.token, &resend, json!({})).await.expect(200);
    }
    let answer = server.post(&ada.token, &resend, json!({})).await;
    answer.refused(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), Some("3600"));
}

#[tokio::test]
async fn who_was_invited_and_leaves_gets_no_team_by_signing_in() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let made = invited(&server, &ada, "bob@example.com", "readonly").await;
    let bob = accept(&server, token(&made), PASSWORD).await.expect(200);
    let user = bob["user_id"].as_str().unwrap().parse().unwrap();
    command(&server, ada.team, team::Command::Remove { user }).await;
    assert!(teams(&server, "bob@example.com", PASSWORD).await.is_empty());
}
