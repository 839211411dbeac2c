//! Flaky tests that hold up nobody, for a while: over real histories, and at the edges over small ones.

use crate::{corpus, ctrf, send, support::TestApp};
use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::Clock;
use scaledtest_effects::{Keeper, Tended};
use serde_json::{Value, json};
use std::time::Duration;

const HISTORY: &str = "history/pw-shop-24";
const LIST: &str = "/api/v1/projects/shop/quarantine";

/// A team, and a token of it that outlives every session.
pub struct World {
    pub server: TestApp,
    pub token: String,
}

impl World {
    pub async fn new() -> Self {
        let server = TestApp::start().await;
        let ada = server.register("ada@example.test").await;
        let token = server.api_token(&ada, &["upload", "read", "write"]).await;
        Self { server, token }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.server.clock.now()
    }

    /// Moves the clock forward.
    fn at(&self, at: DateTime<Utc>) {
        let ahead = at - self.now();
        assert!(ahead >= TimeDelta::zero(), "time does not go back");
        self.server.clock.advance(ahead);
    }

    pub async fn get(&self, path: &str) -> Value {
        self.server.get(&self.token, &format!("/api/v1{path}")).await.expect(200)
    }

    pub async fn call(&self, method: Method, path: &str, body: Value) -> crate::support::Answer {
        let headers = [("authorization", format!("Bearer {}", self.token))];
        self.server.call(method, &format!("/api/v1{path}"), &headers, Some(body)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.call(Method::POST, path, body).await;
        assert!(answer.status.is_success(), "{}", answer.text());
        answer.json()
    }

    /// Real runs of the shop, each at its time; their answers.
    async fn shop(&self, runs: std::ops::RangeInclusive<usize>) -> Vec<Value> {
        let truth: Value = serde_json::from_slice(&corpus(&format!("{HISTORY}/truth.json"))).unwrap();
        let mut answers = Vec::new();
        for number in runs {
            let run = &truth["runs"][number - 1];
            let word = |name: &str| run[name].as_str().unwrap();
            self.at(word("startedAt").parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(10));
            let (branch, commit, at) = (word("branch"), word("commit"), word("startedAt"));
            let query = format!("?project=shop&branch={branch}&commit={commit}&created_at={at}");
            let body = corpus(&format!("{HISTORY}/{}", word("file")));
            answers.push(send(&self.server, &self.token, &query, &[], body).await.expect(201));
        }
        answers
    }

    /// A small run now: `F` fails, `f` passes on retry, anything else passes; one letter for each test.
    pub async fn small(&self, letters: &str, message: &str) -> Value {
        self.server.advance(3_600);
        let outcome = |(index, letter): (usize, char)| {
            let name = format!("test {index}");
            match letter {
                'F' => json!({"name": name, "status": "failed", "duration": 1_000, "message": message}),
                'f' => json!({"name": name, "status": "passed", "duration": 1_000, "flaky": true, "retries": 1,
                              "retryAttempts": [{"attempt": 1, "status": "failed", "message": message}]}),
                _ => json!({"name": name, "status": "passed", "duration": 1_000}),
            }
        };
        let tests: Vec<Value> = letters.chars().enumerate().map(outcome).collect();
        let mut report = ctrf(&json!(tests));
        report["results"]["summary"]["start"] = json!(self.now().timestamp_millis());
        send(&self.server, &self.token, "?project=shop&branch=main", &[], report.to_string()).await.expect(201)
    }

    async fn test_id(&self, name: &str) -> String {
        let found = self.get("/tests?project=shop&limit=200&branch=main").await;
        let test = found["tests"].as_array().unwrap().iter().find(|test| test["name"] == name);
        test.unwrap_or_else(|| panic!("no test {name}"))["id"].as_str().unwrap().to_owned()
    }

    async fn quarantine(&self, name: &str) -> Value {
        let test = self.test_id(name).await;
        self.post("/quarantine", json!({"test_id": test, "reason": "It comes and goes."})).await
    }

    pub async fn verdict(&self, answer: &Value) -> Value {
        self.get(&format!("/runs/{}/verdict", answer["run_id"].as_str().unwrap())).await
    }

    async fn settle(&self) {
        let last = self.server.app.log.last().await.unwrap();
        let names = ["history", "quarantine"];
        assert!(self.server.app.positions.wait(&names, last, Duration::from_secs(30)).await);
    }

    async fn tend(&self) -> Tended {
        let app = &self.server.app;
        let tended = Keeper::default().round(&app.log, &app.db, self.now()).await.unwrap();
        self.settle().await;
        tended
    }

    async fn active(&self) -> Vec<Value> {
        self.get("/quarantine").await["entries"].as_array().unwrap().clone()
    }
}

/// What was found of a test in a verdict.
pub fn judged<'a>(verdict: &'a Value, name: &str) -> &'a Value {
    let found = verdict["tests"].as_array().unwrap().iter().find(|test| test["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {verdict:#}"))
}

