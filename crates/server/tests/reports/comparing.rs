//! Two reports, two runs, two branches, two environments: test by test.

use crate::{
    corpus, ctrf, send,
    support::{Person, TestApp},
    test, upload,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

async fn compare(server: &TestApp, person: &Person, base: &str, head: &str) -> Value {
    let path = format!("/api/v1/reports/compare?base={base}&head={head}");
    server.get(&person.token, &path).await.expect(200)
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|test| test["name"].as_str().unwrap()).collect()
}

async fn id(server: &TestApp, person: &Person, query: &str, tests: Value) -> String {
    upload(server, person, query, &ctrf(&tests)).await["id"].as_str().unwrap().to_owned()
}

fn timed(name: &str, status: &str, duration: i64) -> Value {
    json!({"name": name, "status": status, "duration": duration})
}

#[tokio::test]
async fn every_kind_of_difference_has_the_originals_fields_and_ours() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let base = json!([
        timed("breaks", "passed", 10),
        timed("heals", "failed", 11),
        timed("stays", "passed", 100),
        timed("stays red", "failed", 5),
        timed("slows", "passed", 500),
        timed("slows a little", "passed", 1000),
        timed("slows in the small", "passed", 10),
        timed("from nothing", "passed", 0),
        timed("goes", "passed", 7),
        timed("wakes up", "skipped", 0),
    ]);
    let broken = json!({"name": "breaks", "status": "failed", "duration": 12, "message": "boom"});
    let head = json!([
        broken,
        timed("heals", "passed", 13),
        timed("stays", "passed", 199),
        timed("stays red", "failed", 5),
        timed("slows", "passed", 600),
        timed("slows a little", "passed", 1199),
        timed("slows in the small", "passed", 109),
        timed("from nothing", "passed", 900),
        timed("comes red", "failed", 3),
        timed("wakes up", "failed", 4),
    ]);
    let (base, head) = (id(&server, &ada, "?branch=main", base).await, id(&server, &ada, "?branch=topic", head).await);
    let answer = compare(&server, &ada, &base, &head).await;
    let diff = &answer["diff"];
    assert_eq!(names(&diff["new_failures"]), ["breaks", "comes red", "wakes up"]);
    assert_eq!(names(&diff["fixed"]), ["heals"]);
    assert_eq!(names(&diff["duration_regressions"]), ["slows"], "100 ms and 20 % together, of what took any time");
    assert_eq!((names(&diff["added"]), names(&diff["removed"])), (vec!["comes red"], vec!["goes"]));
    let summary = json!({"base_tests": 10, "head_tests": 10, "new_failures": 3, "fixed": 1, "duration_regressions": 1,
        "passed_unchanged": 5, "failed_unchanged": 1, "added": 1, "removed": 1});
    assert_eq!((&diff["summary"], &diff["truncated"]), (&summary, &json!(false)));
    let mut broke = diff["new_failures"][0].clone();
    broke.as_object_mut().unwrap().remove("test_id");
    let expected = json!({"name": "breaks", "base_status": "passed", "head_status": "failed", "base_duration_ms": 10,
        "head_duration_ms": 12, "message": "boom", "duration_ms": 12,
        "base_result": {"report_id": base, "result_id": "0"}, "head_result": {"report_id": head, "result_id": "0"}});
    assert_eq!(broke, expected);
    let slower = &diff["duration_regressions"][0];
    assert_eq!((&slower["duration_delta_ms"], &slower["duration_delta_pct"]), (&json!(100), &json!(20.0)));
    let gone = &diff["removed"][0];
    assert_eq!(
        (&gone["duration_ms"], &gone["base_status"], gone.get("head_status")),
        (&json!(7), &json!("passed"), None)
    );
    for (side, id, branch) in [("base", &base, "main"), ("head", &head, "topic")] {
        let report = server.get(&ada.token, &format!("/api/v1/reports/{id}")).await.expect(200);
        for field in ["id", "team_id", "tool_name", "tool_version", "summary", "created_at", "name", "run_id", "url"] {
            assert_eq!(answer[side][field], report[field], "{side}.{field}");
        }
        assert_eq!((&answer[side]["branch"], &answer[side]["kind"]), (&json!(branch), &json!("report")));
    }
    let back = compare(&server, &ada, &head, &base).await;
    assert_eq!((names(&back["diff"]["fixed"]), names(&back["diff"]["added"])), (vec!["breaks"], vec!["goes"]));
}

