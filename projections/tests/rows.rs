//! Events to rows.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use proptest::prelude::*;
use scaledtest_domain::{
    AliasId, Event, Hash16, Kind, ReportId, RollupId, RunId, StreamId, TestId, UploadId, UserId,
    events::{alias, part, project, report, run},
    report::{Status, TestResult, decode_chunk, encode_chunk},
    retention::Part,
};
use scaledtest_projections::{Body, FreshResults, Item, Settle};
use std::collections::BTreeMap;
use std::sync::Arc;
use support::{replay::*, *};

#[tokio::test]
async fn events_become_these_rows() {
    let database = database().await;
    let world = World::new(scaledtest_eventlog::EventLog::in_memory());
    let reading = Reading::start(&database.pool, &world.log);
    world.people().await;
    world.project("shop").await;
    world.owners("shop", "/src/ @acme/shop").await;
    let mixed = vec![result("adds", Status::Passed), result("pays", Status::Failed), result("ships", Status::Skipped)];
    let mut first = Spec::new("first", mixed);
    (first.run_key, first.shard) = (Some("build-7"), Some((1, 2)));
    let mut second = Spec::new("second", vec![result("more", Status::Other)]);
    (second.run_key, second.shard) = (Some("build-7"), Some((2, 2)));
    let doomed = Spec::new("doomed", passed(2));
    world.upload(&first).await;
    world.upload(&second).await;
    world.upload(&doomed).await;
    let last = world.delete(&doomed).await;
    reading.wait(last).await;
    assert!(reading.positions.wait(&["audit", "history"], last, LIMIT).await);

    insta::assert_snapshot!("access", render(&dump(&database.pool, "access").await));
    insta::assert_snapshot!("audit", render(&dump(&database.pool, "audit").await));
    insta::assert_snapshot!("reports", render(&dump(&database.pool, "reports").await));
    insta::assert_snapshot!("history", render(&dump(&database.pool, "history").await));
    reading.stop().await;
}

#[derive(Debug, Clone)]
enum Op {
    Project(usize),
    Owners(usize, usize),
    Upload {
        report: usize,
        project: usize,
        key: Option<usize>,
        branch: Option<usize>,
        results: Vec<(u8, bool, usize)>,
    },
    Delete(usize),
    Pin(usize, bool),
    /// What has had its time is rolled up and dropped, and what was kept beyond it and is not pinned any more.
    Retain,
    /// Of a project: a test becomes another one, or is separated from what it became.
    Join(usize, usize, usize),
    Separate(usize, usize),
}

const PROJECTS: [&str; 2] = ["shop", "site"];
const OWNERS: [&str; 3] = ["", "* @all", "*.ts @web\n/src/ @source\nodd"];
const KEYS: [&str; 2] = ["build-1", "build-2"];
const BRANCHES: [&str; 2] = ["main", "topic"];

fn op() -> impl Strategy<Value = Op> {
    let results = proptest::collection::vec((0..5_u8, any::<bool>(), 0..SAID.len()), 0..4);
    prop_oneof![
        1 => (0..2_usize).prop_map(Op::Project),
        1 => (0..2_usize, 0..3_usize).prop_map(|(project, text)| Op::Owners(project, text)),
        5 => (0..6_usize, 0..2_usize, proptest::option::of(0..2_usize), proptest::option::of(0..2_usize), results)
            .prop_map(|(report, project, key, branch, results)| Op::Upload { report, project, key, branch, results }),
        2 => (0..6_usize).prop_map(Op::Delete),
        1 => (0..6_usize, any::<bool>()).prop_map(|(report, keep)| Op::Pin(report, keep)),
        2 => Just(Op::Retain),
        2 => (0..2_usize, 0..4_usize, 0..4_usize).prop_map(|(project, from, to)| Op::Join(project, from, to)),
        1 => (0..2_usize, 0..4_usize).prop_map(|(project, from)| Op::Separate(project, from)),
    ]
}

