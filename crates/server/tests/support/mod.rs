//! A server without sockets: the real router over a real database and an in-memory log, with running projections.
#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses its part; the helpers of tests are tests")]

pub mod providers;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use chrono::TimeDelta;
use scaledtest_commands::{Team, team::Command};
use scaledtest_domain::{Actor, Clock, CommandId, Kind, StreamId, TeamId, TeamRole, UserId, retention::Retention};
use scaledtest_eventlog::{CommandMeta, EventLog};
use scaledtest_projections::{Fresh, Positions, Runner, Setup};
use scaledtest_server::{
    app::{App, AppState},
    config::{Config, Durability, LogFormat, Oauth, Registration},
    http,
    secrets::Secrets,
};
use scaledtest_testkit::{Database, FakeClock};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tower::ServiceExt;

/// The password of everybody in the tests.
pub const PASSWORD: &str = "correct horse battery";
/// The key that access tokens are signed with.
pub const JWT_SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

/// A running server.
pub struct TestApp {
    /// Its state.
    pub app: AppState,
    /// Its routes.
    pub router: Router,
    /// Its clock.
    pub clock: FakeClock,
    /// Its database.
    pub database: Arc<Database>,
    runner: Option<Runner>,
}

/// Somebody with an account.
#[derive(Debug, Clone)]
pub struct Person {
    pub user: UserId,
    pub team: TeamId,
    /// Their access token.
    pub token: String,
    /// The value of their refresh cookie.
    pub refresh: String,
    /// `owner` or `maintainer`.
    pub role: String,
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body, once the status is as expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// Checks the shape of a refusal, its status and its code.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!((self.status.as_u16(), body["code"].as_str()), (status, Some(code)), "{body}");
        assert!(body["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{body}");
        assert_eq!(body["request_id"].as_str(), self.header("x-request-id"), "{body}");
        body
    }

    /// The value that the refresh cookie was set to; empty when it was cleared.
    pub fn refresh_cookie(&self) -> Option<String> {
        let cookies = self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        let value = cookies.filter_map(|cookie| cookie.strip_prefix("refresh_token=")).next()?;
        Some(value.split(';').next().unwrap().to_owned())
    }
}

/// The settings of tests.
pub fn config() -> Config {
    Config {
        port: 0,
        base_url: "http://localhost:8080".to_owned(),
        allowed_origins: Vec::new(),
        trusted_proxies: Vec::new(),
        rate_limit_calls: 1_000,
        rate_limit_uploads: 120,
        disable_rate_limit: true,
        data_dir: None,
        database_url: None,
        nats_url: None,
        nats_user: None,
        nats_password: None,
        nats_replicas: 1,
        durability: Durability::Relaxed,
        nats_server: None,
        postgres_bin: None,
        jwt_access_duration: Duration::from_secs(900),
        jwt_refresh_duration: Duration::from_secs(168 * 3600),
        registration: Registration::Open,
        allowed_email_domains: Vec::new(),
        oauth: Oauth::default(),
        mail: None,
        max_report_bytes: 256 * 1024 * 1024,
        max_report_wire_bytes: 64 * 1024 * 1024,
        raw_retention: Duration::from_secs(30 * 86_400),
        retention_days: Retention::Days400,
        log_level: "off".to_owned(),
        log_format: LogFormat::Console,
    }
}

impl TestApp {
    /// With the settings of tests.
    pub async fn start() -> Self {
        Self::start_with(config()).await
    }

    /// With other settings.
    pub async fn start_with(config: Config) -> Self {
        let database = scaledtest_testkit::database().await;
        Self::start_on(config, database, EventLog::in_memory()).await
    }

    /// On a database and a log that may hold something.
    pub async fn start_on(config: Config, database: impl Into<Arc<Database>>, log: EventLog) -> Self {
        let mut server = Self::start_without_projections(config, database, log).await;
        server.start_projections();
        // Their tables are made in the background.
        server.settle().await;
        server
    }

    /// With read models that stand still.
    pub async fn start_without_projections(config: Config, database: impl Into<Arc<Database>>, log: EventLog) -> Self {
        let database = database.into();
        scaledtest_testkit::install_crypto();
        let pool = database.pool.clone();
        scaledtest_projections::migrate(&pool).await.unwrap();
        let positions = Positions::new(pool.clone());
        let secrets = Secrets::new(JWT_SECRET.to_vec(), vec![b'h'; 32]).unwrap();
        let clock = FakeClock::default();
        let mut app = App::new(config, secrets, pool, log, positions, Arc::new(clock.clone()));
        app.fresh = Some(Fresh::default());
        let app = Arc::new(app);
        let router = http::router(Arc::clone(&app));
        Self { app, router, clock, database, runner: None }
    }

