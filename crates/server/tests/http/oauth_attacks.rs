//! What goes wrong between us and a provider, by accident or not.

use crate::support::{
    TestApp,
    providers::{Browser, Does, Providers, octocat, person},
};
use axum::http::Method;
use reqwest::Url;
use std::time::{Duration, Instant};

const FOREIGN: &str = "/login?error=oauth_state&return_to=/";

fn with(path: &str, name: &str, value: &str) -> String {
    let mut url = Url::parse("http://localhost").unwrap().join(path).unwrap();
    let pairs: Vec<_> = url.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
    url.query_pairs_mut().clear().extend_pairs(pairs).append_pair(name, value);
    format!("{}?{}", url.path(), url.query().unwrap())
}

async fn accounts(server: &TestApp) -> i64 {
    sqlx::query_scalar("select count(*) from auth.users").fetch_one(&server.app.db).await.unwrap()
}

#[tokio::test]
async fn an_answer_that_was_not_asked_for_in_this_browser_is_refused() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let (mut ada, mut eve) = (Browser::new(&server), Browser::new(&server));
    let url = eve.leave("/auth/oidc").await;
    let back = eve.visit(url, &person("eve", "eve@example.com")).await;
    // Eve makes Ada's browser come back with Eve's code: without a cookie, and while Ada signs in herself.
    assert_eq!(ada.arrive(&back).await, FOREIGN);
    let url = ada.leave("/auth/oidc").await;
    let own = ada.visit(url, &person("ada", "ada@example.com")).await;
    assert_eq!(ada.arrive(&back).await, FOREIGN);
    assert_eq!((ada.refresh.as_ref(), accounts(&server).await), (None, 0));
    // What she began herself is not spoiled by that.
    assert_eq!(ada.arrive(&own).await, "/");
    assert_eq!(ada.me().await.0["email"], "ada@example.com");
}

#[tokio::test]
async fn each_tab_ends_its_own_sign_in_and_the_oldest_of_too_many_makes_way() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let mut browser = Browser::new(&server);
    let mut back = Vec::new();
    for page in ["/runs", "/reports"] {
        let url = browser.leave(&format!("/auth/github?return_to={page}")).await;
        back.push((page, browser.visit(url, &octocat(1, "ada@example.com", true)).await));
    }
    for (page, back) in back {
        assert_eq!(browser.arrive(&back).await, page);
    }
    assert_eq!(browser.states, []);
    let mut begun = Vec::new();
    for _ in 0..6 {
        browser.leave("/auth/github").await;
        begun.extend(browser.states.last().cloned());
    }
    assert_eq!(browser.states, begun[2..]);
}

#[tokio::test]
async fn a_wrong_missing_late_or_foreign_state_is_refused() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let mut browser = Browser::new(&server);
    let mut back = Vec::new();
    for _ in 0..5 {
        let url = browser.leave("/auth/oidc").await;
        let state = browser.states.pop().unwrap();
        back.push((browser.visit(url, &person("ada", "ada@example.com")).await, state));
    }
    let mut answers = back.into_iter();
    let mut next = || answers.next().unwrap();
    let (page, state) = next();
    // All of it counts, not only what names the cookie.
    let start = state.0.strip_prefix("oauth_state_").unwrap();
    for wrong in ["0".repeat(64), format!("{start}{}", "0".repeat(48)), start.to_owned(), "\u{e4}".repeat(16)] {
        browser.states = vec![state.clone()];
        assert_eq!(browser.arrive(&with(&page, "state", &wrong)).await, FOREIGN, "{wrong}");
    }
    let (page, state) = next();
    browser.states = vec![state];
    assert_eq!(browser.arrive(page.split('?').next().unwrap()).await, FOREIGN);
    let (page, state) = next();
    browser.states = vec![state];
    assert_eq!(browser.arrive(&page.replace("/oidc/", "/google/")).await, FOREIGN);
    assert_eq!(browser.states, [], "a try uses the cookie up");
    // Signed by us, and changed.
    let (page, (name, forged)) = next();
    let (head, tail) = forged.split_at(forged.len() / 2);
    let forged = format!("{head}{}{}", if tail.starts_with('A') { 'B' } else { 'A' }, &tail[1..]);
    browser.states = vec![(name, forged)];
    assert_eq!(browser.arrive(&page).await, FOREIGN);
    let (page, state) = next();
    browser.states = vec![state];
    server.advance(601);
    assert_eq!(browser.arrive(&page).await, FOREIGN);
    assert_eq!(accounts(&server).await, 0);
}

