//! Signing in elsewhere, at real providers.

use crate::support::{
    PASSWORD, TestApp,
    providers::{Browser, Does, Providers, octocat, person},
};
use scaledtest_commands::{Team, team::Command};
use scaledtest_domain::{Kind, StreamId, TeamId, TeamRole, UserId};
use scaledtest_server::config::{Registration, TeamOfGroup};
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn audit(server: &TestApp) -> Vec<(String, Option<Value>)> {
    let rows = "select action, detail from auth.audit order by id";
    sqlx::query_as(rows).fetch_all(&server.app.db).await.unwrap()
}

#[tokio::test]
async fn the_methods_name_the_providers_that_are_set_up() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let methods = server.get("", "/api/v1/auth/methods").await.expect(200);
    let expected = json!([
        {"id": "github", "name": "GitHub", "start_url": "/auth/github"},
        {"id": "google", "name": "Google", "start_url": "/auth/google"},
        {"id": "oidc", "name": "Example SSO", "start_url": "/auth/oidc"},
    ]);
    assert_eq!(methods["providers"], expected);
}

#[tokio::test]
async fn a_first_sign_in_makes_an_account_and_the_second_finds_it() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let mut browser = Browser::new(&server);
    let url = browser.leave("/api/v1/auth/oidc?return_to=/runs%3Fbranch%3Dmain").await;
    let asked: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!((asked["code_challenge_method"].as_str(), asked["scope"].as_str()), ("S256", "openid email profile"));
    assert_eq!((asked["state"].len(), asked["nonce"].len()), (64, 64));
    assert_eq!(asked["redirect_uri"], "http://localhost:8080/auth/oidc/callback");
    let back = browser.visit(url, &person("ada", "Ada@example.com")).await;
    assert_eq!(browser.arrive(&back).await, "/runs?branch=main");
    assert_eq!(browser.states, [], "it was good for one return");
    let (ada, token) = browser.me().await;
    assert_eq!((&ada["email"], &ada["display_name"]), (&json!("Ada@example.com"), &json!("Ada at work")));
    // The first account of the instance, however it was made.
    assert_eq!(ada["role"], "owner");
    let teams = server.get(&token, "/api/v1/teams").await.expect(200);
    assert_eq!(teams["teams"][0]["role"], "owner");
    let identities = server.get(&token, "/api/v1/auth/identities").await.expect(200)["identities"].clone();
    assert_eq!((&identities[0]["provider"], &identities[0]["name"]), (&json!("oidc"), &json!("Ada at work")));
    let mut other = Browser::new(&server);
    // The address at the provider may change meanwhile; the person does not.
    assert_eq!(other.sign_in("/auth/oidc", &person("ada", "countess@example.com")).await, "/");
    assert_eq!(other.me().await.0, ada);
    let provider = Some(json!({"provider": "oidc"}));
    let noted = ["registered", "signed_in", "signed_in"].map(|action| (action.to_owned(), provider.clone()));
    assert_eq!(audit(&server).await, noted);
}

#[tokio::test]
async fn people_of_google_and_github_sign_in_too() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let mut browser = Browser::new(&server);
    assert_eq!(browser.sign_in("/auth/google?return_to=/gates", &person("g-1", "ada@example.com")).await, "/gates");
    assert_eq!(browser.me().await.0["email"], "ada@example.com");
    let mut browser = Browser::new(&server);
    let url = browser.leave("/auth/github").await;
    assert!(url.query_pairs().any(|(name, value)| name == "scope" && value == "user:email"), "{url}");
    let back = browser.visit(url, &octocat(1, "octo@example.com", true)).await;
    assert_eq!(browser.arrive(&back).await, "/");
    let (octo, _) = browser.me().await;
    assert_eq!((&octo["email"], &octo["display_name"]), (&json!("octo@example.com"), &json!("octocat")));
    assert_eq!(octo["role"], "maintainer");
}

