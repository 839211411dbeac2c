//! What became of tests over runs: against a history whose truth is known.

use crate::{corpus, ctrf, send, support::TestApp, test, upload};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Twenty-four runs of one suite on two branches, and what was planned.
struct Shop {
    server: TestApp,
    token: String,
    truth: Value,
    /// The answers to the uploads.
    answers: Vec<Value>,
}

const HISTORY: &str = "history/pw-shop-24";

impl Shop {
    async fn new() -> Self {
        let server = TestApp::start().await;
        let ada = server.register("ada@example.test").await;
        // Lives longer than a session.
        let token = server.api_token(&ada, &["upload", "read"]).await;
        let truth: Value = serde_json::from_slice(&corpus(&format!("{HISTORY}/truth.json"))).unwrap();
        let mut answers = Vec::new();
        for run in truth["runs"].as_array().unwrap() {
            let word = |name: &str| run[name].as_str().unwrap();
            let query = format!(
                "?project=shop&branch={}&commit={}&created_at={}",
                word("branch"),
                word("commit"),
                word("startedAt")
            );
            let body = corpus(&format!("{HISTORY}/{}", word("file")));
            answers.push(send(&server, &token, &query, &[], body).await.expect(201));
        }
        Self { server, token, truth, answers }
    }

    async fn get(&self, path: &str) -> Value {
        self.server.get(&self.token, &format!("/api/v1{path}")).await.expect(200)
    }

