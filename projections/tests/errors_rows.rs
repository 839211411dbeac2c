//! Which failures are one error: what the definition says of those that are there, however they came.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use proptest::prelude::*;
use scaledtest_domain::{
    Event, Hash16, Kind, StreamId,
    events::report,
    report::{Status, TestResult, encode_chunk},
};
use scaledtest_insight::fingerprint::{COMPARED, Member, fingerprint, join};
use scaledtest_projections::{Body, Item};
use sqlx::{AssertSqlSafe, PgPool};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use support::{replay::*, *};
use uuid::Uuid;

/// Reports by when they come, and which of them are deleted when.
#[derive(Debug, Clone)]
enum Op {
    Upload(Vec<TestResult>),
    Delete(usize),
}

fn failing(i: usize, message: &str, trace: &str) -> TestResult {
    let mut result = result(&format!("test {i}"), Status::Failed);
    (result.message, result.trace) = (Some(message.to_owned()), Some(trace.to_owned()));
    result.attempts.clear();
    result
}

fn op() -> impl Strategy<Value = Op> {
    let results = proptest::collection::vec((0..3_usize, 0..SAID.len(), 0..1_000_usize), 0..4);
    let upload = results.prop_map(|results| {
        let results = results.into_iter().map(|(i, said, time)| {
            let mut result = result(&format!("test {i}"), Status::Failed);
            fails_with(&mut result, said, time);
            result
        });
        Op::Upload(results.collect())
    });
    prop_oneof![3 => upload, 1 => (0..8_usize).prop_map(Op::Delete)]
}

/// The items, and the reports that are left, by number.
fn history(ops: Vec<Op>) -> (Vec<Item>, BTreeMap<i64, Vec<TestResult>>) {
    let none = report::Chunks { count: 0, first: 0, last: 0, hash: Hash16::of(b"") };
    let (mut items, mut live): (Vec<Item>, Vec<(i64, Spec)>) = (Vec::new(), Vec::new());
    for (i, op) in ops.into_iter().enumerate() {
        let (n, at) = (i as u64 * 3 + 1, start() + chrono::TimeDelta::hours(i as i64 * 7 % 5));
        let (spec, event, body) = match op {
            Op::Upload(results) => {
                let spec = Spec::new(&format!("report {i}"), results);
                let event = report::Event::Ingested(Box::new(spec.ingested(at, none)));
                let chunks = spec.results.chunks(2).map(|chunk| encode_chunk(chunk).unwrap().into()).collect();
                live.push((n as i64, spec.clone()));
                (spec, event, Body::Chunks(chunks))
            }
            Op::Delete(place) => {
                if live.is_empty() {
                    continue;
                }
                let (_, spec) = live.remove(place % live.len());
                let event = report::Event::Deleted(spec.deleted(none));
                (spec, event, Body::None)
            }
        };
        let (stream, event) = (StreamId::of(team_id(), Kind::Report, spec.id().0), Event::Report(event));
        let mut item = Item::new(n, Arc::new(commit(stream, n, at, &event)), vec![event]);
        item.body = body;
        items.push(item);
    }
    (items, live.into_iter().map(|(n, spec)| (n, spec.results)).collect())
}

/// As a rebuild finds it: bodies of deleted reports are gone, the others were rolled up.
fn rebuilt(items: &[Item], live: &BTreeMap<i64, Vec<TestResult>>) -> Vec<Item> {
    let mut items = items.to_vec();
    for item in &mut items {
        if let [Event::Report(report::Event::Ingested(ingested))] = &item.events[..] {
            let is_there = live.contains_key(&(item.n as i64));
            item.body = if is_there { digested(ingested, &item.body) } else { Body::Gone };
        }
    }
    items
}

/// A kind of failure: its cluster, its first report, and what that said.
type Kinds = BTreeMap<Uuid, (Uuid, i64, String)>;

