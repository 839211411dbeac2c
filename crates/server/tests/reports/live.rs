//! What a socket is told, and what it is told again after it was away.

use crate::{
    ctrf,
    support::{Person, TestApp},
    test, upload,
};
use futures_util::StreamExt;
use scaledtest_eventlog::EventLog;
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};
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

    /// The code that it is closed with.
    async fn closed(&mut self) -> u16 {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("a close in time");
            if let Message::Close(Some(frame)) = frame.unwrap().unwrap() {
                return frame.code.into();
            }
        }
    }
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
    let options = || scaledtest_eventlog::NatsOptions::new(nats.url());
    let first = scaledtest_testkit::database().await;
    let first = TestApp::start_on(crate::support::config(), first, EventLog::connect(options()).await.unwrap()).await;
    let shared = Arc::clone(&first.database);
    let second = TestApp::start_on(crate::support::config(), shared, EventLog::connect(options()).await.unwrap()).await;
    let (first, second) = (Listening::around(first).await, Listening::around(second).await);
    let ada = first.server.register("ada@example.test").await;
    let mut here = first.watch(&ada.token, None).await;
    let mut there = second.watch(&ada.token, None).await;
    (here.next().await, there.next().await);
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
