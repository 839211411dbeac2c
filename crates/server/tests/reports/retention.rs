//! What has had its time is dropped; what it said stays.

use crate::{
    corpus, ctrf, send,
    support::{Answer, Person, TestApp},
    test, upload,
};
use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_commands::{Part, Report};
use scaledtest_domain::{
    Actor, Clock, CommandId, Event, Kind, ReportId, RollupId, StreamId,
    events::report::{Event as ReportEvent, Ingested},
};
use scaledtest_effects::{Dropped, GRACE, Janitor, Removed, drop_old_results};
use scaledtest_eventlog::{ChunkError, CommandMeta};
use scaledtest_projections::{self as projections, rollups};
use serde_json::{Value, json};

const HISTORY: &str = "history/pw-shop-24";

/// A team that keeps results for 30 days, and a token of it that outlives every session.
struct World {
    server: TestApp,
    ada: Person,
    token: String,
}

impl World {
    async fn new() -> Self {
        let server = TestApp::start().await;
        let ada = server.register("ada@example.test").await;
        let token = server.api_token(&ada, &["upload", "read", "write"]).await;
        let path = format!("/api/v1/teams/{}/retention", ada.team);
        put(&server, &ada.token, &path, json!({"days": 30})).await.expect(200);
        Self { server, ada, token }
    }

    async fn get(&self, path: &str) -> Value {
        self.server.get(&self.token, &format!("/api/v1{path}")).await.expect(200)
    }

    async fn call(&self, method: Method, path: &str) -> Answer {
        let headers = [("authorization", format!("Bearer {}", self.token))];
        self.server.call(method, &format!("/api/v1{path}"), &headers, None).await
    }

    /// The runs of a real history, each at its time.
    async fn shop(&self) -> Vec<Value> {
        let truth: Value = serde_json::from_slice(&corpus(&format!("{HISTORY}/truth.json"))).unwrap();
        let mut answers = Vec::new();
        for run in truth["runs"].as_array().unwrap() {
            let word = |name: &str| run[name].as_str().unwrap();
            let at = word("startedAt").parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(10);
            self.server.clock.advance(at - self.server.clock.now());
            let (branch, commit) = (word("branch"), word("commit"));
            let query = format!("?project=shop&branch={branch}&commit={commit}");
            let body = corpus(&format!("{HISTORY}/{}", word("file")));
            answers.push(send(&self.server, &self.token, &query, &[], body).await.expect(201));
        }
        answers
    }

    async fn small(&self, query: &str, tests: &Value) -> Value {
        let query = format!("?project=small&branch=main{query}");
        send(&self.server, &self.token, &query, &[], ctrf(tests).to_string()).await.expect(201)
    }

    /// Lets days pass, then a round of retention, and waits until it shows.
    async fn pass(&self, days: i64) -> Dropped {
        self.server.clock.advance(TimeDelta::days(days));
        let (log, pool, now) = (&self.server.app.log, &self.server.app.db, self.server.clock.now());
        let dropped = drop_old_results(log, pool, now).await.unwrap();
        self.server.settle().await;
        dropped
    }

    async fn ingested(&self, answer: &Value) -> Ingested {
        let report: ReportId = answer["id"].as_str().unwrap().parse().unwrap();
        let history = self.server.app.log.load(&StreamId::of(self.ada.team, Kind::Report, report)).await.unwrap();
        match history[0].commit.decode_events().unwrap().remove(0) {
            Event::Report(ReportEvent::Ingested(ingested)) => *ingested,
            other => panic!("{other:?}"),
        }
    }

