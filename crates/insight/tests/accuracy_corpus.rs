//! Histories that real runners wrote, against what was planted into them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and prints its figures")]

mod common;
#[path = "common/corpus.rs"]
mod corpus;

use chrono::DateTime;
use common::{Hits, flips_of_the_original, plain_flip_rate};
use corpus::{HISTORIES, History, failures, history};
use scaledtest_domain::Hash16;
use scaledtest_insight::{
    Assessment, Mass, Observation, State, assess, attempts_of,
    fingerprint::{Member, join, short},
    flakiness::Prior,
    mass_failure::{RunCounts, judge},
    rename::{Named, proposals},
    verdict::{Facts, Verdict, judge as verdict_of},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

fn seconds(time: &str) -> i64 {
    DateTime::parse_from_rfc3339(time).unwrap().timestamp()
}

/// What happened in one test in one run, with the clusters of its failed attempts.
#[derive(Clone)]
struct Seen {
    run: usize,
    main: bool,
    commit: u64,
    observation: Observation,
    clusters: Vec<u64>,
}

/// A history as a projection would have kept it.
struct Kept {
    history: History,
    /// By test of the truth.
    series: Vec<Vec<Seen>>,
    masses: Vec<Mass>,
    /// By run (from 0), test and attempt (from 0): the cluster, and the message.
    causes: HashMap<(usize, usize, usize), (Hash16, String)>,
}

fn kept(name: &str) -> Kept {
    let history = history(name);
    let mut kept = Kept {
        series: vec![Vec::new(); history.truth.tests.len()],
        history,
        masses: Vec::new(),
        causes: HashMap::new(),
    };
    let clusters = clusters(&kept.history);
    let mut counts = Vec::new();
    for run in 0..kept.history.truth.runs.len() {
        let facts = &kept.history.truth.runs[run];
        assert_eq!(facts.run, run + 1);
        let commit = short(Hash16::of(facts.commit.as_bytes()));
        let (at, main) = (seconds(&facts.started_at), facts.branch == "main");
        let mut count = RunCounts { failed: 0, ran: 0 };
        for (i, test) in kept.history.truth.tests.iter().enumerate() {
            let result = kept.history.result(test, run + 1);
            assert_eq!(
                result.is_some(),
                kept.history.truth.outcome(test, run + 1) != '-',
                "{name} {run} {}",
                test.name
            );
            let Some((result, attempts)) = result.and_then(|result| Some((result, attempts_of(result)?))) else {
                continue;
            };
            let mut found = Vec::new();
            for (attempt, (message, fingerprint)) in failures(result) {
                if let Some(fingerprint) = fingerprint {
                    let cluster = clusters[&fingerprint.id];
                    found.push(short(cluster));
                    kept.causes.insert((run, i, attempt), (cluster, message));
                }
            }
            count.ran += 1;
            count.failed += u32::from(attempts.passes == 0);
            let observation = Observation {
                commit: Some(commit),
                fails: attempts.fails,
                passes: attempts.passes,
                fingerprint: found.last().copied(),
                ..Observation::new(at, attempts.outcome)
            };
            kept.series[i].push(Seen { run, main, commit, observation, clusters: found });
        }
        let mass = judge(count, &counts);
        for series in &mut kept.series {
            series.iter_mut().filter(|seen| seen.run == run).for_each(|seen| seen.observation.mass = mass);
        }
        kept.masses.push(mass);
        if main {
            counts.push(count);
        }
    }
    kept
}

/// The cluster of every fingerprint of a history, by its first one.
fn clusters(history: &History) -> HashMap<Hash16, Hash16> {
    let runs = 1..=history.truth.runs.len();
    let results = runs.flat_map(|run| history.truth.tests.iter().filter_map(move |test| history.result(test, run)));
    let members: HashMap<Hash16, Member> = results
        .flat_map(|result| failures(result).into_values())
        .filter_map(|(_, found)| found.map(|found| (found.id, found.member())))
        .collect();
    let joined = join(&members.into_values().collect::<Vec<_>>(), &[]);
    joined.iter().flat_map(|one| one.fresh.iter().map(|id| (*id, one.fresh[0]))).collect()
}

fn main_branch(series: &[Seen], before: usize) -> Vec<Observation> {
    series.iter().filter(|seen| seen.main && seen.run < before).map(|seen| seen.observation).collect()
}

#[test]
fn every_outage_and_nothing_else_is_a_mass_failure() {
    for name in HISTORIES {
        let kept = kept(name);
        let found: Vec<usize> =
            (0..kept.masses.len()).filter(|run| kept.masses[*run] == Mass::Outage).map(|run| run + 1).collect();
        let planted: Vec<usize> = kept.history.truth.outages.iter().map(|outage| outage.run).collect();
        assert_eq!(found, planted, "{name}");
    }
}

#[test]
fn flaky_tests_of_real_runners() {
    let (mut ours, mut original, mut plain) = (Hits::default(), [Hits::default(); 2], [Hits::default(); 2]);
    for name in HISTORIES {
        let kept = kept(name);
        let runs = kept.masses.len();
        for (i, test) in kept.history.truth.tests.iter().enumerate() {
            let there = kept.history.truth.flaky_tests.iter().any(|flaky| flaky.id == test.id && flaky.observed);
            let main = main_branch(&kept.series[i], runs);
            let now = seconds(&kept.history.truth.runs[runs - 1].started_at);
            let found = assess(&main, Prior::default(), now);
            ours.count(found.state == State::Flaky, there);
            if (found.state == State::Flaky) != there {
                println!("{name}: {} ({}) is {:?}, planted flaky: {there}", test.name, test.outcomes, found.state);
            }
            let statuses: Vec<(i64, char)> = (0..runs)
                .map(|run| {
                    (seconds(&kept.history.truth.runs[run].started_at), kept.history.truth.outcome(test, run + 1))
                })
                .filter(|(_, letter)| *letter != '-')
                // A flaky pass is a pass to the original.
                .map(|(at, letter)| (at, if letter == 'f' { 'P' } else { letter }))
                .collect();
            for (i, days) in [7, 90].into_iter().enumerate() {
                original[i].count(flips_of_the_original(&statuses, now, days), there);
                plain[i].count(plain_flip_rate(&main, now, days) > 0.05, there);
            }
        }
    }
    println!("corpus, {} observed flaky tests:", ours.right + ours.missed);
    for (name, hits) in [
        ("ours                  ", ours),
        ("original, 7 days      ", original[0]),
        ("original, all days    ", original[1]),
        ("flip rate >5 %, 7 days", plain[0]),
        ("flip rate >5 %, all   ", plain[1]),
    ] {
        println!("  {name}: precision {:.3}, recall {:.3}", hits.precision(), hits.recall());
    }
    assert!(ours.precision() >= 0.95 && ours.recall() >= 0.9, "{ours:?}");
}

type Name = (String, String, Option<String>);

fn named(test: &Name) -> Named<'_> {
    Named { name: &test.0, suite: &test.1, file: test.2.as_deref() }
}

