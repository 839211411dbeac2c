//! Real providers to sign in at, in a process of their own (`oidc-server.mjs`), and a browser that goes there and back.

use super::{Answer, TestApp, config};
use axum::http::Method;
use reqwest::{Url, redirect::Policy};
use scaledtest_domain::TeamId;
use scaledtest_server::config::{Config, Credentials, Github, Oidc, system_clock};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// The client secret at every provider: with characters that must be escaped.
pub const CLIENT_SECRET: &str = "a secret & its signs: +%";

/// Running providers; they end with this.
pub struct Providers {
    pub places: Places,
    process: Child,
    /// Kept open: a process whose words nobody wants dies of the next one.
    _words: Lines<BufReader<ChildStdout>>,
}

/// Where they are.
#[derive(Debug, Deserialize)]
pub struct Places {
    /// Tells people's claims at the user info address.
    pub oidc: String,
    /// Has them all in the ID token.
    pub google: String,
    /// Vouches for workflows; its keys can be replaced.
    pub ci: String,
}

impl Providers {
    /// Starts them.
    pub async fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let installed = root.join("node_modules/oidc-provider").exists();
        assert!(installed, "the npm package oidc-provider is not there: run `make setup`, or `npm ci`");
        let mut process = Command::new("node")
            .arg(root.join("crates/server/tests/support/oidc-server.mjs"))
            .arg(config().base_url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node must be installed: see `make setup`");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
        let line = line.expect("the providers start within a minute").unwrap().expect("the providers start");
        Self { places: serde_json::from_str(&line).unwrap(), process, _words: lines }
    }

    /// Ends them, as when a provider is away.
    pub async fn stop(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Settings with all of them.
    pub fn config(&self) -> Config {
        let credentials = || Credentials { id: "scaledtest".to_owned(), secret: Some(CLIENT_SECRET.to_owned().into()) };
        let oidc = |issuer: &str, name: &str| Oidc {
            issuer: issuer.to_owned(),
            credentials: credentials(),
            name: name.to_owned(),
            scopes: vec!["email".to_owned(), "profile".to_owned()],
            groups_claim: Some("groups".to_owned()),
            teams: Vec::new(),
        };
        let mut config = config();
        config.oauth.oidc = Some(oidc(&self.places.oidc, "Example SSO"));
        config.oauth.google = Some(Oidc { groups_claim: None, ..oidc(&self.places.google, "Google") });
        config.oauth.github = Some(Github {
            credentials: credentials(),
            url: self.places.oidc.clone(),
            api_url: format!("{}/api/v3", self.places.oidc),
        });
        config.oauth.trusted_issuers = vec![self.places.oidc.clone(), self.places.ci.clone()];
        config
    }

    /// A server that knows them, at their time.
    pub async fn server(&self) -> TestApp {
        self.server_with(self.config()).await
    }

    /// As [`Self::server`], with other settings.
    pub async fn server_with(&self, config: Config) -> TestApp {
        let server = TestApp::start_with(config).await;
        server.clock.set(system_clock().now());
        server
    }

    /// A workflow's token with these claims: `rsa`, `ec`, `ci` or `unpublished` is the key.
    pub async fn workflow_token(&self, key: &str, claims: Value) -> String {
        let request = json!({"key": key, "claims": claims}).to_string();
        let mut url = Url::parse(&self.places.oidc).unwrap().join("/workflow-token").unwrap();
        let body = url.query_pairs_mut().append_pair("request", &request).finish().query().unwrap().to_owned();
        url.set_query(None);
        let answer: Value = reqwest::Client::new().post(url).body(body).send().await.unwrap().json().await.unwrap();
        answer["token"].as_str().unwrap().to_owned()
    }

    /// A token for uploads, of a workflow that a team trusts from now on: an owner's access token says so.
    pub async fn upload_token(&self, server: &TestApp, owner: &str, team: TeamId) -> String {
        let rule = json!({"issuer": self.places.oidc, "repository": "octo/app"});
        server.post(owner, &format!("/api/v1/teams/{team}/trusted-publishers"), rule).await.expect(201);
        let now = server.now().timestamp();
        let claims = json!({
            "iss": self.places.oidc, "aud": config().base_url, "sub": "repo:octo/app", "jti": uuid::Uuid::new_v4(),
            "iat": now, "exp": now + 300, "repository": "octo/app", "ref": "refs/heads/main",
        });
        let body = json!({"token": self.workflow_token("rsa", claims).await, "team_id": team});
        let answer = server.post("", "/api/v1/auth/oidc-exchange", body).await.expect(200);
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// A page of the process that answers with JSON.
    pub async fn ask(&self, path: &str) -> Value {
        reqwest::get(format!("{}{path}", self.places.oidc)).await.unwrap().json().await.unwrap()
    }
}

/// What somebody does at a provider.
#[derive(Debug, Clone)]
pub enum Does {
    /// Signs in: their claims, or for GitHub the answers of its API.
    SignIn(Value),
    /// Refuses.
    Deny,
}

/// Somebody at a provider of OpenID Connect, with a verified address.
pub fn person(sub: &str, email: &str) -> Does {
    Does::SignIn(json!({"sub": sub, "email": email, "email_verified": true, "name": "Ada at work"}))
}

/// Somebody at GitHub.
pub fn octocat(id: u64, email: &str, verified: bool) -> Does {
    Does::SignIn(json!({
        "user": {"id": id, "login": "octocat", "name": null, "email": email},
        "emails": [
            {"email": "old@example.com", "primary": false, "verified": true},
            {"email": email, "primary": true, "verified": verified},
        ],
    }))
}

/// A browser: keeps the cookies of the server and of the providers.
pub struct Browser<'a> {
    server: &'a TestApp,
    client: reqwest::Client,
    pub refresh: Option<String>,
    /// Names and values of the cookies of sign-ins that were begun, the oldest first.
    pub states: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    pub fn new(server: &'a TestApp) -> Self {
        let client = reqwest::Client::builder().redirect(Policy::none()).cookie_store(true).build().unwrap();
        Self { server, client, refresh: None, states: Vec::new() }
    }

    /// Asks the server for a page.
    pub async fn get(&mut self, path: &str) -> Answer {
        let refresh = self.refresh.iter().map(|value| format!("refresh_token={value}"));
        let states = self.states.iter().map(|(name, value)| format!("{name}={value}"));
        let header = refresh.chain(states).collect::<Vec<_>>().join("; ");
        let answer = self.server.call(Method::GET, path, &[("cookie", header)], None).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            let value = Some(value.to_owned()).filter(|value| !value.is_empty());
            match name {
                "refresh_token" => self.refresh = value,
                state if state.starts_with("oauth_state_") => {
                    self.states.retain(|(known, _)| known != state);
                    self.states.extend(value.map(|value| (state.to_owned(), value)));
                }
                other => panic!("a cookie called {other}"),
            }
        }
        answer
    }

