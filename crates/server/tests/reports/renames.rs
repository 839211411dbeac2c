//! Renamed tests: proposed from real histories, joined, dismissed, separated; and everything that tells tests apart.

use crate::{corpus, ctrf, send, support::Answer, support::TestApp};
use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::Clock;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A team, and a token of it that outlives every session.
struct World {
    server: TestApp,
    token: String,
    team: String,
}

impl World {
    async fn new() -> Self {
        let server = TestApp::start().await;
        let ada = server.register("ada@example.test").await;
        let token = server.api_token(&ada, &["upload", "read", "write"]).await;
        Self { server, token, team: ada.team.to_string() }
    }

    async fn get(&self, path: &str) -> Value {
        self.server.get(&self.token, &format!("/api/v1{path}")).await.expect(200)
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        let headers = [("authorization", format!("Bearer {}", self.token))];
        self.server.call(method, &format!("/api/v1{path}"), &headers, Some(body)).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.call(Method::POST, path, body).await;
        assert!(answer.status.is_success(), "{}", answer.text());
        answer.json()
    }

    /// Every run of a history, each at its time; their answers and what was planned.
    async fn history(&self, name: &str) -> (Vec<Value>, Value) {
        let truth: Value = serde_json::from_slice(&corpus(&format!("history/{name}/truth.json"))).unwrap();
        let mut answers = Vec::new();
        for run in truth["runs"].as_array().unwrap() {
            let word = |name: &str| run[name].as_str().unwrap();
            let at = word("startedAt").parse::<DateTime<Utc>>().unwrap();
            self.server.clock.advance((at + TimeDelta::minutes(10) - self.server.clock.now()).max(TimeDelta::zero()));
            let (branch, commit, at) = (word("branch"), word("commit"), word("startedAt"));
            let query = format!("?project=shop&branch={branch}&commit={commit}&created_at={at}");
            let body = corpus(&format!("history/{name}/{}", word("file")));
            answers.push(send(&self.server, &self.token, &query, &[], body).await.expect(201));
        }
        (answers, truth)
    }

    /// A run of these tests now, all in one suite; those with a `!` fail. `query` says what else is known of it.
    async fn run(&self, query: &str, names: &[&str]) -> Value {
        self.server.advance(3_600);
        let of = |name: &&str| match name.strip_suffix('!') {
            Some(name) => json!({"name": name, "suite": ["cart"], "filePath": "cart.spec.ts", "status": "failed",
                                 "duration": 1_000, "message": "boom"}),
            None => json!({"name": name, "suite": ["cart"], "filePath": "cart.spec.ts", "status": "passed",
                           "duration": 1_000}),
        };
        let mut report = ctrf(&json!(names.iter().map(of).collect::<Vec<_>>()));
        report["results"]["summary"]["start"] = json!(self.server.clock.now().timestamp_millis());
        let query = format!("?project=shop&{query}");
        send(&self.server, &self.token, &query, &[], report.to_string()).await.expect(201)
    }

    async fn test(&self, name: &str) -> Value {
        let found = self.get("/tests?project=shop&limit=200&branch=main").await;
        let test = found["tests"].as_array().unwrap().iter().find(|test| test["name"] == name);
        test.unwrap_or_else(|| panic!("no test {name}")).clone()
    }

    async fn id(&self, name: &str) -> String {
        self.test(name).await["id"].as_str().unwrap().to_owned()
    }

    async fn pair(&self, from: &str, to: &str) -> Value {
        json!({"from": self.id(from).await, "to": self.id(to).await})
    }

    async fn renames(&self) -> Value {
        self.get("/projects/shop/renames").await
    }

    /// The names of what is proposed.
    async fn proposed(&self) -> Vec<(String, String)> {
        let found = self.renames().await;
        let name = |test: &Value| test["name"].as_str().unwrap().to_owned();
        found["proposals"].as_array().unwrap().iter().map(|one| (name(&one["from"]), name(&one["to"]))).collect()
    }

    /// Up to this report of the usual branch, histories have all that was said.
    async fn settled(&self, report: &'static str) {
        let sql = format!("update history.branch set settled = {report} where name = 'main'");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&self.server.database.pool).await.unwrap();
    }

    /// The outcomes of a test on a branch, the newest first.
    async fn outcomes(&self, id: &str, branch: &str) -> Vec<String> {
        let runs = self.get(&format!("/tests/{id}/history?branch={branch}")).await;
        runs["runs"].as_array().unwrap().iter().map(|run| run["outcome"].as_str().unwrap().to_owned()).collect()
    }

    /// Tests that a gate would name of a run: what is missing, and what is new and not stable.
    async fn judged(&self, run: &Value) -> BTreeSet<String> {
        let rules = json!([{"type": "tests_not_removed", "params": {"max": 0}}, {"type": "new_tests_stable"}]);
        let body = json!({"rules": rules, "runs": 50});
        let tried = self.post(&format!("/teams/{}/quality-gates/preview", self.team), body).await;
        let found = tried["runs"].as_array().unwrap().iter().find(|one| one["run_id"] == run["run_id"]).unwrap();
        let rules = found["rules"].as_array().unwrap().iter();
        let named = rules.flat_map(|rule| rule["examples"].as_array().cloned().unwrap_or_default());
        named.map(|name| name.as_str().unwrap().to_owned()).collect()
    }
}