/// Pairs of failures in one cluster, against pairs of one cause.
fn pairs(items: &[(String, String)], hits: &mut Hits) {
    for (i, left) in items.iter().enumerate() {
        for right in &items[i + 1..] {
            hits.count(left.1 == right.1, left.0 == right.0);
        }
    }
}

#[test]
fn fingerprints_against_labelled_causes() {
    let (mut ours, mut plain) = (Hits::default(), Hits::default());
    let (mut labelled, mut listed) = (0, 0);
    for name in HISTORIES {
        let kept = kept(name);
        let (mut clusters, mut messages) = (Vec::new(), Vec::new());
        for (cause, occurrences) in &kept.history.truth.failure_causes {
            for at in &occurrences.occurrences {
                labelled += 1;
                let test = kept.history.truth.tests.iter().position(|test| test.id == at.test).unwrap();
                if let Some((cluster, message)) = kept.causes.get(&(at.run - 1, test, at.attempt - 1)) {
                    listed += 1;
                    clusters.push((cause.clone(), cluster.to_string()));
                    messages.push((cause.clone(), message.clone()));
                }
            }
        }
        let mut here = Hits::default();
        pairs(&clusters, &mut here);
        println!("{name}: {} failures, {here:?}, F1 {:.3}", clusters.len(), here.f1());
        pairs(&clusters, &mut ours);
        pairs(&messages, &mut plain);
    }
    println!("{listed} of {labelled} labelled failures have a text in their report");
    println!("  ours: pairwise F1 {:.3}; equal messages, as the original: {:.3}", ours.f1(), plain.f1());
    assert!(listed >= 250, "{listed}");
    assert!(ours.f1() >= 0.95, "{ours:?}");
}

/// The failing tests of a run that are no news: what a reader of the plan would say.
fn is_new(kept: &Kept, test: usize, run: usize) -> bool {
    let truth = &kept.history.truth;
    let id = truth.tests[test].id.as_str();
    let number = run + 1;
    let first_of = |runs: &[usize]| runs.first() == Some(&number);
    let here = |planted: &[corpus::Ided]| planted.iter().any(|planted| planted.id == id);
    if truth.in_outage(id, number) {
        return false;
    }
    if here(&truth.always_failing) {
        return run == 0;
    }
    if truth.runs[run].branch != "main" && here(&truth.branch_only_failures) {
        return true;
    }
    let regression =
        truth.regressions.iter().find(|regression| regression.id == id && regression.runs_failed.contains(&number));
    if let Some(regression) = regression {
        return first_of(&regression.runs_failed);
    }
    assert!(truth.flaky_tests.iter().any(|flaky| flaky.id == id), "{id} fails in {number} for no planted reason");
    // A flaky test's first failure is new to everybody, unless the same commit has passed before.
    let earlier: Vec<&Seen> =
        kept.series[test].iter().filter(|seen| seen.run < run && !truth.in_outage(id, seen.run + 1)).collect();
    let commit = kept.series[test].iter().find(|seen| seen.run == run).unwrap().commit;
    earlier.iter().all(|seen| !seen.observation.had_failure() && seen.commit != commit)
}