#[tokio::test]
async fn somebody_who_signed_in_elsewhere_has_no_password() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let mut browser = Browser::new(&server);
    browser.sign_in("/auth/oidc", &person("ada", "ada@example.com")).await;
    for password in [PASSWORD, "nobody's password"] {
        let login = json!({"email": "ada@example.com", "password": password});
        server.post("", "/auth/login", login).await.refused(401, "invalid_credentials");
    }
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "display_name": "Eve"});
    server.post("", "/auth/register", body).await.refused(409, "email_taken");
}

#[tokio::test]
async fn an_account_with_a_password_is_linked_only_if_its_address_was_proven() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    let mut browser = Browser::new(&server);
    let work = person("ada", "ADA@example.com");
    assert_eq!(
        browser.sign_in("/auth/oidc?return_to=/runs", &work).await,
        "/login?error=oauth_account_exists&return_to=/runs"
    );
    assert_eq!(browser.refresh, None);
    let linked = "select count(*) from auth.identities";
    assert_eq!(sqlx::query_scalar::<_, i64>(linked).fetch_one(&server.app.db).await.unwrap(), 0);
    let prove = "update auth.users set email_verified_at = now()";
    sqlx::query(prove).execute(&server.app.db).await.unwrap();
    assert_eq!(browser.sign_in("/auth/oidc", &work).await, "/");
    assert_eq!(browser.me().await.0["id"], json!(ada.user));
    let actions: Vec<_> = audit(&server).await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["registered", "sign_in_failed", "identity_linked", "signed_in"]);
}

#[tokio::test]
async fn an_account_without_a_password_is_linked_to_every_provider_that_verified_its_address() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let mut browser = Browser::new(&server);
    browser.sign_in("/auth/oidc", &person("ada", "ada@example.com")).await;
    let (ada, _) = browser.me().await;
    server.advance(1);
    let mut other = Browser::new(&server);
    assert_eq!(other.sign_in("/auth/github", &octocat(1, "ada@example.com", true)).await, "/");
    let (same, token) = other.me().await;
    assert_eq!(same, ada);
    let identities = server.get(&token, "/api/v1/auth/identities").await.expect(200)["identities"].clone();
    let providers: Vec<_> = identities.as_array().unwrap().iter().map(|known| known["provider"].clone()).collect();
    assert_eq!(providers, ["oidc", "github"]);
}

#[tokio::test]
async fn an_unverified_address_makes_and_links_nothing() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    server.register("first@example.com").await;
    let unsure = |claims: Value| Does::SignIn(claims);
    for (path, does) in [
        ("/auth/oidc", unsure(json!({"sub": "a", "email": "ada@example.com", "email_verified": false}))),
        ("/auth/oidc", unsure(json!({"sub": "b", "email": "ada@example.com"}))),
        ("/auth/google", unsure(json!({"sub": "c", "email": "ada@example.com", "email_verified": false}))),
        ("/auth/google", unsure(json!({"sub": "d", "email_verified": true}))),
        ("/auth/google", unsure(json!({"sub": "e", "email": "ada", "email_verified": true}))),
        ("/auth/github", octocat(1, "ada@example.com", false)),
    ] {
        let page = Browser::new(&server).sign_in(path, &does).await;
        assert_eq!(page, "/login?error=oauth_email_unverified&return_to=/", "{path} {does:?}");
    }
    let people: i64 = sqlx::query_scalar("select count(*) from auth.users").fetch_one(&server.app.db).await.unwrap();
    assert_eq!(people, 1);
    // Whoever is known already may lose the proof of an address.
    let mut browser = Browser::new(&server);
    browser.sign_in("/auth/github", &octocat(2, "octo@example.com", true)).await;
    assert_eq!(browser.sign_in("/auth/github", &octocat(2, "other@example.com", false)).await, "/");
}

