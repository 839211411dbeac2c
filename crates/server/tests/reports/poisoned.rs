//! A report whose results are lost stops the read model that needs them, and nothing else.

use crate::{ctrf, send, support::TestApp, test, upload};
use scaledtest_commands::report;
use scaledtest_domain::{Event, Kind, ReportId, StreamId, UploadId, events::report::Event as ReportEvent};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A second report in the log, whose chunks are nowhere.
async fn append_a_report_without_results(server: &TestApp, team: scaledtest_domain::TeamId, like: &Value) {
    let like: ReportId = like["id"].as_str().unwrap().parse().unwrap();
    let history = server.app.log.load(&StreamId::of(team, Kind::Report, like)).await.unwrap();
    let Event::Report(ReportEvent::Ingested(mut ingested)) = history[0].commit.decode_events().unwrap().remove(0)
    else {
        panic!()
    };
    ingested.report = ReportId::new();
    ingested.upload = UploadId::new();
    let meta = server.command();
    let stream = StreamId::of(team, Kind::Report, ingested.report);
    server.app.log.execute_new::<report::Report>(stream, report::Command::Ingest(ingested), &meta).await.unwrap();
}

async fn until_halted(server: &TestApp) -> Value {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let readiness = server.get("", "/readyz").await;
        let body = readiness.json();
        if body["projections"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "reports" && one["state"] == "halted")
        {
            assert_eq!(readiness.status, 503);
            return body;
        }
        assert!(Instant::now() < until, "{body}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_results_stop_the_reports_while_accounts_teams_and_uploads_go_on() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.test").await;
    let first = upload(&server, &ada, "", &ctrf(&json!([test("a", "passed")]))).await;
    append_a_report_without_results(&server, ada.team, &first).await;

    let readiness = until_halted(&server).await;
    assert_eq!((&readiness["database"], &readiness["log"]), (&json!("ok"), &json!("ok")));
    let state = |name: &str| {
        let projections = readiness["projections"].as_array().unwrap();
        projections.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{readiness}"))["state"].clone()
    };
    for name in ["access", "audit", "gates", "issues", "quarantine"] {
        assert_eq!(state(name), "active", "{name}");
    }
    assert!(server.get("", "/metrics").await.text().contains("projection_lag"));

    // Accounts and teams: written after the poison, and read at once.
    let eve = server.register("eve@example.test").await;
    let login = json!({"email": "eve@example.test", "password": crate::support::PASSWORD});
    server.post("", "/api/v1/auth/login", login).await.expect(200);
    let teams = server.get(&eve.token, "/api/v1/teams").await.expect(200);
    assert_eq!(teams["teams"][0]["id"], eve.team.to_string());
    let token = server.api_token(&eve, &["upload", "read"]).await;
    let last = server.app.log.last().await.unwrap();
    assert!(server.app.positions.wait(&["access"], last, Duration::from_secs(30)).await);

    // Reports: taken in, listed up to the poison; whoever insists on newer ones is told why not.
    let body = ctrf(&json!([test("b", "passed")])).to_string();
    let accepted = send(&server, &token, "", &[("prefer", "respond-async")], body).await;
    let position = accepted.header("st-position").unwrap().to_owned();
    accepted.expect(202);
    let reports = server.get(&ada.token, "/api/v1/reports").await.expect(200);
    assert_eq!((&reports["total"], &reports["reports"][0]["id"]), (&json!(1), &first["id"]));
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("st-min-position", position.as_str())];
    let newer = server.call(axum::http::Method::GET, "/api/v1/reports", &headers, None).await;
    newer.refused(503, "projection_lagging");
    // What reads nothing of reports does not wait for them.
    let administrator = format!("Bearer {}", ada.token);
    for (who, path) in [
        (&bearer, "/api/v1/teams".to_owned()),
        (&bearer, format!("/api/v1/teams/{}/members", eve.team)),
        (&bearer, format!("/api/v1/teams/{}/quality-gates", eve.team)),
        (&administrator, "/api/v1/admin/users".to_owned()),
        (&administrator, "/api/v1/admin/audit-log".to_owned()),
    ] {
        let headers = [("authorization", who.as_str()), ("st-min-position", position.as_str())];
        server.call(axum::http::Method::GET, &path, &headers, None).await.expect(200);
    }
    let headers = [("authorization", administrator.as_str()), ("st-min-position", position.as_str())];
    let counted = server.call(axum::http::Method::GET, "/api/v1/admin/teams", &headers, None).await;
    counted.refused(503, "projection_lagging");
    let last = server.app.log.last().await.unwrap();
    assert!(server.app.positions.wait(&["access", "audit"], last, Duration::from_secs(30)).await, "the others go on");
    server.stop().await;
}
