//! The answer gets lost exactly between the commit and the client, on a real log: the same again is the same report.

use crate::{
    ctrf,
    proxy::{Break, Proxy},
    send,
    support::{Person, TestApp, config},
    test,
};
use scaledtest_domain::{Event, events::report::Event as ReportEvent};
use scaledtest_eventlog::{EventLog, NatsOptions};
use scaledtest_testkit::Nats;
use serde_json::{Value, json};
use std::time::Duration;

const KEY: &[(&str, &str)] = &[("idempotency-key", "build-1")];
const ID: &[(&str, &str)] = &[];

/// With an id of its own, by which it is known without a key.
fn body() -> String {
    let mut report = ctrf(&json!([test("a", "failed"), test("b", "passed")]));
    report["reportId"] = json!("6f0a3f0e-6a53-4c52-9f5e-7d8b8f6f2c11");
    report.to_string()
}

struct Scene {
    nats: Nats,
    proxy: Proxy,
    server: TestApp,
    ada: Person,
}

impl Scene {
    async fn start(how: Break) -> Self {
        scaledtest_testkit::install_crypto();
        let nats = scaledtest_testkit::nats().await;
        let proxy = Proxy::start(nats.port(), how).await;
        let url = nats.url().replace(&format!(":{}", nats.port()), &format!(":{}", proxy.port));
        let log = EventLog::connect(NatsOptions::new(url)).await.unwrap().with_deadline(Duration::from_secs(5));
        let database = scaledtest_testkit::database().await;
        let server = TestApp::start_on(config(), database, log).await;
        let ada = server.register("ada@example.test").await;
        Self { nats, proxy, server, ada }
    }

    /// Sends the upload; the client is gone before it has an answer, the commit is in the log.
    async fn lose(&self, headers: &'static [(&str, &str)]) {
        self.proxy.arm();
        tokio::select! {
            biased;
            () = self.proxy.broken() => {}
            answer = send(&self.server, &self.ada.token, "", headers, body()) => {
                panic!("answered before the connection broke: {answer:?}");
            }
        }
    }

    /// The log without the proxy.
    async fn log(&self) -> EventLog {
        EventLog::connect(NatsOptions::new(self.nats.url())).await.unwrap()
    }

    /// Every report that was ever taken in: its position and id.
    async fn taken_in(&self) -> Vec<(String, String)> {
        let log = self.log().await;
        let mut found = Vec::new();
        for n in 1..=log.last().await.unwrap().n {
            let Some(recorded) = log.commit_at(n).await.unwrap() else { continue };
            for event in recorded.commit.decode_events().unwrap() {
                if let Event::Report(ReportEvent::Ingested(ingested)) = event {
                    found.push((format!("{}-{n}", log.epoch()), ingested.report.to_string()));
                }
            }
        }
        found
    }
}

async fn retried(server: &TestApp, ada: &Person, headers: &[(&str, &str)]) -> (String, Value) {
    let retry = send(server, &ada.token, "", headers, body()).await;
    (retry.header("st-position").unwrap().to_owned(), retry.expect(201))
}

async fn the_only_report(server: &TestApp, ada: &Person) -> Value {
    let reports = server.get(&ada.token, "/api/v1/reports").await.expect(200);
    assert_eq!(reports["total"], 1);
    reports["reports"][0]["id"].clone()
}

/// The retry found what is in the log, and nothing was written twice.
async fn same_and_once(scene: &Scene, server: &TestApp, lost: &[(String, String)], retry: (String, Value)) {
    let (position, answer) = retry;
    assert_eq!(lost.len(), 1, "the lost answer's commit is in the log");
    assert_eq!((&position, answer["id"].as_str()), (&lost[0].0, Some(lost[0].1.as_str())));
    assert_eq!(answer["summary"]["tests"], 2);
    assert_eq!(scene.taken_in().await, lost);
    assert_eq!(the_only_report(server, &scene.ada).await, answer["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_left_between_commit_and_answer_gets_the_same_report_from_the_retry() {
    for headers in [KEY, ID] {
        let scene = Scene::start(Break::Connection).await;
        scene.lose(headers).await;
        let lost = scene.taken_in().await;
        let retry = retried(&scene.server, &scene.ada, headers).await;
        same_and_once(&scene, &scene.server, &lost, retry).await;
        scene.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_died_between_commit_and_answer_leaves_the_report_to_the_next_one() {
    for headers in [KEY, ID] {
        let mut scene = Scene::start(Break::Everything).await;
        scene.lose(headers).await;
        let lost = scene.taken_in().await;
        let (database, log) = (scene.server.database.clone(), scene.log().await);
        // The dead one's connections to the database end with it.
        let dead =
            std::mem::replace(&mut scene.server, TestApp::start_without_projections(config(), database, log).await);
        dead.stop().await;
        scene.server.start_projections();
        let retry = retried(&scene.server, &scene.ada, headers).await;
        same_and_once(&scene, &scene.server, &lost, retry).await;
        scene.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_broke_between_commit_and_answer_is_made_up_for_by_the_server_itself() {
    for headers in [KEY, ID] {
        let scene = Scene::start(Break::Connection).await;
        scene.proxy.arm();
        let first = send(&scene.server, &scene.ada.token, "", headers, body()).await.expect(201);
        scene.proxy.broken().await;
        let lost = scene.taken_in().await;
        let retry = retried(&scene.server, &scene.ada, headers).await;
        assert_eq!(retry.1, first);
        same_and_once(&scene, &scene.server, &lost, retry).await;
        scene.server.stop().await;
    }
}
