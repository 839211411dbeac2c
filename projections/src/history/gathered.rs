//! Reports on their way into the tables: numbered on their branches, read in rounds, folded into series.

use super::{
    aliases::Aliases,
    place::Place,
    round,
    series::{Fact, Facts, Series},
    stored,
    sums::{self, Sums},
};
use crate::{ApplyError, Body};
use scaledtest_domain::events::report::Ingested;
use scaledtest_insight::mass_failure::RunCounts;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

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
        let bodies = self.reports.iter().map(|taken| (taken.place.no, taken.body.clone())).collect();
        let mut reading = round::read(bodies);
        while let Some(round) = reading.next().await {
            for (report, sums) in &round.sums {
                self.reports[*report].sums.add(sums);
            }
            round.write(conn, &self.reports, &aliases).await?;
        }
        reading.end().await?;
        stored::insert_facts(conn, &self.reports).await?;
        sums::add_sums(conn, &self.reports).await
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