    /// Starts at the server; returns where it sends the browser.
    pub async fn leave(&mut self, path: &str) -> Url {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 307, "{answer:?}");
        Url::parse(answer.header("location").unwrap()).unwrap()
    }

    /// Does it at the provider; returns the page of the server that the provider sends back to.
    pub async fn visit(&self, mut url: Url, does: &Does) -> String {
        for _ in 0..10 {
            if url.path().starts_with("/interaction/") || url.path() == "/login/oauth/authorize" {
                let (name, value) = match does {
                    Does::SignIn(claims) => ("person", claims.to_string()),
                    Does::Deny => ("deny", "1".to_owned()),
                };
                url.query_pairs_mut().append_pair(name, &value);
            }
            let answer = self.client.get(url.clone()).send().await.unwrap();
            let Some(place) = answer.headers().get("location") else {
                panic!("{url} answers {} and goes nowhere: {}", answer.status(), answer.text().await.unwrap());
            };
            url = url.join(place.to_str().unwrap()).unwrap();
            if url.as_str().starts_with("http://localhost:8080/") {
                return format!("{}?{}", url.path(), url.query().unwrap_or_default());
            }
        }
        panic!("the provider goes round in circles: {url}")
    }

    /// All the way; returns the page that it ends at.
    pub async fn sign_in(&mut self, path: &str, does: &Does) -> String {
        let url = self.leave(path).await;
        let back = self.visit(url, does).await;
        self.arrive(&back).await
    }

    /// Comes back; returns the page that it ends at.
    pub async fn arrive(&mut self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        answer.header("location").unwrap().to_owned()
    }

    /// Who is signed in, as the page learns it, and their access token.
    pub async fn me(&mut self) -> (Value, String) {
        let answer =
            self.server.with_cookie("/auth/refresh", self.refresh.as_ref().expect("somebody is signed in")).await;
        self.refresh = answer.refresh_cookie();
        let body = answer.expect(200);
        (body["user"].clone(), body["access_token"].as_str().unwrap().to_owned())
    }
}
