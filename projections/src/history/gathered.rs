//! Reports on their way into the tables: numbered on their branches, read result by result, folded into series.

use super::{
    aliases::{Aliases, settle},
    parts,
    place::Place,
    said::Said,
    series::{Fact, Facts, Key, Series},
    stored::{self, Failed, Table},
    sums::Sums,
};
use crate::copy::saturate;
use crate::{ApplyError, Body};
use scaledtest_domain::{
    events::report::Ingested,
    report::{CHUNK_RESULTS, TestResult, Variant, decode_chunk},
};
use scaledtest_insight::mass_failure::RunCounts;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};
use uuid::Uuid;

/// Results that are folded at once, at most (a chunk more): what is in memory.
const ROUND: usize = 20_000;

/// A report that was taken in.
pub(super) struct Taken<'a> {
    pub place: Place,
    pub report: &'a Ingested,
    pub seq: u32,
    pub sums: Sums,
    body: &'a Body,
}

/// What is to be written.
#[derive(Default)]
pub(super) struct Gathered<'a> {
    reports: Vec<Taken<'a>>,
}

impl<'a> Gathered<'a> {
    pub fn take_in(&mut self, place: Place, report: &'a Ingested, body: &'a Body) {
        self.reports.push(Taken { place, report, seq: 0, sums: Sums::of(&report.counts), body });
    }

    pub async fn write(mut self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        if self.reports.is_empty() {
            return Ok(());
        }
        // Those that are gone too: so that the others have the same numbers whenever they are replayed.
        stored::number(conn, &mut self.reports).await?;
        self.reports.retain(|taken| !matches!(taken.body, Body::Gone));
        let projects: BTreeSet<Uuid> = self.reports.iter().map(|taken| taken.report.project.0).collect();
        let aliases = Aliases::load(conn, &projects.into_iter().collect::<Vec<_>>()).await?;
        let mut round = Round::default();
        for index in 0..self.reports.len() {
            let mut idx = 0;
            for piece in pieces(self.reports[index].body) {
                for result in piece.results(self.reports[index].place.no)?.iter() {
                    let said = Said::of(result);
                    self.reports[index].sums.add_result(&said);
                    round.add(index, saturate(idx), said);
                    idx += 1;
                }
                if round.results.len() >= ROUND {
                    std::mem::take(&mut round).write(conn, &self.reports, &aliases).await?;
                }
            }
        }
        round.write(conn, &self.reports, &aliases).await?;
        stored::insert_facts(conn, &self.reports).await?;
        stored::add_sums(conn, &self.reports).await
    }
}

/// Results that are at hand together.
enum Piece<'a> {
    Fresh(&'a [TestResult]),
    Chunk(&'a [u8]),
}

fn pieces(body: &Body) -> Vec<Piece<'_>> {
    match body {
        Body::None | Body::Gone => Vec::new(),
        Body::Fresh(fresh) => fresh.list.chunks(CHUNK_RESULTS).map(Piece::Fresh).collect(),
        Body::Chunks(chunks) => chunks.iter().map(|chunk| Piece::Chunk(chunk)).collect(),
    }
}

impl<'a> Piece<'a> {
    fn results(&self, at: i64) -> Result<Cow<'a, [TestResult]>, ApplyError> {
        let broken = |error| ApplyError::Data(format!("results of the report at position {at}: {error}"));
        match self {
            Self::Fresh(results) => Ok(Cow::Borrowed(results)),
            Self::Chunk(chunk) => decode_chunk(chunk).map(Cow::Owned).map_err(broken),
        }
    }
}

impl Taken<'_> {
    /// What it says to the series of its branch.
    pub fn fact(&self) -> Fact {
        let origin = &self.report.origin;
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let counts = &self.report.counts;
        Fact {
            seq: self.seq,
            run: self.report.run.0,
            at: self.place.at,
            commit: origin.commit.as_deref().map(hash),
            change: origin.pr.as_deref().map(hash),
            counts: RunCounts { failed: count(counts.failed), ran: count(counts.passed.saturating_add(counts.failed)) },
        }
    }
}

/// A short hash of a commit's or change's name.
pub(super) fn hash(text: &str) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&Sha256::digest(text.as_bytes())[..8]);
    u64::from_be_bytes(first)
}

/// Results that are folded at once, with the index of their report and their place in it.
#[derive(Default)]
struct Round {
    results: Vec<(usize, i32, Said)>,
}

impl Round {
    fn add(&mut self, report: usize, idx: i32, said: Said) {
        self.results.push((report, idx, said));
    }

