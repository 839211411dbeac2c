//! Known issues: what an open ticket excuses, and what it does not.

use crate::{
    quarantine::{World, judged},
    support::Answer,
};
use axum::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};

const CART: &str = "the cart was not loaded within 30 s";
const OTHER: &str = "TypeError: total is not a function";
const NAME: &str = "test 0";

/// Test 0 passed for a while, and then failed; the run's verdict of it.
async fn failed(world: &World) -> Value {
    for _ in 0..4 {
        world.small("PPP", "").await;
    }
    let run = world.small("FPP", CART).await;
    // What is linked from now on is linked after the run.
    world.server.advance(60);
    judged(&world.verdict(&run).await, NAME).clone()
}

fn link(of: &Value, ticket: &str) -> Value {
    json!({"project": "shop", "fingerprint": of["fingerprint"], "ticket": ticket})
}

/// State of the run, and what was said of test 0.
async fn outcome(world: &World, run: &Value) -> (Value, Value) {
    let verdict = world.verdict(run).await;
    assert_eq!(verdict["counts"], run["verdict"]["counts"], "the upload is told the same");
    (verdict["state"].clone(), judged(&verdict, NAME).clone())
}

#[tokio::test]
async fn an_open_ticket_excuses_the_same_failure_and_no_other_until_it_is_closed() {
    let world = World::new().await;
    let first = failed(&world).await;
    assert_eq!(first["verdict"], "regression");
    let issue = world.post("/issues", link(&first, "https://tracker.example/browse/SHOP-7")).await;
    assert_eq!((&issue["state"], &issue["message"]), (&json!("open"), &json!(CART)));

    // Known from now on: the run that it was linked after stays as it was judged, but says so.
    let found = world.get(&format!("/reports/{}", first["report_id"].as_str().unwrap())).await;
    let judged_first = world.verdict(&json!({"run_id": found["run_id"]})).await;
    let again = judged(&judged_first, NAME);
    assert_eq!((&again["verdict"], &again["issue"]["id"]), (&json!("regression"), &issue["id"]));
    assert!(again["reason"].as_str().unwrap().contains("after the run"), "{again}");

    world.small("PPP", "").await;
    let (state, test) = outcome(&world, &world.small("FPP", CART).await).await;
    assert_eq!((&state, &test["verdict"]), (&json!("neutral"), &json!("known_issue")));
    assert_eq!(test["issue"]["ticket"], "https://tracker.example/browse/SHOP-7");
    let (state, test) = outcome(&world, &world.small("FPP", OTHER).await).await;
    assert_eq!((&state, &test["verdict"]), (&json!("regressions"), &json!("regression")));
    assert_eq!(test.get("issue"), None);
    // What passed in the end needs no excuse.
    let (state, test) = outcome(&world, &world.small("fPP", CART).await).await;
    assert_eq!((&state, &test["verdict"]), (&json!("mergeable"), &json!("flaky_in_run")));

    let known = world.small("FPP", CART).await;
    world.server.advance(60);
    let closed = world.post(&format!("/issues/{}/close", issue["id"].as_str().unwrap()), json!({})).await;
    assert_eq!((&closed["state"], &closed["closed_by"]), (&json!("closed"), &issue["linked_by"]));
    assert_eq!(outcome(&world, &known).await.1["verdict"], "known_issue", "what was judged stays judged");
    for _ in 0..4 {
        world.small("PPP", "").await;
    }
    let (state, test) = outcome(&world, &world.small("FPP", CART).await).await;
    assert_ne!(test["verdict"], "known_issue", "{test}");
    assert_eq!((&state, test.get("issue")), (&json!("neutral"), None), "it has failed so in a flake: {test}");
}

#[tokio::test]
async fn what_comes_back_after_its_ticket_was_closed_is_a_regression() {
    let world = World::new().await;
    let gate = json!({"name": "Main", "rules": [{"type": "no_regressions"}]});
    let me = world.get("/teams").await;
    let team = me["teams"][0]["id"].as_str().unwrap().to_owned();
    world.post(&format!("/teams/{team}/quality-gates"), gate).await;
    let first = failed(&world).await;
    let issue = world.post("/issues", link(&first, "SHOP-7")).await;
    world.small("PPP", "").await;
    let known = world.small("FPP", CART).await;
    assert_eq!((&known["verdict"]["state"], &known["qualityGate"]["passed"]), (&json!("neutral"), &json!(true)));
    world.post(&format!("/issues/{}/close", issue["id"].as_str().unwrap()), json!({})).await;
    for _ in 0..4 {
        world.small("PPP", "").await;
    }
    let (state, test) = outcome(&world, &world.small("FPP", CART).await).await;
    assert_eq!((&state, &test["verdict"]), (&json!("regressions"), &json!("regression")), "{test}");
    let again = world.post("/issues", link(&first, "SHOP-9")).await;
    assert_ne!(again["id"], issue["id"]);
}