const KNOWN: &str = "by several facets at once";
const NEW: &str = "downloads an invoice";

#[tokio::test]
async fn a_known_failure_is_muted_and_a_new_kind_of_failure_is_not() {
    let world = World::new().await;
    world.shop(1..=14).await;
    let known = world.quarantine(KNOWN).await;
    world.quarantine(NEW).await;

    // It never failed before: quarantine hides no new defect.
    let fifteenth = &world.shop(15..=15).await[0];
    let verdict = world.verdict(fifteenth).await;
    let found = judged(&verdict, NEW);
    assert_eq!((&found["verdict"], &found["quarantined"]), (&json!("regression"), &json!(true)), "{verdict:#}");
    assert!(found["reason"].as_str().unwrap().contains("was not seen before"), "{found}");
    assert_eq!(fifteenth["verdict"]["state"], "regressions");

    // The one failed in run 11 as it does in run 18, the other in run 15.
    let eighteenth = world.shop(16..=18).await.pop().unwrap();
    let verdict = world.verdict(&eighteenth).await;
    for name in [KNOWN, NEW] {
        assert_eq!(judged(&verdict, name)["verdict"], "quarantined", "{verdict:#}");
    }
    assert_eq!(eighteenth["verdict"]["counts"]["quarantined"], 2, "the upload is told so, too");
    assert_eq!(eighteenth["verdict"]["state"], "neutral");

    // What was judged stays judged; what comes later is judged anew.
    let released = world.post(&format!("/quarantine/{}/release", known["id"].as_str().unwrap()), json!({})).await;
    assert_eq!((&released["state"], &released["release"]), (&json!("released"), &json!("hand")));
    assert_eq!(judged(&world.verdict(&eighteenth).await, KNOWN)["verdict"], "quarantined");
    let nineteenth = &world.shop(19..=19).await[0];
    let verdict = world.verdict(nineteenth).await;
    let found = judged(&verdict, KNOWN);
    assert_eq!((&found["verdict"], &found["quarantined"]), (&json!("broken_on_base"), &json!(false)), "{verdict:#}");
}

#[tokio::test]
async fn a_failure_that_says_nearly_what_is_known_stays_muted() {
    let world = World::new().await;
    let near =
        |state: &str| format!("Error: the warehouse did not confirm the reservation of the order: state is {state}");
    world.small("F", &near("pending")).await;
    world.quarantine("test 0").await;
    let muted = world.small("F", &near("opening")).await;
    assert_eq!(judged(&world.verdict(&muted).await, "test 0")["verdict"], "quarantined");
    let counts = world.small("F", "Error: the payment was declined").await;
    let verdict = world.verdict(&counts).await;
    let found = judged(&verdict, "test 0");
    assert_eq!(found["quarantined"], true);
    assert!(["regression", "new_test_failing"].contains(&found["verdict"].as_str().unwrap()), "{verdict:#}");
    let summary = world.get("/quarantine/summary").await;
    assert_eq!(summary["rescued_runs"], 1, "{summary:#}");
}