#[tokio::test]
async fn a_name_in_two_suites_or_two_browsers_is_two_tests() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let of = |suite: &str, browser: &str, status: &str| json!({"name": "logs in", "status": status, "duration": 1, "suite": [suite], "browser": browser});
    let base = json!([of("web", "firefox", "passed"), of("web", "webkit", "failed"), of("app", "webkit", "passed")]);
    let head = json!([of("app", "webkit", "failed"), of("web", "webkit", "passed"), of("web", "firefox", "passed")]);
    let (base, head) = (id(&server, &ada, "", base).await, id(&server, &ada, "", head).await);
    let diff = compare(&server, &ada, &base, &head).await["diff"].clone();
    let of = |entry: &Value| (entry["suite"].clone(), entry["browser"].clone());
    assert_eq!(of(&diff["new_failures"][0]), (json!("app"), json!("webkit")));
    assert_eq!(of(&diff["fixed"][0]), (json!("web"), json!("webkit")));
    let summary = &diff["summary"];
    assert_eq!(
        [&summary["head_tests"], &summary["new_failures"], &summary["fixed"], &summary["passed_unchanged"]],
        [3, 1, 1, 1]
    );
}

#[tokio::test]
async fn nothing_differs_between_equal_reports_and_lists_are_empty_rather_than_null() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let base = id(&server, &ada, "", json!([test("a", "passed")])).await;
    let head = id(&server, &ada, "?commit=abc", json!([test("a", "passed")])).await;
    // A filtered report: its summary counts tests that it does not hold.
    let mut empty = ctrf(&json!([]));
    empty["results"]["summary"]["tests"] = json!(3);
    empty["results"]["summary"]["passed"] = json!(3);
    let empty = upload(&server, &ada, "", &empty).await["id"].as_str().unwrap().to_owned();
    let diff = compare(&server, &ada, &base, &head).await["diff"].clone();
    for list in ["new_failures", "fixed", "duration_regressions", "added", "removed"] {
        assert_eq!((&diff[list], &diff["summary"][list]), (&json!([]), &json!(0)), "{list}");
    }
    assert_eq!(diff["summary"]["passed_unchanged"], 1);
    let diff = compare(&server, &ada, &base, &empty).await["diff"].clone();
    assert_eq!((names(&diff["removed"]), &diff["summary"]["head_tests"]), (vec!["a"], &json!(0)));
}

#[tokio::test]
async fn reports_of_two_projects_are_matched_by_what_their_tests_are_called() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let base = id(&server, &ada, "?project=old", json!([test("a", "passed"), test("b", "passed")])).await;
    let head = id(&server, &ada, "?project=new", json!([test("a", "failed"), test("b", "passed")])).await;
    let diff = compare(&server, &ada, &base, &head).await["diff"].clone();
    assert_eq!(names(&diff["new_failures"]), ["a"]);
    assert_eq!(diff["summary"]["added"], 0);
}

