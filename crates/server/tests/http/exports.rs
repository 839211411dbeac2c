//! Lists as files: the same entries as the list has, for the same callers.

use super::authorisation::operations;
use crate::support::{Answer, Person, TestApp, config};
use axum::{
    body::{Body, to_bytes},
    http::{Method, Request},
};
use scaledtest_server::http::openapi::openapi_json;
use serde_json::{Value, json};
use tower::ServiceExt;

async fn upload(server: &TestApp, by: &Person, project: &str, tests: Value) -> Value {
    let report = json!({"results": {"tool": {"name": "runner"}, "tests": tests}});
    server.post(&by.token, &format!("/api/v1/reports?project={project}"), report).await.expect(201)
}

/// Records of CSV, each a list of cells; written apart from the server's own, by the grammar of RFC 4180.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted && letters.peek() == Some(&'\n') => {
                letters.next();
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            letter => cell.push(letter),
        }
    }
    assert!(cell.is_empty() && record.is_empty(), "the last line ends");
    records
}

fn column<'r>(records: &'r [Vec<String>], heading: &str) -> Vec<&'r str> {
    let at = records[0].iter().position(|cell| cell == heading).unwrap_or_else(|| panic!("no column {heading}"));
    records[1..].iter().map(|record| record[at].as_str()).collect()
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether an answer of the document is a list: objects in one array, and beside it at most what pages need.
fn list_field(document: &Value, operation: &Value) -> Option<String> {
    let resolve = |schema: &Value| match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap().clone(),
        None => schema.clone(),
    };
    let schema = resolve(&operation["responses"]["200"]["content"]["application/json"]["schema"]);
    let properties = schema["properties"].as_object()?;
    let of_objects = |(_, property): &(&String, &Value)| property["items"]["$ref"].is_string();
    let lists: Vec<_> = properties.iter().filter(of_objects).map(|(name, _)| name.clone()).collect();
    let is_list = operation["operationId"].as_str()?.starts_with("list_");
    let scalars = properties.iter().filter(|(_, property)| property["type"] != "array");
    let paging = scalars.clone().all(|(name, _)| matches!(name.as_str(), "total" | "next_cursor"));
    (is_list || (lists.len() == 1 && paging)).then(|| lists[0].clone())
}

#[test]
fn every_list_of_the_document_can_be_exported() {
    let document: Value = serde_json::from_str(openapi_json()).unwrap();
    let (mut missing, mut found) = (Vec::new(), 0);
    for operation in operations().into_iter().filter(|one| !one.public && one.method == Method::GET) {
        let described = &document["paths"][&operation.template]["get"];
        let formats = described["parameters"].as_array().into_iter().flatten();
        let has_format = formats.filter(|parameter| parameter["name"] == "format").count() == 1;
        let is_list = list_field(&document, described).is_some();
        if is_list != has_format {
            missing.push(format!("{}: a list is {is_list}, an export {has_format}", operation.template));
        }
        if has_format {
            let content = &described["responses"]["200"]["content"];
            assert!(content["text/csv"].is_object() && content["application/x-ndjson"].is_object());
            found += 1;
        }
    }
    assert!(missing.is_empty(), "export/lists.rs: {}", missing.join("\n"));
    assert!(found > 20, "{found}");
}