    async fn write(self, conn: &mut PgConnection, reports: &[Taken<'_>], aliases: &Aliases) -> Result<(), ApplyError> {
        if self.results.is_empty() {
            return Ok(());
        }
        let mut keys: Vec<Key> = self.results.iter().map(|(report, _, said)| key(&reports[*report], said)).collect();
        keys.sort_unstable();
        keys.dedup();
        let (joined, alone): (Vec<Key>, Vec<Key>) = keys.into_iter().partition(|key| aliases.has(key.test));
        let mut series = stored::load_series(conn, Table::Series, &alone).await?;
        series.append(&mut stored::load_series(conn, Table::Part, &joined).await?);
        let mut tests = HashMap::new();
        let mut failures = Vec::new();
        for (report, idx, said) in &self.results {
            let (taken, key) = (&reports[*report], key(&reports[*report], said));
            let one = series.entry(key).or_insert_with(|| {
                tests.entry(key.test).or_insert((taken, said));
                Series::begin(key, cleaned(&said.variant), taken.place.at)
            });
            one.push(super::seen::Entry { seq: taken.seq, seen: said.seen }, taken.place.at, said.duration_ms);
            if let Some(failure) = &said.failure {
                let (reported, key) = (key.test, Key { test: aliases.target(key.test), ..key });
                failures.push(Failed { taken, idx: *idx, key, reported, failure });
            }
        }
        stored::insert_tests(conn, &tests).await?;
        if !joined.is_empty() {
            let parts: Vec<&Series> = series.values().filter(|one| aliases.has(one.key.test)).collect();
            parts::upsert(conn, &parts).await?;
            series.retain(|key, _| !aliases.has(key.test));
            let together = parts::together(conn, aliases, joined.iter().copied()).await?;
            series.extend(together.into_iter().map(|one| (one.key, one)));
        }
        let facts = FactsOf::load(conn, series.values(), reports).await?;
        let derived = series.values().map(|one| (one, one.derive(facts.of(one)))).collect::<Vec<_>>();
        stored::upsert_series(conn, &derived).await?;
        if !joined.is_empty() {
            settle(conn, aliases, &joined.iter().map(|key| key.test).collect::<Vec<_>>()).await?;
        }
        stored::insert_failures(conn, &failures).await
    }
}

fn key(taken: &Taken<'_>, said: &Said) -> Key {
    Key { branch: taken.place.branch_id, test: said.test_id.0, variant: said.variant_id }
}

fn cleaned(variant: &Variant) -> Variant {
    let clean = |text: &Option<String>| text.as_deref().map(crate::copy::clean);
    Variant { browser: clean(&variant.browser), device: clean(&variant.device), os: clean(&variant.os) }
}

/// For each branch and newest report, the facts up to there: what a series is assessed with must not depend on reports
/// that came later, because it would not be assessed again when they are replayed one by one.
pub(super) struct FactsOf {
    facts: BTreeMap<(Uuid, u32), Facts>,
    none: Facts,
}

impl FactsOf {
    pub async fn load<'s>(
        conn: &mut PgConnection,
        series: impl Iterator<Item = &'s Series>,
        reports: &[Taken<'_>],
    ) -> Result<Self, ApplyError> {
        let mut wanted: BTreeMap<Uuid, Vec<u32>> = BTreeMap::new();
        for one in series.filter(|one| one.had_failure()) {
            wanted.entry(one.key.branch).or_default().push(one.last_seq);
        }
        let earliest = wanted.iter().map(|(branch, seqs)| (*branch, since(seqs.iter().min().copied().unwrap_or(0))));
        let mut known = stored::load_facts(conn, earliest.collect()).await?;
        for taken in reports.iter().filter(|taken| wanted.contains_key(&taken.place.branch_id)) {
            known.entry(taken.place.branch_id).or_default().push(taken.fact());
        }
        let mut facts = BTreeMap::new();
        for (branch, mut seqs) in wanted {
            seqs.sort_unstable();
            seqs.dedup();
            let all = known.remove(&branch).unwrap_or_default();
            for seq in seqs {
                let range = since(seq)..=seq;
                let upto = all.iter().filter(|fact| range.contains(&fact.seq)).cloned().collect();
                facts.insert((branch, seq), Facts::new(upto));
            }
        }
        Ok(Self { facts, none: Facts::default() })
    }

    pub fn of(&self, series: &Series) -> &Facts {
        self.facts.get(&(series.key.branch, series.last_seq)).unwrap_or(&self.none)
    }
}

/// Reports of a branch that a series is assessed with.
const FACTS: u32 = 1_000;

fn since(seq: u32) -> u32 {
    seq.saturating_sub(FACTS)
}
