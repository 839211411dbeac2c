//! What a call costs. Printed (`--nocapture`); the bounds are generous, against accidents only.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and prints its figures")]

mod common;

use common::Random;
use scaledtest_insight::{
    Observation, Outcome, assess,
    changepoint::{duration_changes, segments},
    durations::encode,
    evidence::evidence,
    fingerprint::{Member, fingerprint, join},
    flakiness::{Prior, score},
};
use std::{hint::black_box, time::Instant};

/// Microseconds of the fastest of some rounds.
fn cost(name: &str, most_us: f64, mut call: impl FnMut()) {
    let rounds = (0..7).map(|_| {
        let started = Instant::now();
        (0..20).for_each(|_| call());
        started.elapsed().as_secs_f64() * 1e6 / 20.0
    });
    let fastest = rounds.fold(f64::INFINITY, f64::min);
    println!("{name}: {fastest:.1} µs");
    assert!(fastest < most_us, "{name}: {fastest} µs");
}

fn series(n: usize, fail: f64) -> Vec<Observation> {
    let mut random = Random(3);
    let outcome = |random: &mut Random| match (random.yes(fail), random.yes(fail)) {
        (true, true) => Outcome::Failed,
        (true, false) => Outcome::Flaked,
        _ => Outcome::Passed,
    };
    (0..n)
        .map(|i| Observation { commit: Some(i as u64), ..Observation::new(i as i64 * 8_640, outcome(&mut random)) })
        .collect()
}

#[test]
fn assessing_a_series() {
    for (n, fail) in [(100, 0.03), (300, 0.03), (1_000, 0.003), (1_000, 0.03), (1_000, 0.5)] {
        let series = series(n, fail);
        let now = series[n - 1].at;
        cost(&format!("assess, {n} runs, {} % failing attempts", fail * 100.0), 20_000.0, || {
            black_box(assess(black_box(&series), Prior::default(), now));
        });
        cost("  of it evidence", 20_000.0, || drop(black_box(evidence(black_box(&series)))));
        cost("  of it change points", 20_000.0, || drop(black_box(segments(black_box(&series)))));
        cost("  of it the score", 20_000.0, || {
            black_box(score(black_box(&series), Prior::default(), now));
        });
    }
}

#[test]
fn fingerprinting_a_failure() {
    let frame = "    at checkout.pays (/home/ci/project/tests/checkout.spec.ts:47:25)\n    at async run (/home/ci/project/node_modules/x/lib/worker.js:120:9)\n";
    let message =
        "Error: expected status 'SETTLED' but got 'PENDING' after 36ms (txn c625a8b1-4f89-11d3-9a0c-0305e82c3301)";
    let small = frame.repeat(15);
    cost("fingerprint, 2 KiB of stack", 5_000.0, || {
        black_box(fingerprint(black_box(Some(message)), black_box(Some(&small))));
    });
    let large = frame.repeat(470);
    cost("fingerprint, 64 KiB of stack", 50_000.0, || {
        black_box(fingerprint(black_box(Some(message)), black_box(Some(&large))));
    });
}

#[test]
fn joining_fingerprints() {
    let member = |i: usize| {
        fingerprint(Some(&format!("Error: cannot {} the {}", word(i), word(i / 7 + 3))), None).unwrap().member()
    };
    let near = |i: usize| {
        let text =
            format!("Error: expected the list of webhooks of the customer to have none but got {}", &word(i)[..4]);
        fingerprint(Some(&text), None).unwrap().member()
    };
    let others: Vec<Member> = (0..1_000).map(member).collect();
    let fresh = [member(1_000)];
    cost("a new fingerprint beside 1,000 others at its place", 20_000.0, || {
        black_box(join(black_box(&fresh), black_box(&others)));
    });
    let all: Vec<Member> = (0..1_000).map(member).collect();
    cost("1,000 new fingerprints at one place", 2_000_000.0, || {
        black_box(join(black_box(&all), &[]));
    });
    let all: Vec<Member> = (0..1_000).map(near).collect();
    cost("1,000 new fingerprints that are one", 2_000_000.0, || {
        black_box(join(black_box(&all), &[]));
    });
}

/// A word that no other number has.
fn word(i: usize) -> String {
    let mut random = Random(i as u64);
    (0..12).map(|_| char::from(b'a' + random.below(26) as u8)).collect()
}

#[test]
fn durations() {
    let mut random = Random(4);
    let durations: Vec<u32> = (0..1_000).map(|_| 400 + random.below(100) as u32).collect();
    cost("duration change points, 1,000 durations", 20_000.0, || {
        black_box(duration_changes(black_box(&durations)));
    });
    cost("1,000 duration codes", 1_000.0, || {
        black_box(durations.iter().map(|ms| u64::from(encode(i64::from(*ms)))).sum::<u64>());
    });
}