#[tokio::test]
async fn registration_rules_hold_for_new_accounts_only() {
    let providers = Providers::start().await;
    let mut config = providers.config();
    config.allowed_email_domains = vec!["example.com".to_owned()];
    let server = providers.server_with(config.clone()).await;
    let first = person("ada", "ada@elsewhere.net");
    assert_eq!(Browser::new(&server).sign_in("/auth/oidc", &first).await, "/");
    let page = Browser::new(&server).sign_in("/auth/oidc", &person("bob", "bob@elsewhere.net")).await;
    assert_eq!(page, "/login?error=email_domain_not_allowed&return_to=/");
    config.registration = Registration::Closed;
    let closed = providers.server_with(config).await;
    assert_eq!(Browser::new(&closed).sign_in("/auth/google", &first).await, "/");
    let page = Browser::new(&closed).sign_in("/auth/oidc", &person("bob", "bob@example.com")).await;
    assert_eq!(page, "/login?error=registration_closed&return_to=/");
    assert_eq!(Browser::new(&closed).sign_in("/auth/google", &first).await, "/");
}

#[tokio::test]
async fn a_disabled_account_stays_out() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    server.register("first@example.com").await;
    let mut browser = Browser::new(&server);
    browser.sign_in("/auth/oidc", &person("ada", "ada@example.com")).await;
    let user: UserId = browser.me().await.0["id"].as_str().unwrap().parse().unwrap();
    let disable = scaledtest_commands::user::Command::Disable { user };
    let stream = StreamId::global(Kind::User, user);
    let done = server.app.log.execute::<scaledtest_commands::User>(stream, disable, &server.command()).await;
    assert!(done.is_ok());
    server.settle().await;
    let mut browser = Browser::new(&server);
    let page = browser.sign_in("/auth/oidc", &person("ada", "ada@example.com")).await;
    assert_eq!((page.as_str(), browser.refresh), ("/login?error=account_disabled&return_to=/", None));
}

#[tokio::test]
async fn who_is_signed_in_can_link_another_identity() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let (ada, bob) = (server.register("ada@example.com").await, server.register("bob@example.com").await);
    let mut browser = Browser::new(&server);
    browser.refresh = Some(ada.refresh.clone());
    // Whatever its address: both were proven.
    let octo = octocat(1, "octo@example.com", false);
    assert_eq!(browser.sign_in("/auth/github?link=1&return_to=/profile", &octo).await, "/profile");
    assert_eq!(browser.refresh, Some(ada.refresh), "the session goes on");
    let mut other = Browser::new(&server);
    assert_eq!(other.sign_in("/auth/github", &octo).await, "/");
    assert_eq!(other.me().await.0["id"], json!(ada.user));
    let mut thief = Browser::new(&server);
    thief.refresh = Some(bob.refresh);
    let page = thief.sign_in("/auth/github?link=1&return_to=/profile", &octo).await;
    assert_eq!(page, "/profile?error=oauth_account_exists");
    assert_eq!(server.get(&bob.token, "/api/v1/auth/identities").await.expect(200), json!({"identities": []}));
}

#[tokio::test]
async fn linking_needs_a_session_and_a_page_of_ours() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = server.register("ada@example.com").await;
    let page = Browser::new(&server).arrive("/auth/github?link=1&return_to=/profile").await;
    assert_eq!(page, "/login?return_to=/profile");
    let from = async |site: &str| {
        let headers = [("cookie", format!("refresh_token={}", ada.refresh)), ("sec-fetch-site", site.to_owned())];
        server.call(axum::http::Method::GET, "/auth/github?link=1", &headers, None).await
    };
    for site in ["cross-site", "same-site"] {
        let answer = from(site).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some("/login?return_to=/")));
    }
    // `none`: somebody typed the address.
    for site in ["same-origin", "none"] {
        assert_eq!(from(site).await.status, 307, "{site}");
    }
}

async fn change(server: &TestApp, team: TeamId, command: Command) {
    let (stream, meta) = (StreamId::of(team, Kind::Team, team), server.command());
    assert!(server.app.log.execute::<Team>(stream, command, &meta).await.is_ok());
}

fn with_groups(groups: Value) -> Does {
    Does::SignIn(json!({"sub": "bob", "email": "bob@example.com", "email_verified": true, "groups": groups}))
}

