//! Lists, filters, pages, one result.

use crate::{corpus, ctrf, send, support::TestApp, test, upload};
use serde_json::{Value, json};

async fn ids(server: &TestApp, token: &str, query: &str) -> Vec<String> {
    let page = server.get(token, &format!("/api/v1/reports{query}")).await.expect(200);
    page["reports"].as_array().unwrap().iter().map(|report| report["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn reports_are_filtered_and_paged_newest_first() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let mut sent = Vec::new();
    for (day, (branch, status)) in
        [("main", "passed"), ("main", "failed"), ("topic", "skipped"), ("topic", "passed")].iter().enumerate()
    {
        let query = format!("?branch={branch}&project=shop&commit=abc{day}&created_at=2025-01-0{}T00:00:00Z", day + 1);
        sent.push(
            upload(&server, &ada, &query, &ctrf(&json!([test("a", status)]))).await["id"].as_str().unwrap().to_owned(),
        );
    }
    let newest: Vec<_> = sent.iter().rev().cloned().collect();
    assert_eq!(ids(&server, &ada.token, "").await, newest);
    assert_eq!(ids(&server, &ada.token, "?branch=main").await, newest[2..]);
    assert_eq!(ids(&server, &ada.token, "?status=failed").await, [sent[1].clone()]);
    assert_eq!(ids(&server, &ada.token, "?status=skipped").await, [sent[2].clone()]);
    assert_eq!(ids(&server, &ada.token, "?text=ABC2").await, [sent[2].clone()]);
    assert_eq!(ids(&server, &ada.token, "?project=shop&tool=Runner").await.len(), 4);
    assert_eq!(ids(&server, &ada.token, "?project=nothing").await, Vec::<String>::new());
    assert_eq!(ids(&server, &ada.token, "?since=2025-01-02T00:00:00Z&until=2025-01-03T00:00:00Z").await, newest[1..3]);
    assert_eq!(ids(&server, &ada.token, "?limit=2&offset=1").await, newest[1..3]);
    assert_eq!(ids(&server, &ada.token, "?limit=0&offset=-3").await.len(), 4, "out of range is the default");
    let first = server.get(&ada.token, "/api/v1/reports?limit=3").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&server, &ada.token, &format!("?limit=3&cursor={cursor}")).await, newest[3..]);
    assert_eq!(first["total"], 4);
}

#[tokio::test]
async fn what_cannot_be_read_of_a_query_is_400_in_the_originals_words() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let answer =
        server.get(&ada.token, "/api/v1/reports?since=yesterday&until=x").await.refused(400, "invalid_parameter");
    assert_eq!(answer["error"], "invalid since: must be RFC3339 (e.g. 2006-01-02T15:04:05Z)");
    server.get(&ada.token, "/api/v1/reports?status=purple").await.refused(400, "invalid_parameter");
    server.get(&ada.token, "/api/v1/reports?cursor=mine").await.refused(400, "invalid_cursor");
    server.get(&ada.token, "/api/v1/reports/no-id").await.refused(404, "report_not_found");
    server.get(&ada.token, "/api/v1/runs/no-id").await.refused(404, "run_not_found");
}

#[tokio::test]
async fn a_list_without_entries_is_an_empty_list() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    assert_eq!(server.get(&ada.token, "/api/v1/reports").await.expect(200), json!({"reports": [], "total": 0}));
    assert_eq!(server.get(&ada.token, "/api/v1/runs").await.expect(200), json!({"runs": [], "total": 0}));
    assert_eq!(server.get(&ada.token, "/api/v1/projects").await.expect(200), json!({"projects": []}));
}

#[tokio::test]
async fn a_real_report_is_read_back_with_messages_traces_attempts_steps_and_attachments() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let answer = send(&server, &ada.token, "", &[], corpus("ctrf/playwright-showcase.json.gz")).await.expect(201);
    let path = format!("/api/v1/reports/{}/results", answer["id"].as_str().unwrap());
    let total = async |query: &str| {
        server.get(&ada.token, &format!("{path}?{query}")).await.expect(200)["total"].as_u64().unwrap()
    };
    assert_eq!([total("").await, total("status=failed").await, total("status=failed,skipped").await], [56, 15, 23]);
    assert_eq!(total("status=flaky").await, answer["summary"]["flaky"].as_u64().unwrap());
    assert_eq!(total("text=update%20profile").await, 2, "one in each of the two projects");
    assert!(total("suite=chromium").await <= 56);
    let slowest = server.get(&ada.token, &format!("{path}?sort=-duration&limit=3")).await.expect(200);
    let durations: Vec<_> =
        slowest["results"].as_array().unwrap().iter().map(|result| result["duration_ms"].as_i64().unwrap()).collect();
    assert!(durations.is_sorted_by(|a, b| a >= b), "{durations:?}");
    let failed =
        server.get(&ada.token, &format!("{path}?status=failed&text=update%20profile&limit=1")).await.expect(200);
    let id = failed["results"][0]["id"].as_str().unwrap();
    let one = server.get(&ada.token, &format!("{path}/{id}")).await.expect(200);
    assert!(one["message"].as_str().unwrap().contains("toEqual"), "{one}");
    assert!(one["trace"].as_str().unwrap().contains("account.spec.js"), "{one}");
    assert_eq!(one["attempts"].as_array().unwrap().len(), one["retries"].as_u64().unwrap() as usize, "{one}");
    let all = every_result(&server, &ada.token, &path).await;
    assert_eq!(all.len(), 56);
    assert!(server.get(&ada.token, &format!("{path}/56")).await.status == 404);
}

/// All pages, of 7.
async fn every_result(server: &TestApp, token: &str, path: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(token, &format!("{path}?limit=7&sort=name{cursor}")).await.expect(200);
        all.extend(page["results"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn a_document_past_its_retention_is_410() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let answer = upload(&server, &ada, "", &ctrf(&json!([test("a", "passed")]))).await;
    let id: scaledtest_domain::ReportId = answer["id"].as_str().unwrap().parse().unwrap();
    let upload: uuid::Uuid =
        sqlx::query_scalar("select upload_id from reports.report").fetch_one(&server.database.pool).await.unwrap();
    server.app.log.delete_raw(ada.team, id, upload.into()).await.unwrap();
    server.get(&ada.token, &format!("/api/v1/reports/{id}/raw")).await.refused(410, "raw_expired");
}

#[tokio::test]
async fn text_comes_back_exactly_as_it_was_sent() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let name = "<b>\"Tom\" & 'Jerry'</b> \u{1b}[31mred\u{1b}[0m 🦀 \t end";
    let answer = upload(&server, &ada, "", &ctrf(&json!([test(name, "passed")]))).await;
    let path = format!("/api/v1/reports/{}/results/0", answer["id"].as_str().unwrap());
    assert_eq!(server.get(&ada.token, &path).await.expect(200)["name"], name);
}
