//! What a crash leaves of making and accepting invitations.

use super::invitations::{accept, invited, list, teams, token};
use crate::support::{PASSWORD, Person, TestApp};
use scaledtest_commands::{Invitation, invitation::Command};
use scaledtest_domain::{InvitationId, Kind, StreamId, TeamId, UserId};
use scaledtest_server::accounts::sweep::{Swept, sweep};

/// Puts rows back to where a process leaves them that dies between the log and the rows.
async fn undo(server: &TestApp, statement: &'static str) {
    sqlx::query(statement).execute(&server.app.db).await.unwrap();
}

#[tokio::test]
async fn what_a_crash_left_of_an_acceptance_is_finished() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let made = invited(&server, &ada, "bob@example.com", "readonly").await;
    let user: UserId =
        accept(&server, token(&made), PASSWORD).await.expect(200)["user_id"].as_str().unwrap().parse().unwrap();
    undo(&server, "update auth.users set state = 'pending' where lower(email) = 'bob@example.com'").await;
    undo(&server, "update auth.invitations set state = 'accepting'").await;
    let last = server.app.log.last().await.unwrap();
    assert_eq!(sweep(&server.app).await.unwrap(), Swept::default(), "a request may be at it");
    server.advance(121);
    let swept = sweep(&server.app).await.unwrap();
    assert_eq!(swept.accounts, 1);
    assert_eq!(server.app.log.last().await.unwrap(), last, "nothing happens twice, and no team is made");
    assert_eq!(teams(&server, "bob@example.com", PASSWORD).await.len(), 1);
    assert_eq!(sweep(&server.app).await.unwrap(), Swept::default());

    // Between the acceptance and the membership.
    let eve = server.register("eve@example.com").await;
    let (session, _) = server.sign_in("ada@example.com").await;
    let ada = Person { token: session, ..ada };
    let made = invited(&server, &ada, "eve@example.com", "readonly").await;
    let id = made["invitation"]["id"].as_str().unwrap().parse().unwrap();
    accepted_in_the_log(&server, ada.team, id, eve.user).await;
    sqlx::query("update auth.invitations set state = 'accepting', user_id = $1 where state = 'active'")
        .bind(eve.user.0)
        .execute(&server.app.db)
        .await
        .unwrap();
    assert_eq!(teams(&server, "eve@example.com", PASSWORD).await.len(), 1);
    server.advance(121);
    assert_eq!(sweep(&server.app).await.unwrap().invitations, 1);
    server.settle().await;
    assert_eq!(teams(&server, "eve@example.com", PASSWORD).await.len(), 2);
    assert_ne!(user, eve.user);
}

async fn accepted_in_the_log(server: &TestApp, team: TeamId, id: InvitationId, user: UserId) {
    let stream = StreamId::of(team, Kind::Invitation, id);
    let accept = Command::Accept { invitation: id, user };
    server.app.log.execute::<Invitation>(stream, accept, &server.command()).await.unwrap();
}

#[tokio::test]
async fn a_person_interrupted_while_accepting_carries_on_by_signing_in_or_by_the_same_again() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    for (email, signs_in) in [("bob@example.com", true), ("carl@example.com", false)] {
        let made = invited(&server, &ada, email, "readonly").await;
        accept(&server, token(&made), PASSWORD).await.expect(200);
        undo(&server, "update auth.users set state = 'pending' where email <> 'ada@example.com'").await;
        undo(&server, "update auth.invitations set state = 'accepting'").await;
        if !signs_in {
            accept(&server, token(&made), "another password").await.refused(401, "invalid_password");
            accept(&server, token(&made), PASSWORD).await.expect(200);
        }
        assert_eq!(teams(&server, email, PASSWORD).await.len(), 1);
    }
}

#[tokio::test]
async fn what_a_crash_left_before_the_log_had_it_is_taken_back() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let made = invited(&server, &ada, "bob@example.com", "readonly").await;
    // A newcomer's rows, and nothing in the log.
    let ghost = UserId::new();
    sqlx::query(
        "insert into auth.users (id, email, display_name, password_hash, state, created_at, updated_at)
         values ($1, 'bob@example.com', 'B', '', 'pending', $2, $2)",
    )
    .bind(ghost.0)
    .bind(server.now())
    .execute(&server.app.db)
    .await
    .unwrap();
    sqlx::query("update auth.invitations set state = 'accepting', user_id = $1")
        .bind(ghost.0)
        .execute(&server.app.db)
        .await
        .unwrap();
    accept(&server, token(&made), PASSWORD).await.refused(401, "invalid_password");
    server.advance(121);
    assert_eq!(sweep(&server.app).await.unwrap().accounts, 1);
    assert_eq!(accept(&server, token(&made), PASSWORD).await.expect(200)["role"], "readonly");

    // An invitation that never reached the log, one whose maker died after it did, and one that was only half taken back.
    let [lost, kept, revoked] = [("lost", "pending"), ("kept", "pending"), ("gone", "revoked")]
        .map(|(name, state)| (format!("{name}@example.com"), state));
    for (email, state) in [&kept, &revoked] {
        invited(&server, &ada, email, "readonly").await;
        sqlx::query("update auth.invitations set state = $1 where email = $2")
            .bind(state)
            .bind(email)
            .execute(&server.app.db)
            .await
            .unwrap();
    }
    sqlx::query(
        "insert into auth.invitations (id, team_id, email, token_hash, mailed_hash, vouched_by, changed_at)
         select gen_random_uuid(), team_id, $1, 'a', 'b', vouched_by, changed_at from auth.invitations limit 1",
    )
    .bind(&lost.0)
    .execute(&server.app.db)
    .await
    .unwrap();
    server.advance(121);
    assert_eq!(sweep(&server.app).await.unwrap().invitations, 3);
    server.settle().await;
    let pending: Vec<_> = list(&server, &ada).await.into_iter().filter(|listed| listed["state"] == "pending").collect();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0]["email"], kept.0);
}
