//! What a socket is told, and what it is told again after it was away.

use crate::{
    ctrf,
    support::{JWT_SECRET, Person, TestApp, config},
    test, upload,
};
use futures_util::{SinkExt, StreamExt};
use scaledtest_commands::{Team, team::Command};
use scaledtest_domain::{Actor, CommandId, Kind, StreamId, TeamId, TeamRole, UserId};
use scaledtest_eventlog::{CommandMeta, EventLog, NatsOptions};
use scaledtest_server::{
    app::App,
    live::{Live, News},
    secrets::Secrets,
};
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast::Receiver,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use tokio_util::sync::CancellationToken;

/// A server that listens, with its tail running.
struct Listening {
    server: TestApp,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Listening {
    async fn start() -> Self {
        Self::around(TestApp::start().await).await
    }

    async fn around(server: TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(server.app.live.clone().run(stop.clone()));
        let router = server.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { server, address, stop }
    }

    /// Checks its sockets all the time.
    async fn checking() -> Self {
        let mut server = TestApp::start().await;
        let old = &server.app;
        let secrets = Secrets::new(JWT_SECRET.to_vec(), vec![b'h'; 32]).unwrap();
        let (db, log, positions) = (old.db.clone(), old.log.clone(), old.positions.clone());
        let mut app = App::new(config(), secrets, db, log.clone(), positions, Arc::new(server.clock.clone()));
        app.live = Live::new(log).checking_every(Duration::from_millis(10));
        server.app = Arc::new(app);
        server.router = scaledtest_server::http::router(Arc::clone(&server.app));
        Self::around(server).await
    }

    async fn watch(&self, token: &str, since: Option<&str>) -> Socket {
        let since = since.map(|since| format!("&since={since}")).unwrap_or_default();
        let (socket, _) = connect_async(format!("ws://{}/ws/live?token={token}{since}", self.address)).await.unwrap();
        Socket(socket)
    }

    async fn report(&self, person: &Person, name: &str) -> String {
        let answer = upload(&self.server, person, "?project=p", &ctrf(&json!([test(name, "passed")]))).await;
        answer["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn next(&mut self) -> Value {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("a message in time");
            if let Message::Text(text) = frame.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Messages of reports, until so many came.
    async fn reports(&mut self, count: usize) -> Vec<Value> {
        let mut reports = Vec::new();
        while reports.len() < count {
            let message = self.next().await;
            if message["type"].as_str().unwrap().starts_with("report.") {
                reports.push(message);
            }
        }
        reports
    }

    /// Waits for a check that began after this was called, and passed.
    async fn checked(&mut self) {
        self.0.send(Message::Ping("now".into())).await.unwrap();
        let check = async {
            let mut answered = false;
            while let Some(frame) = self.0.next().await {
                match frame.unwrap() {
                    Message::Pong(_) => answered = true,
                    Message::Ping(_) if answered => return,
                    Message::Close(frame) => panic!("closed: {frame:?}"),
                    _ => {}
                }
            }
            panic!("gone");
        };
        tokio::time::timeout(Duration::from_secs(20), check).await.expect("a check in time");
    }

    /// The code that it is closed with.
    async fn closed(&mut self) -> u16 {
        self.rest().await.1
    }

    /// What else is told until it is closed, and the code of that.
    async fn rest(&mut self) -> (String, u16) {
        let mut told = String::new();
        let close = async {
            loop {
                match self.0.next().await.unwrap().unwrap() {
                    Message::Close(Some(frame)) => return frame.code.into(),
                    Message::Text(text) => told.push_str(&text),
                    _ => {}
                }
            }
        };
        let code = tokio::time::timeout(Duration::from_secs(20), close).await.expect("a close in time");
        (told, code)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_told_what_a_gate_says_of_its_own_teams_reports() {
    let listening = Listening::start().await;
    let (ada, eve) =
        (listening.server.register("ada@example.test").await, listening.server.register("eve@example.test").await);
    let mut socket = listening.watch(&ada.token, None).await;
    let mut gates = Vec::new();
    for person in [&eve, &ada] {
        let path = format!("/api/v1/teams/{}/quality-gates", person.team);
        let body = json!({"name": "Green", "rules": [{"type": "min_test_count", "params": {"threshold": 2}}]});
        gates.push(listening.server.post(&person.token, &path, body).await.expect(201)["id"].clone());
        listening.report(person, "a").await;
    }
    let told = loop {
        let message = socket.next().await;
        if message["type"] == "gate.evaluated" {
            break message;
        }
    };
    assert_eq!((&told["gate_id"], &told["status"], &told["passed"]), (&gates[1], &json!("failed"), &json!(false)));
    let run = format!("/api/v1/runs/{}/quality-gates", told["run_id"].as_str().unwrap());
    let found = listening.server.get(&ada.token, &run).await.expect(200);
    assert_eq!(found["evaluations"][0]["id"], told["evaluation_id"], "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_told_that_a_run_was_shared_and_not_what_the_link_holds() {
    let listening = Listening::start().await;
    let ada = listening.server.register("ada@example.test").await;
    listening.report(&ada, "a").await;
    let runs = listening.server.get(&ada.token, "/api/v1/runs").await.expect(200);
    let run = runs["runs"][0]["id"].as_str().unwrap();
    let mut socket = listening.watch(&ada.token, None).await;
    assert_eq!(socket.next().await["type"], "hello");
    let path = format!("/api/v1/runs/{run}/shares");
    let made = listening.server.post(&ada.token, &path, json!({})).await.expect(201);
    let told = socket.next().await;
    let fields: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["position", "run_id", "share_id", "type"], "{told}");
    assert_eq!((&told["share_id"], &told["run_id"]), (&made["id"], &json!(run)));
    let path = format!("/api/v1/shares/{}", made["id"].as_str().unwrap());
    listening.server.delete(&ada.token, &path).await.expect(200);
    let told = socket.next().await;
    assert_eq!((&told["type"], &told["share_id"]), (&json!("share.revoked"), &made["id"]));
}

fn ids(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["report_id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_greeted_and_told_of_its_own_teams_reports_only() {
    let listening = Listening::start().await;
    let (ada, eve) =
        (listening.server.register("ada@example.test").await, listening.server.register("eve@example.test").await);
    let mut socket = listening.watch(&ada.token, None).await;
    let hello = socket.next().await;
    assert_eq!(hello["type"], "hello");
    listening.report(&eve, "foreign").await;
    let id = listening.report(&ada, "a").await;
    let messages = socket.reports(1).await;
    assert_eq!(ids(&messages), [id.as_str()]);
    assert_eq!((&messages[0]["type"], &messages[0]["counts"]["passed"]), (&json!("report.ingested"), &json!(1)));
    listening.server.delete(&ada.token, &format!("/api/v1/reports/{id}")).await.expect(200);
    assert_eq!(socket.reports(1).await[0]["type"], "report.deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_misses_nothing_and_sees_nothing_twice() {
    let listening = Listening::start().await;
    let ada = listening.server.register("ada@example.test").await;
    let mut socket = listening.watch(&ada.token, None).await;
    socket.next().await;
    let mut sent = Vec::new();
    let mut seen = Vec::new();
    let mut last = Value::Null;
    for round in 0..4 {
        for number in 0..3 {
            sent.push(listening.report(&ada, &format!("{round} {number}")).await);
        }
        // It leaves after the first of three, and misses two.
        let first = socket.reports(1).await;
        last.clone_from(&first[0]["position"]);
        seen.extend(first);
        drop(socket);
        socket = listening.watch(&ada.token, last.as_str()).await;
        assert_eq!(socket.next().await["type"], "hello");
        seen.extend(socket.reports(2).await);
    }
    assert!(!last.is_null());
    assert_eq!(ids(&seen), sent);
    let positions: Vec<u64> =
        seen.iter().map(|message| message["position"].as_str().unwrap()[2..].parse().unwrap()).collect();
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_log_say_the_same() {
    let nats = scaledtest_testkit::nats().await;
    scaledtest_testkit::install_crypto();
    let options = || NatsOptions::new(nats.url());
    let first = scaledtest_testkit::database().await;
    let first = TestApp::start_on(config(), first, EventLog::connect(options()).await.unwrap()).await;
    let shared = Arc::clone(&first.database);
    let second = TestApp::start_on(config(), shared, EventLog::connect(options()).await.unwrap()).await;
    let (first, second) = (Listening::around(first).await, Listening::around(second).await);
    let ada = first.server.register("ada@example.test").await;
    let mut here = first.watch(&ada.token, None).await;
    let mut there = second.watch(&ada.token, None).await;
    here.next().await;
    there.next().await;
    let one = first.report(&ada, "a").await;
    let two = second.report(&ada, "b").await;
    let (here, there) = (here.reports(2).await, there.reports(2).await);
    assert_eq!(here, there);
    assert_eq!(ids(&here), [one, two]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_of_another_history_is_answered_with_a_reset() {
    let listening = Listening::start().await;
    let ada = listening.server.register("ada@example.test").await;
    listening.report(&ada, "a").await;
    let hello = listening.watch(&ada.token, Some("7-3")).await.next().await;
    assert_eq!((&hello["type"], &hello["reset"]), (&json!("hello"), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_told_to_come_back_when_the_server_stops() {
    let listening = Listening::start().await;
    let ada = listening.server.register("ada@example.test").await;
    let mut socket = listening.watch(&ada.token, None).await;
    socket.next().await;
    listening.server.app.closing.cancel();
    assert_eq!(socket.closed().await, 1012);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_needs_a_good_credential() {
    let listening = Listening::start().await;
    let ada = listening.server.register("ada@example.test").await;
    for query in ["", "?token=", "?token=sct_0000", "?token=nonsense"] {
        let refused = connect_async(format!("ws://{}/ws/live{query}", listening.address)).await.unwrap_err();
        assert!(refused.to_string().contains("401"), "{query}: {refused}");
    }
    let token = listening.server.api_token(&ada, &["read"]).await;
    assert_eq!(listening.watch(&token, None).await.next().await["type"], "hello");
    let writer = listening.server.api_token(&ada, &["upload"]).await;
    let refused = connect_async(format!("ws://{}/ws/live?token={writer}", listening.address)).await.unwrap_err();
    assert!(refused.to_string().contains("403"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_outlives_the_access_token_but_not_the_membership() {
    let listening = Listening::checking().await;
    let server = &listening.server;
    let ada = server.register("ada@example.test").await;
    let mut socket = listening.watch(&ada.token, None).await;
    socket.next().await;
    server.advance(1000);
    server.get(&ada.token, "/api/v1/teams").await.refused(401, "token_expired");
    socket.checked().await;
    sqlx::query("delete from access.member where user_id = $1").bind(ada.user.0).execute(&server.app.db).await.unwrap();
    assert_eq!(socket.closed().await, 4001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_with_the_session_that_opened_it() {
    let listening = Listening::checking().await;
    let server = &listening.server;
    let ada = server.register("ada@example.test").await;
    let (elsewhere, _) = server.sign_in("ada@example.test").await;
    let mut socket = listening.watch(&ada.token, None).await;
    socket.next().await;
    socket.checked().await;
    server.delete(&elsewhere, "/api/v1/auth/sessions").await.expect(200);
    assert_eq!(socket.closed().await, 4001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_after_somebody_was_let_go_their_socket_tells_them_nothing_more() {
    // Checked every 20 s only: it is the message that makes the server look.
    let listening = Listening::start().await;
    let server = &listening.server;
    let ada = server.register("ada@example.test").await;
    let bob = server.register("bob@example.test").await;
    server.join(ada.team, bob.user, TeamRole::Readonly).await;
    let mut bobs = listening.watch(&format!("{}&team={}", bob.token, ada.team), None).await;
    let mut adas = listening.watch(&ada.token, None).await;
    assert_eq!(
        (bobs.next().await["type"].clone(), adas.next().await["type"].clone()),
        (json!("hello"), json!("hello"))
    );
    server.delete(&ada.token, &format!("/api/v1/teams/{}/members/{}", ada.team, bob.user)).await.expect(200);
    server.advance(1);
    let id = listening.report(&ada, "secret").await;
    assert_eq!(ids(&adas.reports(1).await), [id.as_str()]);
    let (told, code) = bobs.rest().await;
    assert!(!told.contains(&id), "{told}");
    assert_eq!(code, 4001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_an_api_token_ends_when_the_token_expires() {
    let listening = Listening::checking().await;
    let server = &listening.server;
    let ada = server.register("ada@example.test").await;
    let path = format!("/api/v1/teams/{}/tokens", ada.team);
    let body = json!({"name": "CI", "expires_at": "2026-01-15T12:10:00Z", "scopes": ["read"]});
    let token = server.post(&ada.token, &path, body).await.expect(201)["token"].as_str().unwrap().to_owned();
    let mut socket = listening.watch(&token, None).await;
    socket.next().await;
    server.advance(599);
    socket.checked().await;
    server.advance(1);
    assert_eq!(socket.closed().await, 4001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_an_api_token_ends_when_the_token_is_revoked() {
    let listening = Listening::checking().await;
    let server = &listening.server;
    let ada = server.register("ada@example.test").await;
    let token = server.api_token(&ada, &["read"]).await;
    let mut socket = listening.watch(&token, None).await;
    socket.next().await;
    let path = format!("/api/v1/teams/{}/tokens", ada.team);
    let id = server.get(&ada.token, &path).await.expect(200)["tokens"][0]["id"].as_str().unwrap().to_owned();
    server.delete(&ada.token, &format!("{path}/{id}")).await.expect(200);
    assert_eq!(socket.closed().await, 4001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_epoch_sends_every_socket_to_resume_and_the_tail_goes_on() {
    let listening = Listening::start().await;
    let ada = listening.server.register("ada@example.test").await;
    let mut socket = listening.watch(&ada.token, None).await;
    let hello = socket.next().await;
    listening.server.app.log.begin_epoch(0).await.unwrap();
    listening.server.settle().await;
    let missed = listening.report(&ada, "a").await;
    let resume = socket.next().await;
    assert_eq!((&resume["type"], &resume["position"]), (&json!("resume"), &hello["position"]));
    assert_eq!(socket.closed().await, 4008);
    let mut socket = listening.watch(&ada.token, resume["position"].as_str()).await;
    let hello = socket.next().await;
    assert_eq!(hello["reset"], json!(true));
    assert!(hello["position"].as_str().unwrap().starts_with("2-"), "{hello}");
    let id = listening.report(&ada, "b").await;
    assert_ne!(id, missed);
    let messages = socket.reports(1).await;
    assert_eq!(ids(&messages), [id.as_str()]);
    assert!(messages[0]["position"].as_str().unwrap().starts_with("2-"), "{messages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_beyond_the_end_of_the_log_is_answered_with_a_reset() {
    let listening = Listening::start().await;
    let ada = listening.server.register("ada@example.test").await;
    let hello = listening.watch(&ada.token, Some("1-999")).await.next().await;
    assert_eq!((&hello["type"], &hello["reset"]), (&json!("hello"), &json!(true)));
}

async fn heard(news: &mut Receiver<News>) -> News {
    tokio::time::timeout(Duration::from_secs(60), news.recv()).await.expect("news in time").unwrap()
}

async fn make_a_team(log: &EventLog) -> TeamId {
    let (team, owner) = (TeamId::new(), UserId::new());
    let meta = CommandMeta {
        command: CommandId::new(),
        request: None,
        actor: Actor::User(owner),
        at: chrono::Utc::now(),
        correlation: None,
        causation: None,
    };
    let command = Command::Create { team, name: "T".to_owned(), owner };
    assert!(log.execute::<Team>(StreamId::of(team, Kind::Team, team), command, &meta).await.is_ok());
    team
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_starts_anew_when_the_log_it_followed_is_gone() {
    let mut nats = scaledtest_testkit::nats().await;
    scaledtest_testkit::install_crypto();
    let connect = || EventLog::connect(NatsOptions::new(nats.url()));
    let (log, operator) = (connect().await.unwrap(), connect().await.unwrap());
    let (live, stop) = (Live::new(log), CancellationToken::new());
    let tail = tokio::spawn(live.clone().run(stop.clone()));
    let mut news = live.subscribe().await;
    let before = make_a_team(&operator).await;
    assert!(matches!(heard(&mut news).await, News::Message(message) if message.team == before));
    operator.begin_epoch(0).await.unwrap();
    nats.kill9().await;
    nats.restart().await;
    assert!(matches!(heard(&mut news).await, News::Restarted));
    let after = make_a_team(&operator).await;
    let News::Message(message) = heard(&mut news).await else { panic!("the tail tells what happens") };
    assert_eq!((message.team, message.position.epoch), (after, 2));
    stop.cancel();
    tail.await.unwrap();
}
