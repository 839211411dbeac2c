//! Flaky, broken and healthy tests told apart in simulated histories: 1,000 tests, 10 runs a day for 30 days.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and prints its figures")]

mod common;

use common::{Hits, Random, flips_of_the_original, plain_flip_rate};
use scaledtest_insight::{
    Mass, Observation, Outcome, State, assess,
    flakiness::Prior,
    mass_failure::{RunCounts, judge},
    rename::{Named, proposals},
};

const TESTS: usize = 1_000;
const RUNS: usize = 300;
const FILE: usize = 20;
const START: i64 = 1_750_000_000;
const STEP: i64 = 8_640;

/// What was planted into a test.
#[derive(Debug, Clone, Default)]
struct Plan {
    /// Probability that an attempt fails by chance.
    flake: f64,
    /// Runs in which it is broken.
    broken: Vec<std::ops::Range<usize>>,
    /// Probability that a run skips it.
    skip: f64,
    /// Run from which it has another name.
    renamed: Option<usize>,
}

struct Simulation {
    plans: Vec<Plan>,
    /// Main branch, per test.
    series: Vec<Vec<Observation>>,
    /// All branches, per test: time and status letter.
    statuses: Vec<Vec<(i64, char)>>,
    /// By run: whether anything was planted that hits many tests.
    outages: Vec<bool>,
    masses: Vec<Mass>,
}

fn plans(random: &mut Random) -> Vec<Plan> {
    let mut plans = vec![Plan::default(); TESTS];
    let mut order: Vec<usize> = (0..TESTS).collect();
    for i in (1..TESTS).rev() {
        order.swap(i, random.below(i + 1));
    }
    let mut next = order.into_iter();
    let mut take = |n: usize| next.by_ref().take(n).collect::<Vec<usize>>();
    for flake in [0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5] {
        take(8).into_iter().for_each(|test| plans[test].flake = flake);
    }
    take(8).into_iter().for_each(|test| plans[test].broken.push(0..RUNS));
    for test in take(40) {
        let from = 20 + random.below(RUNS - 30);
        // From one run to some thirty; every fifth is never repaired.
        let length = if random.yes(0.2) { RUNS } else { 1 + (-12.0 * (1.0 - random.share()).ln()) as usize };
        plans[test].broken.push(from..(from + length).min(RUNS));
    }
    take(20).into_iter().for_each(|test| plans[test].skip = 0.2);
    take(15).into_iter().for_each(|test| plans[test].renamed = Some(30 + random.below(RUNS - 60)));
    plans
}

/// For each run the tests that an outage hits: all, three tenths of the files, or one file.
fn outages(random: &mut Random) -> Vec<Vec<bool>> {
    let mut hit = vec![vec![false; TESTS]; RUNS];
    for (outages, files) in [(3, 50), (4, 15), (6, 1)] {
        for _ in 0..outages {
            let from = 10 + random.below(RUNS - 15);
            let first = random.below(TESTS / FILE);
            for run in hit.iter_mut().skip(from).take(1 + random.below(3)) {
                for file in (first..first + files).map(|file| file % (TESTS / FILE)) {
                    run[file * FILE..(file + 1) * FILE].fill(true);
                }
            }
        }
    }
    hit
}

