//! The same test is the same test in every run of a history, and no two tests are one.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{corpus, take};
use scaledtest_domain::TestId;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Truth {
    runs: Vec<Run>,
    tests: Vec<Test>,
    renamed: Vec<Renamed>,
}

/// From that run on it is another test.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renamed {
    id: String,
    new_name: String,
    from_run: usize,
}

#[derive(Deserialize)]
struct Run {
    file: String,
}

#[derive(Clone, Deserialize)]
struct Test {
    id: String,
    name: String,
    suite: Vec<String>,
    file: String,
    /// One letter per run; `-` if it was not there.
    outcomes: String,
}

type Runs = Vec<BTreeMap<(String, Vec<String>), TestId>>;

/// The test ids of each run of a history by name and last suites, as Playwright and pytest write them.
fn history(folder: &str, suite: impl Fn(&[String]) -> Vec<String>) -> (Truth, Runs) {
    let mut truth: Truth = serde_json::from_slice(&corpus(&format!("{folder}/truth.json"))).unwrap();
    for renamed in &truth.renamed {
        let old = truth.tests.iter_mut().find(|test| test.id == renamed.id).unwrap();
        let (before, after) = old.outcomes.split_at(renamed.from_run - 1);
        let name = renamed.new_name.clone();
        let new = Test { name, outcomes: "-".repeat(before.len()) + after, ..old.clone() };
        old.outcomes = before.to_owned() + &"-".repeat(after.len());
        truth.tests.push(new);
    }
    let runs = truth.runs.iter().map(|run| {
        let taken = take(&corpus(&format!("{folder}/{}", run.file))).unwrap();
        let ids: BTreeMap<_, _> =
            taken.results.iter().map(|result| ((result.name.clone(), suite(&result.suite)), result.test_id)).collect();
        assert_eq!(ids.len(), taken.results.len(), "{folder}/{}: a key is there twice", run.file);
        ids
    });
    let runs = runs.collect();
    (truth, runs)
}

fn check(truth: &Truth, runs: &Runs, key: impl Fn(&Test) -> (String, Vec<String>)) {
    let mut all = BTreeSet::new();
    for test in &truth.tests {
        let key = key(test);
        let mut ids: BTreeSet<TestId> = BTreeSet::new();
        for (run, letter) in runs.iter().zip(test.outcomes.chars()) {
            let id = run.get(&key);
            assert_eq!(id.is_some(), letter != '-', "{} {key:?}", test.id);
            ids.extend(id);
        }
        assert_eq!(ids.len(), 1, "{} {key:?} has {} ids", test.id, ids.len());
        assert!(all.insert(*ids.first().unwrap()), "{} {key:?} shares its id", test.id);
    }
    let seen: BTreeSet<_> = runs.iter().flat_map(BTreeMap::values).collect();
    assert_eq!(seen.len(), truth.tests.len());
}

#[test]
fn a_playwright_test_has_one_identity_in_all_24_runs() {
    let (truth, runs) = history("history/pw-shop-24", |suite| suite[1..].to_vec());
    assert_eq!(runs.len(), 24);
    check(&truth, &runs, |test| {
        let suite = [vec![test.file.clone()], test.suite.clone()].concat();
        (test.name.clone(), suite)
    });
}

#[test]
fn a_jest_test_has_one_identity_in_all_16_runs() {
    let (truth, runs) = history("history/jest-billing-16", <[String]>::to_vec);
    check(&truth, &runs, |test| {
        let file = test.file.rsplit('/').next().unwrap().to_owned();
        let name = [test.suite.clone(), vec![test.name.clone()]].concat().join(" ");
        (name, [vec![file], test.suite.clone()].concat())
    });
}

#[test]
fn a_pytest_test_has_one_identity_in_all_12_runs() {
    let (truth, runs) = history("history/pytest-inventory-12", |_| Vec::new());
    check(&truth, &runs, |test| {
        let parts = [vec![test.file.clone()], test.suite.clone(), vec![test.name.clone()]].concat();
        (parts.join("::"), Vec::new())
    });
}

#[test]
fn the_shards_of_a_run_are_the_run() {
    let ids = |path: &str| -> BTreeSet<TestId> {
        take(&corpus(path)).unwrap().results.iter().map(|result| result.test_id).collect()
    };
    let shards: Vec<_> = (1..=3).map(|shard| ids(&format!("ctrf/playwright-shards/shard-{shard}-of-3.json"))).collect();
    let whole = ids("history/pw-shop-24/run-21.json");
    assert_eq!(shards.iter().map(BTreeSet::len).sum::<usize>(), whole.len());
    assert_eq!(shards.into_iter().flatten().collect::<BTreeSet<_>>(), whole);
}
