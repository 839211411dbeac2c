//! Failures that say nearly the same are one error, wherever people or rules look.

use crate::{ctrf, send, support::TestApp, test, upload};
use serde_json::{Value, json};

const NEAR: [&str; 2] = [
    "Error: the warehouse did not confirm the reservation of the order: state is pending",
    "Error: the warehouse did not confirm the reservation of the order: state is opening",
];
const FAR: &str = "Error: the payment was declined";

struct World {
    server: TestApp,
    token: String,
    minute: u32,
}

impl World {
    async fn new() -> Self {
        let server = TestApp::start().await;
        let ada = server.register("ada@example.test").await;
        let gates = format!("/api/v1/teams/{}/quality-gates", ada.team);
        let rules = json!([{"type": "no_new_fingerprints"}]);
        server.post(&ada.token, &gates, json!({"name": "Kinds", "rules": rules})).await.expect(201);
        let token = server.api_token(&ada, &["upload", "read", "write"]).await;
        Self { server, token, minute: 0 }
    }

    /// A run in which one test fails so.
    async fn run(&mut self, branch: &str, name: &str, message: &str) -> Value {
        self.minute += 1;
        let failed = json!({"name": name, "status": "failed", "duration": 5, "message": message});
        let query =
            format!("?project=shop&branch={branch}&commit=c{0}&created_at=2026-11-20T10:{0:02}:00Z", self.minute);
        let report = ctrf(&json!([failed, test("adds", "passed")]));
        send(&self.server, &self.token, &query, &[], report.to_string()).await.expect(201)
    }

    async fn get(&self, path: &str) -> Value {
        self.server.get(&self.token, &format!("/api/v1{path}")).await.expect(200)
    }

    async fn errors(&self) -> Vec<Value> {
        let window = "start=2026-11-01T00:00:00Z&end=2026-12-01T00:00:00Z";
        let found = self.get(&format!("/analytics/error-analysis?{window}")).await;
        found["errors"].as_array().unwrap().clone()
    }

    async fn error(&self, fingerprint: &Value) -> Value {
        self.get(&format!("/projects/shop/errors/{}", fingerprint.as_str().unwrap())).await
    }
}

fn gate(answer: &Value) -> &Value {
    &answer["qualityGate"]["passed"]
}

#[tokio::test]
async fn near_failures_are_one_error_to_people_and_to_rules() {
    let mut world = World::new().await;
    let first = world.run("main", "reserves", NEAR[0]).await;
    assert_eq!(gate(&first), false, "nobody has seen it");
    let second = world.run("topic", "ships", NEAR[1]).await;
    assert_eq!(gate(&second), true, "it is known, in nearly these words");
    let third = world.run("topic", "pays", FAR).await;
    assert_eq!(gate(&third), false, "really new");

    let errors = world.errors().await;
    assert_eq!(errors.len(), 2, "{errors:#?}");
    let near = errors.iter().find(|error| error["message"] == NEAR[0]).unwrap();
    assert_eq!((&near["variants"], &near["count"], &near["tests"]), (&json!(2), &json!(2), &json!(2)));
    assert_eq!(near["branches"], json!(["main", "topic"]));
    assert_eq!(
        (near["first_seen"].as_str(), near["last_seen"].as_str()),
        (Some("2026-11-20T10:01:00Z"), Some("2026-11-20T10:02:00Z"))
    );

    // Each of its variants leads to it.
    let error = world.error(&near["fingerprint"]).await;
    assert_eq!(
        (&error["failures"], &error["tests_total"], &error["variants_total"]),
        (&json!(2), &json!(2), &json!(2))
    );
    let messages: Vec<_> = error["variants"].as_array().unwrap().iter().map(|one| &one["message"]).collect();
    assert_eq!(messages, NEAR);
    let names: Vec<_> = error["tests"].as_array().unwrap().iter().map(|test| &test["name"]).collect();
    assert_eq!(names, ["reserves", "ships"]);
    let other = &error["variants"][1]["fingerprint"];
    assert_ne!(other, &near["fingerprint"]);
    assert_eq!(world.error(other).await, error);

    // The run shows it, and so does the test.
    let verdict = world.get(&format!("/runs/{}/verdict", second["run_id"].as_str().unwrap())).await;
    assert_eq!(
        (&verdict["tests"][0]["fingerprint"], &verdict["tests"][0]["message"]),
        (&near["fingerprint"], &json!(NEAR[1]))
    );
    let id = verdict["tests"][0]["test_id"].as_str().unwrap();
    let of_test = world.get(&format!("/tests/{id}")).await["errors"].clone();
    assert_eq!((&of_test[0]["fingerprint"], &of_test[0]["variants"]), (&near["fingerprint"], &json!(1)));

    // Without the first report the second one is all there is of it.
    let path = format!("/api/v1/reports/{}", first["id"].as_str().unwrap());
    world.server.delete(&world.token, &path).await.expect(200);
    let left = world.error(other).await;
    assert_eq!((&left["fingerprint"], &left["variants_total"], &left["message"]), (other, &json!(1), &json!(NEAR[1])));
    let gone = format!("/api/v1/projects/shop/errors/{}", near["fingerprint"].as_str().unwrap());
    world.server.get(&world.token, &gone).await.refused(404, "error_not_found");
}