#[tokio::test]
async fn the_list_for_ci_changes_its_tag_when_it_changes_and_only_then() {
    let world = World::new().await;
    world.shop(1..=10).await;
    let reader = {
        let server = &world.server;
        let ada = server.register("reader@example.test").await;
        server.get(&server.api_token(&ada, &["read"]).await, LIST).await
    };
    reader.refused(404, "project_not_found");

    let empty = world.server.get(&world.token, LIST).await;
    assert_eq!(empty.header("cache-control"), Some("private, no-cache"));
    let tag = empty.header("etag").unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.len() > 20, "{tag}");
    assert_eq!(empty.json(), json!({"project": empty.json()["project"], "tests": []}));
    let again = async |tag: &str| {
        let headers = [("authorization", format!("Bearer {}", world.token)), ("if-none-match", tag.to_owned())];
        world.server.call(Method::GET, LIST, &headers, None).await
    };
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let answer = again(&known).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0), "{known}");
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
    }

    let soon = (world.now() + TimeDelta::days(2)).to_rfc3339();
    let first = world.test_id("suggests categories").await;
    let body = json!({"test_id": first, "reason": "slow", "mode": "skip", "expires_at": soon});
    let entered = world.post("/quarantine", body).await;
    assert_eq!((&entered["state"], &entered["expires_soon"]), (&json!("active"), &json!(true)), "{entered:#}");
    assert_eq!(entered["evidence"]["branch"], "main");
    world.quarantine("tracks a parcel").await;
    let answer = again(&tag).await;
    assert_eq!(answer.status.as_u16(), 200);
    let list = answer.json();
    assert_eq!(list["valid_until"], entered["expires_at"]);
    let tests = list["tests"].as_array().unwrap();
    assert!(tests.is_sorted_by_key(|test| test["test_id"].as_str()) && tests.len() == 2, "{list:#}");
    let listed = tests.iter().find(|test| test["test_id"] == first.as_str()).unwrap();
    assert_eq!((&listed["name"], &listed["mode"]), (&json!("suggests categories"), &json!("skip")));
    assert!(listed["suite"].as_array().unwrap().contains(&json!("Search")), "{listed:#}");
    let tag = answer.header("etag").unwrap().to_owned();
    assert_eq!(again(&tag).await.status.as_u16(), 304);
    let by_id = world.get(&format!("/projects/{}/quarantine", list["project"]["id"].as_str().unwrap())).await;
    assert_eq!(by_id, list);

    // Nobody has noted yet that the time of the first is over; it is over.
    world.server.advance(2 * 86_400);
    let answer = again(&tag).await;
    assert_eq!((answer.status.as_u16(), answer.json()["tests"].as_array().unwrap().len()), (200, 1));
    let expired = world.get("/quarantine?state=expired").await;
    assert_eq!((&expired["total"], &expired["entries"][0]["release"]), (&json!(1), &json!("expired")));
    assert_eq!(world.tend().await, Tended { expired: 1, ..Tended::default() });
    assert_eq!(world.get("/quarantine?state=expired").await, expired, "noting it changes nothing");
    assert_eq!(world.tend().await, Tended::default());
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_the_name_of_its_field() {
    let world = World::new().await;
    world.shop(1..=2).await;
    let test = world.test_id("adds an item").await;
    let in_days = |days: i64| (world.now() + TimeDelta::days(days)).to_rfc3339();
    let wrong = [
        ("test_id", json!({"test_id": "?", "reason": "r"})),
        ("reason", json!({"test_id": test})),
        ("reason", json!({"test_id": test, "reason": "x".repeat(501)})),
        ("mode", json!({"test_id": test, "reason": "r", "mode": "hide"})),
        ("owner", json!({"test_id": test, "reason": "r", "owner": "ada@example.test"})),
        ("ticket", json!({"test_id": test, "reason": "r", "ticket": "javascript:alert(1)"})),
        ("expires_at", json!({"test_id": test, "reason": "r", "mode": "skip"})),
        ("expires_at", json!({"test_id": test, "reason": "r", "expires_at": in_days(-1)})),
        ("expires_at", json!({"test_id": test, "reason": "r", "expires_at": in_days(91)})),
    ];
    for (field, body) in wrong {
        let refused = world.call(Method::POST, "/quarantine", body).await.refused(400, "invalid_request");
        assert_eq!(refused["details"][0]["field"], field, "{refused}");
    }
    let unknown = json!({"test_id": "019aab10-0000-7000-8000-00000000ffff", "reason": "r"});
    world.call(Method::POST, "/quarantine", unknown).await.refused(404, "test_not_found");

    let entered = world.quarantine("adds an item").await;
    let again = json!({"test_id": test, "reason": "r"});
    world.call(Method::POST, "/quarantine", again).await.refused(409, "already_quarantined");
    let path = format!("/quarantine/{}", entered["id"].as_str().unwrap());
    for (field, body) in [
        ("reason", json!({"reason": " "})),
        ("expires_at", json!({"mode": "skip"})),
        ("expires_at", json!({"expires_at": in_days(-1)})),
    ] {
        let refused = world.call(Method::PATCH, &path, body).await.refused(400, "invalid_request");
        assert_eq!(refused["details"][0]["field"], field, "{refused}");
    }
    let terms = json!({"owner": "@cart", "ticket": "SHOP-7", "mode": "skip", "expires_at": in_days(30)});
    let changed = world.call(Method::PATCH, &path, terms).await.expect(200);
    assert_eq!((&changed["owner"], &changed["ticket"]), (&json!("@cart"), &json!("SHOP-7")));
    assert_eq!((&changed["mode"], &changed["reason"]), (&json!("skip"), &entered["reason"]));
    assert_eq!(world.get("/quarantine?owner=%40cart&mode=skip&text=shop-7").await["total"], 1);
    assert_eq!(world.get("/quarantine?mode=mute").await["total"], 0);
    world.post(&format!("{path}/release"), json!({})).await;
    world.call(Method::PATCH, &path, json!({"owner": ""})).await.refused(409, "quarantine_over");
    world.call(Method::GET, "/quarantine?state=odd", json!({})).await.refused(400, "invalid_parameter");

    let policy = "/projects/shop/quarantine-policy";
    for (field, body) in [
        ("max_percent", json!({"max_percent": 21})),
        ("max_count", json!({"max_count": 1_001})),
        ("expiry_days", json!({"expiry_days": 0})),
        ("max_per_owner", json!({"max_per_owner": 2})),
    ] {
        let refused = world.call(Method::PUT, policy, body).await.refused(400, "invalid_request");
        assert_eq!(refused["details"][0]["field"], field, "{refused}");
    }
}