#[tokio::test]
async fn a_run_is_compared_with_all_its_reports_and_the_latest_result_of_a_test_counts() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    for (shard, tests) in
        [json!([test("a", "passed"), test("b", "passed")]), json!([test("c", "passed")])].iter().enumerate()
    {
        id(&server, &ada, &format!("?project=shop&run_id=one&shard_id={shard}&shards=2"), tests.clone()).await;
    }
    for (shard, tests) in
        [json!([test("a", "failed"), test("b", "failed")]), json!([test("c", "failed"), test("c", "passed")])]
            .iter()
            .enumerate()
    {
        id(&server, &ada, &format!("?project=shop&run_id=two&shard_id={shard}&shards=2"), tests.clone()).await;
    }
    let again = id(&server, &ada, "?project=shop&run_id=two&shard_id=again", json!([test("a", "passed")])).await;
    let runs = server.get(&ada.token, "/api/v1/runs").await.expect(200);
    let run = |index: usize| runs["runs"][index]["id"].as_str().unwrap();
    let answer = compare(&server, &ada, run(1), run(0)).await;
    assert_eq!((&answer["head"]["kind"], &answer["head"]["run_id"]), (&json!("run"), &runs["runs"][0]["id"]));
    assert_eq!(answer["head"]["summary"], runs["runs"][0]["summary"]);
    // "a" passed when it was repeated; of two results in one report the failure counts.
    assert_eq!(names(&answer["diff"]["new_failures"]), ["b", "c"]);
    assert_eq!(answer["diff"]["summary"]["head_tests"], 3);
    let answer = compare(&server, &ada, run(1), &again).await;
    assert_eq!(names(&answer["diff"]["removed"]), ["b", "c"], "a run with a report");
}

#[tokio::test]
async fn lists_are_cut_and_the_summary_counts_all() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let many: Vec<_> = (0..1_200).map(|i| test(&format!("case {i:04}"), "failed")).collect();
    let base = id(&server, &ada, "", json!([test("a", "passed")])).await;
    let head = id(&server, &ada, "", json!(many)).await;
    server.settle().await;
    let diff = compare(&server, &ada, &base, &head).await["diff"].clone();
    assert_eq!(
        (&diff["truncated"], &diff["summary"]["new_failures"], &diff["summary"]["added"]),
        (&json!(true), &json!(1_200), &json!(1_200))
    );
    let names = names(&diff["new_failures"]);
    assert_eq!((names.len(), names[0], names[999]), (1_000, "case 0000", "case 0999"));
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_in_the_originals_words() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let eve = server.register("eve@example.test").await;
    let mine = id(&server, &ada, "", json!([test("a", "passed")])).await;
    let hers = id(&server, &eve, "?run_id=x", json!([test("a", "passed")])).await;
    let her_run =
        server.get(&eve.token, "/api/v1/runs").await.expect(200)["runs"][0]["id"].as_str().unwrap().to_owned();
    let nobodys = "019aab10-0000-7000-8000-00000000ffff";
    for (query, status, code, sentence) in [
        (String::new(), 400, "invalid_parameter", "base and head report IDs are required"),
        (format!("base={mine}"), 400, "invalid_parameter", "base and head report IDs are required"),
        (format!("base=&head={mine}"), 400, "invalid_parameter", "base and head report IDs are required"),
        (format!("base={mine}&head={mine}"), 400, "invalid_parameter", "base and head must be different reports"),
        (
            format!("base={mine}&head={}", mine.to_uppercase()),
            400,
            "invalid_parameter",
            "base and head must be different reports",
        ),
        (format!("base={nobodys}&head={mine}"), 404, "report_not_found", "base report not found"),
        (format!("base={mine}&head={nobodys}"), 404, "report_not_found", "head report not found"),
        (format!("base=no-id&head={mine}"), 404, "report_not_found", "base report not found"),
        (format!("base={mine}&head=%00"), 404, "report_not_found", "head report not found"),
        (format!("base={mine}&head={hers}"), 404, "report_not_found", "head report not found"),
        (format!("base={her_run}&head={mine}"), 404, "report_not_found", "base report not found"),
    ] {
        let answer = server.get(&ada.token, &format!("/api/v1/reports/compare?{query}")).await.refused(status, code);
        assert_eq!(answer["error"], sentence, "{query}");
    }
}

// ---- against what was planned --------------------------------------------------------------------------------------