/// A history that could have been: a report is taken in once while it lives, and deleted only then.
fn history(ops: Vec<Op>) -> Vec<Item> {
    let mut live: BTreeMap<usize, Spec> = BTreeMap::new();
    let mut joined: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut retained = Retained::default();
    let mut items: Vec<Item> = Vec::new();
    for (i, op) in ops.into_iter().enumerate() {
        let n = items.len() as u64 * 3 + 1;
        // Months apart, so that there are partitions.
        let at = start() + chrono::TimeDelta::days(9 * i as i64);
        let none = report::Chunks { count: 0, first: 0, last: 0, hash: Hash16::of(b"") };
        let (kind, id, event, body) = match op {
            Op::Project(project) => {
                let name = PROJECTS[project];
                let created =
                    project::Created { project: project_id(name), name: name.into(), default_branch: "main".into() };
                (Kind::Project, project_id(name).0, Event::Project(project::Event::Created(created)), Body::None)
            }
            Op::Owners(project, text) => {
                let (project, codeowners) = (project_id(PROJECTS[project]), OWNERS[text].to_owned());
                let changed = project::OwnersChanged { project, codeowners };
                (Kind::Project, project.0, Event::Project(project::Event::OwnersChanged(changed)), Body::None)
            }
            Op::Upload { report, .. } if live.contains_key(&report) => continue,
            Op::Upload { report, project, key, branch, results } => {
                let results = results.iter().enumerate().map(|(i, (status, attempts, said))| {
                    let mut result = some_result(i, *status, *attempts);
                    fails_with(&mut result, *said, report);
                    result.test_id = test_id(project, &result.name);
                    result
                });
                let mut spec = Spec::new(&format!("report {report} at {i}"), results.collect());
                spec.project = PROJECTS[project];
                (spec.run_key, spec.branch) = (key.map(|key| KEYS[key]), branch.map(|branch| BRANCHES[branch]));
                let ingested = spec.ingested(at, none);
                retained.reports.insert(ingested.report, (ingested.run, ingested.part(), ingested.upload));
                let event = report::Event::Ingested(Box::new(ingested));
                let chunks = spec.results.chunks(2).map(|chunk| encode_chunk(chunk).unwrap().into()).collect();
                let id = spec.id().0;
                live.insert(report, spec);
                (Kind::Report, id, Event::Report(event), Body::Chunks(chunks))
            }
            Op::Delete(report) => {
                let Some(spec) = live.remove(&report) else { continue };
                retained.reports.remove(&spec.id());
                (Kind::Report, spec.id().0, Event::Report(report::Event::Deleted(spec.deleted(none))), Body::None)
            }
            Op::Pin(report, keep) => {
                let Some(spec) = live.get(&report) else { continue };
                let (run, project) = (spec.ingested(at, none).run, project_id(spec.project));
                let event = match keep {
                    true => run::Event::Pinned(run::Pinned { run, project }),
                    false => run::Event::Unpinned(run::Unpinned { run, project }),
                };
                retained.pinned.retain(|pinned| *pinned != run);
                retained.pinned.extend(keep.then_some(run));
                (Kind::Run, run.0, Event::Run(event), Body::None)
            }
            Op::Retain => {
                for (stream, event) in retained.round(at) {
                    let n = items.len() as u64 * 3 + 1;
                    items.push(Item::new(n, Arc::new(commit(stream, n, at, &event)), vec![event]));
                }
                continue;
            }
            Op::Join(project, from, to) => {
                if from == to || joined.contains_key(&(project, from)) {
                    continue;
                }
                joined.insert((project, from), to);
                let event = accepted(project, &format!("test {from}"), &format!("test {to}"));
                (Kind::Alias, event.alias.0, Event::Alias(alias::Event::Accepted(Box::new(event))), Body::None)
            }
            Op::Separate(project, from) => {
                let Some(to) = joined.remove(&(project, from)) else { continue };
                let event = removed(project, &format!("test {from}"), &format!("test {to}"));
                (Kind::Alias, event.alias.0, Event::Alias(alias::Event::Removed(event)), Body::None)
            }
        };
        let stream = StreamId::of(team_id(), kind, id);
        let mut item = Item::new(n, Arc::new(commit(stream, n, at, &event)), vec![event]);
        item.body = body;
        items.push(item);
    }
    items
}

/// What retention would do.
#[derive(Default)]
struct Retained {
    /// The reports that are there and not sealed, with run, part and upload.
    reports: BTreeMap<ReportId, (RunId, Part, UploadId)>,
    pinned: Vec<RunId>,
    dropped: Vec<Part>,
}