fn simulate(retries: u16, seed: u64) -> Simulation {
    let mut random = Random(seed);
    let plans = plans(&mut random);
    let hit = outages(&mut random);
    let mut series: Vec<Vec<Observation>> = vec![Vec::new(); TESTS];
    let mut statuses: Vec<Vec<(i64, char)>> = vec![Vec::new(); TESTS];
    let (mut counts, mut masses, mut commit): (Vec<RunCounts>, _, u64) = (Vec::new(), Vec::new(), 0);
    for run in 0..RUNS {
        let at = START + run as i64 * STEP;
        let after_outage = run > 0 && hit[run - 1].contains(&true);
        // A test breaks and is repaired by a commit, so that is a new one.
        let broke = plans.iter().flat_map(|plan| &plan.broken).any(|runs| runs.start == run || runs.end == run);
        if broke || !random.yes(if after_outage { 0.5 } else { 0.1 }) {
            commit += 1;
        }
        let mut count = RunCounts { failed: 0, ran: 0 };
        for (test, plan) in plans.iter().enumerate() {
            if random.yes(plan.skip) {
                statuses[test].push((at, 'S'));
                continue;
            }
            let broken = hit[run][test] || plan.broken.iter().any(|runs| runs.contains(&run));
            let seen = execute(&mut random, if broken { 1.0 } else { plan.flake }, retries);
            count.ran += 1;
            count.failed += u32::from(seen.failed());
            statuses[test].push((at, if seen.failed() { 'F' } else { 'P' }));
            series[test].push(Observation { at, commit: Some(commit), ..seen });
        }
        let mass = judge(count, &counts);
        counts.push(count);
        masses.push(mass);
        series
            .iter_mut()
            .filter_map(|series| series.last_mut())
            .filter(|seen| seen.at == at)
            .for_each(|seen| seen.mass = mass);
        if run % 5 == 0 {
            feature_run(&mut random, &plans, &mut statuses, at + STEP / 2, retries);
        }
    }
    let outages = hit.iter().map(|run| run.contains(&true)).collect();
    Simulation { plans, series, statuses, outages, masses }
}

/// A run of a pull request, which breaks three tests. Only the original's formula looks at it.
fn feature_run(random: &mut Random, plans: &[Plan], statuses: &mut [Vec<(i64, char)>], at: i64, retries: u16) {
    let broken = [random.below(TESTS), random.below(TESTS), random.below(TESTS)];
    for (test, plan) in plans.iter().enumerate() {
        let always =
            broken.contains(&test) || plan.broken.iter().any(|runs| runs.contains(&(((at - START) / STEP) as usize)));
        let seen = execute(random, if always { 1.0 } else { plan.flake }, retries);
        statuses[test].push((at, if seen.failed() { 'F' } else { 'P' }));
    }
}

fn execute(random: &mut Random, fail: f64, retries: u16) -> Observation {
    let mut fails = 0;
    while fails <= retries && random.yes(fail) {
        fails += 1;
    }
    let outcome = match fails {
        0 => Outcome::Passed,
        fails if fails > retries => Outcome::Failed,
        _ => Outcome::Flaked,
    };
    Observation { fails, passes: u16::from(fails <= retries), ..Observation::new(0, outcome) }
}

#[derive(Default)]
struct Figures {
    ours: Hits,
    original: Hits,
    flip_rate_1: Hits,
    flip_rate_5: Hits,
    by_rate: std::collections::BTreeMap<u32, (u32, u32)>,
    from_outage: u32,
}

/// Scores the states after so many runs; flaky tests below `least` may be missed.
fn score(simulation: &Simulation, runs: usize, least: f64, figures: &mut Figures) {
    let now = START + (runs as i64 - 1) * STEP;
    for (test, plan) in simulation.plans.iter().enumerate() {
        let end = simulation.series[test].partition_point(|seen| seen.at <= now);
        let series = &simulation.series[test][..end];
        let statuses: Vec<(i64, char)> =
            simulation.statuses[test].iter().copied().filter(|(at, _)| *at <= now).collect();
        let found = assess(series, Prior::default(), now).state == State::Flaky;
        let (there, counts) = (plan.flake > 0.0, plan.flake >= least);
        let rate = plain_flip_rate(series, now, 7);
        let count = |hits: &mut Hits, found: bool| {
            if found || counts || !there {
                hits.count(found, there);
            }
        };
        count(&mut figures.ours, found);
        count(&mut figures.original, flips_of_the_original(&statuses, now, 7));
        count(&mut figures.flip_rate_1, rate > 0.01);
        count(&mut figures.flip_rate_5, rate > 0.05);
        figures.from_outage += u32::from(found && plan.flake == 0.0 && plan.broken.is_empty());
        if there {
            let row = figures.by_rate.entry((plan.flake * 100.0).round() as u32).or_default();
            *row = (row.0 + u32::from(found), row.1 + 1);
        }
    }
}

/// Recall counts tests at or above the least rate only, so what is found below it must not help.
fn recall_from(figures: &Figures, least: u32) -> f64 {
    let rows = figures.by_rate.range(least..).map(|(_, row)| row);
    let (found, all) = rows.fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
    f64::from(found) / f64::from(all)
}