struct History {
    truth: Value,
    ids: Vec<String>,
    files: Vec<Value>,
}

/// The corpus's shop, a run a day; the last one ran yesterday.
async fn shop(server: &TestApp, person: &Person) -> History {
    let read = |name: &str| serde_json::from_slice::<Value>(&corpus(&format!("history/pw-shop-24/{name}"))).unwrap();
    let truth = read("truth.json");
    let (mut ids, mut files) = (Vec::new(), Vec::new());
    let runs = truth["runs"].as_array().unwrap();
    for (index, run) in runs.iter().enumerate() {
        let file = run["file"].as_str().unwrap();
        let at = server.now() - TimeDelta::days((runs.len() - index) as i64);
        let query = format!("?project=shop&created_at={}", at.format("%Y-%m-%dT%H:%M:%SZ"));
        let body = corpus(&format!("history/pw-shop-24/{file}"));
        let answer = send(server, &person.token, &query, &[], body).await.expect(201);
        ids.push(answer["id"].as_str().unwrap().to_owned());
        files.push(read(file));
    }
    server.settle().await;
    History { truth, ids, files }
}

impl History {
    /// How each test ended in a run, by the name that it had then.
    fn outcomes(&self, run: usize) -> BTreeMap<String, char> {
        let renamed = |test: &Value| {
            let found = self.truth["renamed"].as_array().unwrap().iter().find(|renamed| renamed["id"] == test["id"]);
            found
                .filter(|renamed| run as u64 >= renamed["fromRun"].as_u64().unwrap())
                .map(|renamed| &renamed["newName"])
        };
        let tests = self.truth["tests"].as_array().unwrap().iter().map(|test| {
            let name = renamed(test).unwrap_or(&test["name"]).as_str().unwrap().to_owned();
            (name, test["outcomes"].as_str().unwrap().chars().nth(run - 1).unwrap())
        });
        tests.filter(|(_, outcome)| *outcome != '-').collect()
    }

    fn durations(&self, run: usize) -> BTreeMap<&str, i64> {
        let tests = self.files[run - 1]["results"]["tests"].as_array().unwrap();
        tests.iter().map(|test| (test["name"].as_str().unwrap(), test["duration"].as_i64().unwrap())).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_real_history_differ_as_planned() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let history = shop(&server, &ada).await;
    let neighbours = (1..24).map(|run| (run, run + 1));
    for (base, head) in neighbours.chain([(1, 24), (24, 1), (6, 10), (16, 18), (13, 22)]) {
        let answer = compare(&server, &ada, &history.ids[base - 1], &history.ids[head - 1]).await;
        let diff = &answer["diff"];
        let (was, is) = (history.outcomes(base), history.outcomes(head));
        let pick = |condition: &dyn Fn(Option<&char>, Option<&char>) -> bool| {
            let all: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            let picked = all.into_iter().filter(|name| condition(was.get(*name), is.get(*name)));
            picked.map(String::as_str).collect::<Vec<_>>()
        };
        let passed = |outcome: Option<&char>| matches!(outcome, Some('P' | 'f'));
        let failed = |outcome: Option<&char>| outcome == Some(&'F');
        let pair = format!("{base} and {head}");
        assert_eq!(names(&diff["new_failures"]), pick(&|was, is| failed(is) && !failed(was)), "{pair}");
        assert_eq!(names(&diff["fixed"]), pick(&|was, is| failed(was) && passed(is)), "{pair}");
        assert_eq!(names(&diff["added"]), pick(&|was, _| was.is_none()), "{pair}");
        assert_eq!(names(&diff["removed"]), pick(&|_, is| is.is_none()), "{pair}");
        let summary = &diff["summary"];
        assert_eq!(summary["passed_unchanged"], pick(&|was, is| passed(was) && passed(is)).len(), "{pair}");
        assert_eq!(summary["failed_unchanged"], pick(&|was, is| failed(was) && failed(is)).len(), "{pair}");
        assert_eq!((&summary["base_tests"], &summary["head_tests"]), (&json!(was.len()), &json!(is.len())), "{pair}");
        let (before, after) = (history.durations(base), history.durations(head));
        let slower = before.iter().filter_map(|(name, before)| Some((name, *before, *after.get(name)?)));
        let slower: BTreeSet<&str> = slower
            .filter(|(_, before, after)| *before > 0 && after - before >= 100 && (after - before) * 5 >= *before)
            .map(|(name, ..)| *name)
            .collect();
        assert_eq!(names(&diff["duration_regressions"]).into_iter().collect::<BTreeSet<_>>(), slower, "{pair}");
    }
}

// ---- branches and environments -------------------------------------------------------------------------------------

/// The comparison from the series of the tests, which is that from their results: the latter is asked for while the histories
/// do not have all.
async fn branches(server: &TestApp, person: &Person, query: &str) -> Value {
    let path = format!("/api/v1/compare/branches?{query}");
    let told = async |settled: &'static str| {
        let sql = sqlx::AssertSqlSafe(format!("update history.branch set settled = {settled}"));
        sqlx::raw_sql(sql).execute(&server.database.pool).await.unwrap();
    };
    told("reports - 1").await;
    let by_results = server.get(&person.token, &path).await.expect(200);
    told("reports").await;
    let by_series = server.get(&person.token, &path).await.expect(200);
    assert_eq!(in_any_order(&by_series), in_any_order(&by_results));
    by_series
}

