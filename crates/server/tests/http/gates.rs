//! Quality gates: written, evaluated when a report arrives, on request, on past runs, and after a crash.

use crate::support::{Answer, Person, TestApp};
use axum::http::Method;
use chrono::TimeDelta;
use scaledtest_effects::GateSweep;
use serde_json::{Value, json};

struct World {
    server: TestApp,
    ada: Person,
}

impl World {
    async fn new() -> Self {
        let server = TestApp::start().await;
        let ada = server.register("ada@example.com").await;
        Self { server, ada }
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/teams/{}/quality-gates{rest}", self.ada.team)
    }

    async fn gate(&self, body: Value) -> String {
        let made = self.server.post(&self.ada.token, &self.path(""), body).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }

    async fn put(&self, gate: &str, body: Value) -> Answer {
        let headers = [("authorization", format!("Bearer {}", self.ada.token))];
        self.server.call(Method::PUT, &self.path(&format!("/{gate}")), &headers, Some(body)).await
    }

    async fn get(&self, rest: &str) -> Value {
        self.server.get(&self.ada.token, &self.path(rest)).await.expect(200)
    }

    async fn send(&self, query: &str, tests: &[(&str, &str)]) -> Value {
        self.sent(query, tests, &[]).await.json()
    }

    async fn sent(&self, query: &str, tests: &[(&str, &str)], more: &[(&str, &str)]) -> Answer {
        let tests: Vec<Value> = tests
            .iter()
            .map(|(name, status)| json!({"name": name, "status": status, "duration": 12, "filePath": "a/x.ts"}))
            .collect();
        let report = json!({"results": {"tool": {"name": "t"}, "summary": {"tests": tests.len()}, "tests": tests}});
        let mut headers = vec![("authorization", format!("Bearer {}", self.ada.token))];
        headers.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.server.call(Method::POST, &format!("/api/v1/reports{query}"), &headers, Some(report)).await
    }
}

fn zero() -> Value {
    json!({"name": "Green", "rules": [{"type": "zero_failures"}]})
}

#[tokio::test]
async fn a_gate_is_made_read_replaced_and_deleted() {
    let world = World::new().await;
    assert_eq!(world.get("").await, json!({"quality_gates": [], "total": 0}));
    let body = json!({"name": "Main", "description": "d", "enabled": false, "branches": ["main"],
        "rules": [{"type": "pass_rate", "params": {"threshold": 95}, "level": "warn", "scope": {"path": "a/**"}}]});
    let gate = world.gate(body.clone()).await;
    let read = world.get(&format!("/{gate}")).await;
    assert_eq!((&read["enabled"], &read["rules"][0]["level"]), (&json!(true), &json!("warn")), "{read}");
    let second = world.gate(zero()).await;
    let listed = world.get("").await;
    assert_eq!((&listed["quality_gates"][0]["id"], &listed["total"]), (&json!(second), &json!(2)));

    let replaced =
        world.put(&gate, json!({"name": "New", "enabled": false, "rules": [{"type": "zero_failures"}]})).await;
    let replaced = replaced.expect(200);
    assert_eq!((&replaced["enabled"], replaced.get("description")), (&json!(false), None), "{replaced}");
    assert_eq!(world.get(&format!("/{gate}")).await["name"], "New");
    assert_eq!(world.put(&gate, zero()).await.expect(200)["enabled"], true);

    let deleted = world.server.delete(&world.ada.token, &world.path(&format!("/{gate}"))).await.expect(200);
    assert_eq!(deleted, json!({"message": "quality gate deleted"}));
    for unknown in [gate.as_str(), "019aab10-0000-7000-8000-00000000ffff", "nonsense"] {
        world.put(unknown, zero()).await.refused(404, "gate_not_found");
        world.server.get(&world.ada.token, &world.path(&format!("/{unknown}"))).await.refused(404, "gate_not_found");
        let gone = world.server.delete(&world.ada.token, &world.path(&format!("/{unknown}"))).await;
        gone.refused(404, "gate_not_found");
    }
    let eve = world.server.register("eve@example.com").await;
    world.server.get(&eve.token, &world.path("")).await.refused(403, "not_a_member");
}