    async fn chunks_are_there(&self, answer: &Value) -> bool {
        let ingested = self.ingested(answer).await;
        let (log, team) = (&self.server.app.log, self.ada.team);
        match log.read_chunks(team, ingested.report, ingested.upload, &ingested.chunks).await {
            Ok(_) => true,
            Err(ChunkError::Missing { found: 0, .. }) => {
                assert_eq!(log.get_raw(team, ingested.report, ingested.upload).await.unwrap(), None);
                false
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Everything that histories say of the shop.
    async fn insight(&self) -> Value {
        let mut said = serde_json::Map::new();
        let days = "start=2000-01-01T00:00:00Z&end=2100-01-01T00:00:00Z";
        let tests = self.get("/tests?project=shop&limit=200").await;
        for path in [
            "/tests?project=shop&limit=200".to_owned(),
            format!("/analytics/trends?{days}"),
            format!("/analytics/error-analysis?{days}"),
            format!("/analytics/duration-distribution?{days}"),
            "/analytics/slowest-tests".to_owned(),
        ] {
            said.insert(path.clone(), self.get(&path).await);
        }
        for test in tests["tests"].as_array().unwrap() {
            let path = format!("/tests/{}", test["id"].as_str().unwrap());
            said.insert(path.clone(), self.get(&path).await);
            let path = format!("{path}/history");
            said.insert(path.clone(), self.get(&path).await);
        }
        said.into()
    }

    /// What each run's failures meant.
    async fn verdicts(&self, runs: &[Value]) -> Vec<Value> {
        let mut verdicts = Vec::new();
        for run in runs {
            verdicts.push(self.get(&format!("/runs/{}/verdict", run_of(run))).await);
        }
        verdicts
    }

    async fn rebuild(&self, name: &str) {
        let all = projections::all();
        let projection = all.iter().find(|projection| projection.name() == name).unwrap();
        projections::rebuild(&self.server.app.db, &self.server.app.log, projection, |_| {}).await.unwrap();
    }
}

async fn put(server: &TestApp, token: &str, path: &str, body: Value) -> Answer {
    server.call(Method::PUT, path, &[("authorization", format!("Bearer {token}"))], Some(body)).await
}

fn run_of(answer: &Value) -> &str {
    answer["run_id"].as_str().unwrap()
}

#[tokio::test]
async fn results_go_and_histories_stay_through_a_rebuild_too() {
    let world = World::new().await;
    let runs = world.shop().await;
    let (before, verdicts) = (world.insight().await, world.verdicts(&runs).await);
    assert!(before["/tests?project=shop&limit=200"]["tests"].as_array().unwrap().len() > 20);
    assert_eq!(world.pass(5).await, Dropped::default(), "the first run is not thirty days old");
    assert!(world.chunks_are_there(&runs[0]).await);

    let dropped = world.pass(40).await;
    assert_eq!(dropped.reports, runs.len() as u64);
    assert_eq!(world.verdicts(&runs).await, verdicts);
    for run in &runs {
        let path = format!("/runs/{}", run_of(run));
        let shown = world.get(&path).await;
        assert_eq!(shown["retention"], json!({"pinned_at": null, "expires_at": null, "dropped": true}));
        assert_eq!(shown["summary"]["tests"], run["summary"]["tests"], "what it was stays");
        assert_eq!(world.get(&format!("{path}/results")).await["results"], json!([]));
        assert!(!world.chunks_are_there(run).await);
    }
    let rows: i64 = sqlx::query_scalar(
        "select (select count(*) from reports.result) + (select count(*) from reports.attempt)
              + (select count(*) from reports.test_case) + (select count(*) from reports.part_case)",
    )
    .fetch_one(&world.server.app.db)
    .await
    .unwrap();
    assert_eq!(rows, 0);
    assert_eq!(world.insight().await, before);

    for name in ["history", "reports"] {
        world.rebuild(name).await;
    }
    assert_eq!(world.insight().await, before, "from the roll-ups alone");
    let path = format!("/api/v1/reports/compare?base={}&head={}", run_of(&runs[0]), run_of(&runs[1]));
    world.server.get(&world.token, &path).await.refused(410, "results_dropped");
    let path = format!("/api/v1/runs/{}/ctrf", run_of(&runs[0]));
    world.server.get(&world.token, &path).await.refused(410, "results_dropped");
}

#[tokio::test]
async fn a_pinned_run_is_kept_until_it_is_let_go() {
    let world = World::new().await;
    let tests = json!([test("a", "failed"), test("b", "passed")]);
    let (kept, gone) =
        (world.small("", &tests).await, world.small("&run_id=other", &json!([test("c", "passed")])).await);
    let path = format!("/runs/{}", run_of(&kept));
    let expires = world.get(&path).await["retention"]["expires_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    let days = (expires - world.server.clock.now()).num_days();
    assert!((30..=37).contains(&days), "{days}");
    let pinned = world.call(Method::PUT, &format!("{path}/pin")).await.expect(200);
    assert!(pinned["pinned_at"].is_string() && pinned["expires_at"].is_null(), "{pinned}");
    let again = world.call(Method::PUT, &format!("{path}/pin")).await.expect(200);
    assert_eq!(again, pinned);
    let before = world.get(&format!("{path}/results")).await;

    assert_eq!(world.pass(40).await, Dropped { parts: 1, reports: 1 });
    assert_eq!(world.get(&format!("{path}/results")).await, before);
    assert!(world.chunks_are_there(&kept).await && !world.chunks_are_there(&gone).await);
    world.rebuild("reports").await;
    assert_eq!(world.get(&format!("{path}/results")).await, before);
    let other = format!("/runs/{}/pin", run_of(&gone));
    world.call(Method::PUT, &other).await.refused(409, "results_dropped");

    let let_go = world.call(Method::DELETE, &format!("{path}/pin")).await.expect(200);
    assert_eq!(let_go["pinned_at"], Value::Null);
    assert_eq!(world.pass(0).await, Dropped { parts: 0, reports: 1 });
    assert_eq!(world.get(&format!("{path}/results")).await["results"], json!([]));
    assert!(!world.chunks_are_there(&kept).await);
    assert_eq!(world.get(&path).await["retention"]["dropped"], true);
}

#[tokio::test]
async fn the_roll_up_forgets_a_report_that_is_deleted_later() {
    let world = World::new().await;
    let doomed = world.small("", &json!([test("secret name", "failed")])).await;
    let stays = world.small("", &json!([test("other name", "passed")])).await;
    world.pass(40).await;
    let team = world.ada.team;
    let log = &world.server.app.log;
    let rollup_of = async |answer: &Value| {
        let id: ReportId = answer["id"].as_str().unwrap().parse().unwrap();
        let history = log.load(&StreamId::of(team, Kind::Report, id)).await.unwrap();
        let events = history.iter().flat_map(|recorded| recorded.commit.decode_events().unwrap());
        events
            .filter_map(|event| match event {
                Event::Report(ReportEvent::Sealed(sealed)) => Some(sealed.rollup),
                _ => None,
            })
            .next()
            .unwrap()
    };
    let rollup = rollup_of(&doomed).await;
    assert_eq!(rollup, rollup_of(&stays).await);
    let (first, digest) = rollups::read(log, team, rollup).await.unwrap();
    assert!(format!("{digest:?}").contains("secret name"));

    let path = format!("/reports/{}", doomed["id"].as_str().unwrap());
    world.call(Method::DELETE, &path).await.expect(200);
    let (second, digest) = rollups::read(log, team, rollup).await.unwrap();
    assert!(!format!("{digest:?}").contains("secret name") && format!("{digest:?}").contains("other name"));
    let old = log.read_chunks(team, rollup.0.into(), first.upload, &first.chunks).await;
    assert!(matches!(old, Err(ChunkError::Missing { found: 0, .. })), "{old:?}");
    let before = world.get("/tests?project=small").await;
    assert_eq!(before["tests"].as_array().unwrap().len(), 1);
    world.rebuild("history").await;
    assert_eq!(world.get("/tests?project=small").await, before);

    let path = format!("/reports/{}", stays["id"].as_str().unwrap());
    world.call(Method::DELETE, &path).await.expect(200);
    assert_eq!(rollups::sealed(log, team, rollup).await.unwrap(), None);
    let old = log.read_chunks(team, rollup.0.into(), second.upload, &second.chunks).await;
    assert!(matches!(old, Err(ChunkError::Missing { found: 0, .. })), "{old:?}");
    world.rebuild("history").await;
    assert_eq!(world.get("/tests?project=small").await["tests"], json!([]));
}

#[tokio::test]
async fn the_janitor_erases_what_a_round_that_broke_off_has_left_and_no_roll_up() {
    let world = World::new().await;
    let (log, team) = (&world.server.app.log, world.ada.team);
    world.small("", &json!([test("a", "failed")])).await;
    world.pass(40).await;
    let left = world.small("", &json!([test("b", "failed")])).await;
    let Ingested { report, upload, part, .. } = world.ingested(&left).await;
    let part = part.unwrap();
    let (at, rollup) = (part.expires().unwrap(), RollupId::new());
    let meta = |at| CommandMeta {
        command: CommandId::new(),
        request: None,
        actor: Actor::System,
        at,
        correlation: None,
        causation: None,
    };
    let later = world.server.clock.now() + TimeDelta::days(400);
    let janitor = async || Janitor::default().round(log, later, GRACE).await.unwrap();
    let seal = scaledtest_commands::report::Command::Seal { report, upload, rollup };
    log.execute::<Report>(StreamId::of(team, Kind::Report, report), seal, &meta(at)).await.unwrap();
    assert_eq!(janitor().await, Removed { uploads: 0, seen: 2 }, "it is sealed, and its part is still there");
    let drop = scaledtest_commands::part::Command::Drop { part };
    log.execute::<Part>(StreamId::global(Kind::Part, part.id()), drop, &meta(at)).await.unwrap();
    assert_eq!(janitor().await, Removed { uploads: 1, seen: 2 });
    assert!(!world.chunks_are_there(&left).await);
    assert_eq!(janitor().await, Removed { uploads: 0, seen: 1 }, "the roll-up stays");
}

#[tokio::test]
async fn a_team_chooses_for_what_comes_and_only_its_owners_do() {
    let world = World::new().await;
    let path = format!("/api/v1/teams/{}/retention", world.ada.team);
    let refusal = put(&world.server, &world.ada.token, &path, json!({"days": 31})).await.refused(400, "invalid_field");
    assert_eq!(refusal["details"], json!([{"field": "days", "message": "must be 30, 90, 400 or null"}]));
    put(&world.server, &world.token, &path, json!({"days": 90})).await.refused(403, "token_not_allowed");
    let old = upload(&world.server, &world.ada, "", &ctrf(&json!([test("a", "passed")]))).await;
    put(&world.server, &world.ada.token, &path, json!({"days": null})).await.expect(200);
    let team = world.server.get(&world.ada.token, &format!("/api/v1/teams/{}", world.ada.team)).await.expect(200);
    assert_eq!(team["retention"], json!({"chosen_days": null, "days": 400}));
    let new = upload(&world.server, &world.ada, "", &ctrf(&json!([test("a", "failed")]))).await;
    let days = |answer: &Ingested| answer.part().days();
    assert_eq!((days(&world.ingested(&old).await), days(&world.ingested(&new).await)), (30, 400));
    assert_eq!(world.pass(50).await, Dropped { parts: 1, reports: 1 });
    assert!(world.chunks_are_there(&new).await && !world.chunks_are_there(&old).await);
}
