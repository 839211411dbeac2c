//! Accounts elsewhere that sign somebody in: linked, and unlinked again.

use crate::support::{
    PASSWORD, Person, TestApp,
    providers::{Browser, Does, Providers, octocat, person},
};
use scaledtest_domain::UserId;
use scaledtest_server::{
    accounts::{recovery, users},
    config::{Mail, MailEncryption},
};
use serde_json::{Value, json};
use std::sync::Arc;

const LINK: &str = "/auth/github?link=1&return_to=/profile";
const IDENTITIES: &str = "/api/v1/auth/identities";
const NEW: &str = "a better password";

/// The browser of somebody who is signed in.
fn browser<'a>(server: &'a TestApp, person: &Person) -> Browser<'a> {
    let mut browser = Browser::new(server);
    browser.refresh = Some(person.refresh.clone());
    browser
}

/// Sets a new password by a link that an administrator has made.
async fn reset(server: &TestApp, user: UserId) {
    let user = users::by_id(&server.app, user).await.unwrap().unwrap();
    let link = recovery::hand_reset(&server.app, &user).await.unwrap().url;
    let body = json!({"token": link.rsplit('/').next().unwrap(), "password": NEW});
    server.post("", "/auth/reset-password", body).await.expect(200);
}

async fn linked(server: &TestApp) -> i64 {
    sqlx::query_scalar("select count(*) from auth.identities").fetch_one(&server.app.db).await.unwrap()
}

async fn prove(server: &TestApp, user: UserId) {
    let prove = "update auth.users set email_verified_at = $2 where id = $1";
    sqlx::query(prove).bind(user.0).bind(server.now()).execute(&server.app.db).await.unwrap();
}

#[tokio::test]
async fn who_made_an_account_for_somebody_elses_address_is_out_once_its_owner_resets_the_password() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let eves = octocat(1, "eve@example.com", true);
    // Also where the owner proves the address before, thinking that it was about something of their own.
    for (address, proves) in [("bob@example.com", false), ("ben@example.com", true)] {
        let account = server.register(address).await;
        assert_eq!(browser(&server, &account).sign_in(LINK, &eves).await, "/profile");
        if proves {
            server.advance(1);
            prove(&server, account.user).await;
        }
        reset(&server, account.user).await;
        assert_eq!(linked(&server).await, 0, "{address}");
    }
    let mut eve = Browser::new(&server);
    assert_eq!(eve.sign_in("/auth/github", &eves).await, "/");
    assert_eq!(eve.me().await.0["email"], "eve@example.com");
}

#[tokio::test]
async fn what_was_linked_after_the_address_was_proven_outlives_a_new_password() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    prove(&server, ada.user).await;
    let octo = octocat(1, "octo@example.com", true);
    assert_eq!(browser(&server, &ada).sign_in(LINK, &octo).await, "/profile");
    reset(&server, ada.user).await;
    let mut again = Browser::new(&server);
    assert_eq!(again.sign_in("/auth/github", &octo).await, "/");
    assert_eq!(again.me().await.0["id"], json!(ada.user));
}

#[tokio::test]
async fn a_link_that_was_begun_in_a_session_ends_with_it() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    for n in 0..4 {
        let address = format!("ada{n}@example.com");
        let ada = server.register(&address).await;
        let mut eve = browser(&server, &ada);
        let url = eve.leave(LINK).await;
        let back = eve.visit(url, &octocat(n, "eve@example.com", true)).await;
        match n {
            0 => drop(server.delete(&ada.token, "/api/v1/auth/sessions?all=true").await.expect(200)),
            1 => {
                let (elsewhere, _) = server.sign_in(&address).await;
                let body = json!({"current_password": PASSWORD, "new_password": NEW});
                server.post(&elsewhere, "/api/v1/auth/change-password", body).await.expect(200);
            }
            2 => reset(&server, ada.user).await,
            _ => server.disable(ada.user).await,
        }
        assert_eq!(eve.arrive(&back).await, "/profile?error=session_over", "{n}");
    }
    assert_eq!(linked(&server).await, 0);
}

#[tokio::test]
async fn what_goes_wrong_while_linking_is_told_at_the_page_to_end_at() {
    let mut providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    let start = "/auth/oidc?link=1&return_to=/profile?tab=1%23linked";
    let page = browser(&server, &ada).sign_in(start, &Does::Deny).await;
    assert_eq!(page, "/profile?tab=1&error=oauth_denied#linked");
    providers.stop().await;
    let page = browser(&server, &ada).arrive("/auth/google?link=1&return_to=/profile").await;
    assert_eq!(page, "/profile?error=oauth_failed");
}

async fn ids(server: &TestApp, token: &str) -> Vec<String> {
    let listed = server.get(token, IDENTITIES).await.expect(200)["identities"].clone();
    listed.as_array().unwrap().iter().map(|known| known["id"].as_str().unwrap().to_owned()).collect()
}

async fn unlink(server: &TestApp, token: &str, id: &str) -> crate::support::Answer {
    server.delete(token, &format!("{IDENTITIES}/{id}")).await
}