#[tokio::test]
async fn the_same_key_gets_the_first_answer_again() {
    let world = World::new().await;
    world.shop(1..=1).await;
    let body = json!({"test_id": world.test_id("adds an item").await, "reason": "r"});
    let send = async |body: &Value| {
        let headers = [("authorization", format!("Bearer {}", world.token)), ("idempotency-key", "k".to_owned())];
        world.server.call(Method::POST, "/api/v1/quarantine", &headers, Some(body.clone())).await
    };
    let first = send(&body).await.expect(201);
    world.server.advance(60);
    assert_eq!(send(&body).await.expect(201), first);
    send(&json!({"test_id": body["test_id"], "reason": "other"})).await.refused(422, "idempotency_key_reused");
}

#[tokio::test]
async fn no_team_sees_or_touches_what_another_has_in_quarantine() {
    let world = World::new().await;
    world.shop(1..=2).await;
    let entered = world.quarantine("adds an item").await;
    let eve = world.server.register("eve@example.test").await;
    let token = world.server.api_token(&eve, &["read", "write"]).await;
    let id = entered["id"].as_str().unwrap();
    let call = async |method: Method, path: &str, body: Value| {
        let headers = [("authorization", format!("Bearer {token}"))];
        world.server.call(method, &format!("/api/v1{path}"), &headers, Some(body)).await
    };
    call(Method::GET, &format!("/quarantine/{id}"), json!({})).await.refused(404, "quarantine_not_found");
    call(Method::PATCH, &format!("/quarantine/{id}"), json!({})).await.refused(404, "quarantine_not_found");
    call(Method::POST, &format!("/quarantine/{id}/release"), json!({})).await.refused(404, "quarantine_not_found");
    let body = json!({"test_id": entered["test_id"], "reason": "r"});
    call(Method::POST, "/quarantine", body).await.refused(404, "test_not_found");
    let project = entered["project"]["id"].as_str().unwrap();
    for path in [format!("/projects/{project}/quarantine"), format!("/projects/{project}/quarantine-policy")] {
        call(Method::GET, &path, json!({})).await.refused(404, "project_not_found");
    }
    let policy = format!("/projects/{project}/quarantine-policy");
    call(Method::PUT, &policy, json!({"enabled": true})).await.refused(404, "project_not_found");
    let none = call(Method::GET, "/quarantine?state=all", json!({})).await.expect(200);
    assert_eq!(none, json!({"entries": [], "total": 0}));
    assert_eq!(call(Method::GET, "/quarantine/summary", json!({})).await.expect(200)["active"], 0);
    assert_eq!(world.active().await.len(), 1);
}