#[tokio::test]
async fn a_failure_is_broken_on_base_if_the_base_fails_nearly_so() {
    let mut world = World::new().await;
    let mut verdicts = Vec::new();
    for message in [NEAR[0], NEAR[1], FAR] {
        let answer = world.run("main", "reserves", message).await;
        let verdict = world.get(&format!("/runs/{}/verdict", answer["run_id"].as_str().unwrap())).await;
        verdicts.push(verdict["tests"][0]["verdict"].as_str().unwrap().to_owned());
    }
    assert_eq!(verdicts, ["new_test_failing", "broken_on_base", "regression"]);
}

#[tokio::test]
async fn errors_of_others_and_of_nobody_are_not_found() {
    let world = World::new().await;
    let eve = world.server.register("eve@example.test").await;
    let report = ctrf(&json!([{"name": "pays", "status": "failed", "duration": 1, "message": FAR}]));
    upload(&world.server, &eve, "?project=shop", &report).await;
    let window = "start=2000-01-01T00:00:00Z";
    let errors = world.server.get(&eve.token, &format!("/api/v1/analytics/error-analysis?{window}")).await.expect(200);
    let [project, fingerprint] = ["project_id", "fingerprint"].map(|name| errors["errors"][0][name].as_str().unwrap());
    for path in [
        format!("{project}/errors/{fingerprint}"),
        format!("shop/errors/{fingerprint}"),
        format!("shop/errors/{}", uuid::Uuid::nil()),
    ] {
        let path = format!("/api/v1/projects/{path}");
        world.server.get(&world.token, &path).await.refused(404, "error_not_found");
    }
    world.server.get(&world.token, "/api/v1/projects/shop/errors/mine").await.refused(404, "not_found");
    world.server.get(&eve.token, &format!("/api/v1/projects/shop/errors/{fingerprint}")).await.expect(200);
}

#[tokio::test]
async fn a_ticket_is_that_of_all_variants_of_an_error() {
    let mut world = World::new().await;
    world.run("main", "reserves", NEAR[0]).await;
    world.run("main", "ships", NEAR[1]).await;
    let error = world.error(&world.errors().await[0]["fingerprint"]).await;
    let variants: Vec<Value> =
        error["variants"].as_array().unwrap().iter().map(|variant| variant["fingerprint"].clone()).collect();
    assert_eq!(variants.len(), 2);
    let link = |variant: &Value, ticket| json!({"project": "shop", "fingerprint": variant, "ticket": ticket});
    let post = async |body| world.server.post(&world.token, "/api/v1/issues", body).await;
    let linked = post(link(&variants[1], "SHOP-7")).await.expect(201);
    post(link(&variants[0], "SHOP-8")).await.refused(409, "already_linked");
    for variant in &variants {
        assert_eq!(world.error(variant).await["issue"]["id"], linked["id"]);
    }
    assert_eq!(world.errors().await[0]["issue"]["ticket"], "SHOP-7");
    let listed = world.get("/issues").await;
    assert_eq!(listed["issues"][0]["last_seen"], error["last_seen"], "by whichever variant");
    for message in NEAR {
        let run = world.run("main", "pays", message).await;
        assert_eq!(run["verdict"]["counts"]["known_issue"], 1, "{run}");
    }
}
