//! Who owns tests, with a history of real reports.

use crate::{
    corpus, ctrf, send,
    support::{Answer, TestApp},
    test, upload,
};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};

const FILE: &str = "\
# everybody
*                     @acme/quality
/tests/checkout/      @acme/payments pay@acme.example
login.spec.ts         @acme/identity
nobody.spec.ts
!tests                @acme/odd
";

async fn put(server: &TestApp, token: &str, project: &str, text: impl Into<Body>) -> Answer {
    let request = Request::put(format!("/api/v1/projects/{project}/owners"));
    let request = request.header("authorization", format!("Bearer {token}"));
    server.send(request.body(text.into()).unwrap()).await
}

#[tokio::test]
async fn codeowners_decide_who_owns_a_test_and_reports_may_say_otherwise() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let token = server.api_token(&ada, &["upload", "read"]).await;
    assert_eq!(put(&server, &token, "shop", FILE).await.status, 404, "its first report makes a project");
    let mut named = test("pays by card", "passed");
    named["filePath"] = json!("/home/runner/work/shop/shop/tests/checkout/card.spec.ts");
    named["tags"] = json!(["owner:@acme/cards"]);
    let mut other = test("pays by bank", "failed");
    other["filePath"] = json!("/home/runner/work/shop/shop/tests/checkout/bank.spec.ts");
    let mut login = test("signs in", "passed");
    login["filePath"] = json!("tests/a/login.spec.ts");
    let mut nobody = test("is alone", "passed");
    nobody["filePath"] = json!("tests/nobody.spec.ts");
    let before = json!([named, other, login]);
    upload(&server, &ada, "?project=shop&branch=main", &ctrf(&before)).await;

    let taken = put(&server, &token, "shop", FILE).await.expect(200);
    assert_eq!(taken["rules"], 4);
    assert_eq!(taken["faults"][0]["line"], 6);
    // One that came before the file, and one that comes after it.
    upload(&server, &ada, "?project=shop&branch=main", &ctrf(&json!([nobody]))).await;
    let page = server.get(&token, "/api/v1/tests?project=shop&sort=name").await.expect(200);
    let owners = |name: &str| {
        let tests = page["tests"].as_array().unwrap();
        tests.iter().find(|test| test["name"] == name).unwrap()["owners"].clone()
    };
    assert_eq!(owners("pays by card"), json!(["@acme/cards"]));
    assert_eq!(owners("pays by bank"), json!(["@acme/payments", "pay@acme.example"]));
    assert_eq!(owners("signs in"), json!(["@acme/identity"]));
    assert_eq!(owners("is alone"), json!([]));

    for (owner, expected) in [("pay@acme.example", 1), ("@acme/cards", 1), ("none", 1), ("@acme/nope", 0)] {
        let page = server.get(&token, &format!("/api/v1/tests?owner={}", owner.replace('@', "%40"))).await.expect(200);
        assert_eq!(page["total"], expected, "{owner}");
    }
    let listed = server.get(&token, "/api/v1/projects/shop/owners").await.expect(200);
    let payments =
        listed["owners"].as_array().unwrap().iter().find(|owned| owned["owner"] == "@acme/payments").unwrap();
    assert_eq!(*payments, json!({"owner": "@acme/payments", "tests": 1, "flaky": 0, "broken": 0, "failing": 1}));
    assert_eq!(listed["owners"].as_array().unwrap().last().unwrap()["owner"], Value::Null);
    let page = server.get(&token, "/api/v1/runs?status=failed").await.expect(200);
    let run = page["runs"][0]["id"].as_str().unwrap();
    let verdict = server.get(&token, &format!("/api/v1/runs/{run}/verdict")).await.expect(200);
    assert_eq!(verdict["tests"][0]["owners"], json!(["@acme/payments", "pay@acme.example"]));
}

#[tokio::test]
async fn a_file_of_owners_is_bounded_text_of_ones_own_team() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let bob = server.register("bob@example.test").await;
    upload(&server, &ada, "?project=shop", &ctrf(&json!([test("a", "passed")]))).await;
    assert_eq!(put(&server, &ada.token, "shop", "#".repeat(256 * 1024 + 1)).await.status, 413);
    assert_eq!(put(&server, &bob.token, "shop", "* @bob").await.status, 404);
    let path = "/api/v1/projects/shop/owners";
    assert_eq!(put(&server, &ada.token, "shop", vec![0xff, 0xfe]).await.status, 400);
    assert_eq!(put(&server, &ada.token, "shop", "* @ada").await.expect(200)["rules"], 1);
    assert_eq!(put(&server, &ada.token, "shop", "").await.expect(200)["rules"], 0);
    assert_eq!(server.get(&ada.token, path).await.expect(200)["codeowners"], Value::Null);
    let id = server.get(&ada.token, "/api/v1/projects").await.expect(200)["projects"][0]["id"].clone();
    let path = format!("/api/v1/projects/{}/owners", id.as_str().unwrap());
    assert_eq!(server.get(&ada.token, &path).await.expect(200)["project_id"], id);
    assert_eq!(server.get(&bob.token, &path).await.status, 404);
}

#[tokio::test]
async fn the_owners_of_a_real_suite_are_found_by_its_files() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let token = server.api_token(&ada, &["upload", "read"]).await;
    let truth: Value = serde_json::from_slice(&corpus("history/pw-shop-24/truth.json")).unwrap();
    let file = truth["runs"][0]["file"].as_str().unwrap();
    let body = corpus(&format!("history/pw-shop-24/{file}"));
    send(&server, &token, "?project=shop&branch=main", &[], body).await.expect(201);
    let page = server.get(&token, "/api/v1/tests?project=shop&limit=200").await.expect(200);
    let tests = page["tests"].as_array().unwrap();
    let path = tests[0]["file_path"].as_str().unwrap();
    let name = path.rsplit('/').next().unwrap();
    let here = tests.iter().filter(|test| test["file_path"].as_str().unwrap().ends_with(&format!("/{name}"))).count();
    put(&server, &token, "shop", format!("* @all\n{name} @here\n")).await.expect(200);
    let page = server.get(&token, "/api/v1/tests?project=shop&owner=%40here").await.expect(200);
    assert_eq!(page["total"], here);
    let page = server.get(&token, "/api/v1/tests?project=shop&owner=%40all").await.expect(200);
    assert_eq!(page["total"], tests.len() - here);
}