#[tokio::test]
async fn every_list_answers_in_every_format_with_what_the_list_has() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let flips = ["passed", "failed", "passed", "failed", "passed", "failed"];
    let mut last = Value::Null;
    let gate = json!({"name": "green", "rules": [{"type": "zero_failures"}]});
    let gate = server.post(&ada.token, &format!("/api/v1/teams/{}/quality-gates", ada.team), gate).await.expect(201);
    for status in flips {
        let tests = json!([{"name": "cart adds", "suite": ["shop", "cart"], "status": status, "duration": 12, "message": "a, \"b\""}]);
        last = upload(&server, &ada, "shop", tests).await;
    }
    server.api_token(&ada, &["read"]).await;
    server.settle().await;
    server.settle_audit().await;
    let tests = server.get(&ada.token, "/api/v1/tests").await.expect(200);
    let document: Value = serde_json::from_str(openapi_json()).unwrap();
    let mut filled = 0;
    for operation in operations().into_iter().filter(|one| !one.public && one.method == Method::GET) {
        let described = &document["paths"][&operation.template]["get"];
        let Some(field) = list_field(&document, described) else { continue };
        let id = match operation.template.as_str() {
            path if path.contains("/runs/") => &last["run_id"],
            path if path.contains("/tests/") => &tests["tests"][0]["id"],
            _ => &last["id"],
        };
        let path = operation.template.replace("{id}", id.as_str().unwrap());
        let path = path.replace("{team_id}", &ada.team.to_string()).replace("{gate_id}", gate["id"].as_str().unwrap());
        let list = server.get(&ada.token, &path).await.expect(200);
        let entries = list[&field].as_array().unwrap();
        let ndjson = server.get(&ada.token, &format!("{path}?format=ndjson")).await;
        assert_eq!(
            (ndjson.status.as_u16(), ndjson.header("content-type")),
            (200, Some("application/x-ndjson")),
            "{path}"
        );
        assert_eq!(&lines(&ndjson), entries, "{path}");
        let headers = [("authorization", format!("Bearer {}", ada.token)), ("accept", "text/csv".to_owned())];
        let csv = server.call(Method::GET, &path, &headers, None).await;
        assert_eq!((csv.status.as_u16(), csv.header("content-type")), (200, Some("text/csv")), "{path}");
        assert!(csv.header("content-disposition").unwrap().ends_with(".csv\""), "{path}");
        let records = records(csv.text());
        assert_eq!(records.len(), 1 + entries.len(), "{path}");
        assert!(records.iter().all(|record| record.len() == records[0].len()), "{path}");
        filled += usize::from(!entries.is_empty());
    }
    assert!(filled > 15, "most lists had entries: {filled}");
}