impl Retained {
    fn round(&mut self, at: chrono::DateTime<chrono::Utc>) -> Vec<(StreamId, Event)> {
        let is_over = |part: Part| part.expires().is_some_and(|expires| expires <= at);
        let mut events = Vec::new();
        for (id, (_, part, upload)) in &self.reports {
            if is_over(*part) && !self.pinned.contains(&self.reports[id].0) {
                let sealed = report::Sealed { report: *id, upload: *upload, rollup: RollupId::derived(&[b"r"]) };
                let stream = StreamId::of(team_id(), Kind::Report, *id);
                events.push((stream, Event::Report(report::Event::Sealed(sealed))));
            }
        }
        let mut parts: Vec<Part> =
            self.reports.values().map(|(_, part, _)| *part).filter(|part| is_over(*part)).collect();
        parts.sort_unstable();
        parts.dedup();
        for part in parts.into_iter().filter(|part| !self.dropped.contains(part)).collect::<Vec<_>>() {
            self.dropped.push(part);
            let stream = StreamId::global(Kind::Part, part.id());
            events.push((stream, Event::Part(part::Event::Dropped(part::Dropped { part }))));
        }
        let pinned = &self.pinned;
        self.reports.retain(|_, (run, part, _)| !is_over(*part) || pinned.contains(run));
        events
    }
}

fn test_id(project: usize, name: &str) -> TestId {
    TestId::derived(&[PROJECTS[project].as_bytes(), name.as_bytes()])
}

fn accepted(project: usize, from: &str, to: &str) -> alias::Accepted {
    let named = |name: &str| alias::Named { name: name.into(), suite: vec!["suite".into()], file_path: None };
    let evidence =
        alias::Evidence { from: named(from), to: named(to), similarity: 0.9, reason: alias::Reason::Similar };
    let alias::Removed { alias, project, from, to, user } = removed(project, from, to);
    alias::Accepted { alias, project, from, to, user, evidence }
}

fn removed(project: usize, from: &str, to: &str) -> alias::Removed {
    let (from, to) = (test_id(project, from), test_id(project, to));
    let alias = AliasId::derived(&[from.0.as_bytes()]);
    alias::Removed { alias, project: project_id(PROJECTS[project]), from, to, user: UserId::derived(&[b"u"]) }
}

fn some_result(i: usize, status: u8, attempts: bool) -> TestResult {
    let mut result = result(&format!("test {i}"), Status::ALL[usize::from(status)]);
    if !attempts {
        result.attempts.clear();
        (result.retries, result.flaky) = (0, false);
    }
    result
}

/// As a rebuild sees it after the bodies of deleted and of dropped reports were erased.
fn erased(items: &[Item]) -> Vec<Item> {
    let deleted: Vec<_> = items
        .iter()
        .flat_map(|item| &item.events)
        .filter_map(|event| match event {
            Event::Report(report::Event::Deleted(deleted)) => Some(deleted.report),
            _ => None,
        })
        .collect();
    let sealed: Vec<_> = items
        .iter()
        .flat_map(|item| &item.events)
        .filter_map(|event| match event {
            Event::Report(report::Event::Sealed(sealed)) => Some(sealed.report),
            _ => None,
        })
        .collect();
    items
        .iter()
        .cloned()
        .map(|mut item| {
            if let [Event::Report(report::Event::Ingested(ingested))] = &item.events[..]
                && sealed.contains(&ingested.report)
            {
                item.body = digested(ingested, &item.body);
            }
            if let [Event::Report(report::Event::Ingested(ingested))] = &item.events[..]
                && deleted.contains(&ingested.report)
            {
                item.body = Body::Gone;
            }
            item
        })
        .collect()
}

/// As the process that took them in sees it.
fn fresh(items: &[Item]) -> Vec<Item> {
    let mut items = items.to_vec();
    for item in &mut items {
        if let Body::Chunks(chunks) = &item.body {
            let parts = chunks.iter().map(|chunk| decode_chunk(chunk).unwrap()).collect();
            item.body = Body::Fresh(Arc::new(FreshResults { parts, bytes: 1 }));
        }
    }
    items
}

#[test]
fn one_batch_equals_one_by_one_equals_a_rebuild_equals_fresh_results() {
    replays_alike("reports");
}

#[test]
fn histories_are_the_same_however_they_are_replayed() {
    replays_alike("history");
}

fn replays_alike(name: &str) {
    let histories = (proptest::collection::vec(op(), 1..14), 1..5_usize);
    check_drawn(24, histories, async |pool, case, (ops, size)| {
        let items = history(ops);
        let (one, some, all): (Vec<_>, Vec<_>, _) =
            (items.chunks(1).collect(), items.chunks(size).collect(), [items.as_slice()]);
        let (erased, fresh) = (erased(&items), fresh(&items));
        let one = applied(pool, name, &format!("one{case}"), &one).await;
        let some = applied(pool, name, &format!("some{case}"), &some).await;
        let all = applied(pool, name, &format!("all{case}"), &all).await;
        let again = applied(pool, name, &format!("again{case}"), &[&erased]).await;
        let fresh = applied(pool, name, &format!("fresh{case}"), &[&fresh]).await;
        prop_assert_eq!(&one, &fresh);
        prop_assert_eq!(&one, &some);
        prop_assert_eq!(&one, &all);
        prop_assert_eq!(&one, &again);
        Ok(())
    });
}