fn facts(kept: &Kept, test: usize, seen: &Seen) -> (Facts, Assessment) {
    let earlier: Vec<&Seen> = kept.series[test].iter().filter(|other| other.run < seen.run).collect();
    let base: Vec<&Seen> = earlier.iter().copied().filter(|other| other.main).collect();
    let main = main_branch(&kept.series[test], seen.run);
    let found = assess(&main, Prior::default(), seen.observation.at);
    let cluster = seen.clusters.last().copied();
    let has = |other: &Seen| cluster.is_none_or(|cluster| other.clusters.contains(&cluster));
    let ordinary = base.iter().rev().filter(|other| other.observation.mass != Mass::Outage);
    let facts = Facts {
        infra: seen.observation.mass == Mass::Outage,
        fingerprint_known: earlier.iter().any(|other| has(other) && other.observation.had_failure()),
        passed_on_this_code: earlier.iter().any(|other| other.commit == seen.commit && !other.observation.failed()),
        has_history: !base.is_empty(),
        failing_on_target: found.failing_now(),
        failed_on_base: ordinary.take(3).any(|other| other.observation.failed() && has(other)),
        state: found.state,
        fingerprint_flaked: found.evidence.iter().any(|verdict| has(base[verdict.index])),
        flake_rate: found.flake_rate(),
        failing_attempts: seen.observation.fails,
        ..Facts::default()
    };
    (facts, found)
}

#[test]
fn new_failures_are_told_from_known_ones_in_every_run() {
    let (mut runs, mut failures) = (0, 0);
    let mut words: BTreeMap<&str, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for name in HISTORIES {
        let kept = kept(name);
        for run in 0..kept.masses.len() {
            runs += 1;
            let (mut found, mut expected) = (BTreeSet::new(), BTreeSet::new());
            for (test, series) in kept.series.iter().enumerate() {
                let Some(seen) = series.iter().find(|seen| seen.run == run && seen.observation.failed()) else {
                    continue;
                };
                failures += 1;
                let (facts, _) = facts(&kept, test, seen);
                let verdict = verdict_of(&facts);
                *words.entry(verdict.as_str()).or_default() += 1;
                let label = match verdict {
                    Verdict::Regression { probability } => format!("regression {probability:.3}"),
                    other => other.as_str().to_owned(),
                };
                let test_name = &kept.history.truth.tests[test].name;
                if verdict.is_new_failure() {
                    found.insert(test_name);
                }
                if is_new(&kept, test, run) {
                    expected.insert(test_name);
                }
                if verdict.is_new_failure() != is_new(&kept, test, run) {
                    println!(
                        "{name} run {}: {test_name} is {label}, new by plan: {} ({facts:?})",
                        run + 1,
                        is_new(&kept, test, run)
                    );
                }
            }
            if found != expected {
                wrong.push((name, run + 1, found.len(), expected.len()));
            }
        }
    }
    println!(
        "{failures} failing tests in {runs} runs: {words:?}; runs with a wrong verdict on new failures: {}",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn renames_of_the_histories_are_proposed() {
    for name in HISTORIES {
        let kept = kept(name);
        let truth = &kept.history.truth;
        let names = |run: usize| -> BTreeSet<Name> {
            let results = kept.history.reports[run].iter();
            results.map(|result| (result.name.clone(), result.suite.join(" > "), result.file_path.clone())).collect()
        };
        let mut found = Vec::new();
        for run in 1..kept.history.reports.len() {
            let (before, after) = (names(run - 1), names(run));
            let gone: Vec<Named<'_>> = before.difference(&after).map(named).collect();
            let come: Vec<Named<'_>> = after.difference(&before).map(named).collect();
            found.extend(proposals(&gone, &come).iter().map(|pair| (run + 1, come[pair.new].name.to_owned())));
        }
        let planted: Vec<(usize, &str)> =
            truth.renamed.iter().map(|renamed| (renamed.from_run, renamed.new_name.as_str())).collect();
        assert_eq!(found.len(), planted.len(), "{name}: {found:?}");
        for ((run, new), (planted_run, planted_new)) in found.iter().zip(planted) {
            assert!(*run == planted_run && new.ends_with(planted_new), "{name}: {new}");
        }
    }
}
