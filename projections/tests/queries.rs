//! What the API asks.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use chrono::TimeDelta;
use scaledtest_domain::{ReportId, RunId, TeamId, TeamRole, UserId, report::Status};
use scaledtest_eventlog::EventLog;
use scaledtest_projections::access::queries as access;
use scaledtest_projections::reports::queries::*;
use sqlx::PgPool;
use support::*;

struct Shown {
    pool: PgPool,
    _database: Box<dyn std::any::Any>,
}

/// Three reports of two runs, one report of another project, and one of twelve results.
async fn shown() -> Shown {
    let database = database().await;
    let pool = database.pool.clone();
    let world = World::new(EventLog::in_memory());
    let reading = Reading::start(&pool, &world.log);
    world.people().await;
    world.project("shop").await;
    world.project("site").await;
    let mut first = Spec::new("first", passed(2));
    (first.run_key, first.shard) = (Some("build-7"), Some((1, 3)));
    let mut second = Spec::new("second", vec![result("pays 100%", Status::Failed), result("ships", Status::Skipped)]);
    (second.run_key, second.shard) = (Some("build-7"), Some((2, 3)));
    let mut site = Spec::new("site", vec![result("odd", Status::Other)]);
    (site.project, site.branch) = ("site", Some("topic"));
    for spec in [first, second, site, many()] {
        reading.wait(world.upload(&spec).await).await;
    }
    reading.stop().await;
    Shown { pool, _database: Box::new(database) }
}

fn many() -> Spec {
    let statuses = [Status::Passed, Status::Failed, Status::Skipped, Status::Pending, Status::Other];
    let mut results: Vec<_> =
        (0..12_usize).map(|i| result(&format!("case {}", 11 - i), statuses[i % statuses.len()])).collect();
    for (i, result) in results.iter_mut().enumerate() {
        result.duration_ms = (i as i64 * 7) % 5;
        result.suite = vec![if i < 6 { "low".into() } else { "high".into() }];
        result.flaky = i == 10;
    }
    results[3].message = Some("m".repeat(3_000));
    results[4].tags = vec!["tagged".into()];
    Spec::new("many", results)
}

fn page(limit: u32) -> Page {
    Page { limit, ..Page::default() }
}

async fn names(pool: &PgPool, filter: ReportFilter) -> Vec<ReportId> {
    let listing = list_reports(pool, team_id(), &filter, &page(100)).await.unwrap();
    assert_eq!(listing.total, listing.items.len() as u64);
    listing.items.iter().map(|report| report.id).collect()
}

fn ids(names: &[&str]) -> Vec<ReportId> {
    names.iter().map(|name| Spec::new(name, Vec::new()).id()).collect()
}

#[tokio::test]
async fn reports_are_listed_newest_first_and_filtered() {
    let shown = shown().await;
    let pool = &shown.pool;
    let filter = ReportFilter::default;
    let text = |text: &str| ReportFilter { text: Some(text.into()), ..ReportFilter::default() };
    assert_eq!(names(pool, filter()).await, ids(&["many", "site", "second", "first"]));
    assert_eq!(names(pool, ReportFilter { project: Some("site".into()), ..filter() }).await, ids(&["site"]));
    let by_id = ReportFilter { project: Some(project_id("site").to_string()), ..filter() };
    assert_eq!(names(pool, by_id).await, ids(&["site"]));
    assert_eq!(names(pool, ReportFilter { branch: Some("topic".into()), ..filter() }).await, ids(&["site"]));
    assert_eq!(names(pool, ReportFilter { tool: Some("VITEST".into()), ..filter() }).await.len(), 4);
    for (status, expected) in [
        (ReportStatus::Passed, vec!["site", "first"]),
        (ReportStatus::Failed, vec!["many", "second"]),
        (ReportStatus::Skipped, vec!["many", "second"]),
        (ReportStatus::Flaky, vec!["many", "first"]),
    ] {
        let found = names(pool, ReportFilter { status: Some(status), ..filter() }).await;
        assert_eq!(found, ids(&expected), "{status:?}");
    }
    assert_eq!(names(pool, text("topi")).await, ids(&["site"]));
    assert_eq!(names(pool, text("vitest v3")).await.len(), 4);
    assert_eq!(names(pool, text("ABC1")).await.len(), 4, "a commit by how it begins");
    assert_eq!(names(pool, text("bc12")).await.len(), 0);
    assert_eq!(names(pool, text("%")).await.len(), 0, "a percent sign is no wildcard");
    assert_eq!(names(pool, text("a\0b")).await.len(), 0);

    let all = list_reports(pool, team_id(), &filter(), &page(100)).await.unwrap().items;
    let (newest, oldest) = (all[0].created_at, all[3].created_at);
    assert_eq!(names(pool, ReportFilter { since: Some(newest), ..filter() }).await, ids(&["many"]), "inclusive");
    assert_eq!(names(pool, ReportFilter { until: Some(oldest), ..filter() }).await, ids(&["first"]), "inclusive");
    let other = list_reports(pool, TeamId::derived(&[b"other"]), &filter(), &page(100)).await.unwrap();
    assert_eq!((other.total, other.items.len()), (0, 0), "nothing of another team");
}