/// What the definition says.
fn defined(live: &BTreeMap<i64, Vec<TestResult>>) -> Kinds {
    let mut kinds = Kinds::new();
    let mut members: Vec<Member> = Vec::new();
    for (n, results) in live {
        for result in results {
            let found = fingerprint(result.message.as_deref(), result.trace.as_deref());
            let id = found.as_ref().map_or(Uuid::nil(), |found| Uuid::from_bytes(found.id.0));
            let said = result.message.as_deref().unwrap_or_default().trim();
            kinds.entry(id).or_insert_with(|| {
                members.extend(found.map(|found| found.member()));
                (id, *n, said.replace('\0', "\u{fffd}"))
            });
        }
    }
    members.sort_unstable_by_key(|member| member.id.0);
    let mut sharing: HashMap<i64, usize> = HashMap::new();
    for member in &mut members {
        member.keys.retain(|key| {
            let place = sharing.entry(*key).or_default();
            *place += 1;
            *place <= COMPARED
        });
    }
    for joined in join(&members, &[]) {
        let ids: Vec<Uuid> = joined.fresh.iter().map(|id| Uuid::from_bytes(id.0)).collect();
        let first = *ids.iter().min_by_key(|id| (kinds[*id].1, **id)).unwrap();
        ids.iter().for_each(|id| kinds.get_mut(id).unwrap().0 = first);
    }
    kinds
}

async fn kinds(pool: &PgPool, schema: &str) -> Kinds {
    let sql = format!("select fingerprint, cluster_id, no, message from {schema}.error");
    let rows: Vec<(Uuid, Uuid, i64, String)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
    rows.into_iter().map(|(id, cluster, no, message)| (id, (cluster, no, message))).collect()
}

#[test]
fn errors_are_what_near_failures_connect_however_they_come_and_go() {
    let histories = (proptest::collection::vec(op(), 1..14), 2..5_usize);
    check_drawn(40, histories, async |pool, case, (ops, size)| {
        let (items, live) = history(ops);
        let rebuilt = rebuilt(&items, &live);
        let (one, some): (Vec<_>, Vec<_>) = (items.chunks(1).collect(), items.chunks(size).collect());
        let schema = format!("one{case}");
        let one = applied(pool, "history", &schema, &one).await;
        prop_assert_eq!(kinds(pool, &schema).await, defined(&live));
        for (name, batches) in [("some", &some[..]), ("all", &[&items[..]][..]), ("rebuilt", &[&rebuilt[..]][..])] {
            let other = applied(pool, "history", &format!("{name}{case}"), batches).await;
            prop_assert_eq!(&one, &other, "{}", name);
        }
        Ok(())
    });
}

/// Letters that no other number has, and no masking changes.
fn letters(i: usize) -> String {
    [i / 144, i / 12 % 12, i % 12].map(|digit| char::from(b"ghjkmnpqrtuv"[digit])).iter().collect()
}

#[tokio::test]
async fn of_too_many_failures_at_one_place_the_same_are_compared_in_whatever_order_they_come() {
    let database = database().await;
    let failing = |i: usize| {
        let message = format!("Error: cannot add the product to the basket of the customer: code {}", letters(i));
        failing(i, &message, "at add (src/cart.ts:1:1)")
    };
    let report = |from: usize, to: usize| Op::Upload((from..to).map(failing).collect());
    let mut ops: Vec<Op> = (0..5).map(|i| report(210 * i, 210 * (i + 1))).collect();
    ops.extend([report(1_050, 1_051), Op::Delete(1), report(1_051, 1_052), Op::Delete(0), report(0, 300)]);
    for left in [6, ops.len()] {
        let (items, live) = history(ops[..left].to_vec());
        let one: Vec<&[Item]> = items.chunks(1).collect();
        let expected = defined(&live);
        let alone = expected.iter().filter(|(id, (cluster, ..))| *id == cluster).count();
        assert_eq!(alone, 1 + expected.len().saturating_sub(COMPARED));
        for (name, batches) in [("one", &one[..]), ("all", &[&items[..]][..])] {
            let schema = format!("{name}{left}");
            applied(&database.pool, "history", &schema, batches).await;
            assert_eq!(kinds(&database.pool, &schema).await, expected, "{name}");
        }
    }
}
