use crate::support::{PASSWORD, TestApp, config};
use futures_util::future::join_all;
use scaledtest_domain::{CommandId, Kind, Position, StreamId, TeamId, UserId};
use scaledtest_eventlog::{CommandMeta, EventLog};
use scaledtest_server::accounts::sweep::{Swept, sweep};
use serde_json::json;
use sqlx::PgPool;
use std::time::Duration;

async fn states(pool: &PgPool) -> Vec<(String, String)> {
    sqlx::query_as("select email, state from auth.users order by email").fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn of_ten_people_registering_at_once_exactly_one_owns_the_instance() {
    let server = TestApp::start().await;
    let emails: Vec<_> = (0..10).map(|n| format!("person{n}@example.com")).collect();
    let people = join_all(emails.iter().map(|email| server.register(email))).await;
    assert_eq!(people.iter().filter(|person| person.role == "owner").count(), 1);
    let teams: std::collections::HashSet<_> = people.iter().map(|person| person.team).collect();
    assert_eq!(teams.len(), 10);
}

#[tokio::test]
async fn the_same_address_registered_at_once_becomes_one_account() {
    let server = TestApp::start().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "display_name": "Ada"});
    let other = json!({"email": "Ada@example.com", "password": "another password", "display_name": "Eve"});
    let (one, two) = tokio::join!(server.post("", "/auth/register", body), server.post("", "/auth/register", other));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

/// A row as a process leaves it that dies before the log has the account.
async fn interrupted(server: &TestApp, email: &str) -> UserId {
    let person = server.register(&format!("model-of-{email}")).await;
    let id = UserId::new();
    sqlx::query(
        "insert into auth.users (id, email, display_name, password_hash, state, created_at, updated_at)
         select $1, $2, 'Ada', password_hash, 'pending', $3, $3 from auth.users where id = $4",
    )
    .bind(id.0)
    .bind(email)
    .bind(server.now())
    .bind(person.user.0)
    .execute(&server.app.db)
    .await
    .unwrap();
    id
}

#[tokio::test]
async fn what_a_crash_left_before_the_log_is_removed_once_no_request_can_be_running() {
    let server = TestApp::start().await;
    interrupted(&server, "ada@example.com").await;
    assert_eq!(sweep(&server.app).await.unwrap(), Swept::default());
    server.advance(121);
    assert_eq!(sweep(&server.app).await.unwrap().accounts, 1);
    assert_eq!(states(&server.app.db).await.len(), 1);
    server.register("ada@example.com").await;
}

#[tokio::test]
async fn what_a_crash_left_after_the_log_is_finished() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    sqlx::query("update auth.users set state = 'pending'").execute(&server.app.db).await.unwrap();
    server.advance(121);
    assert_eq!(sweep(&server.app).await.unwrap().accounts, 1);
    assert_eq!(states(&server.app.db).await, [("ada@example.com".to_owned(), "active".to_owned())]);
    let commits = server.app.log.load(&StreamId::global(Kind::User, ada.user)).await.unwrap();
    assert_eq!(commits.len(), 1);
}

#[tokio::test]
async fn an_owners_claim_of_a_registration_that_never_was_is_free_for_the_next() {
    let server = TestApp::start().await;
    let ghost = UserId::new();
    sqlx::query(
        "insert into auth.users (id, email, display_name, password_hash, state, created_at, updated_at)
         values ($1, 'ghost@example.com', 'G', '', 'pending', $2, $2)",
    )
    .bind(ghost.0)
    .bind(server.now())
    .execute(&server.app.db)
    .await
    .unwrap();
    take_owner_claim(&server, ghost).await;
    assert_eq!(server.register("bob@example.com").await.role, "maintainer");
    server.advance(121);
    sweep(&server.app).await.unwrap();
    assert_eq!(server.register("ada@example.com").await.role, "owner");
}