/// Newest report, runs that are counted, and branches from which not all was found, of what an applier wrote.
const WRITTEN: &str = "select coalesce(max(last_seq), 0)::bigint, coalesce(max(runs), 0)::bigint,
                              (select count(*) from branch where settled < reports) from series";

#[tokio::test]
async fn what_reports_said_is_written_though_what_follows_from_it_waits() {
    let database = database().await;
    let upload = |report| Op::Upload { report, project: 0, key: None, branch: Some(0), results: vec![(1, false, 0)] };
    let items = history((0..4).map(upload).collect());
    let projection = projection("history");
    let mut tx = empty(&database.pool, &*projection, "waits").await;
    let mut applier = projection.applier();
    assert!(!applier.is_settled(), "it has yet to look");
    let expected = [(Settle::Overflow, (0, 0, 1)), (Settle::All, (2, 2, 0)), (Settle::Facts, (3, 2, 1))];
    for (item, (how, expected)) in items.chunks(1).zip(expected) {
        applier.apply(&mut tx, item).await.unwrap();
        applier.settle(&mut tx, how).await.unwrap();
        let written: (i64, i64, i64) = sqlx::query_as(WRITTEN).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(written, expected, "{how:?}");
        assert_eq!(applier.is_settled(), how == Settle::All, "{how:?}");
    }
    let mut next = projection.applier();
    next.settle(&mut tx, Settle::All).await.unwrap();
    let written: (i64, i64, i64) = sqlx::query_as(WRITTEN).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(written, (3, 3, 0));
    assert!(next.is_settled());
}

/// What a test says that mostly passes (0), is skipped now and then (2), and seldom fails (1), on two branches.
fn mostly_passing() -> impl Strategy<Value = (usize, u8, bool)> {
    (0..2_usize, prop_oneof![40 => Just(0_u8), 6 => Just(2_u8), 1 => Just(1_u8)], Just(false))
}

/// Whatever waits for later, and whoever goes on with it: a test has the series that it has if nothing ever waits.
#[test]
fn what_is_told_of_tests_apart_is_in_their_series_in_the_end() {
    let how = prop_oneof![4 => Just(Settle::Facts), 1 => Just(Settle::Overflow), 1 => Just(Settle::All)];
    let steps = proptest::collection::vec((mostly_passing(), how, any::<bool>()), 1..80);
    let told = std::cell::Cell::new(0_i64);
    check_drawn(24, steps, async |pool, case, steps| {
        let reports: Vec<_> = steps.iter().map(|(said, ..)| *said).collect();
        let items = suite(&reports, |_| "pays");
        let at_once = applied(pool, "history", &format!("at_once{case}"), &[&items]).await;
        let (projection, schema) = (projection("history"), format!("waits{case}"));
        let mut tx = empty(pool, &*projection, &schema).await;
        let mut applier = projection.applier();
        for (item, (_, how, ends)) in items.chunks(1).zip(&steps) {
            applier.apply(&mut tx, item).await.unwrap();
            applier.settle(&mut tx, *how).await.unwrap();
            let rows: i64 = sqlx::query_scalar("select count(*) from told").fetch_one(&mut *tx).await.unwrap();
            told.set(told.get() + rows);
            if *ends && *how != Settle::Overflow {
                applier = projection.applier();
            }
        }
        applier.settle(&mut tx, Settle::All).await.unwrap();
        tx.commit().await.unwrap();
        prop_assert_eq!(dump(pool, &schema).await, at_once);
        Ok(())
    });
    assert!(told.get() > 100, "passes were told of apart {} times", told.get());
}

/// Chunks hold two results here.
#[tokio::test]
async fn the_places_of_results_run_on_through_all_chunks() {
    let database = database().await;
    let results = vec![(0, false, 0); 5];
    let items = history(vec![Op::Upload { report: 0, project: 0, key: None, branch: None, results }]);
    let projection = projection("reports");
    for (schema, items) in [("chunks", items.clone()), ("parts", fresh(&items))] {
        let mut tx = empty(&database.pool, &*projection, schema).await;
        projection.applier().apply(&mut tx, &items).await.unwrap();
        let places: Vec<i32> =
            sqlx::query_scalar("select idx from result order by idx").fetch_all(&mut *tx).await.unwrap();
        assert_eq!(places, [0, 1, 2, 3, 4], "{schema}");
    }
}