#[tokio::test]
async fn a_policy_takes_what_is_flaky_and_never_what_is_broken_and_stops_at_its_cap() {
    let world = World::new().await;
    world.shop(1..=24).await;
    assert_eq!(world.tend().await, Tended::default(), "nobody asked for it");
    let policy = "/projects/shop/quarantine-policy";
    assert_eq!(world.get(policy).await["enabled"], false);
    let set = async |body: Value| world.call(Method::PUT, policy, body).await.expect(200);

    // Two per cent of 46 tests is less than one.
    set(json!({"enabled": true})).await;
    assert_eq!(world.tend().await, Tended { taken: 1, ..Tended::default() });
    let flaky = world.get("/tests?project=shop&state=flaky&sort=-score").await["tests"].clone();
    let first = &world.active().await[0];
    assert_eq!((&first["test_id"], &first["by"]), (&flaky[0]["id"], &json!("policy")), "the flakiest");
    assert_eq!(first["evidence"]["state"], "flaky");
    assert!(first["reason"].as_str().unwrap().starts_with("Flaky on main: fails by chance in "), "{first}");
    assert_eq!(world.tend().await, Tended::default(), "it is full");

    // Two servers at once, as after a crash in which one knows nothing of the other: nothing happens twice.
    set(json!({"enabled": true, "max_percent": 20, "max_count": 3, "owner": "@qa"})).await;
    let app = &world.server.app;
    let (mut one, mut other) = (Keeper::default(), Keeper::default());
    let rounds = tokio::join!(one.round(&app.log, &app.db, world.now()), other.round(&app.log, &app.db, world.now()));
    let taken = rounds.0.unwrap().taken + rounds.1.unwrap().taken;
    let wanted = flaky.as_array().unwrap().len().min(3) as u64 - 1;
    assert_eq!(taken, wanted, "{flaky:#}");
    world.settle().await;
    assert_eq!(world.tend().await, Tended::default());
    let entries = world.active().await;
    assert_eq!(entries.len() as u64, wanted + 1);
    let broken = world.get("/tests?project=shop&state=broken").await["tests"].clone();
    let ids: Vec<&str> = broken.as_array().unwrap().iter().map(|test| test["id"].as_str().unwrap()).collect();
    assert!(!ids.is_empty() && entries.iter().all(|entry| !ids.contains(&entry["test_id"].as_str().unwrap())));

    // An owner has room for so many only.
    set(json!({"enabled": true, "max_percent": 20, "owner": "@qa", "max_per_owner": wanted})).await;
    assert_eq!(world.tend().await, Tended::default());

    // Whom somebody has released is left alone.
    set(json!({"enabled": true, "max_percent": 20, "max_count": 3})).await;
    let id = entries[0]["id"].as_str().unwrap();
    world.post(&format!("/quarantine/{id}/release"), json!({})).await;
    world.tend().await;
    assert!(world.active().await.iter().all(|entry| entry["test_id"] != entries[0]["test_id"]));
    let badges = world.get("/tests?project=shop&state=flaky&sort=-score").await["tests"].clone();
    let badged = badges.as_array().unwrap().iter().filter(|test| test["quarantine"]["mode"] == "mute").count();
    assert_eq!(badged, world.active().await.len(), "the explorer says which");
}