#[test]
fn flaky_tests_are_found_and_nothing_else_is_called_flaky() {
    for retries in [0, 1] {
        let simulations: Vec<Simulation> = (0..4).map(|seed| simulate(retries, 100 + seed)).collect();
        for (runs, least) in [(60, 10), (300, 3)] {
            let mut figures = Figures::default();
            for simulation in &simulations {
                score(simulation, runs, f64::from(least) / 100.0, &mut figures);
            }
            let recall = recall_from(&figures, least);
            println!("retries {retries}, {runs} runs, tests failing in {least} % of attempts or more:");
            println!(
                "  ours:           precision {:.3}, recall {recall:.3}   found of planted, by %: {:?}",
                figures.ours.precision(),
                figures.by_rate
            );
            for (name, hits) in [
                ("original      ", figures.original),
                ("flip rate >1 %", figures.flip_rate_1),
                ("flip rate >5 %", figures.flip_rate_5),
            ] {
                println!("  {name}: precision {:.3}, recall {:.3}", hits.precision(), hits.recall());
            }
            assert!(figures.ours.precision() >= 0.95, "{:?}", figures.ours);
            assert!(recall >= 0.9, "{:?}", figures.by_rate);
            assert_eq!(figures.from_outage, 0, "an outage made a test flaky");
        }
    }
}

#[test]
fn broken_tests_are_never_called_flaky_at_any_run() {
    let (mut tests, mut runs) = (0, 0);
    for (retries, seed) in [(0, 100), (1, 101), (0, 102), (1, 103)] {
        let simulation = simulate(retries, seed);
        for (test, plan) in simulation.plans.iter().enumerate().filter(|(_, plan)| !plan.broken.is_empty()) {
            tests += 1;
            let series = &simulation.series[test];
            for end in 1..=series.len() {
                runs += 1;
                let found = assess(&series[..end], Prior::default(), series[end - 1].at);
                assert_ne!(
                    found.state,
                    State::Flaky,
                    "retries {retries}, test {test} {plan:?} after {end}: {:?}",
                    found.evidence
                );
            }
        }
    }
    println!("{tests} broken tests, judged {runs} times: never flaky");
}

#[test]
fn outages_are_recognised() {
    let mut hits = Hits::default();
    for seed in 100..104 {
        let simulation = simulate(1, seed);
        for run in 5..RUNS {
            hits.count(simulation.masses[run] != Mass::Ordinary, simulation.outages[run]);
        }
    }
    println!("outages of all, 15 or one of 50 files: precision {:.3}, recall {:.3}", hits.precision(), hits.recall());
    assert!(hits.precision() >= 0.95 && hits.recall() >= 0.9, "{hits:?}");
}

#[test]
fn renamed_tests_are_recognised() {
    let (mut hits, mut random) = (Hits::default(), Random(5));
    let words = [
        "adds", "removes", "keeps", "an", "item", "the", "cart", "after", "login", "order", "refund", "twice", "label",
    ];
    let name = |random: &mut Random| (0..5).map(|_| words[random.below(words.len())]).collect::<Vec<_>>().join(" ");
    for _ in 0..400 {
        let (old, stranger, gone) = (name(&mut random), name(&mut random), name(&mut random));
        let new = match random.below(3) {
            0 => old.replacen(' ', " then ", 1),
            1 => format!("{old} again"),
            _ => old.replacen('e', "E", 2),
        };
        // Beside the renamed test, one is deleted and one is written in the same commit.
        let test = |name| Named { name, suite: "Shop", file: Some("shop.ts") };
        let found = proposals(&[test(&gone), test(&old)], &[test(&stranger), test(&new)]);
        hits.count(found.iter().any(|pair| (pair.old, pair.new) == (1, 1)), true);
        hits.wrong += found.iter().filter(|pair| (pair.old, pair.new) != (1, 1)).count() as u32;
    }
    println!("renames: precision {:.3}, recall {:.3}", hits.precision(), hits.recall());
    assert!(hits.precision() >= 0.95 && hits.recall() >= 0.9, "{hits:?}");
}