#[tokio::test]
async fn a_project_that_comes_right_after_a_deletion_is_there() {
    let database = database().await;
    let upload = Op::Upload { report: 0, project: 0, key: None, branch: None, results: Vec::new() };
    let items = history(vec![upload, Op::Delete(0), Op::Project(1)]);
    let tables = applied(&database.pool, "reports", "at_once", &[&items]).await;
    assert_eq!(tables["project"].len(), 1, "{tables:?}");
}

/// A suite of one test, by report: its branch, its status and whether it had attempts; under the name that `name` says.
fn suite(reports: &[(usize, u8, bool)], name: impl Fn(usize) -> &'static str) -> Vec<Item> {
    let none = report::Chunks { count: 0, first: 0, last: 0, hash: Hash16::of(b"") };
    let item = |(i, (branch, status, attempts)): (usize, &(usize, u8, bool))| {
        let mut result = some_result(0, *status, *attempts);
        result.name = name(i).to_owned();
        result.test_id = test_id(0, name(i));
        result.duration_ms = 10 * i as i64;
        let mut spec = Spec::new(&format!("report {i}"), vec![result]);
        (spec.project, spec.branch) = (PROJECTS[0], Some(BRANCHES[*branch]));
        let (n, at) = (i as u64 * 3 + 1, start() + chrono::TimeDelta::hours(i as i64));
        let event = Event::Report(report::Event::Ingested(Box::new(spec.ingested(at, none))));
        let stream = StreamId::of(team_id(), Kind::Report, spec.id().0);
        let mut item = Item::new(n, Arc::new(commit(stream, n, at, &event)), vec![event]);
        item.body = Body::Chunks(spec.results.chunks(2).map(|chunk| encode_chunk(chunk).unwrap().into()).collect());
        item
    };
    reports.iter().enumerate().map(item).collect()
}

/// Inserts events on one alias, each before the item at its place.
fn with_aliases(mut items: Vec<Item>, events: Vec<(usize, alias::Event)>) -> Vec<Item> {
    let most = items.len();
    for (place, event) in events.into_iter().rev() {
        let place = place.min(most);
        let n = if place == 0 { 0 } else { items[place - 1].n + 1 };
        let stream = StreamId::of(team_id(), Kind::Alias, AliasId::derived(&[b"a"]));
        let event = Event::Alias(event);
        items.insert(place, Item::new(n, Arc::new(commit(stream, n, start(), &event)), vec![event]));
    }
    items
}

/// A test that is renamed at some time, and joined before, then, or after; on two branches, of which either may still have the
/// old name. What is known of it is what would be known if it had always had the new one. Separated again, it is as if
/// nothing had been joined.
#[test]
fn a_renamed_test_has_the_history_that_it_would_have_had() {
    let reports = proptest::collection::vec((0..2_usize, 0..5_u8, any::<bool>()), 1..30);
    let named = proptest::collection::vec(any::<bool>(), 30);
    let renamed = (reports, named, 0..30_usize, 0..30_usize, 1..7_usize);
    check_drawn(24, renamed, async |pool, case, (reports, named, at, until, size)| {
        let two = |i: usize| if named[i] { "new" } else { "old" };
        let accepted = alias::Event::Accepted(Box::new(accepted(0, "old", "new")));
        let removed = alias::Event::Removed(removed(0, "old", "new"));
        let joined = with_aliases(suite(&reports, two), vec![(at, accepted.clone())]);
        let undone = with_aliases(suite(&reports, two), vec![(at, accepted), (at.max(until), removed)]);
        let one = applied(pool, "history", &format!("always{case}"), &[&suite(&reports, |_| "new")]).await;
        let two_of = applied(pool, "history", &format!("two{case}"), &[&suite(&reports, two)]).await;
        let joined: Vec<_> = joined.chunks(size).collect();
        let joined = applied(pool, "history", &format!("joined{case}"), &joined).await;
        let undone: Vec<_> = undone.chunks(size).collect();
        let undone = applied(pool, "history", &format!("undone{case}"), &undone).await;
        for table in ["series", "error_test", "error_quarter", "fact", "quarter"] {
            prop_assert_eq!(&one[table], &joined[table], "{}", table);
        }
        prop_assert_eq!(two_of, undone);
        Ok(())
    });
}