    async fn tests(&self, query: &str) -> Vec<Value> {
        let (mut tests, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/tests?project=shop&limit=17{query}{cursor}")).await;
            tests.extend(page["tests"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => {
                    assert_eq!(page["total"], tests.len());
                    return tests;
                }
            }
        }
    }

    /// Letters of a test's outcomes on a branch, by its name and suite.
    fn planned(&self, branch: &str) -> BTreeMap<String, String> {
        let runs = self.truth["runs"].as_array().unwrap();
        let renamed = &self.truth["renamed"][0];
        let mut planned: BTreeMap<String, String> = BTreeMap::new();
        for test in self.truth["tests"].as_array().unwrap() {
            for (run, letter) in runs.iter().zip(test["outcomes"].as_str().unwrap().chars()) {
                if run["branch"] != branch || letter == '-' {
                    continue;
                }
                let is_renamed = test["id"] == renamed["id"] && run["run"].as_u64() >= renamed["fromRun"].as_u64();
                let name = if is_renamed { &renamed["newName"] } else { &test["name"] };
                let suite: Vec<_> =
                    test["suite"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
                let key = format!("{} › {}", suite.join(" › "), name.as_str().unwrap());
                planned.entry(key).or_default().push(letter);
            }
        }
        planned
    }
}

/// The test without the parts of its suite that name browser and file.
fn key(test: &Value) -> String {
    let suite: Vec<_> = test["suite"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
    let own: Vec<_> = suite.into_iter().filter(|part| *part != "api" && !part.ends_with(".spec.js")).collect();
    format!("{} › {}", own.join(" › "), test["name"].as_str().unwrap())
}

fn names(tests: &[Value]) -> Vec<&str> {
    tests.iter().map(|test| test["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_test_has_its_history_branch_by_branch_and_is_what_was_planned() {
    let shop = Shop::new().await;
    for branch in ["main", "feature/checkout-v2"] {
        let listed = shop.tests(&format!("&sort=name&branch={branch}")).await;
        let strips = listed.iter().map(|test| (key(test), test["strip"].as_str().unwrap().replace('O', "S")));
        assert_eq!(strips.collect::<BTreeMap<_, _>>(), shop.planned(branch), "{branch}");
    }
    let flaky = shop.tests("&state=flaky&sort=-score").await;
    let planned: BTreeSet<_> =
        shop.truth["flakyTests"].as_array().unwrap().iter().map(|test| test["name"].as_str().unwrap()).collect();
    assert!(!flaky.is_empty() && names(&flaky).iter().all(|name| planned.contains(name)), "{:?}", names(&flaky));
    let scores: Vec<f64> = flaky.iter().map(|test| test["score_low"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|one, other| one >= other));
    let broken = shop.tests("&state=broken").await;
    assert!(names(&broken).contains(&"syncs the ERP catalogue"), "{:?}", names(&broken));

    // What says so: the runs with the failed attempts, and no other.
    let id =
        flaky.iter().find(|test| test["name"] == "oversell protection under load").unwrap()["id"].as_str().unwrap();
    let detail = shop.get(&format!("/tests/{id}?branch=main")).await;
    assert_eq!(detail["chosen"]["branch"], "main");
    let reports: BTreeSet<_> =
        [2, 5, 13, 14, 17, 23].map(|run: usize| shop.answers[run - 1]["id"].clone().to_string()).into();
    let evidence = detail["chosen"]["evidence"].as_array().unwrap();
    assert!(
        !evidence.is_empty() && evidence.iter().all(|one| reports.contains(&one["report_id"].to_string())),
        "{detail:#}"
    );
    assert!(!detail["errors"].as_array().unwrap().is_empty());
    let history = shop.get(&format!("/tests/{id}/history?branch=main")).await;
    let runs = history["runs"].as_array().unwrap();
    assert_eq!(runs.len(), shop.planned("main")["Checkout › Inventory › oversell protection under load"].len());
    assert!(runs.is_sorted_by(|one, other| one["at"].as_str() >= other["at"].as_str()));
}

#[tokio::test]
async fn a_run_is_judged_by_what_was_known_before_it() {
    let shop = Shop::new().await;
    // New in run 11 and fixed in run 12; always failing beside it.
    let regression = &shop.answers[10];
    assert_eq!(regression["verdict"]["state"], "regressions", "{regression:#}");
    let verdict = shop.get(&format!("/runs/{}/verdict", regression["run_id"].as_str().unwrap())).await;
    let of = |name: &str| {
        let tests = verdict["tests"].as_array().unwrap();
        tests.iter().find(|test| test["name"] == name).map(|test| test["verdict"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("by several facets at once").as_deref(), Some("regression"), "{verdict:#}");
    assert_eq!(of("syncs the ERP catalogue").as_deref(), Some("broken_on_base"), "{verdict:#}");
    assert_eq!(verdict["baseline"]["commit"], shop.truth["runs"][9]["commit"], "{verdict:#}");
    assert_eq!(verdict["counts"], regression["verdict"]["counts"], "what came later changes nothing");
    // The same result is read where the verdict points.
    let first = &verdict["tests"][0];
    let path =
        format!("/reports/{}/results/{}", first["report_id"].as_str().unwrap(), first["result_id"].as_str().unwrap());
    assert_eq!(shop.get(&path).await["name"], first["name"]);
}

#[tokio::test]
async fn sums_over_time_are_those_of_the_reports() {
    let shop = Shop::new().await;
    let window = "start=2026-10-01T00:00:00Z&end=2026-12-31T00:00:00Z&project=shop";
    let trends = shop.get(&format!("/analytics/trends?{window}&branch=main")).await["trends"].clone();
    let mut planned: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for run in shop.truth["runs"].as_array().unwrap().iter().filter(|run| run["branch"] == "main") {
        let day = planned.entry(run["startedAt"].as_str().unwrap()[..10].to_owned()).or_default();
        for (sum, name) in day.iter_mut().zip(["tests", "failed", "skipped"]) {
            *sum += run["expected"][name].as_u64().unwrap();
        }
    }
    let found = trends.as_array().unwrap().iter().map(|day| {
        let number = |name: &str| day[name].as_u64().unwrap();
        (day["date"].as_str().unwrap().to_owned(), [number("total"), number("failed"), number("skipped")])
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), planned);
    let filled =
        shop.get(&format!("/analytics/trends?{window}&fill=true&group_by=week&time_zone=Asia/Kathmandu")).await;
    assert_eq!(filled["trends"].as_array().unwrap().len(), 14, "every week from that of 28 September");
    assert_eq!(filled["trends"][0]["date"], "2026-09-28");

    let every = shop.get(&format!("/analytics/duration-distribution?{window}")).await["distribution"].clone();
    let results: u64 = shop.answers.iter().map(|answer| answer["results"].as_u64().unwrap()).sum();
    assert_eq!(every.as_array().unwrap().iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum::<u64>(), results);
    assert_eq!(every[0]["range"], "0-100ms");
    let slowest = shop.get("/analytics/slowest-tests?project=shop&limit=3").await;
    let p95: Vec<_> =
        slowest["slowest_tests"].as_array().unwrap().iter().map(|test| test["p95_ms"].as_i64().unwrap()).collect();
    assert!(p95.len() == 3 && p95.is_sorted_by(|one, other| one >= other), "{p95:?}");

    let errors = shop.get(&format!("/analytics/error-analysis?{window}&limit=500")).await["errors"].clone();
    let errors = errors.as_array().unwrap();
    let failing: u64 = shop.truth["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| {
            test["outcomes"].as_str().unwrap().chars().filter(|letter| matches!(letter, 'F' | 'f')).count() as u64
        })
        .sum();
    assert_eq!(errors.iter().map(|error| error["count"].as_u64().unwrap()).sum::<u64>(), failing);
    assert!(errors.is_sorted_by(|one, other| one["count"].as_u64() >= other["count"].as_u64()));
    assert!(errors[0]["test_names"].as_array().unwrap().len() <= 20);

    shop.server.clock.set("2026-11-19T00:00:00Z".parse().unwrap());
    let flaky = shop.get("/analytics/flaky-tests?project=shop&branch=main").await["flaky_tests"].clone();
    let flaky = flaky.as_array().unwrap();
    assert!(
        !flaky.is_empty()
            && flaky.iter().all(|test| test["state"] == "flaky" && test["total_runs"].as_u64() >= Some(5))
    );
}

#[tokio::test]
async fn a_deleted_report_leaves_every_history() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let mut ids = Vec::new();
    for (day, status) in ["passed", "failed", "passed"].into_iter().enumerate() {
        let query = format!("?project=shop&branch=main&created_at=2026-11-0{}T00:00:00Z", day + 1);
        let report = ctrf(&json!([test("pays", status), test("ships", "passed")]));
        ids.push(upload(&server, &ada, &query, &report).await["id"].as_str().unwrap().to_owned());
    }
    let strips = async || {
        let page = server.get(&ada.token, "/api/v1/tests?sort=name").await.expect(200);
        let strips = page["tests"].as_array().unwrap().iter().map(|test| test["strip"].as_str().unwrap().to_owned());
        strips.collect::<Vec<_>>()
    };
    assert_eq!(strips().await, ["PFP", "PPP"]);
    server.delete(&ada.token, &format!("/api/v1/reports/{}", ids[1])).await.expect(200);
    assert_eq!(strips().await, ["PP", "PP"]);
    let window = "start=2026-10-01T00:00:00Z&end=2026-12-31T00:00:00Z";
    let trends = server.get(&ada.token, &format!("/api/v1/analytics/trends?{window}")).await.expect(200);
    assert_eq!(trends["trends"].as_array().unwrap().len(), 2);
    let errors = server.get(&ada.token, &format!("/api/v1/analytics/error-analysis?{window}")).await.expect(200);
    assert_eq!(errors, json!({"errors": []}));
    for id in [&ids[0], &ids[2]] {
        server.delete(&ada.token, &format!("/api/v1/reports/{id}")).await.expect(200);
    }
    assert_eq!(server.get(&ada.token, "/api/v1/tests").await.expect(200), json!({"tests": [], "total": 0}));
}

/// A run of a suite with one test that took so long, at a minute, on a commit.
async fn timed(server: &TestApp, token: &str, minute: u32, ms: u32, status: &str) -> Value {
    let tests = json!([{"name": "exports", "status": status, "duration": ms}, test("adds", "passed")]);
    let query = format!(
        "?project=shop&branch=main&commit=c{minute}&created_at=2026-11-20T{:02}:{:02}:00Z",
        minute / 60,
        minute % 60
    );
    send(server, token, &query, &[], ctrf(&tests).to_string()).await.expect(201)
}

#[tokio::test]
async fn a_test_that_became_slower_says_since_which_run() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let mut answers = Vec::new();
    // Around 120 ms; from the 21st run on around 480, a failure that ended early and one slow run between.
    for minute in 0..34 {
        let noise = minute * 7 % 11;
        let (ms, status) = match minute {
            9 => (3_000, "passed"),
            25 => (3, "failed"),
            0..20 => (115 + noise, "passed"),
            _ => (470 + 2 * noise, "passed"),
        };
        answers.push(timed(&server, &ada.token, minute, ms, status).await);
    }
    let get = async |path: String| server.get(&ada.token, &format!("/api/v1{path}")).await.expect(200);
    let tests = get("/tests?sort=name".to_owned()).await;
    let id = |index: usize| tests["tests"][index]["id"].as_str().unwrap().to_owned();
    assert_eq!(get(format!("/tests/{}", id(0))).await["chosen"]["duration_changes"], json!([]), "steady");
    let chosen = get(format!("/tests/{}", id(1))).await["chosen"].clone();
    let changes = chosen["duration_changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{chosen}");
    let change = &changes[0];
    let place = |at: &Value| (at["commit"].as_str().unwrap().to_owned(), at["report_id"].clone());
    assert_eq!(place(&change["at"]), ("c20".to_owned(), answers[20]["id"].clone()));
    assert_eq!(change["at"]["at"], "2026-11-20T00:20:00Z");
    assert_eq!(place(&change["after_run"]), ("c19".to_owned(), answers[19]["id"].clone()));
    assert_eq!((&change["earliest"], &change["latest"]), (&change["at"], &change["at"]));
    let near = |name: &str, expected: f64| (change[name].as_f64().unwrap() / expected - 1.0).abs() < 0.07;
    assert!(near("before_ms", 120.0) && near("after_ms", 480.0), "{change}");

    // The first slow run is deleted: then it is the next one.
    let path = format!("/api/v1/reports/{}", answers[20]["id"].as_str().unwrap());
    server.delete(&ada.token, &path).await.expect(200);
    let chosen = get(format!("/tests/{}", id(1))).await["chosen"].clone();
    assert_eq!(chosen["duration_changes"][0]["at"]["commit"], "c21", "{chosen}");
}

#[tokio::test]
async fn odd_questions_get_a_clear_answer() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let name = format!("{}/%2F{}", "a".repeat(1_000), "b".repeat(900));
    upload(&server, &ada, "?project=shop", &ctrf(&json!([test(&name, "failed")]))).await;
    let get = async |path: &str| server.get(&ada.token, &format!("/api/v1{path}")).await;
    for path in [
        "/analytics/trends?time_zone=Mars/Olympus",
        "/tests?state=sleepy",
        "/tests?status=odd",
        "/tests?sort=random",
        "/analytics/flaky-tests?state=sleepy",
    ] {
        get(path).await.refused(400, "invalid_parameter");
    }
    get("/tests?cursor=mine").await.refused(400, "invalid_cursor");
    get("/analytics/trends?fill=true&start=1900-01-01T00:00:00Z").await.refused(400, "window_too_large");
    let hundred_years = "start=1926-01-01T00:00:00Z&end=9999-01-01T00:00:00Z";
    for path in ["trends", "error-analysis", "duration-distribution"] {
        get(&format!("/analytics/{path}?{hundred_years}&limit=1000000000&project=unknown")).await.expect(200);
        get(&format!("/analytics/{path}?start=tomorrow&end=-5&limit=-1")).await.expect(200);
    }
    get("/analytics/flaky-tests?window_days=99999999999&min_runs=-1&limit=1000000000").await.expect(200);
    let listed = get("/tests?text=%252f&limit=1000000000").await.expect(200);
    assert_eq!(listed["tests"][0]["name"], *name);
    get("/tests/no-id").await.refused(404, "test_not_found");
    get("/tests/00000000-0000-0000-0000-000000000000/history").await.refused(404, "test_not_found");
    get(&format!("/tests/{}?variant_id=x", listed["tests"][0]["id"].as_str().unwrap()))
        .await
        .refused(400, "invalid_parameter");
    get("/runs/00000000-0000-0000-0000-000000000000/verdict").await.refused(404, "run_not_found");
}