#[tokio::test]
async fn pages_by_cursor_and_by_offset_give_every_report_once() {
    let shown = shown().await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = Page { limit: 1, offset: 0, cursor };
        let listing = list_reports(&shown.pool, team_id(), &ReportFilter::default(), &page).await.unwrap();
        assert_eq!(listing.total, 4);
        seen.extend(listing.items.iter().map(|report| report.id));
        cursor = listing.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids(&["many", "site", "second", "first"]));
    let page = Page { limit: 2, offset: 1, cursor: None };
    let listing = list_reports(&shown.pool, team_id(), &ReportFilter::default(), &page).await.unwrap();
    assert_eq!(listing.items.iter().map(|report| report.id).collect::<Vec<_>>(), ids(&["site", "second"]));
    let page = Page { limit: 2, offset: 0, cursor: Some("nonsense".into()) };
    let refused = list_reports(&shown.pool, team_id(), &ReportFilter::default(), &page).await;
    assert!(matches!(refused, Err(QueryError::Cursor(CursorError))));
}

#[tokio::test]
async fn one_report_comes_with_all_that_was_said_of_it() {
    let shown = shown().await;
    let id = Spec::new("second", Vec::new()).id();
    let found = get_report(&shown.pool, team_id(), id).await.unwrap().unwrap();
    assert_eq!(found.report.project, "shop");
    assert_eq!(found.report.summary.counts().failed, 1);
    assert_eq!(found.diagnostics().len(), 1);
    assert_eq!((found.body_bytes, found.media_type.as_str()), (1234, "application/json"));
    assert_eq!(found.upload_id, Spec::new("second", Vec::new()).upload());
    assert!(get_report(&shown.pool, TeamId::derived(&[b"other"]), id).await.unwrap().is_none());
}

#[tokio::test]
async fn reports_with_one_key_are_one_run() {
    let shown = shown().await;
    let pool = &shown.pool;
    let runs = list_runs(pool, team_id(), &ReportFilter::default(), &page(10)).await.unwrap();
    assert_eq!(runs.total, 3);
    let run = &runs.items[2];
    assert_eq!(run.id, RunId::derived(&[b"shop", b"build-7"]));
    assert_eq!((run.reports, run.shards, run.key.as_deref()), (2, Some(3), Some("build-7")));
    assert_eq!((run.summary.tests, run.summary.passed, run.summary.failed, run.summary.skipped), (4, 2, 1, 1));
    assert!(!run.is_complete(run.updated_at + TimeDelta::minutes(29)), "one shard of three is missing");
    assert!(run.is_complete(run.updated_at + QUIET));
    assert!(runs.items[0].is_complete(runs.items[0].updated_at), "a report without a key is a run");
    assert_eq!(reports_of_run(pool, team_id(), run.id).await.unwrap().len(), 2);
    assert_eq!(get_run(pool, team_id(), run.id).await.unwrap().as_ref(), Some(run));
    let filter = ReportFilter { tool: Some("vitest".into()), text: Some("build-7".into()), ..ReportFilter::default() };
    assert_eq!(list_runs(pool, team_id(), &filter, &page(10)).await.unwrap().total, 1);
    let results =
        list_results(pool, team_id(), Scope::Run(run.id), &ResultFilter::default(), Sort::Position, &page(10))
            .await
            .unwrap()
            .unwrap();
    assert_eq!(results.total, 4);
    let reports: Vec<ReportId> = results.items.iter().map(|result| result.report_id).collect();
    assert_eq!(reports, ids(&["first", "first", "second", "second"]));
}