#[tokio::test]
async fn thirty_clean_runs_end_a_stay_and_a_broken_test_leaves_the_policys_care() {
    let world = World::new().await;
    for letters in ["PP", "fP", "PP", "fP", "PP", "fP", "PP", "PP"] {
        world.small(letters, "timeout").await;
    }
    world.call(Method::PUT, "/projects/shop/quarantine-policy", json!({"enabled": true})).await.expect(200);
    assert_eq!(world.tend().await, Tended { taken: 1, ..Tended::default() });
    let by_policy = world.active().await.remove(0);
    assert_eq!(by_policy["name"], "test 0");
    world.quarantine("test 1").await;
    for _ in 0..29 {
        world.small("PP", "").await;
    }
    assert_eq!(world.tend().await, Tended::default(), "29 are not enough");
    world.small("FP", "timeout").await;
    for _ in 0..2 {
        world.small("PP", "").await;
    }
    assert_eq!(world.tend().await, Tended { recovered: 1, ..Tended::default() }, "the one that never failed");
    let recovered = world.get("/quarantine?state=released").await;
    assert_eq!(
        (&recovered["entries"][0]["name"], &recovered["entries"][0]["release"]),
        (&json!("test 1"), &json!("recovered"))
    );

    for _ in 0..10 {
        world.small("FP", "timeout").await;
    }
    let state = world.get("/tests?project=shop&text=test+0").await["tests"][0]["state"].clone();
    assert_eq!(state, "broken");
    assert_eq!(world.tend().await, Tended { broken: 1, ..Tended::default() });
    let entry = world.get(&format!("/quarantine/{}", by_policy["id"].as_str().unwrap())).await;
    assert_eq!((&entry["state"], &entry["release"]), (&json!("released"), &json!("broken")));
    assert_eq!(world.tend().await, Tended::default());
}

#[tokio::test]
async fn what_quarantine_saves_and_costs_is_counted() {
    let world = World::new().await;
    world.small("PPP", "").await;
    world.small("fPP", "connection refused").await;
    world.quarantine("test 0").await;
    let saved = world.small("FPP", "connection refused").await;
    assert_eq!(saved["verdict"]["counts"]["quarantined"], 1, "{saved:#}");
    world.small("FFP", "connection refused").await;
    world.small("FPP", "index out of bounds: a new kind").await;
    world.small("fPP", "connection refused").await;
    let summary = world.get("/quarantine/summary?project=shop").await;
    assert_eq!((&summary["rescued_runs"], &summary["rescued_ms"]), (&json!(1), &json!(3_000)), "{summary:#}");
    assert_eq!((&summary["active"], &summary["expiring"], &summary["days"]), (&json!(1), &json!(0), &json!(30)));
    world.server.advance(12 * 86_400);
    let summary = world.get("/quarantine/summary").await;
    assert_eq!((&summary["expiring"], &summary["test_days"]), (&json!(1), &json!(12.2)), "{summary:#}");
    assert_eq!(world.get("/quarantine/summary?project=other").await["active"], 0);
}