#[tokio::test]
async fn an_expired_ticket_excuses_nothing() {
    let world = World::new().await;
    let first = failed(&world).await;
    let mut body = link(&first, "SHOP-7");
    body["expires_at"] = json!(world.now() + TimeDelta::minutes(90));
    let issue = world.post("/issues", body).await;
    let known = world.small("FPP", CART).await;
    assert_eq!(known["verdict"]["counts"]["known_issue"], 1);
    let later = world.small("FPP", CART).await;
    assert_eq!(later["verdict"]["counts"]["known_issue"], 0);
    assert_eq!(world.get("/issues").await["total"], 0);
    let expired = world.get("/issues?state=expired").await;
    assert_eq!((&expired["issues"][0]["id"], &expired["issues"][0]["state"]), (&issue["id"], &json!("expired")));
    let change = format!("/issues/{}", issue["id"].as_str().unwrap());
    world.call(Method::PATCH, &change, json!({"note": "n"})).await.refused(409, "issue_over");
    world.post("/issues", link(&first, "SHOP-8")).await;
}

#[tokio::test]
async fn it_is_shown_where_the_error_is_and_listed() {
    let world = World::new().await;
    let first = failed(&world).await;
    let mut body = link(&first, " SHOP-7 ");
    body["note"] = json!("Only with the new cache.");
    let issue = world.post("/issues", body).await;
    let error = &world.get("/analytics/error-analysis").await["errors"][0];
    assert_eq!((&error["fingerprint"], &error["issue"]["ticket"]), (&first["fingerprint"], &json!("SHOP-7")));
    let test = world.get(&format!("/tests/{}", first["test_id"].as_str().unwrap())).await;
    assert_eq!(test["errors"][0]["issue"]["id"], issue["id"]);
    let listed = world.get("/issues?project=shop&text=new+CACHE").await;
    assert_eq!((&listed["issues"][0], &listed["total"]), (&issue, &json!(1)));
    assert_eq!(world.get("/issues?text=loaded+within").await["total"], 1, "the message is searched, too");
    assert_eq!(world.get("/issues?project=other").await["total"], 0);
    assert_eq!(world.get("/issues?state=closed").await["total"], 0);
    world.call(Method::GET, "/issues?state=odd", json!({})).await.refused(400, "invalid_parameter");

    let path = format!("/issues/{}", issue["id"].as_str().unwrap());
    let end = world.now() + TimeDelta::days(7);
    let changed = world.call(Method::PATCH, &path, json!({"note": "", "expires_at": end})).await.expect(200);
    assert_eq!((&changed["ticket"], changed.get("note")), (&json!("SHOP-7"), None));
    assert!(changed["expires_at"].is_string());
    let changed = world.call(Method::PATCH, &path, json!({"ticket": "#8", "expires_at": null})).await.expect(200);
    assert_eq!((&changed["ticket"], changed.get("expires_at")), (&json!("#8"), None));
    assert_eq!(world.get(&path).await, changed);

    // A second one, and page by page.
    let run = world.small("PFP", OTHER).await;
    let second = judged(&world.verdict(&run).await, "test 1").clone();
    world.post("/issues", link(&second, "SHOP-9")).await;
    let page = world.get("/issues?limit=1").await;
    assert_eq!((&page["issues"][0]["ticket"], &page["total"]), (&json!("SHOP-9"), &json!(2)));
    let next = world.get(&format!("/issues?limit=1&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&next["issues"][0]["ticket"], next.get("next_cursor")), (&json!("#8"), None));
    world.call(Method::GET, "/issues?cursor=x", json!({})).await.refused(400, "invalid_cursor");
}

#[tokio::test]
async fn it_is_linked_once_and_only_with_what_can_be_one() {
    let world = World::new().await;
    let first = failed(&world).await;
    let post = async |body: Value| world.call(Method::POST, "/issues", body).await;
    let faulty = |answer: Answer, field: &str| {
        let refused = answer.refused(400, "invalid_request");
        assert_eq!(refused["details"][0]["field"], field, "{refused}");
    };
    faulty(post(json!({"fingerprint": first["fingerprint"], "ticket": "SHOP-7"})).await, "project");
    faulty(post(json!({"project": "shop", "fingerprint": "x", "ticket": "SHOP-7"})).await, "fingerprint");
    for ticket in ["", "SHOP 7", "javascript:alert(1)", "https://ada:secret@tracker.example/7"] {
        faulty(post(link(&first, ticket)).await, "ticket");
    }
    let with = |name: &str, value: Value| {
        let mut body = link(&first, "SHOP-7");
        body[name] = value;
        body
    };
    faulty(post(with("note", json!("x".repeat(1_001)))).await, "note");
    faulty(post(with("expires_at", json!(world.now() - TimeDelta::seconds(1)))).await, "expires_at");
    faulty(post(with("expires_at", json!(world.now() + TimeDelta::days(3_651)))).await, "expires_at");
    post(with("project", json!("other"))).await.refused(404, "project_not_found");
    let unknown = json!("019aab10-0000-7000-8000-00000000ffff");
    post(with("fingerprint", unknown)).await.refused(404, "error_not_found");

    // Failures without a word have nothing in common.
    let silent = world.small("PPF", "").await;
    let silent = judged(&world.verdict(&silent).await, "test 2").clone();
    post(link(&silent, "SHOP-7")).await.refused(404, "error_not_found");

    let send = async |ticket: &str| {
        let headers = [("authorization", format!("Bearer {}", world.token)), ("idempotency-key", "k".to_owned())];
        world.server.call(Method::POST, "/api/v1/issues", &headers, Some(link(&first, ticket))).await
    };
    let issue = send("SHOP-7").await.expect(201);
    assert_eq!(send("SHOP-7").await.expect(201), issue);
    send("SHOP-8").await.refused(422, "idempotency_key_reused");
    post(link(&first, "SHOP-8")).await.refused(409, "already_linked");
    let close = format!("/issues/{}/close", issue["id"].as_str().unwrap());
    let closed = world.post(&close, json!({})).await;
    assert_eq!(world.post(&close, json!({})).await, closed);
    world.server.settle_audit().await;
    let noted = sqlx::query_scalar("select action from audit.entry where resource_type = 'issue' order by no");
    let noted: Vec<String> = noted.fetch_all(&world.server.app.db).await.unwrap();
    assert_eq!(noted, ["issue.linked", "issue.closed"]);
}

#[tokio::test]
async fn no_team_sees_or_touches_the_issues_of_another() {
    let world = World::new().await;
    let first = failed(&world).await;
    let issue = world.post("/issues", link(&first, "SHOP-7")).await;
    let eve = world.server.register("eve@example.test").await;
    let token = world.server.api_token(&eve, &["upload", "read", "write"]).await;
    let call = async |method: Method, path: &str, body: Value| {
        let headers = [("authorization", format!("Bearer {token}"))];
        world.server.call(method, &format!("/api/v1{path}"), &headers, Some(body)).await
    };
    let path = format!("/issues/{}", issue["id"].as_str().unwrap());
    call(Method::GET, &path, json!({})).await.refused(404, "issue_not_found");
    call(Method::PATCH, &path, json!({"ticket": "EVE-1"})).await.refused(404, "issue_not_found");
    call(Method::POST, &format!("{path}/close"), json!({})).await.refused(404, "issue_not_found");
    let mut body = link(&first, "EVE-1");
    body["project"] = issue["project"]["id"].clone();
    call(Method::POST, "/issues", body).await.refused(404, "project_not_found");
    let listed = call(Method::GET, "/issues?state=all", json!({})).await.expect(200);
    assert_eq!(listed, json!({"issues": [], "total": 0}));

    // The same failure in a project of the same name is another error.
    let report = crate::ctrf(&json!([{"name": NAME, "status": "failed", "duration": 5, "message": CART}]));
    let run =
        crate::send(&world.server, &token, "?project=shop&branch=main", &[], report.to_string()).await.expect(201);
    assert_eq!(run["verdict"]["counts"]["known_issue"], 0);
    assert_eq!(world.get(&path).await["ticket"], "SHOP-7");
}
