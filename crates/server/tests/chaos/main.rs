//! The real binary with its real children, killed while it works: nothing acknowledged may be lost, nothing may be twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of tests are tests")]

mod program;

use program::{Program, kill};
use scaledtest_testkit as testkit;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// Reports uploaded while things are killed.
const REPORTS: usize = 200;
/// Every request is repeated until this much time has passed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Talks to the server and repeats until it is heard, as a CI job would.
#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    async fn sign_up(url: &str) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        let account = json!({"email": "ci@example.test", "password": "correct horse battery", "display_name": "CI"});
        let session: Value =
            http.post(format!("{url}/auth/register")).json(&account).send().await.unwrap().json().await.unwrap();
        let access = session["access_token"].as_str().unwrap();
        let teams: Value =
            http.get(format!("{url}/api/v1/teams")).bearer_auth(access).send().await.unwrap().json().await.unwrap();
        let team = teams["teams"][0]["id"].as_str().unwrap();
        let tokens = format!("{url}/api/v1/teams/{team}/tokens");
        let made = http.post(tokens).bearer_auth(access).json(&json!({"name": "ci"})).send().await.unwrap();
        let made: Value = made.json().await.unwrap();
        Self { http, url: url.to_owned(), token: made["token"].as_str().unwrap().to_owned() }
    }

    /// Uploads a report under a key, again and again until it is acknowledged; gives its id.
    async fn upload(&self, number: usize) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let request = self.http.post(format!("{}/api/v1/reports", self.url)).bearer_auth(&self.token);
            let request = request.header("Idempotency-Key", format!("report-{number}")).body(report(number));
            match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    if let Ok(answer) = answer.json::<Value>().await {
                        return answer["id"].as_str().unwrap().to_owned();
                    }
                }
                Ok(answer) => {
                    let status = answer.status();
                    assert!(status.is_server_error(), "report {number}: {status} {:?}", answer.text().await);
                }
                Err(_) => {}
            }
            assert!(Instant::now() < until, "report {number} was not acknowledged within {PATIENCE:?}");
            tokio::task::yield_now().await;
        }
    }

    async fn get(&self, path: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.http.get(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token).send().await;
            if let Ok(answer) = answer
                && answer.status().is_success()
                && let Ok(body) = answer.json().await
            {
                return body;
            }
            assert!(Instant::now() < until, "{path} did not answer within {PATIENCE:?}");
            tokio::task::yield_now().await;
        }
    }

    /// The ids of every report, over all pages; panics when one comes twice.
    async fn reports(&self) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/reports?limit=100{cursor}")).await;
            for report in page["reports"].as_array().unwrap() {
                let id = report["id"].as_str().unwrap().to_owned();
                assert!(ids.insert(id.clone()), "report {id} is there twice");
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return ids,
            }
        }
    }
}

fn report(number: usize) -> String {
    let tests: Vec<_> = (0..20)
        .map(|test| {
            let status = if test == 0 { "failed" } else { "passed" };
            json!({"name": format!("test {test}"), "status": status, "duration": 5, "message": format!("report {number}")})
        })
        .collect();
    let summary =
        json!({"tests": 20, "passed": 19, "failed": 1, "skipped": 0, "pending": 0, "other": 0, "start": 0, "stop": 0});
    json!({"results": {"tool": {"name": "chaos"}, "summary": summary, "tests": tests}}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9_of_the_server_and_of_each_child_exactly_once() {
    testkit::install_crypto();
    let mut program = Program::start().await;
    let client = Client::sign_up(program.url()).await;
    let uploading = {
        let client = client.clone();
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0..REPORTS {
                acknowledged.push(client.upload(number).await);
                PROGRESS.send_replace(number + 1);
            }
            acknowledged
        })
    };
    for (after, victim) in [
        (20, "nats-server"),
        (60, "postgres"),
        (100, "scaledtest"),
        (130, "nats-server"),
        (150, "postgres"),
        (175, "scaledtest"),
    ] {
        PROGRESS.subscribe().wait_for(|done| *done >= after).await.unwrap();
        if victim == "scaledtest" {
            program.kill_and_restart().await;
        } else {
            kill(program.child(victim));
        }
    }
    let acknowledged: BTreeSet<String> = uploading.await.unwrap().into_iter().collect();
    assert_eq!(acknowledged.len(), REPORTS, "two uploads became one report");
    assert_eq!(client.reports().await, acknowledged);
    let one = acknowledged.first().unwrap();
    let results = client.get(&format!("/reports/{one}/results?status=failed")).await;
    assert_eq!(results["total"], 1);
    let verified = program.run(&["log", "verify"]);
    assert!(verified.contains(&format!("{REPORTS} reports, {} results, 0 faults", REPORTS * 20)), "{verified}");
    program.stop();
}

/// How many reports are acknowledged.
static PROGRESS: std::sync::LazyLock<tokio::sync::watch::Sender<usize>> =
    std::sync::LazyLock::new(|| tokio::sync::watch::Sender::new(0));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_log_under_a_newer_database_starts_a_new_epoch_and_is_never_skipped() {
    testkit::install_crypto();
    let mut program = Program::start().await;
    let client = Client::sign_up(program.url()).await;
    let kept: BTreeSet<String> = [client.upload(1).await, client.upload(2).await].into();
    program.stop_for_a_while();
    let copy = program.copy_log();
    program.start_again().await;
    let lost = client.upload(3).await;
    assert_eq!(client.reports().await.len(), 3);
    program.stop_for_a_while();
    program.put_log_back(&copy);
    program.start_again().await;

    // The sequence of report 3 is used again; without a new epoch the projection would take it for read.
    let next = client.upload(4).await;
    let expected: BTreeSet<String> = kept.iter().cloned().chain([next]).collect();
    assert_eq!(client.reports().await, expected, "report {lost} is in the log no more, report 4 is");
    let answer = client
        .http
        .delete(format!("{}/api/v1/reports/{}", client.url, kept.first().unwrap()))
        .bearer_auth(&client.token);
    let position = answer.send().await.unwrap().headers()["st-position"].to_str().unwrap().to_owned();
    assert!(position.starts_with("2-"), "{position}");
    program.stop();
}