#[tokio::test]
async fn of_two_accounts_at_one_provider_each_can_be_unlinked_by_their_person_alone() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let (ada, bob) = (server.register("ada@example.com").await, server.register("bob@example.com").await);
    for n in [1, 2] {
        server.advance(1);
        assert_eq!(browser(&server, &ada).sign_in(LINK, &octocat(n, "octo@example.com", true)).await, "/profile");
    }
    let both = ids(&server, &ada.token).await;
    assert_eq!(both.len(), 2);
    unlink(&server, &bob.token, &both[0]).await.refused(404, "identity_not_found");
    unlink(&server, &ada.token, "nonsense").await.refused(404, "identity_not_found");
    assert_eq!(unlink(&server, &ada.token, &both[0]).await.expect(200)["message"], "account unlinked");
    unlink(&server, &ada.token, &both[0]).await.refused(404, "identity_not_found");
    assert_eq!(ids(&server, &ada.token).await, both[1..]);
    let (mut first, mut second) = (Browser::new(&server), Browser::new(&server));
    assert_eq!(first.sign_in("/auth/github", &octocat(1, "octo@example.com", true)).await, "/");
    assert_eq!(first.me().await.0["email"], "octo@example.com", "an account of its own");
    assert_eq!(second.sign_in("/auth/github", &octocat(2, "octo@example.com", true)).await, "/");
    assert_eq!(second.me().await.0["id"], json!(ada.user));
    // There is a password yet.
    unlink(&server, &ada.token, &both[1]).await.expect(200);
    let noted: Vec<(uuid::Uuid, Value)> =
        sqlx::query_as("select user_id, detail from auth.audit where action = 'identity_unlinked'")
            .fetch_all(&server.app.db)
            .await
            .unwrap();
    let one = (ada.user.0, json!({"provider": "github"}));
    assert_eq!(noted, [one.clone(), one]);
}

#[tokio::test]
async fn the_last_way_into_an_account_stays() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let mut ada = Browser::new(&server);
    ada.sign_in("/auth/oidc", &person("ada", "ada@example.com")).await;
    let (_, token) = ada.me().await;
    let only = ids(&server, &token).await;
    unlink(&server, &token, &only[0]).await.refused(409, "last_way_in");
    assert_eq!(ids(&server, &token).await, only);
    Browser::new(&server).sign_in("/auth/github", &octocat(1, "ada@example.com", true)).await;
    let both = ids(&server, &token).await;
    let answers = tokio::join!(unlink(&server, &token, &both[0]), unlink(&server, &token, &both[1]));
    let mut statuses = [answers.0.status.as_u16(), answers.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(ids(&server, &token).await.len(), 1);
}

#[tokio::test]
async fn the_same_number_at_another_server_is_somebody_else() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let mut ada = Browser::new(&server);
    ada.sign_in("/auth/github", &octocat(1, "ada@example.com", true)).await;
    let (ada, _) = ada.me().await;
    let mut config = providers.config();
    let github = config.oauth.github.as_mut().unwrap();
    github.url = github.url.replace("127.0.0.1", "localhost");
    let moved = TestApp::start_without_projections(config, Arc::clone(&server.database), server.app.log.clone()).await;
    moved.clock.set(server.now());
    let mut eve = Browser::new(&moved);
    assert_eq!(eve.sign_in("/auth/github", &octocat(1, "eve@example.com", true)).await, "/");
    assert_eq!(eve.me().await.0["email"], "eve@example.com");
    // What was linked before servers were told apart is of any.
    sqlx::query("delete from auth.identities where issuer like '%localhost%'").execute(&server.app.db).await.unwrap();
    sqlx::query("update auth.identities set issuer = ''").execute(&server.app.db).await.unwrap();
    let mut again = Browser::new(&server);
    again.sign_in("/auth/github", &octocat(1, "ada@example.com", true)).await;
    assert_eq!(again.me().await.0["id"], ada["id"]);
}

#[tokio::test]
async fn where_addresses_must_be_proven_another_provider_is_no_way_around_it() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    server.register("first@example.com").await;
    let bob = server.register("bob@example.com").await;
    let octo = octocat(1, "octo@example.com", true);
    assert_eq!(browser(&server, &bob).sign_in(LINK, &octo).await, "/profile");
    let mut config = providers.config();
    config.allowed_email_domains = vec!["example.com".to_owned()];
    config.mail = Some(Mail {
        host: "127.0.0.1".to_owned(),
        port: 25,
        encryption: MailEncryption::None,
        login: None,
        from: "tests@example.com".to_owned(),
        ca_file: None,
    });
    let strict = TestApp::start_without_projections(config, Arc::clone(&server.database), server.app.log.clone()).await;
    strict.clock.set(server.now());
    let page = Browser::new(&strict).sign_in("/auth/github", &octo).await;
    assert_eq!(page, "/login?error=email_not_verified&return_to=/");
    prove(&server, bob.user).await;
    assert_eq!(Browser::new(&strict).sign_in("/auth/github", &octo).await, "/");
}