#[tokio::test]
async fn an_export_has_every_page_and_a_limit_is_the_number_of_its_entries() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let tests: Vec<Value> = (0..2_345)
        .map(|n| json!({"name": format!("test {n}"), "status": if n % 5 == 0 { "failed" } else { "passed" }, "duration": n}))
        .collect();
    let sent = upload(&server, &ada, "large", json!(tests)).await;
    let path = format!("/api/v1/reports/{}/results", sent["id"].as_str().unwrap());
    let names = async |query: &str| {
        let answer = server.get(&ada.token, &format!("{path}?{query}")).await;
        assert_eq!(answer.status, 200);
        column(&records(answer.text()), "name").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let expected: Vec<String> = (0..2_345).map(|n| format!("test {n}")).collect();
    assert_eq!(names("format=csv").await, expected);
    let failed: Vec<String> = expected.iter().step_by(5).cloned().collect();
    assert_eq!(names("format=csv&status=failed").await, failed);
    assert_eq!(names("format=csv&limit=1500").await, expected[..1500]);
    assert_eq!(names("format=csv&limit=3&offset=10").await, expected[10..13]);
    let page = server.get(&ada.token, &format!("{path}?limit=1000")).await.expect(200);
    let rest = names(&format!("format=csv&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!(rest, expected[1000..]);
    let sorted = server.get(&ada.token, &format!("{path}?format=ndjson&sort=-duration")).await;
    let durations: Vec<i64> = lines(&sorted).iter().map(|line| line["duration_ms"].as_i64().unwrap()).collect();
    assert_eq!(durations, (0..2_345).rev().collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_list_that_is_paged_by_offset_is_whole() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    sqlx::query(
        "insert into access.team (id, name, created_at, no) select gen_random_uuid(), 'team ' || n, now(), 1000 + n
         from generate_series(1, 250) n",
    )
    .execute(&server.app.db)
    .await
    .unwrap();
    let export = server.get(&ada.token, "/api/v1/admin/teams?format=csv").await;
    let records = records(export.text());
    let mut names = column(&records, "name");
    assert_eq!((names.len(), names[0]), (251, "team 250"));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 251);
}

#[tokio::test]
async fn text_of_a_test_is_never_a_formula() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let tests = json!([{"name": "=HYPERLINK(\"http://x\")", "suite": ["@sum", "b"], "status": "failed", "duration": 5,
        "message": "-1\nsecond, line", "tags": ["a", "b"]}]);
    let sent = upload(&server, &ada, "shop", tests).await;
    let path = format!("/api/v1/runs/{}/results?format=csv", sent["run_id"].as_str().unwrap());
    let export = server.get(&ada.token, &path).await;
    let name = format!("attachment; filename=\"runs-{}-results.csv\"", sent["run_id"].as_str().unwrap());
    assert_eq!(export.header("content-disposition"), Some(name.as_str()));
    let records = records(export.text());
    for (heading, expected) in [
        ("name", "'=HYPERLINK(\"http://x\")"),
        ("suite", "'@sum > b"),
        ("message", "'-1\nsecond, line"),
        ("tags", "a; b"),
        ("duration_ms", "5"),
        ("flaky", "false"),
        ("line", ""),
    ] {
        assert_eq!(column(&records, heading), [expected], "{heading}");
    }
}

#[tokio::test]
async fn refusals_stay_what_they_are_and_nothing_crosses_teams() {
    let server = TestApp::start().await;
    let (ada, bob) = (server.register("ada@example.com").await, server.register("bob@example.com").await);
    let sent =
        upload(&server, &ada, "secret-shop", json!([{"name": "secret", "status": "passed", "duration": 1}])).await;
    let results = format!("/api/v1/reports/{}/results", sent["id"].as_str().unwrap());
    server.get(&ada.token, "/api/v1/runs?format=xml").await.refused(400, "invalid_parameter");
    server.get(&ada.token, "/api/v1/runs?format=csv&status=purple").await.refused(400, "invalid_parameter");
    server.get(&ada.token, "/api/v1/runs?format=csv&cursor=mine").await.refused(400, "invalid_cursor");
    server.get("", "/api/v1/runs?format=csv").await.refused(401, "missing_authorization");
    server.get(&bob.token, &format!("{results}?format=csv")).await.refused(404, "report_not_found");
    server.get(&bob.token, "/api/v1/admin/users?format=csv").await.refused(403, "forbidden");
    let upload_only = server.api_token(&ada, &["upload"]).await;
    server.get(&upload_only, "/api/v1/runs?format=ndjson").await.refused(403, "insufficient_scope");
    for list in ["runs", "reports", "projects", "tests", "analytics/error-analysis"] {
        let export = server.get(&bob.token, &format!("/api/v1/{list}?format=ndjson")).await;
        assert_eq!((export.status.as_u16(), export.text()), (200, ""), "{list}");
    }
    let headings = server.get(&bob.token, "/api/v1/projects?format=csv").await;
    assert_eq!(headings.text(), "id,name,default_branch,created_at,branches\r\n");
    let json = server.get(&ada.token, "/api/v1/runs?format=json").await.expect(200);
    assert_eq!(json["total"], 1);
    server.call(Method::HEAD, "/api/v1/runs?format=csv", &[("authorization", &ada.token)], None).await;
}

#[tokio::test]
async fn an_export_is_one_call_however_many_pages_it_has() {
    let server = TestApp::start_with(scaledtest_server::config::Config {
        disable_rate_limit: false,
        rate_limit_calls: 3,
        ..config()
    })
    .await;
    let ada = server.register("ada@example.com").await;
    let tests: Vec<Value> =
        (0..3_500).map(|n| json!({"name": format!("test {n}"), "status": "passed", "duration": 1})).collect();
    let sent = upload(&server, &ada, "large", json!(tests)).await;
    let path = format!("/api/v1/reports/{}/results?format=ndjson", sent["id"].as_str().unwrap());
    let export = server.get(&ada.token, &path).await;
    assert_eq!((export.status.as_u16(), export.text().lines().count()), (200, 3_500));
    let left = export.header("x-ratelimit-remaining").map(|left| left.parse::<i64>().unwrap());
    assert!(left.is_some_and(|left| left >= 0), "{left:?}");
}

#[tokio::test]
async fn an_export_that_cannot_be_finished_breaks_off() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let tests: Vec<Value> =
        (0..1_001).map(|n| json!({"name": format!("test {n}"), "status": "passed", "duration": 1})).collect();
    let sent = upload(&server, &ada, "large", json!(tests)).await;
    let request = Request::get(format!("/api/v1/reports/{}/results?format=csv", sent["id"].as_str().unwrap()))
        .header("authorization", format!("Bearer {}", ada.token));
    let response = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    // The first page is there; now there is nothing to read the second one from.
    sqlx::query("drop view reports.test_result").execute(&server.app.db).await.unwrap();
    let body = to_bytes(response.into_body(), usize::MAX).await;
    assert!(body.is_err(), "{body:?}");
}