#[tokio::test]
async fn bad_rules_are_refused_with_every_faulty_field() {
    let world = World::new().await;
    let body = json!({"name": "", "branches": ["x".repeat(201)], "rules": [
        {"type": "pass_rate", "params": {"threshold": 101}}, {"type": "nonsense"}, {"type": "max_duration"}]});
    let refused = world.server.post(&world.ada.token, &world.path(""), body).await.refused(400, "invalid_gate");
    let fields: Vec<_> = refused["details"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    let expected = ["name", "branches[0]", "rules[0].params.threshold", "rules[1].type", "rules[2].params"];
    assert_eq!(json!(fields), json!(expected), "{refused}");
    for rules in [json!([]), json!(null), json!("x"), json!(vec![json!({"type": "zero_failures"}); 51])] {
        let body = json!({"name": "n", "rules": rules});
        world.server.post(&world.ada.token, &world.path(""), body).await.refused(400, "invalid_gate");
    }
}

#[tokio::test]
async fn a_repeated_creation_makes_one_gate() {
    let world = World::new().await;
    let headers = [("authorization", format!("Bearer {}", world.ada.token)), ("idempotency-key", "k".to_owned())];
    let path = world.path("");
    let again = |body: Value| world.server.call(Method::POST, &path, &headers, Some(body));
    let first = again(zero()).await.expect(201);
    assert_eq!(again(zero()).await.expect(201), first);
    again(json!({"name": "Other", "rules": [{"type": "zero_failures"}]})).await.refused(422, "idempotency_key_reused");
    assert_eq!(world.get("").await["total"], 1);
}

#[tokio::test]
async fn an_upload_is_judged_by_the_gates_of_its_branch() {
    let world = World::new().await;
    assert_eq!(world.send("", &[("adds", "passed")]).await.get("qualityGate"), None);
    let gate = world.gate(zero()).await;
    world.gate(json!({"name": "Main", "branches": ["main"], "rules": [{"type": "no_new_failures"}]})).await;
    let passed = world.send("?branch=main", &[("adds", "passed")]).await;
    assert_eq!((&passed["qualityGate"]["passed"], &passed["qualityGate"]["status"]), (&json!(true), &json!("passed")));
    let failed = world.send("?branch=main", &[("adds", "failed")]).await["qualityGate"].clone();
    assert_eq!((&failed["passed"], &failed["gates"][0]["name"]), (&json!(false), &json!("Main")), "{failed}");
    let rule = &failed["gates"][1]["rules"][0];
    assert_eq!((&rule["metric"], &rule["message"]), (&json!("zero_failures"), &json!("1 failures (require 0)")));
    let elsewhere = world.send("?branch=topic", &[("adds", "passed")]).await["qualityGate"].clone();
    assert_eq!(elsewhere["gates"].as_array().unwrap().len(), 1, "{elsewhere}");

    let past = world.get(&format!("/{gate}/evaluations?limit=2")).await;
    assert_eq!((&past["total"], &past["evaluations"][1]["passed"]), (&json!(2), &json!(false)), "{past}");
    assert_eq!(past["evaluations"][1]["details"][0]["type"], "zero_failures");

    let late = world.sent("", &[("adds", "passed")], &[("prefer", "respond-async")]).await.expect(202);
    assert_eq!(late["qualityGate"], json!({"passed": false, "status": "pending", "gates": []}));
}

#[tokio::test]
async fn the_very_next_upload_goes_by_what_was_just_changed() {
    let world = World::new().await;
    let is_judged = async || world.send("", &[("adds", "passed")]).await.get("qualityGate").is_some();
    // Long enough that the answer to the upload before is remembered.
    let is_judged_later = async || {
        world.server.clock.advance(TimeDelta::seconds(2));
        is_judged().await
    };
    assert!(!is_judged_later().await);
    let gate = world.gate(zero()).await;
    assert!(is_judged().await, "made");
    assert!(is_judged_later().await);
    let mut off = zero();
    off["enabled"] = json!(false);
    world.put(&gate, off).await.expect(200);
    assert!(!is_judged().await, "switched off");
    assert!(!is_judged_later().await);
    world.put(&gate, zero()).await.expect(200);
    assert!(is_judged().await, "switched on");
    assert!(is_judged_later().await);
    let headers = [("authorization", format!("Bearer {}", world.ada.token))];
    world.server.call(Method::DELETE, &world.path(&format!("/{gate}")), &headers, None).await.expect(200);
    assert!(!is_judged().await, "deleted");
}

#[tokio::test]
async fn a_run_without_all_its_shards_is_incomplete_until_the_last_comes() {
    let world = World::new().await;
    world.gate(zero()).await;
    let first = world.send("?run_id=7&shards=2&shard_id=1", &[("adds", "passed")]).await;
    assert_eq!(
        (&first["qualityGate"]["passed"], &first["qualityGate"]["status"]),
        (&json!(false), &json!("incomplete"))
    );
    let second = world.send("?run_id=7&shards=2&shard_id=2", &[("pays", "passed")]).await;
    assert_eq!(second["qualityGate"]["status"], "passed", "{second}");
}

#[tokio::test]
async fn a_gate_is_evaluated_on_request_and_tried_on_past_runs() {
    let world = World::new().await;
    let gate = world.gate(zero()).await;
    let evaluate = world.path(&format!("/{gate}/evaluate"));
    let headers = [("authorization", format!("Bearer {}", world.ada.token))];
    let nothing = world.server.call(Method::POST, &evaluate, &headers, None).await;
    nothing.refused(404, "report_not_found");
    let first = world.send("", &[("adds", "failed")]).await;
    let newest = world.send("", &[("adds", "passed")]).await;
    let found = world.server.call(Method::POST, &evaluate, &headers, None).await.expect(200);
    assert_eq!((&found["report_id"], &found["passed"]), (&newest["id"], &json!(true)), "{found}");
    let older = world.server.post(&world.ada.token, &evaluate, json!({"report_id": first["id"]})).await.expect(200);
    assert_eq!((&older["passed"], &older["rules"][0]["actual"]), (&json!(false), &json!(1.0)));
    assert_eq!(world.get(&format!("/{gate}/evaluations")).await["total"], 4);

    let body = json!({"rules": [{"type": "zero_failures"}], "runs": 50});
    let tried = world.server.post(&world.ada.token, &world.path("/preview"), body).await.expect(200);
    assert_eq!((&tried["passed"], &tried["runs"][1]["passed"]), (&json!(1), &json!(false)), "{tried}");
    assert_eq!(world.get("").await["total"], 1);
}

#[tokio::test]
async fn uploads_at_once_are_each_judged_once() {
    let world = World::new().await;
    let gate = world.gate(zero()).await;
    let sent = [[("adds", "passed")], [("adds", "failed")]];
    let (one, other) = tokio::join!(world.send("", &sent[0]), world.send("", &sent[1]));
    assert_eq!((&one["qualityGate"]["passed"], &other["qualityGate"]["passed"]), (&json!(true), &json!(false)));
    assert_eq!(world.get(&format!("/{gate}/evaluations")).await["total"], 2);
}

#[tokio::test]
async fn what_a_crash_left_unjudged_is_judged_once() {
    let world = World::new().await;
    let gate = world.gate(zero()).await;
    // As if the process had ended as soon as the log had the report.
    world.sent("", &[("adds", "failed")], &[("prefer", "respond-async")]).await.expect(202);
    let judged = world.send("", &[("adds", "passed")]).await;
    assert_eq!(judged["qualityGate"]["passed"], true);
    world.server.advance(60);
    let (log, db, now) = (&world.server.app.log, &world.server.app.db, world.server.now());
    let (mut sweep, mut twin) = (GateSweep::default(), GateSweep::default());
    let (one, other) = tokio::join!(sweep.round(log, db, now), twin.round(log, db, now));
    assert!(one.unwrap() + other.unwrap() >= 1);
    let last = log.last().await.unwrap();
    assert!(world.server.app.positions.wait(&["gates"], last, std::time::Duration::from_secs(20)).await);
    let past = world.get(&format!("/{gate}/evaluations")).await;
    assert_eq!((&past["total"], &past["evaluations"][0]["passed"]), (&json!(2), &json!(false)), "{past}");
    assert_eq!(sweep.round(log, db, now).await.unwrap(), 0);
}

#[tokio::test]
async fn a_waived_rule_lets_a_branch_pass_until_it_is_revoked_or_expired() {
    let world = World::new().await;
    let gate = world.gate(zero()).await;
    let waivers = world.path(&format!("/{gate}/waivers"));
    let waive = |body: Value| world.server.post(&world.ada.token, &waivers, body);
    let rule = json!({"type": "zero_failures"});
    let until = (world.server.now() + TimeDelta::days(3)).to_rfc3339();
    let body = json!({"rule": rule, "branch": "main", "reason": " the provider is down ", "expires_at": until});
    let made = waive(body.clone()).await.expect(201);
    assert_eq!((&made["reason"], &made["active"]), (&json!("the provider is down"), &json!(true)), "{made}");
    assert_eq!(world.get(&format!("/{gate}/waivers")).await["waivers"][0], made);

    let passed = world.send("?branch=main", &[("adds", "failed")]).await["qualityGate"].clone();
    let result = &passed["gates"][0]["rules"][0];
    assert_eq!((&passed["passed"], &passed["status"]), (&json!(true), &json!("passed")), "{passed}");
    assert_eq!(
        (&result["status"], &result["waived"], &result["waiver"]["found"]),
        (&json!("passed"), &json!(true), &json!("failed"))
    );
    assert_eq!((&result["message"], &result["rule"]), (&json!("1 failures (require 0)"), &rule));
    assert_eq!(world.send("?branch=topic", &[("adds", "failed")]).await["qualityGate"]["passed"], false);
    let past = world.get(&format!("/{gate}/evaluations")).await;
    assert_eq!(past["evaluations"][1]["details"][0]["waiver"]["id"], made["id"], "{past}");

    let one = format!("/{gate}/waivers/{}", made["id"].as_str().unwrap());
    world.server.delete(&world.ada.token, &world.path(&one)).await.expect(200);
    assert_eq!(world.send("?branch=main", &[("adds", "failed")]).await["qualityGate"]["passed"], false);
    let listed = world.get(&format!("/{gate}/waivers")).await["waivers"][0].clone();
    assert_eq!((&listed["active"], &listed["revoked_by"]), (&json!(false), &json!(world.ada.user)), "{listed}");
    // What was evaluated with it stands.
    assert_eq!(world.get(&format!("/{gate}/evaluations")).await["evaluations"][2]["passed"], true);

    waive(body).await.expect(201);
    assert_eq!(world.send("?branch=main", &[("adds", "failed")]).await["qualityGate"]["passed"], true);
    // Lives longer than a session.
    let token = world.server.api_token(&world.ada, &["upload", "read"]).await;
    world.server.advance(3 * 86_400);
    let listed = world.server.get(&token, &waivers).await.expect(200);
    assert_eq!(listed["waivers"][0]["active"], false, "{listed}");
    let headers = [("authorization", format!("Bearer {token}"))];
    let report =
        json!({"results": {"tool": {"name": "t"}, "tests": [{"name": "adds", "status": "failed", "duration": 1}]}});
    let late = world.server.call(Method::POST, "/api/v1/reports?branch=main", &headers, Some(report)).await.expect(201);
    assert_eq!(late["qualityGate"]["passed"], false, "{late}");
}

#[tokio::test]
async fn a_waiver_for_a_run_counts_when_the_gate_is_evaluated_again() {
    let world = World::new().await;
    let gate = world.gate(zero()).await;
    let failed = world.send("?branch=main", &[("adds", "failed")]).await;
    let run = failed["run_id"].as_str().unwrap();
    let of_run = || async {
        let path = format!("/api/v1/runs/{run}/quality-gates");
        world.server.get(&world.ada.token, &path).await.expect(200)["evaluations"].clone()
    };
    let before = of_run().await;
    assert_eq!((&before[0]["passed"], &before[0]["gate_name"]), (&json!(false), &json!("Green")), "{before}");
    let body = json!({"rule": before[0]["details"][0]["rule"], "run_id": run, "reason": "a hotfix"});
    let made = world.server.post(&world.ada.token, &world.path(&format!("/{gate}/waivers")), body).await.expect(201);
    let usual = world.server.now() + TimeDelta::days(14);
    assert_eq!(made["expires_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap(), usual);
    let again = world.path(&format!("/{gate}/evaluate"));
    let again = world.server.post(&world.ada.token, &again, json!({"report_id": failed["id"]})).await.expect(200);
    assert_eq!((&again["passed"], &again["rules"][0]["waived"]), (&json!(true), &json!(true)), "{again}");
    let after = of_run().await;
    assert_eq!((after.as_array().unwrap().len(), &after[0]["passed"]), (1, &json!(true)));
    assert_eq!(world.send("?branch=main", &[("adds", "failed")]).await["qualityGate"]["passed"], false);
    let unknown = "/api/v1/runs/019aab10-0000-7000-8000-00000000ffff/quality-gates";
    world.server.get(&world.ada.token, unknown).await.refused(404, "run_not_found");
}

#[tokio::test]
async fn a_waiver_says_what_is_wrong_with_it_and_only_maintainers_make_one() {
    let world = World::new().await;
    let gate = world.gate(zero()).await;
    let path = world.path(&format!("/{gate}/waivers"));
    let waive = |body: Value| world.server.post(&world.ada.token, &path, body);
    let rule = json!({"type": "zero_failures"});
    let refused = waive(json!({"rule": {"type": "nonsense"}, "reason": " ", "expires_at": "soon"})).await;
    let refused = refused.refused(400, "invalid_gate");
    let fields: Vec<_> = refused["details"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    assert_eq!(json!(fields), json!(["reason", "run_id", "expires_at", "rule.type"]), "{refused}");
    let late = (world.server.now() + TimeDelta::days(91)).to_rfc3339();
    let well = json!({"rule": rule, "branch": "main", "reason": "r"});
    let with = |name: &str, value: Value| {
        let mut body = well.clone();
        body[name] = value;
        body
    };
    waive(with("expires_at", json!(late))).await.refused(400, "invalid_expiry");
    waive(with("expires_at", json!("2001-01-01T00:00:00Z"))).await.refused(400, "invalid_expiry");
    waive(with("rule", json!({"type": "no_new_failures"}))).await.refused(409, "rule_not_found");
    let foreign = json!({"rule": rule, "run_id": "019aab10-0000-7000-8000-00000000ffff", "reason": "r"});
    waive(foreign).await.refused(400, "invalid_request");
    let unknown = world.path(&format!("/{gate}/waivers/nonsense"));
    world.server.delete(&world.ada.token, &unknown).await.refused(404, "waiver_not_found");

    let eve = world.server.register("eve@example.com").await;
    world.server.join(world.ada.team, eve.user, scaledtest_domain::TeamRole::Readonly).await;
    world.server.post(&eve.token, &path, well.clone()).await.refused(403, "forbidden");
    let headers = [("authorization", format!("Bearer {}", world.ada.token)), ("idempotency-key", "k".to_owned())];
    let first = world.server.call(Method::POST, &path, &headers, Some(well.clone())).await.expect(201);
    assert_eq!(
        world.server.call(Method::POST, &path, &headers, Some(well.clone())).await.expect(201)["id"],
        first["id"]
    );
    world
        .server
        .call(Method::POST, &path, &headers, Some(with("reason", json!("s"))))
        .await
        .refused(422, "idempotency_key_reused");
    assert_eq!(world.get(&format!("/{gate}/waivers")).await["total"], 1);
}

#[tokio::test]
async fn scopes_know_owners_and_new_tests_have_to_be_stable() {
    let world = World::new().await;
    let owned = |owner: &str| json!({"type": "zero_failures", "scope": {"owner": owner}});
    let rules = json!([owned("payments"), owned("search"), {"type": "new_tests_stable", "params": {"runs": 2}}]);
    world.gate(json!({"name": "Owners", "rules": rules})).await;
    let world = &world;
    let send = |tests: Value| {
        let report = json!({"results": {"tool": {"name": "t"}, "tests": tests}});
        let headers = [("authorization", format!("Bearer {}", world.ada.token))];
        async move {
            let path = "/api/v1/reports?branch=main";
            world.server.advance(1);
            let answer = world.server.call(Method::POST, path, &headers, Some(report)).await.expect(201);
            let rules = answer["qualityGate"]["gates"][0]["rules"].as_array().unwrap().clone();
            rules.iter().map(|rule| (rule["passed"] == true, rule["actual"].as_f64().unwrap())).collect::<Vec<_>>()
        }
    };
    let test = |name: &str, status: &str, owner: Value| json!({"name": name, "status": status, "duration": 1, "labels": {"owner": owner}});
    let pays = |status: &str| test("pays", status, json!("payments"));
    let finds = || test("finds", "passed", json!(["search", "payments"]));
    let first = send(json!([pays("failed"), finds(), finds()])).await;
    assert_eq!(first, [(false, 1.0), (true, 0.0), (false, 1.0)]);
    // Now both are known; what is new ran once only.
    let second = send(json!([pays("passed"), finds(), test("sorts", "passed", json!("search"))])).await;
    assert_eq!(second, [(true, 0.0), (true, 0.0), (false, 1.0)]);
    let third = send(json!([pays("passed"), finds(), test("sorts", "passed", json!("search"))])).await;
    assert_eq!(third, [(true, 0.0), (true, 0.0), (true, 0.0)]);
}