/// Those that differ as much as each other are in no order that both know.
fn in_any_order(answer: &Value) -> Value {
    let mut answer = answer.clone();
    for list in answer["diff"].as_object_mut().unwrap().values_mut().filter_map(Value::as_array_mut) {
        list.sort_by_key(|test| [&test["test_id"], &test["browser"], &test["os"]].map(Value::to_string));
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_regressed_exactly_what_fails_on_it_alone() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let history = shop(&server, &ada).await;
    let answer = branches(&server, &ada, "project=shop&head=feature/checkout-v2").await;
    assert_eq!(
        (&answer["base"]["branch"], &answer["base"]["runs"]),
        (&json!("main"), &json!(20)),
        "the newest 20 of 21"
    );
    assert_eq!((&answer["head"]["runs"], &answer["project"]["name"]), (&json!(3), &json!("shop")));
    let diff = &answer["diff"];
    let planned: BTreeSet<_> = history.truth["branchOnlyFailures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| test["name"].as_str().unwrap())
        .collect();
    assert_eq!(names(&diff["regressed"]).into_iter().collect::<BTreeSet<_>>(), planned);
    assert_eq!((&diff["improved"], &diff["removed"]), (&json!([]), &json!([])));
    let one = &diff["regressed"][0];
    assert_eq!(
        (&one["base"]["failed"], &one["base"]["passed"], &one["head"]["failed"]),
        (&json!(0), &json!(20), &json!(3))
    );
    assert!((one["p"].as_f64().unwrap() - 1.0 / 1_771.0).abs() < 1e-9, "{one}");
    assert_eq!(
        (&one["extreme"], &one["result"]["report_id"]),
        (&json!(true), &json!(history.ids[21])),
        "the newest failure"
    );
    let path = format!("/api/v1/reports/{}/results/{}", history.ids[21], one["result"]["result_id"].as_str().unwrap());
    assert_eq!(server.get(&ada.token, &path).await.expect(200)["name"], one["name"]);
    let summary = &diff["summary"];
    let counted: u64 = summary.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    let names: BTreeSet<String> = (2..=24).flat_map(|run| history.outcomes(run).into_keys()).collect();
    assert_eq!(counted, names.len() as u64, "{summary}");
    let back = branches(&server, &ada, "project=shop&base=feature/checkout-v2&head=main").await;
    assert_eq!(back["diff"]["summary"]["improved"], 2);
    // The last run of main was 30 days ago, so that there is nothing left to compare with.
    server.advance(29 * 86_400 + 1);
    let ada = Person { token: server.sign_in("ada@example.test").await.0, ..ada };
    let later = branches(&server, &ada, "project=shop&base=main&head=feature/checkout-v2").await;
    assert_eq!(
        (&later["base"]["runs"], &later["head"]["runs"], later["base"].get("newest_run_at")),
        (&json!(0), &json!(0), None)
    );
    assert_eq!(later["diff"]["regressed"], json!([]));
}

#[tokio::test]
async fn two_environments_of_a_branch_are_compared() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    for day in 0..8 {
        let at: DateTime<Utc> = server.now() - TimeDelta::days(day);
        for (environment, status) in [("staging", "passed"), ("production", "failed")] {
            let mut report = ctrf(&json!([test("pays", status), test("ships", "passed"), test("rests", "skipped")]));
            report["results"]["environment"] = json!({"testEnvironment": environment});
            if environment == "production" {
                report["results"]["tests"].as_array_mut().unwrap().push(test("only there", "failed"));
            }
            let at = at.format("%Y-%m-%dT%H:%M:%SZ");
            upload(
                &server,
                &ada,
                &format!("?project=shop&branch=main&created_at={at}&run_id={environment}-{day}"),
                &report,
            )
            .await;
        }
    }
    let answer = branches(&server, &ada, "project=shop&base_environment=staging&head_environment=production").await;
    let diff = &answer["diff"];
    assert_eq!(answer["base"]["environment"], "staging");
    assert_eq!((names(&diff["regressed"]), names(&diff["added"])), (vec!["pays"], vec!["only there"]));
    let summary = json!({"regressed": 1, "improved": 0, "added": 1, "removed": 0, "same": 1, "not_run": 1});
    assert_eq!((&diff["summary"], &diff["truncated"]), (&summary, &json!(false)));
    let added = &diff["added"][0];
    assert_eq!(
        (&added["good"], &added["base"]["pass_rate"], &added["head"]["pass_rate"]),
        (&json!(false), &Value::Null, &json!(0.0))
    );
    let all = branches(&server, &ada, "project=shop&base=main&base_environment=staging&head=nowhere").await;
    assert_eq!(
        (&all["head"]["branch"], &all["head"]["runs"], &all["base"]["runs"]),
        (&json!("nowhere"), &json!(0), &json!(8))
    );
    assert_eq!(names(&all["diff"]["removed"]).len(), 2);
}

#[tokio::test]
async fn branches_that_cannot_be_compared_are_refused() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let eve = server.register("eve@example.test").await;
    id(&server, &ada, "?project=shop&branch=main", json!([test("a", "passed")])).await;
    id(&server, &eve, "?project=hers&branch=main", json!([test("a", "passed")])).await;
    let hers =
        server.get(&eve.token, "/api/v1/projects").await.expect(200)["projects"][0]["id"].as_str().unwrap().to_owned();
    for (query, status, code) in [
        (String::new(), 400, "invalid_parameter"),
        ("base=main&head=topic".to_owned(), 400, "invalid_parameter"),
        ("project=shop".to_owned(), 400, "invalid_parameter"),
        ("project=shop&base=topic&head=topic&environment=x".to_owned(), 400, "invalid_parameter"),
        ("project=nothing&head=topic".to_owned(), 404, "project_not_found"),
        ("project=hers&head=topic".to_owned(), 404, "project_not_found"),
        (format!("project={hers}&head=topic"), 404, "project_not_found"),
        ("project=%00&head=topic".to_owned(), 404, "project_not_found"),
    ] {
        server.get(&ada.token, &format!("/api/v1/compare/branches?{query}")).await.refused(status, code);
    }
    let long = "x".repeat(2_000);
    let answer = branches(&server, &ada, &format!("project=shop&head={long}%2F%00&environment={long}")).await;
    assert_eq!(answer["head"]["runs"], 0);
}