fn id_of(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|test| test["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_renames_of_real_histories_are_proposed_and_no_others() {
    for name in ["pw-shop-24", "jest-billing-16", "pytest-inventory-12"] {
        let world = World::new().await;
        let (answers, truth) = world.history(name).await;
        let found = world.renames().await;
        let proposals = found["proposals"].as_array().unwrap();
        let planted = truth["renamed"].as_array().unwrap();
        assert_eq!(proposals.len(), planted.len(), "{name}: {found:#}");
        for (proposal, planted) in proposals.iter().zip(planted) {
            let ends =
                |test: &Value, planted: &Value| test["name"].as_str().unwrap().ends_with(planted.as_str().unwrap());
            assert!(ends(&proposal["from"], &planted["name"]), "{name}: {proposal:#}");
            assert!(ends(&proposal["to"], &planted["newName"]), "{name}: {proposal:#}");
            // Runs are counted from one; a branch may run in between.
            let from_run = planted["fromRun"].as_u64().unwrap() as usize - 1;
            let first = truth["runs"].as_array().unwrap().iter().skip(from_run).position(|run| run["branch"] == "main");
            let first = &answers[from_run + first.unwrap()];
            assert_eq!(proposal["first_seen"]["run_id"], first["run_id"], "{name}");
        }
    }
}

#[tokio::test]
async fn a_renamed_test_of_a_real_history_has_one_history() {
    let world = World::new().await;
    let (answers, truth) = world.history("pw-shop-24").await;
    let (old_name, new_name) = ("prints a label", "prints a return label (PDF/A)");
    let (old, new) = (world.id(old_name).await, world.id(new_name).await);
    let before = world.get("/tests?project=shop&branch=*&limit=200").await["total"].as_i64().unwrap();
    let (of_old, of_new) = (world.outcomes(&old, "main").await, world.outcomes(&new, "main").await);

    let path = format!("/reports/compare?base={}&head={}", id_of(&answers[14]), id_of(&answers[15]));
    let diff = world.get(&path).await["diff"].clone();
    assert!(names(&diff["removed"]).contains(old_name) && names(&diff["added"]).contains(new_name), "{diff:#}");
    assert!(world.judged(&answers[15]).await.contains(old_name));

    let joined = world.post("/projects/shop/renames", json!({"from": old, "to": new})).await;
    assert_eq!((&joined["reason"], &joined["current_id"]), (&json!("only_one"), &json!(new)), "{joined:#}");
    assert_eq!(world.proposed().await, []);

    let both: Vec<String> = of_new.iter().chain(&of_old).cloned().collect();
    assert_eq!(world.outcomes(&new, "main").await, both, "one strip");
    assert_eq!(world.outcomes(&old, "main").await, both, "under either id");
    let detail = world.get(&format!("/tests/{old}")).await;
    assert_eq!((&detail["id"], &detail["name"]), (&json!(new), &json!(new_name)));
    assert_eq!(detail["renamed_from"][0]["from"]["name"], old_name);
    let after = world.get("/tests?project=shop&branch=*&limit=200").await;
    assert!(!names(&after["tests"]).contains(old_name), "it is not listed any more");
    assert!(after["total"].as_i64().unwrap() < before);

    let diff = world.get(&path).await["diff"].clone();
    assert!(!names(&diff["removed"]).contains(old_name) && !names(&diff["added"]).contains(new_name), "{diff:#}");
    let judged = world.judged(&answers[15]).await;
    assert!(!judged.contains(old_name) && !judged.contains(new_name), "{judged:?}");
    assert_eq!(truth["runs"][15]["branch"], truth["runs"][14]["branch"], "they are compared");

    let undone = world.call(Method::DELETE, &format!("/projects/shop/renames/{old}"), json!({})).await;
    undone.expect(200);
    assert_eq!((world.outcomes(&old, "main").await, world.outcomes(&new, "main").await), (of_old, of_new));
    assert_eq!(world.get("/tests?project=shop&branch=*&limit=200").await["total"], before);
    assert_eq!(world.proposed().await, [(old_name.to_owned(), new_name.to_owned())], "offered again");
}

#[tokio::test]
async fn nothing_has_vanished_that_two_complete_runs_do_not_lack() {
    let world = World::new().await;
    let (old, new) = ("adds item", "adds items");
    let rest = ["pays", "ships", "returns an order"];
    let with = |name: &'static str| [rest.as_slice(), &[name]].concat();
    world.run("branch=main&commit=c1", &with(old)).await;
    world.run("branch=main&commit=c2", &with(new)).await;
    assert_eq!(world.proposed().await, [], "one run is not enough");
    // A shard alone, what was filtered, and another suite: none of them ran what is missing.
    world.run("branch=main&commit=c3&run_id=r3&shard_id=1&shards=2", &rest).await;
    world.run("branch=main&commit=c4", &["unit one", "unit two", "unit three"]).await;
    world.run("branch=topic&commit=c5", &with(new)).await;
    assert_eq!(world.proposed().await, [], "nor is anything else");
    world.run("branch=main&commit=c6", &with(new)).await;
    world.settled("reports - 1").await;
    assert_eq!(world.proposed().await, [], "not all that the last one says is in the histories yet");
    world.settled("reports").await;
    assert_eq!(world.proposed().await, [(old.to_owned(), new.to_owned())]);
    let found = world.renames().await;
    let proposal = &found["proposals"][0];
    assert_eq!((&proposal["last_seen"]["commit"], &proposal["first_seen"]["commit"]), (&json!("c1"), &json!("c2")));
    assert_eq!((&proposal["reason"], &found["branch"]), (&json!("similar"), &json!("main")));

    let pair = world.pair(old, new).await;
    world.post("/projects/shop/renames/dismiss", pair.clone()).await;
    assert_eq!(world.proposed().await, [], "dismissed");
    world.run("branch=main&commit=c7", &with(old)).await;
    world.run("branch=main&commit=c8", &with(new)).await;
    assert_eq!(world.proposed().await, [], "and back again");
    let joined = world.post("/projects/shop/renames", pair).await;
    assert_eq!(joined["reason"], "by_hand", "but it may be joined");
}

#[tokio::test]
async fn what_older_branches_still_report_is_added_and_judged_by_the_joined_history() {
    let world = World::new().await;
    for commit in ["c1", "c2", "c3"] {
        world.run(&format!("branch=main&commit={commit}"), &["old name", "pays", "ships"]).await;
    }
    for commit in ["c4", "c5"] {
        world.run(&format!("branch=main&commit={commit}"), &["another title", "pays", "ships"]).await;
    }
    let pair = world.pair("old name", "another title").await;
    let (old, new) = (pair["from"].as_str().unwrap(), pair["to"].as_str().unwrap());
    let stay = world.post("/quarantine", json!({"test_id": old, "reason": "It comes and goes."})).await;
    world.post("/projects/shop/renames", pair.clone()).await;

    // An older branch knows it by the old name; on main it fails under the new one.
    world.run("branch=legacy&commit=l1", &["old name", "pays", "ships"]).await;
    let failed = world.run("branch=main&commit=c6", &["another title!", "pays", "ships"]).await;
    assert_eq!(world.outcomes(new, "main").await.len(), 6);
    assert_eq!(world.outcomes(new, "legacy").await, ["passed"]);
    let verdict = world.get(&format!("/runs/{}/verdict", failed["run_id"].as_str().unwrap())).await;
    let judged = &verdict["tests"][0];
    assert_eq!((&judged["test_id"], &judged["quarantined"]), (&json!(new), &json!(true)), "{verdict:#}");
    assert_eq!(judged["verdict"], "regression", "it has a history, and never failed so before: {verdict:#}");

    // In quarantine under its old name it is there under both; in it once.
    assert_eq!(world.test("another title").await["quarantine"]["id"], stay["id"]);
    assert_eq!(world.get("/quarantine").await["entries"][0]["test_id"], new);
    assert_eq!(world.get(&format!("/quarantine?test_id={new}")).await["total"], 1);
    let list = world.get("/projects/shop/quarantine").await;
    assert_eq!(names(&list["tests"]), BTreeSet::from(["another title", "old name"]));
    let again = json!({"test_id": new, "reason": "again"});
    world.call(Method::POST, "/quarantine", again.clone()).await.refused(409, "already_quarantined");
    let changed = world.call(Method::PATCH, &format!("/quarantine/{}", id_of(&stay)), json!({"owner": "@cart"})).await;
    changed.expect(200);
    world.post(&format!("/quarantine/{}/release", id_of(&stay)), json!({})).await;
    world.post("/quarantine", again).await;

    let old_run = world.run("branch=legacy&commit=l2", &["old name!", "pays", "ships"]).await;
    let verdict = world.get(&format!("/runs/{}/verdict", old_run["run_id"].as_str().unwrap())).await;
    assert_eq!(
        (&verdict["tests"][0]["test_id"], &verdict["tests"][0]["verdict"]),
        (&json!(new), &json!("quarantined"))
    );
    let between = "/compare/branches?project=shop&base=main&head=legacy";
    world.settled("reports - 1").await;
    let by_results = world.get(between).await;
    world.settled("reports").await;
    let compared = world.get(between).await;
    assert_eq!(compared, by_results, "from the histories as from the results");
    let diff = &compared["diff"];
    assert_eq!((&diff["added"], &diff["removed"]), (&json!([]), &json!([])), "{compared:#}");
}

#[tokio::test]
async fn renames_lead_on_and_never_back() {
    let world = World::new().await;
    world.run("branch=main&commit=c1", &["one", "two", "three"]).await;
    let [one, two, three] = [world.id("one").await, world.id("two").await, world.id("three").await];
    let join = async |from: &str, to: &str| {
        world.call(Method::POST, "/projects/shop/renames", json!({"from": from, "to": to})).await
    };
    join(&one, &two).await.expect(201);
    join(&two, &three).await.expect(201);
    assert_eq!(join(&one, &two).await.expect(201)["current_id"], json!(three), "the same again changes nothing");
    join(&one, &three).await.refused(409, "already_renamed");
    join(&three, &one).await.refused(409, "rename_cycle");
    assert_eq!(world.get(&format!("/tests/{one}")).await["id"], json!(three));
    let listed = world.renames().await["renames"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert!(listed.as_array().unwrap().iter().all(|rename| rename["current_id"] == json!(three)));
    let undo =
        async |from: &str| world.call(Method::DELETE, &format!("/projects/shop/renames/{from}"), json!({})).await;
    undo(&two).await.expect(200);
    assert_eq!(world.get(&format!("/tests/{one}")).await["id"], json!(two));
    undo(&two).await.refused(404, "rename_not_found");
    undo("odd").await.refused(404, "rename_not_found");
}

#[tokio::test]
async fn faults_name_their_field_and_nobody_reaches_into_another_team() {
    let world = World::new().await;
    world.run("branch=main&commit=c1", &["one", "two"]).await;
    let (one, two) = (world.id("one").await, world.id("two").await);
    let unknown = "00000000-0000-4000-8000-000000000000";
    let path = "/projects/shop/renames";
    for at in [path.to_owned(), format!("{path}/dismiss")] {
        let post = async |body: Value| world.call(Method::POST, &at, body).await;
        let both = post(json!({"from": "odd"})).await.refused(400, "invalid_request");
        let fields: Vec<&str> =
            both["details"].as_array().unwrap().iter().map(|detail| detail["field"].as_str().unwrap()).collect();
        assert_eq!(fields, ["from", "to"]);
        let same = post(json!({"from": one, "to": one})).await.refused(400, "invalid_request");
        assert_eq!(same["details"][0]["field"], "to");
        post(json!({"from": one, "to": unknown})).await.refused(404, "test_not_found");
        post(json!({"from": unknown, "to": one})).await.refused(404, "test_not_found");
    }
    world
        .call(Method::POST, "/projects/nowhere/renames", json!({"from": one, "to": two}))
        .await
        .refused(404, "project_not_found");

    let bob = world.server.register("bob@example.test").await;
    let token = world.server.api_token(&bob, &["upload", "read", "write"]).await;
    let headers = [("authorization", format!("Bearer {token}"))];
    let project = world.renames().await["project"]["id"].as_str().unwrap().to_owned();
    let call = async |method: Method, path: &str, body: Value| {
        world.server.call(method, &format!("/api/v1{path}"), &headers, Some(body)).await
    };
    let theirs = format!("/projects/{project}/renames");
    call(Method::GET, &theirs, json!({})).await.refused(404, "project_not_found");
    call(Method::POST, &theirs, json!({"from": one, "to": two})).await.refused(404, "project_not_found");
    call(Method::DELETE, &format!("{theirs}/{one}"), json!({})).await.refused(404, "project_not_found");
    // In a project of their own, with tests of another team; or of another project of the team.
    let report = ctrf(&json!([{"name": "three", "status": "passed", "duration": 1}])).to_string();
    send(&world.server, &token, "?project=shop&branch=main", &[], report.clone()).await.expect(201);
    call(Method::POST, path, json!({"from": one, "to": two})).await.refused(404, "test_not_found");
    send(&world.server, &world.token, "?project=other&branch=main", &[], report).await.expect(201);
    let other = json!({"from": one, "to": two});
    world.call(Method::POST, "/projects/other/renames", other).await.refused(404, "test_not_found");
}