    /// Starts the read models.
    pub fn start_projections(&mut self) {
        let setup = Setup {
            pool: self.app.db.clone(),
            log: self.app.log.clone(),
            positions: self.app.positions.clone(),
            fresh: self.app.fresh.clone().unwrap_or_default(),
            projections: scaledtest_projections::all(),
        };
        self.runner = Some(Runner::start(setup));
    }

    /// Sends a request through everything but the socket.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 512 * 1024 * 1024).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Any method, with headers and an optional JSON body.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, impl AsRef<str>)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, value.as_ref());
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    /// GET; an empty token sends none.
    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.call(Method::GET, path, &bearer(token), None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, &bearer(token), Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, token: &str, path: &str) -> Answer {
        self.call(Method::DELETE, path, &bearer(token), None).await
    }

    /// POST with the refresh cookie.
    pub async fn with_cookie(&self, path: &str, refresh: &str) -> Answer {
        self.call(Method::POST, path, &[("cookie", &format!("refresh_token={refresh}"))], None).await
    }

    /// Makes an account, with [`PASSWORD`].
    pub async fn register(&self, email: &str) -> Person {
        let body = json!({"email": email, "password": PASSWORD, "display_name": "Ada"});
        let answer = self.post("", "/api/v1/auth/register", body).await;
        let refresh = answer.refresh_cookie().unwrap_or_default();
        let body = answer.expect(201);
        let token = body["access_token"].as_str().unwrap().to_owned();
        let teams = self.get(&token, "/api/v1/teams").await.expect(200);
        Person {
            user: body["user"]["id"].as_str().unwrap().parse().unwrap(),
            team: teams["teams"][0]["id"].as_str().unwrap().parse().unwrap(),
            role: body["user"]["role"].as_str().unwrap().to_owned(),
            token,
            refresh,
        }
    }

    /// Signs in, with [`PASSWORD`]: the access token and the refresh cookie.
    pub async fn sign_in(&self, email: &str) -> (String, String) {
        let answer = self.post("", "/auth/login", json!({"email": email, "password": PASSWORD})).await;
        let refresh = answer.refresh_cookie().unwrap_or_default();
        (answer.expect(200)["access_token"].as_str().unwrap().to_owned(), refresh)
    }

    /// Switches an account off, in the log alone.
    pub async fn disable(&self, user: UserId) {
        let stream = StreamId::global(Kind::User, user);
        let disable = scaledtest_commands::user::Command::Disable { user };
        self.app.log.execute::<scaledtest_commands::User>(stream, disable, &self.command()).await.unwrap();
        self.settle().await;
    }

    /// What was noted of sign-ins and the like.
    pub async fn audited(&self) -> Vec<String> {
        sqlx::query_scalar("select action from auth.audit order by id").fetch_all(&self.app.db).await.unwrap()
    }

    /// Lets somebody into a team, as an invitation would.
    pub async fn join(&self, team: TeamId, user: UserId, role: TeamRole) {
        let command = Command::Join { user, role };
        let stream = StreamId::of(team, Kind::Team, team);
        assert!(self.app.log.execute::<Team>(stream, command, &self.command()).await.is_ok());
        self.settle().await;
    }

    /// Makes an API token and returns its secret.
    pub async fn api_token(&self, person: &Person, scopes: &[&str]) -> String {
        let path = format!("/api/v1/teams/{}/tokens", person.team);
        let body = self.post(&person.token, &path, json!({"name": "CI", "scopes": scopes})).await.expect(201);
        body["token"].as_str().unwrap().to_owned()
    }

    /// Forgets failed sign-ins.
    pub async fn clear_attempts(&self) {
        sqlx::query("delete from auth.sign_in_failures").execute(&self.app.db).await.unwrap();
    }

    /// Lets time pass.
    pub fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// Waits until the read models have seen everything that is in the log now.
    pub async fn settle(&self) {
        let last = self.app.log.last().await.unwrap();
        let level = self.app.positions.wait(&["access", "reports"], last, Duration::from_secs(30)).await;
        assert!(level, "the read models have not reached {last} within 30 s");
    }

    /// The same for the audit log, which takes its time.
    pub async fn settle_audit(&self) {
        let last = self.app.log.last().await.unwrap();
        let level = self.app.positions.wait(&["audit"], last, Duration::from_secs(30)).await;
        assert!(level, "the audit log has not reached {last} within 30 s");
    }

    /// A command of nobody in particular, now.
    pub fn command(&self) -> CommandMeta {
        CommandMeta {
            command: CommandId::new(),
            request: None,
            actor: Actor::System,
            at: self.now(),
            correlation: None,
            causation: None,
        }
    }

    /// The time on its clock.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }

    /// Stops the read models.
    pub async fn stop(mut self) {
        if let Some(runner) = self.runner.take() {
            runner.stop().await;
        }
    }
}

fn bearer(token: &str) -> Vec<(&'static str, String)> {
    if token.is_empty() { Vec::new() } else { vec![("authorization", format!("Bearer {token}"))] }
}