/// Reads all pages of three results.
async fn walk(pool: &PgPool, filter: &ResultFilter, sort: Sort) -> (u64, Vec<ResultRow>) {
    let (mut all, mut cursor, mut total) = (Vec::new(), None, 0);
    loop {
        let page = Page { limit: 3, offset: 0, cursor };
        let scope = Scope::Report(many().id());
        let listing = list_results(pool, team_id(), scope, filter, sort, &page).await.unwrap().unwrap();
        all.extend(listing.items);
        total = total.max(listing.total);
        cursor = listing.next_cursor;
        if cursor.is_none() {
            return (total, all);
        }
    }
}

#[tokio::test]
async fn results_are_sorted_and_paged_without_gap_or_repetition() {
    let shown = shown().await;
    let key = |sort: Sort, row: &ResultRow| match sort {
        Sort::Position => (0, String::new(), row.idx),
        Sort::Duration => (row.duration_ms, String::new(), row.idx),
        Sort::DurationDescending => (-row.duration_ms, String::new(), row.idx),
        Sort::Name => (0, row.name.clone(), row.idx),
        Sort::Status => {
            let order = [Status::Failed, Status::Other, Status::Pending, Status::Skipped, Status::Passed];
            (order.iter().position(|status| *status == row.status.0).unwrap() as i64, String::new(), row.idx)
        }
    };
    for sort in [Sort::Position, Sort::Duration, Sort::DurationDescending, Sort::Name, Sort::Status] {
        let (total, rows) = walk(&shown.pool, &ResultFilter::default(), sort).await;
        assert_eq!((total, rows.len()), (12, 12), "{sort:?}");
        assert!(rows.is_sorted_by_key(|row| key(sort, row)), "{sort:?}");
        let searched = ResultFilter { text: Some("case".into()), ..ResultFilter::default() };
        assert_eq!(walk(&shown.pool, &searched, sort).await, (total, rows), "a search has the same order: {sort:?}");
    }
    let beyond = Page { limit: 3, offset: 100, cursor: None };
    for text in [None, Some("case".to_owned())] {
        let filter = ResultFilter { text, ..ResultFilter::default() };
        let scope = Scope::Report(many().id());
        let listing = list_results(&shown.pool, team_id(), scope, &filter, Sort::Name, &beyond).await.unwrap().unwrap();
        assert_eq!((listing.total, listing.items.len()), (12, 0));
    }
}

#[tokio::test]
async fn results_are_filtered() {
    let shown = shown().await;
    let filter = ResultFilter::default;
    for (filter, expected) in [
        (ResultFilter { statuses: vec![Status::Failed], ..filter() }, vec![1, 6, 11]),
        (ResultFilter { statuses: vec![Status::Failed, Status::Pending], ..filter() }, vec![1, 3, 6, 8, 11]),
        (ResultFilter { flaky: true, ..filter() }, vec![10]),
        (ResultFilter { statuses: vec![Status::Pending], flaky: true, ..filter() }, vec![3, 8, 10]),
        (ResultFilter { suite: Some("HIGH".into()), ..filter() }, vec![6, 7, 8, 9, 10, 11]),
        (ResultFilter { tag: Some("tagged".into()), ..filter() }, vec![4]),
        (ResultFilter { text: Some("case 1".into()), ..filter() }, vec![0, 1, 10]),
        (ResultFilter { text: Some("mmmm".into()), ..filter() }, vec![3]),
        (ResultFilter { text: Some("_".into()), ..filter() }, vec![]),
    ] {
        let (total, rows) = walk(&shown.pool, &filter, Sort::Position).await;
        assert_eq!(rows.iter().map(|row| row.idx).collect::<Vec<_>>(), expected, "{filter:?}");
        assert_eq!(total, expected.len() as u64, "{filter:?}");
    }
    let (_, rows) = walk(&shown.pool, &ResultFilter { text: Some("mmmm".into()), ..filter() }, Sort::Position).await;
    assert_eq!(rows[0].message.as_ref().unwrap().len(), 2_000, "a list shows the beginning");
    let elsewhere = TeamId::derived(&[b"other"]);
    let scope = Scope::Report(many().id());
    let none = list_results(&shown.pool, elsewhere, scope, &filter(), Sort::Position, &page(3)).await.unwrap();
    assert!(none.is_none());
}