#[tokio::test]
async fn a_code_is_good_once_and_only_with_its_own_verifier() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    for (start, does) in
        [("/auth/oidc", person("ada", "ada@example.com")), ("/auth/github", octocat(1, "octo@example.com", true))]
    {
        let mut browser = Browser::new(&server);
        let url = browser.leave(start).await;
        let states = browser.states.clone();
        let back = browser.visit(url, &does).await;
        assert_eq!(browser.arrive(&back).await, "/");
        let mut again = Browser::new(&server);
        again.states = states;
        assert_eq!(again.arrive(&back).await, "/login?error=oauth_failed&return_to=/", "{start}");
        // A stolen code, put into a sign-in of the thief's own.
        let url = browser.leave(start).await;
        let stolen = browser.visit(url, &does).await;
        let code = Url::parse("http://localhost").unwrap().join(&stolen).unwrap();
        let code = code.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let mut thief = Browser::new(&server);
        let url = thief.leave(start).await;
        let own = thief.visit(url, &does).await;
        assert_eq!(thief.arrive(&with(&own, "code", &code)).await, "/login?error=oauth_failed&return_to=/", "{start}");
        assert_eq!(thief.refresh, None);
    }
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let mut browser = Browser::new(&server);
    let url = browser.leave("/auth/oidc").await;
    let back = browser.visit(url, &person("ada", "ada@example.com")).await;
    assert!(back.contains("iss="), "{back}");
    let page = browser.arrive(&with(&back, "iss", &providers.places.google)).await;
    assert_eq!(page, "/login?error=oauth_failed&return_to=/");
}

#[tokio::test]
async fn who_denies_comes_back_to_the_sign_in_page() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    for start in ["/auth/oidc?return_to=/a%26b", "/auth/github?return_to=/a%26b"] {
        let page = Browser::new(&server).sign_in(start, &Does::Deny).await;
        assert_eq!(page, "/login?error=oauth_denied&return_to=/a%26b");
    }
    let mut browser = Browser::new(&server);
    let url = browser.leave("/auth/github").await;
    let denied = browser.visit(url, &Does::Deny).await;
    let page = browser.arrive(&with(&denied, "error", "<script>alert(1)</script>")).await;
    assert_eq!(page, "/login?error=oauth_failed&return_to=/");
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    let providers = Providers::start().await;
    let server = providers.server().await;
    let ada = person("ada", "ada@example.com");
    for wanted in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/..//evil.example",
        "/\t/evil.example",
        "/\r\nX: y",
    ] {
        let start = with("/auth/oidc", "return_to", wanted);
        assert_eq!(Browser::new(&server).sign_in(&start, &ada).await, "/", "{wanted}");
    }
    let start = "/auth/oidc?return_to=%2Fruns%2F%C3%BC%3Fa%3D%2F%2Fb";
    assert_eq!(Browser::new(&server).sign_in(start, &ada).await, "/runs/%C3%BC?a=//b");
}

#[tokio::test]
async fn a_provider_that_is_away_costs_a_sentence_and_no_more_than_its_time() {
    let mut providers = Providers::start().await;
    let server = providers.server().await;
    let mut browser = Browser::new(&server);
    let url = browser.leave("/auth/oidc").await;
    let back = browser.visit(url, &person("ada", "ada@example.com")).await;
    providers.stop().await;
    assert_eq!(browser.arrive(&back).await, "/login?error=oauth_failed&return_to=/");
    assert_eq!(browser.arrive("/auth/google?return_to=/x").await, "/login?error=oauth_failed&return_to=/x");
    // Somebody listens there, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = providers.config();
    config.oauth.oidc.as_mut().unwrap().issuer = format!("http://{}", silent.local_addr().unwrap());
    let server = providers.server_with(config).await;
    let began = Instant::now();
    assert_eq!(Browser::new(&server).arrive("/auth/oidc").await, "/login?error=oauth_failed&return_to=/");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_issuer_that_calls_itself_something_else_or_speaks_in_the_open_is_not_used() {
    let providers = Providers::start().await;
    let mut config = providers.config();
    config.oauth.oidc.as_mut().unwrap().issuer = providers.places.oidc.replace("127.0.0.1", "localhost");
    config.oauth.google.as_mut().unwrap().issuer = "http://id.example".to_owned();
    let server = providers.server_with(config).await;
    for start in ["/auth/oidc", "/auth/google"] {
        assert_eq!(Browser::new(&server).arrive(start).await, "/login?error=oauth_failed&return_to=/", "{start}");
    }
}

#[tokio::test]
async fn the_cookie_of_a_sign_in_is_for_this_purpose_and_for_ten_minutes() {
    let providers = Providers::start().await;
    let mut config = providers.config();
    config.base_url = "https://tests.example".to_owned();
    let server = providers.server_with(config).await;
    let answer = server.call(Method::GET, "/auth/github", &[("accept", "*/*")], None).await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("oauth_state_"), "{cookie}");
    assert!(cookie.ends_with("; Path=/auth; Max-Age=600; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    // Nothing in it is a credential here.
    let value = cookie.split(['=', ';']).nth(1).unwrap();
    server.get(value, "/api/v1/teams").await.refused(401, "invalid_token");
}