#[tokio::test]
async fn groups_become_roles_at_each_sign_in() {
    let providers = Providers::start().await;
    let (a, b, gone) = (TeamId::new(), TeamId::new(), TeamId::new());
    let mapping = |group: &str, team, role| TeamOfGroup { group: group.to_owned(), team, role };
    let mut config = providers.config();
    config.oauth.oidc.as_mut().unwrap().teams = vec![
        mapping("qa", a, TeamRole::Maintainer),
        mapping("everybody", a, TeamRole::Readonly),
        mapping("everybody", b, TeamRole::Readonly),
        mapping("everybody", gone, TeamRole::Owner),
    ];
    let server = providers.server_with(config).await;
    let ada = server.register("ada@example.com").await;
    for team in [a, b] {
        change(&server, team, Command::Create { team, name: "T".into(), owner: ada.user }).await;
    }
    let roles = async |browser: &mut Browser<'_>| {
        let (_, token) = browser.me().await;
        let listed = server.get(&token, "/api/v1/teams").await.expect(200)["teams"].clone();
        let role = |team: TeamId| {
            let found = listed.as_array().unwrap().iter().find(|known| known["id"] == json!(team));
            found.map(|known| known["role"].as_str().unwrap().to_owned())
        };
        [role(a), role(b)]
    };
    let some = |role: &str| Some(role.to_owned());
    for (groups, expected) in [
        (json!(["other"]), [None, None]),
        (json!(["everybody", "qa"]), [some("maintainer"), some("readonly")]),
        (json!(["everybody"]), [some("readonly"), some("readonly")]),
        (json!("qa"), [some("maintainer"), some("readonly")]),
        // Out of all groups of a team, nobody is thrown out of it.
        (json!([]), [some("maintainer"), some("readonly")]),
    ] {
        let mut browser = Browser::new(&server);
        browser.sign_in("/auth/oidc", &with_groups(groups.clone())).await;
        assert_eq!(roles(&mut browser).await, expected, "{groups}");
    }
    // The last owner stays one.
    let mut browser = Browser::new(&server);
    browser.sign_in("/auth/oidc", &with_groups(json!([]))).await;
    server.join(a, browser.me().await.0["id"].as_str().unwrap().parse().unwrap(), TeamRole::Owner).await;
    change(&server, a, Command::Remove { user: ada.user }).await;
    let mut browser = Browser::new(&server);
    assert_eq!(browser.sign_in("/auth/oidc", &with_groups(json!(["everybody"]))).await, "/");
    assert_eq!(roles(&mut browser).await[0], some("owner"));
}

#[tokio::test]
async fn a_sign_up_that_a_crash_interrupted_is_finished_by_the_next_sign_in() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = person("ada", "ada@example.com");
    let mut browser = Browser::new(&server);
    browser.sign_in("/auth/oidc", &ada).await;
    let (before, _) = browser.me().await;
    // As if the process had died after the log, and another after its row.
    sqlx::query("update auth.users set state = 'pending'").execute(&server.app.db).await.unwrap();
    assert_eq!(browser.sign_in("/auth/oidc", &ada).await, "/");
    assert_eq!(browser.me().await.0, before);
    let state: String = sqlx::query_scalar("select state from auth.users").fetch_one(&server.app.db).await.unwrap();
    assert_eq!(state, "active");
}

#[tokio::test]
async fn somebody_who_signs_up_in_two_tabs_at_once_has_one_account() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let (mut one, mut two) = (Browser::new(&server), Browser::new(&server));
    let ada = person("ada", "ada@example.com");
    let (first, second) = (one.leave("/auth/oidc").await, two.leave("/auth/google").await);
    let (first, second) = (one.visit(first, &ada).await, two.visit(second, &ada).await);
    let pages = tokio::join!(one.arrive(&first), two.arrive(&second));
    assert_eq!((pages.0.as_str(), pages.1.as_str()), ("/", "/"));
    let (a, b) = (one.me().await.0, two.me().await.0);
    assert_eq!(a, b);
}
