//! Results that are folded at once: read on a thread of their own, while those before them are written.

use super::{
    aliases::Aliases,
    failures::{self, Failed},
    gathered::Taken,
    memory::Memory,
    said::{About, Said},
    seen::Entry,
    series::{Key, Series},
    stored::{self, Table},
    sums::Sums,
};
use crate::copy::{clean, saturate};
use crate::{ApplyError, Body};
use scaledtest_domain::report::{TestResult, Variant, decode_chunk};
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap, HashSet};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Results of a round, at most (a chunk more). A series that occurs in it often is written once.
const ROUND: usize = 200_000;

/// Some results, in order.
#[derive(Default)]
pub(super) struct Round {
    /// With the place of their report among the reports, and theirs in it.
    results: Vec<(usize, i32, Said)>,
    /// What was said first of each test and variant, and by which report.
    about: HashMap<(Uuid, i64), (usize, About)>,
    /// What the results add up to, by report.
    pub sums: BTreeMap<usize, Sums>,
}

/// A report that is read.
struct From {
    /// Its place among the reports.
    report: usize,
    /// The place of its next result.
    idx: u64,
    /// Fingerprints that it had already.
    told: HashSet<Uuid>,
}

/// Rounds on their way.
pub(super) struct Reading {
    rounds: mpsc::Receiver<Round>,
    thread: tokio::task::JoinHandle<Result<(), ApplyError>>,
}

/// Begins to read the bodies of reports, each with its position.
pub(super) fn read(bodies: Vec<(i64, Body)>) -> Reading {
    let (sender, rounds) = mpsc::channel(1);
    Reading { rounds, thread: tokio::task::spawn_blocking(move || fill(&bodies, &sender)) }
}

impl Reading {
    pub async fn next(&mut self) -> Option<Round> {
        self.rounds.recv().await
    }

    /// Whether all was read.
    pub async fn end(self) -> Result<(), ApplyError> {
        drop(self.rounds);
        self.thread.await.map_err(|error| ApplyError::Data(format!("reading results: {error}")))?
    }
}

fn fill(bodies: &[(i64, Body)], sender: &mpsc::Sender<Round>) -> Result<(), ApplyError> {
    let mut round = Round::default();
    for (report, (no, body)) in bodies.iter().enumerate() {
        let broken = |error| ApplyError::Data(format!("results of the report at position {no}: {error}"));
        let mut from = From { report, idx: 0, told: HashSet::new() };
        match body {
            Body::None | Body::Gone => {}
            Body::Fresh(fresh) => fresh.parts.iter().for_each(|results| round.add_all(&mut from, results)),
            Body::Digested(digested) => {
                for (said, about) in digested.results() {
                    round.add(&mut from, said, || about.clone());
                }
            }
            Body::Chunks(chunks) => {
                // A database that refused says why itself.
                for chunk in chunks.iter().take_while(|_| !sender.is_closed()) {
                    round.add_all(&mut from, &decode_chunk(chunk).map_err(broken)?);
                    round.hand_over(ROUND, sender);
                }
            }
        }
        round.hand_over(ROUND, sender);
    }
    round.hand_over(1, sender);
    Ok(())
}

impl Round {
    /// Once there are so many results, they are somebody else's. If nobody listens any more, nobody needs them.
    fn hand_over(&mut self, enough: usize, sender: &mpsc::Sender<Self>) {
        if self.results.len() >= enough {
            let _ = sender.blocking_send(std::mem::take(self));
        }
    }

    fn add_all(&mut self, from: &mut From, results: &[TestResult]) {
        for result in results {
            self.add(from, Said::of(result), || About::of(result));
        }
    }

    fn add(&mut self, from: &mut From, mut said: Said, about: impl FnOnce() -> About) {
        if let Some(again) = said.failure.as_mut().filter(|failure| !from.told.insert(failure.fingerprint)) {
            (again.print, again.message) = (None, None);
        }
        self.sums.entry(from.report).or_default().add_result(&said);
        self.about.entry((said.test_id.0, said.variant_id)).or_insert_with(|| (from.report, about()));
        self.results.push((from.report, saturate(from.idx), said));
        from.idx += 1;
    }

    /// Folds the results into their series. Those of joined tests are written, and named: what they say together has changed.
    pub async fn write(
        self,
        conn: &mut PgConnection,
        (memory, aliases): (&mut Memory, &Aliases),
        reports: &[Taken<'_>],
    ) -> Result<Vec<Key>, ApplyError> {
        let keys: HashSet<Key> = self.results.iter().map(|(report, _, said)| key(&reports[*report], said)).collect();
        let (joined, alone): (Vec<Key>, Vec<Key>) = keys.into_iter().partition(|key| aliases.has(key.test));
        memory.load(conn, &alone).await?;
        let mut parts = stored::load_series(conn, Table::Part, &joined).await?;
        let mut tests = HashMap::new();
        let mut failures = Vec::new();
        for (report, idx, said) in &self.results {
            let (taken, key) = (&reports[*report], key(&reports[*report], said));
            let begin = || {
                let Some((first, about)) = self.about.get(&(key.test, key.variant)) else {
                    return Series::begin(key, Variant::default(), taken.place.at);
                };
                tests.entry(key.test).or_insert((&reports[*first], about));
                Series::begin(key, cleaned(&about.variant), taken.place.at)
            };
            let (entry, at) = (Entry { seq: taken.seq, seen: said.seen }, taken.place.at);
            match aliases.has(key.test) {
                true => parts.entry(key).or_insert_with(begin).push(entry, at, said.duration_ms),
                false => memory.push(key, begin, (entry, at, said.duration_ms)),
            }
            if let Some(failure) = &said.failure {
                let (reported, key) = (key.test, Key { test: aliases.target(key.test), ..key });
                failures.push(Failed { taken, idx: *idx, key, reported, failure });
            }
        }
        stored::insert_tests(conn, tests).await?;
        stored::upsert_parts(conn, &parts.values().collect::<Vec<_>>()).await?;
        failures::insert(conn, &failures).await?;
        Ok(joined)
    }
}

fn key(taken: &Taken<'_>, said: &Said) -> Key {
    Key { branch: taken.place.branch_id, test: said.test_id.0, variant: said.variant_id }
}

fn cleaned(variant: &Variant) -> Variant {
    let clean = |text: &Option<String>| text.as_deref().map(clean);
    Variant { browser: clean(&variant.browser), device: clean(&variant.device), os: clean(&variant.os) }
}
