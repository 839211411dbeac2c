//! Every real report of the corpus goes in whole, and comes back.

use crate::{corpus, send, support::TestApp};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn every_real_report_is_accepted_with_every_test() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let index: Value = serde_json::from_slice(&corpus("index.json")).unwrap();
    let files = index["files"].as_array().unwrap();
    assert!(files.len() > 60, "the corpus is there");
    for file in files {
        let path = file["path"].as_str().unwrap();
        let query = format!("?project={}", path.replace('/', "-"));
        let answer = send(&server, &ada.token, &query, &[], corpus(path)).await;
        assert_eq!(answer.status, 201, "{path}: {:?}", answer.body);
        let answer = answer.json();
        assert_eq!(answer["results"], file["tests"], "{path}");
        let id = answer["id"].as_str().unwrap();
        // The largest has 62,423 tests: unoptimised, its projection may take longer than a write waits.
        server.settle().await;
        let results = server.get(&ada.token, &format!("/api/v1/reports/{id}/results?limit=1")).await.expect(200);
        assert_eq!(results["total"], file["tests"], "{path}");
    }
}