#[tokio::test]
async fn who_was_second_when_the_first_was_lost_does_not_keep_the_instance_from_having_an_owner() {
    use scaledtest_commands::{User, user::Command};
    let server = TestApp::start().await;
    // Both were registering when the process died: the first had the claim, the second was in the log as what was left.
    let (first, second) = (UserId::new(), UserId::new());
    for (age, user, email) in [(2, first, "first@example.com"), (1, second, "second@example.com")] {
        sqlx::query(
            "insert into auth.users (id, email, display_name, password_hash, state, created_at, updated_at)
             values ($1, $2, 'G', '', 'pending', $3, $3)",
        )
        .bind(user.0)
        .bind(email)
        .bind(server.now() - chrono::TimeDelta::seconds(age))
        .execute(&server.app.db)
        .await
        .unwrap();
    }
    take_owner_claim(&server, first).await;
    let register = Command::Register { user: second, instance_role: scaledtest_domain::InstanceRole::Member };
    let stream = StreamId::global(Kind::User, second);
    // By the command id of a registration, so that the sweep's own is known to be the same.
    let id = CommandId::derived(&[b"registration", b"user", second.0.as_bytes()]);
    let meta = CommandMeta { command: id, ..server.command() };
    server.app.log.execute::<User>(stream, register, &meta).await.unwrap();
    server.advance(121);
    assert_eq!(sweep(&server.app).await.unwrap().accounts, 2);
    server.settle().await;
    assert_eq!(server.register("ada@example.com").await.role, "owner");
    assert_eq!(server.register("bob@example.com").await.role, "maintainer");
}

#[tokio::test]
async fn what_cannot_be_carried_on_keeps_nothing_else_waiting() {
    use scaledtest_commands::{Team, team::Command};
    let server = TestApp::start().await;
    let broken = server.register("broken@example.com").await;
    // The id of the team that the sweep would make is somebody else's.
    let id = UserId::new();
    let team = TeamId::derived(&[b"own team", id.0.as_bytes()]);
    let create = Command::Create { team, name: "T".to_owned(), owner: broken.user };
    let made = server.app.log.execute::<Team>(StreamId::of(team, Kind::Team, team), create, &server.command()).await;
    made.unwrap();
    let register = scaledtest_commands::user::Command::Register {
        user: id,
        instance_role: scaledtest_domain::InstanceRole::Member,
    };
    let stream = StreamId::global(Kind::User, id);
    server.app.log.execute::<scaledtest_commands::User>(stream, register, &server.command()).await.unwrap();
    let statements = [
        "insert into auth.users (id, email, display_name, password_hash, state, created_at, updated_at)
         values ($1, 'stuck@example.com', 'S', '', 'pending', $2, $2)",
        "insert into auth.used_workflow_tokens (token_hash, expires_at) select 'x', $2 where $1::uuid is not null",
    ];
    for statement in statements {
        sqlx::query(statement).bind(id.0).bind(server.now()).execute(&server.app.db).await.unwrap();
    }
    // And one table is out of order.
    sqlx::query("alter table auth.links rename to lost").execute(&server.app.db).await.unwrap();
    server.advance(1);
    interrupted(&server, "ada@example.com").await;
    server.advance(121);
    assert_eq!(sweep(&server.app).await.unwrap().accounts, 1);
    let left: i64 =
        sqlx::query_scalar("select count(*) from auth.used_workflow_tokens").fetch_one(&server.app.db).await.unwrap();
    assert_eq!(left, 0, "what comes after is done as well");
    server.register("ada@example.com").await;
}

async fn take_owner_claim(server: &TestApp, holder: UserId) {
    use scaledtest_commands::{Claim, claim::Command};
    use scaledtest_domain::ClaimId;
    let stream = StreamId::global(Kind::Claim, ClaimId::derived(&[b"instance-owner"]));
    let meta = server.command();
    let take = Command::Take { holder: holder.0, content: None };
    assert!(server.app.log.execute::<Claim>(stream, take, &meta).await.is_ok());
}

#[tokio::test]
async fn whoever_registers_again_after_a_crash_carries_on_with_the_same_account() {
    let server = TestApp::start().await;
    let id = interrupted(&server, "ada@example.com").await;
    let wrong = json!({"email": "ada@example.com", "password": "another password", "display_name": "Eve"});
    server.post("", "/auth/register", wrong).await.refused(409, "email_taken");
    let ada = server.register("ada@example.com").await;
    assert_eq!(ada.user, id);
}

#[tokio::test]
async fn signing_in_carries_on_an_interrupted_registration_too() {
    let server = TestApp::start().await;
    let id = interrupted(&server, "ada@example.com").await;
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    let body = server.post("", "/auth/login", login).await.expect(200);
    assert_eq!(body["user"]["id"], json!(id));
}

#[tokio::test]
async fn a_write_that_the_read_models_have_not_seen_says_so() {
    let database = scaledtest_testkit::database().await;
    let server = TestApp::start_without_projections(config(), database, EventLog::in_memory()).await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "display_name": "Ada"});
    let answer = server.post("", "/auth/register", body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("st-projection"), Some("lagging"));
    assert!(answer.header("st-position").is_some());
}