#[tokio::test]
async fn one_result_is_shown_whole_with_its_attempts() {
    let shown = shown().await;
    let found = get_result(&shown.pool, team_id(), many().id(), 3).await.unwrap().unwrap();
    assert_eq!(found.result.message.as_ref().unwrap().len(), 3_000);
    assert_eq!(found.attempts.len(), 1);
    assert_eq!(found.attempts[0].status.0, Status::Failed);
    assert_eq!((found.steps().len(), found.attachments().len()), (1, 1));
    assert_eq!(found.extra().unwrap()["type"], "unit");
    assert!(get_result(&shown.pool, team_id(), many().id(), 12).await.unwrap().is_none());
    assert!(get_result(&shown.pool, TeamId::derived(&[b"other"]), many().id(), 3).await.unwrap().is_none());
}

#[tokio::test]
async fn rows_are_counted_against_what_the_events_say() {
    let shown = shown().await;
    let all = count_reports(&shown.pool, 0, 10).await.unwrap();
    assert!(all.iter().all(|report| report.tests == report.results) && all.is_sorted_by_key(|report| report.no));
    sqlx::query("delete from reports.result where report_no = $1 and idx = 0")
        .bind(all[3].no)
        .execute(&shown.pool)
        .await
        .unwrap();
    let rest = count_reports(&shown.pool, all[2].no, 10).await.unwrap();
    assert_eq!(
        rest.iter().map(|report| (report.id, report.tests, report.results)).collect::<Vec<_>>(),
        [(many().id(), 12, 11)]
    );
}

#[tokio::test]
async fn projects_name_their_branches() {
    let shown = shown().await;
    let projects = list_projects(&shown.pool, team_id()).await.unwrap();
    let named: Vec<_> = projects.iter().map(|project| (project.name.as_str(), project.branches.join(" "))).collect();
    assert_eq!(named, [("shop", "main".to_owned()), ("site", "topic".to_owned())]);
}

#[tokio::test]
async fn access_is_what_the_events_say() {
    let shown = shown().await;
    let pool = &shown.pool;
    let (owner, other) = (UserId::derived(&[b"owner"]), UserId::derived(&[b"other"]));
    assert_eq!(access::membership(pool, owner, team_id()).await.unwrap(), Some(TeamRole::Owner));
    assert_eq!(access::membership(pool, other, team_id()).await.unwrap(), Some(TeamRole::Readonly));
    assert_eq!(access::membership(pool, UserId::derived(&[b"x"]), team_id()).await.unwrap(), None);
    let teams = access::teams_of(pool, other).await.unwrap();
    assert_eq!((teams.len(), teams[0].name.as_str(), teams[0].role), (1, "Checkout", TeamRole::Readonly));
    assert_eq!(access::oldest_team(pool, owner).await.unwrap(), Some(team_id()));
    let tokens = access::tokens_of(pool, team_id()).await.unwrap();
    assert_eq!(tokens.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(access::token(pool, tokens[0].id).await.unwrap().as_ref(), Some(&tokens[0]));
    assert!(access::account(pool, other).await.unwrap().is_some());
}
