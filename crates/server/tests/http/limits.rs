//! Calls per minute, and guessing passwords.

use crate::support::{Answer, PASSWORD, Person, TestApp, config};
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request},
};
use futures_util::future::join_all;
use scaledtest_server::config::Config;
use serde_json::json;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

fn limited() -> Config {
    Config { disable_rate_limit: false, ..config() }
}

/// A call from an address, through whatever proxies the header names.
async fn from(server: &TestApp, peer: &str, forwarded: Option<&str>, method: Method, path: &str, body: &str) -> Answer {
    let peer: SocketAddr = format!("{peer}:1").parse().unwrap();
    let mut request = Request::builder().method(method).uri(path).extension(ConnectInfo(peer));
    if let Some(forwarded) = forwarded {
        request = request.header("x-forwarded-for", forwarded);
    }
    server.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn log_in_from(server: &TestApp, peer: &str, forwarded: Option<&str>) -> u16 {
    let body = json!({"email": "nobody@example.com", "password": "x"}).to_string();
    from(server, peer, forwarded, Method::POST, "/auth/login", &body).await.status.as_u16()
}

#[tokio::test]
async fn the_eleventh_sign_in_of_a_minute_from_one_address_has_to_wait() {
    let server = TestApp::start_with(limited()).await;
    let register = |n: u32| {
        let body = json!({"email": format!("p{n}@example.com"), "password": PASSWORD, "display_name": "P"}).to_string();
        let server = &server;
        async move { from(server, "192.0.2.1", None, Method::POST, "/api/v1/auth/register", &body).await }
    };
    for n in 0..10 {
        let answer = register(n).await;
        assert_eq!(answer.header("x-ratelimit-limit"), Some("10"));
        assert_eq!(answer.header("x-ratelimit-remaining"), Some((9 - n).to_string().as_str()));
        answer.expect(201);
    }
    let refused = register(10).await;
    refused.refused(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(refused.header("x-ratelimit-reset"), Some((server.now().timestamp() + 60).to_string().as_str()));
    // Both paths count as one, other addresses on their own, and what needs no password not at all.
    assert_eq!(log_in_from(&server, "192.0.2.1", None).await, 429);
    assert_eq!(log_in_from(&server, "192.0.2.2", None).await, 401);
    let token = from(&server, "192.0.2.1", None, Method::GET, "/auth/csrf-token", "").await;
    assert_eq!((token.status.as_u16(), token.header("x-ratelimit-limit")), (200, Some("100")));
    // A minute later the last one still weighs; two minutes later it is forgotten.
    server.advance(61);
    assert_eq!(log_in_from(&server, "192.0.2.1", None).await, 429);
    server.advance(60);
    assert_eq!(log_in_from(&server, "192.0.2.1", None).await, 401);
}

#[tokio::test]
async fn only_trusted_proxies_say_who_the_client_is() {
    let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let server = TestApp::start_with(Config { trusted_proxies, ..limited() }).await;
    for n in 0..10 {
        server.clear_attempts().await;
        // What the client says of itself stands before what our proxy adds, and is not looked at.
        let invented = format!("203.0.113.{n}, 198.51.100.7, 10.2.3.4");
        assert_eq!(log_in_from(&server, "10.0.0.1", Some(&invented)).await, 401);
    }
    server.clear_attempts().await;
    assert_eq!(log_in_from(&server, "10.0.0.1", Some("203.0.113.99, 198.51.100.7")).await, 429);
    assert_eq!(log_in_from(&server, "10.0.0.1", Some("198.51.100.8")).await, 401);
    // Nobody else is believed: this is the same client as before, and one that lies.
    assert_eq!(log_in_from(&server, "198.51.100.7", Some("203.0.113.1")).await, 429);
}

#[tokio::test]
async fn ipv6_clients_are_counted_by_their_network() {
    let server = TestApp::start_with(limited()).await;
    for n in 0..10 {
        server.clear_attempts().await;
        assert_eq!(log_in_from(&server, &format!("[2001:db8::{n}]"), None).await, 401);
    }
    server.clear_attempts().await;
    assert_eq!(log_in_from(&server, "[2001:db8::ffff]", None).await, 429);
    assert_eq!(log_in_from(&server, "[2001:db8:0:1::1]", None).await, 401);
}

#[tokio::test]
async fn a_token_has_its_own_calls_and_its_own_uploads() {
    let server = TestApp::start_with(Config { rate_limit_calls: 4, rate_limit_uploads: 2, ..limited() }).await;
    let ada = server.register("ada@example.com").await;
    // Registering and listing teams have used one call of the session.
    let secret = server.api_token(&ada, &["read", "upload"]).await;
    let report =
        json!({"results": {"tool": {"name": "t"}, "tests": [{"name": "a", "status": "passed", "duration": 1}]}});
    for _ in 0..2 {
        server.post(&secret, "/api/v1/reports", report.clone()).await.expect(201);
    }
    let refused = server.post(&secret, "/api/v1/reports", report).await;
    refused.refused(429, "rate_limited");
    assert_eq!(refused.header("x-ratelimit-limit"), Some("2"));
    for _ in 0..4 {
        server.get(&secret, "/api/v1/teams").await.expect(200);
    }
    server.get(&secret, "/api/v1/teams").await.refused(429, "rate_limited");
    server.get(&ada.token, "/api/v1/teams").await.expect(200);
}

#[tokio::test]
async fn calls_that_come_in_together_get_all_that_there_is_and_no_more() {
    let server = TestApp::start_with(Config { rate_limit_calls: 60, ..limited() }).await;
    let ada = server.register("ada@example.com").await;
    let secret = server.api_token(&ada, &["read"]).await;
    let answers = join_all((0..60).map(|_| server.get(&secret, "/api/v1/teams"))).await;
    let refused = answers.iter().filter(|answer| answer.status != 200).count();
    assert_eq!(refused, 0);
    server.get(&secret, "/api/v1/teams").await.refused(429, "rate_limited");
}

#[tokio::test]
async fn a_person_invites_twenty_times_a_minute_whatever_they_are_signed_in_with() {
    let server = TestApp::start_with(limited()).await;
    let ada = server.register("ada@example.com").await;
    let (elsewhere, _) = server.sign_in("ada@example.com").await;
    let path = format!("/api/v1/teams/{}/invitations", ada.team);
    let invite = |token: String, n: usize| {
        let (server, path) = (&server, &path);
        async move { server.post(&token, path, json!({"email": format!("p{n}@example.com"), "role": "readonly"})).await }
    };
    let first = invite(ada.token.clone(), 0).await;
    assert_eq!(first.header("x-ratelimit-limit"), Some("20"));
    let resend = format!("{path}/{}/resend", first.expect(201)["invitation"]["id"].as_str().unwrap());
    server.post(&ada.token, &resend, json!({})).await.expect(200);
    for n in 2..20 {
        invite(elsewhere.clone(), n).await.expect(201);
    }
    for token in [&ada.token, &elsewhere] {
        invite(token.clone(), 20).await.refused(429, "rate_limited");
        server.post(token, &resend, json!({})).await.refused(429, "rate_limited");
        server.get(token, &path).await.expect(200);
    }
}

#[tokio::test]
async fn watching_live_counts_as_a_call_of_the_session_and_not_of_the_address() {
    let server = TestApp::start_with(limited()).await;
    let ada = server.register("ada@example.com").await;
    for token in [ada.token.as_str(), &server.api_token(&ada, &["read"]).await] {
        for (header, query) in [(token, String::new()), ("", format!("?token={token}"))] {
            let answer = server.get(header, &format!("/ws/live{query}")).await;
            assert_eq!(answer.header("x-ratelimit-limit"), Some("1000"));
            answer.refused(400, "upgrade_required");
        }
    }
    let stranger = server.get("", "/ws/live?token=nonsense").await;
    assert_eq!(stranger.header("x-ratelimit-limit"), Some("100"));
    stranger.refused(401, "invalid_token");
}

#[tokio::test]
async fn two_replicas_count_together() {
    let database = Arc::new(scaledtest_testkit::database().await);
    let log = scaledtest_eventlog::EventLog::in_memory();
    let settings = || Config { rate_limit_calls: 100, ..limited() };
    let one = TestApp::start_on(settings(), Arc::clone(&database), log.clone()).await;
    let other = TestApp::start_without_projections(settings(), database, log).await;
    let ada = one.register("ada@example.com").await;
    let secret = one.api_token(&ada, &["read"]).await;
    let mut passed = 0;
    for n in 0..120 {
        let replica = if n % 2 == 0 { &one } else { &other };
        passed += u32::from(replica.get(&secret, "/api/v1/teams").await.status == 200);
    }
    assert_eq!(passed, 100);
    one.get(&secret, "/api/v1/teams").await.refused(429, "rate_limited");
    other.get(&secret, "/api/v1/teams").await.refused(429, "rate_limited");
}

#[tokio::test]
async fn revoking_a_token_on_one_replica_ends_it_on_the_other_within_a_second() {
    let database = Arc::new(scaledtest_testkit::database().await);
    let log = scaledtest_eventlog::EventLog::in_memory();
    let one = TestApp::start_on(config(), Arc::clone(&database), log.clone()).await;
    let other = TestApp::start_without_projections(config(), database, log).await;
    let ada = one.register("ada@example.com").await;
    let secret = one.api_token(&ada, &["read"]).await;
    other.get(&secret, "/api/v1/teams").await.expect(200);
    let tokens = format!("/api/v1/teams/{}/tokens", ada.team);
    let id = one.get(&ada.token, &tokens).await.expect(200)["tokens"][0]["id"].as_str().unwrap().to_owned();
    one.delete(&ada.token, &format!("{tokens}/{id}")).await.expect(200);
    one.get(&secret, "/api/v1/teams").await.refused(401, "invalid_token");
    other.advance(1);
    other.get(&secret, "/api/v1/teams").await.refused(401, "invalid_token");
}

#[tokio::test]
async fn strangers_with_wrong_tokens_are_counted_by_address() {
    let server = TestApp::start_with(limited()).await;
    for _ in 0..100 {
        server.get("sct_wrong", "/api/v1/teams").await.refused(401, "invalid_token");
    }
    server.get("sct_wrong", "/api/v1/teams").await.refused(429, "rate_limited");
    // Probes are never refused.
    server.get("", "/health").await.expect(200);
}

/// From an address of its own each time: this is about accounts.
async fn log_in(server: &TestApp, email: &str, password: &str) -> Answer {
    static NEXT: AtomicU32 = AtomicU32::new(0x0a00_0000);
    let peer = Ipv4Addr::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_string();
    let body = json!({"email": email, "password": password}).to_string();
    from(server, &peer, None, Method::POST, "/auth/login", &body).await
}

async fn guess(server: &TestApp, email: &str) -> Vec<Option<String>> {
    let mut waits = Vec::new();
    for _ in 0..9 {
        let answer = log_in(server, email, "wrong password").await;
        let wait = answer.header("retry-after").map(str::to_owned);
        if let Some(seconds) = &wait {
            answer.refused(429, "too_many_attempts");
            server.advance(seconds.parse().unwrap());
            log_in(server, email, "wrong password").await.refused(401, "invalid_credentials");
        } else {
            answer.refused(401, "invalid_credentials");
        }
        waits.push(wait);
    }
    waits
}

#[tokio::test]
async fn guessing_a_password_takes_longer_and_longer_whether_there_is_an_account_or_not() {
    let server = TestApp::start_with(limited()).await;
    let Person { .. } = server.register("ada@example.com").await;
    let known = guess(&server, "ada@example.com").await;
    let waits: Vec<_> = known.iter().map(|wait| wait.as_deref().unwrap_or("0").parse::<i64>().unwrap()).collect();
    assert_eq!(&waits[..6], &[0, 0, 0, 0, 0, 0]);
    assert!(waits[6..].iter().all(|wait| *wait > 0) && waits[6..].is_sorted(), "{waits:?}");
    // The right password has to wait as well, and then clears the count.
    log_in(&server, "ADA@example.com", PASSWORD).await.refused(429, "too_many_attempts");
    assert_eq!(guess(&server, "Nobody@example.com").await, known);
    server.advance(900);
    log_in(&server, "ada@example.com", PASSWORD).await.expect(200);
    log_in(&server, "ada@example.com", "wrong password").await.refused(401, "invalid_credentials");
    log_in(&server, "ada@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn of_many_guesses_at_once_no_more_pass_than_of_as_many_in_a_row() {
    let server = TestApp::start_with(limited()).await;
    server.register("ada@example.com").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let answers = join_all((0..30).map(|_| log_in(&server, email, "wrong password"))).await;
        let passed = answers.iter().filter(|answer| answer.status == 401).count();
        assert_eq!(passed, 6, "{email}");
        answers.iter().filter(|answer| answer.status != 401).for_each(|answer| {
            answer.refused(429, "too_many_attempts");
        });
    }
}

#[tokio::test]
async fn however_an_address_is_spelled_its_account_has_to_wait() {
    let server = TestApp::start_with(limited()).await;
    server.register("adin@example.com").await;
    for n in 0..6 {
        let email = ["adin@example.com", "ADIN@example.com", " ad\u{130}n@example.com "][n % 3];
        log_in(&server, email, "wrong password").await.refused(401, "invalid_credentials");
    }
    for email in ["adin@example.com", "ad\u{130}n@example.com"] {
        log_in(&server, email, "wrong password").await.refused(429, "too_many_attempts");
    }
}

#[tokio::test]
async fn guessing_the_present_password_to_change_it_or_to_accept_is_guessing_all_the_same() {
    let server = TestApp::start_with(limited()).await;
    let ada = server.register("ada@example.com").await;
    let bob = server.register("bob@example.com").await;
    let path = format!("/api/v1/teams/{}/invitations", bob.team);
    let made =
        server.post(&bob.token, &path, json!({"email": "ada@example.com", "role": "readonly"})).await.expect(201);
    let accept = format!("/api/v1/invitations/{}/accept", made["token"].as_str().unwrap());
    let change = |current: &str| {
        let body = json!({"current_password": current, "new_password": "a better password"});
        server.post(&ada.token, "/api/v1/auth/change-password", body)
    };
    for _ in 0..3 {
        change("wrong password").await.refused(401, "invalid_current_password");
        let wrong = json!({"password": "wrong password", "display_name": "A"});
        server.post("", &accept, wrong).await.refused(401, "invalid_password");
    }
    log_in(&server, "ada@example.com", PASSWORD).await.refused(429, "too_many_attempts");
    change(PASSWORD).await.refused(429, "too_many_attempts");
    server.advance(2);
    change(PASSWORD).await.expect(200);
    log_in(&server, "ada@example.com", "a better password").await.expect(200);
}

#[tokio::test]
async fn where_nothing_is_limited_nobody_waits() {
    let server = TestApp::start().await;
    for _ in 0..10 {
        log_in(&server, "ada@example.com", "wrong password").await.refused(401, "invalid_credentials");
    }
}