/// Waits until somebody waits for a row that another holds.
async fn somebody_waits(pool: &PgPool) {
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let seen = async { while sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await.unwrap() == 0 {} };
    tokio::time::timeout(Duration::from_secs(30), seen).await.expect("somebody waits for a row");
}

#[tokio::test]
async fn an_account_is_not_carried_on_while_the_sweep_removes_it() {
    let server = TestApp::start().await;
    let id = interrupted(&server, "ada@example.com").await;
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    let mut sweeping = server.app.db.begin().await.unwrap();
    sqlx::query("delete from auth.users where id = $1").bind(id.0).execute(&mut *sweeping).await.unwrap();
    let (answer, ()) = tokio::join!(server.post("", "/auth/login", login.clone()), async {
        somebody_waits(&server.app.db).await;
        sweeping.commit().await.unwrap();
    });
    answer.refused(503, "registration_removed");
    assert!(server.app.log.load(&StreamId::global(Kind::User, id)).await.unwrap().is_empty());
    server.post("", "/auth/login", login).await.refused(401, "invalid_credentials");
    server.register("ada@example.com").await;
}

#[tokio::test]
async fn the_sweep_leaves_an_account_that_somebody_carries_on() {
    let server = TestApp::start().await;
    let id = interrupted(&server, "ada@example.com").await;
    server.advance(121);
    let mut resuming = server.app.db.begin().await.unwrap();
    sqlx::query("update auth.users set created_at = $2 where id = $1")
        .bind(id.0)
        .bind(server.now())
        .execute(&mut *resuming)
        .await
        .unwrap();
    let (swept, ()) = tokio::join!(sweep(&server.app), async {
        somebody_waits(&server.app.db).await;
        resuming.commit().await.unwrap();
    });
    assert_eq!(swept.unwrap(), Swept::default());
    assert_eq!(server.register("ada@example.com").await.user, id);
}

#[tokio::test]
async fn who_carries_on_an_old_registration_makes_it_young_again() {
    let server = TestApp::start().await;
    let id = interrupted(&server, "ada@example.com").await;
    server.advance(121);
    server.register("ada@example.com").await;
    let touched: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("select created_at from auth.users where id = $1")
        .bind(id.0)
        .fetch_one(&server.app.db)
        .await
        .unwrap();
    assert_eq!(touched, server.now());
}

#[tokio::test]
async fn under_an_older_log_everybody_who_signs_in_gets_their_own_team_again_and_nobody_another_role() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let bob = server.register("bob@example.com").await;
    let lost = server.api_token(&bob, &["read"]).await;
    server.get(&lost, "/api/v1/reports").await.expect(200);
    let database = server.database.clone();
    server.stop().await;
    let server = TestApp::start_on(config(), database, EventLog::in_memory()).await;
    let rebuilt = Position { epoch: 2, n: 0 };
    assert!(server.app.positions.wait(&["access", "reports"], rebuilt, Duration::from_secs(20)).await);
    let teams = server.get(&ada.token, "/api/v1/teams").await.expect(200);
    assert_eq!(teams["teams"], json!([]), "the log that was put back knows nobody");

    let login = json!({"email": "bob@example.com", "password": PASSWORD});
    let again = server.post("", "/auth/login", login.clone()).await.expect(200);
    assert_eq!(again["user"]["role"], "maintainer");
    assert_eq!(server.register("eve@example.com").await.role, "maintainer");
    let refreshed = server.with_cookie("/auth/refresh", &ada.refresh).await.expect(200);
    assert_eq!(refreshed["user"]["role"], "owner", "the first account owns the instance as before");
    for (person, session) in [(&bob, &again), (&ada, &refreshed)] {
        let token = session["access_token"].as_str().unwrap();
        let teams = server.get(token, "/api/v1/teams").await.expect(200);
        let ids: Vec<_> = teams["teams"].as_array().unwrap().iter().map(|team| team["id"].clone()).collect();
        assert_eq!(ids, [json!(person.team)]);
        assert_eq!(server.get(token, "/api/v1/reports").await.expect(200)["total"], 0);
    }
    server.get(&lost, "/api/v1/reports").await.refused(401, "invalid_token");
    let last = server.app.log.last().await.unwrap();
    server.post("", "/auth/login", login).await.expect(200);
    assert_eq!(server.app.log.last().await.unwrap(), last, "nothing is made twice");
}
