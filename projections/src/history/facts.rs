//! What the reports of a branch say to every series of it: order, commit, and how each run failed as a whole.

use super::{
    seen::{Entry, Seen},
    series::Series,
    stored,
};
use crate::ApplyError;
use chrono::{DateTime, Utc};
use scaledtest_insight::{
    Mass, Observation,
    mass_failure::{self, RunCounts},
};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// What a report on a branch says to every series of it.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Its number on the branch.
    pub seq: u32,
    /// Its run: the reports of one run are one observation.
    pub run: Uuid,
    /// When the run was.
    pub at: DateTime<Utc>,
    /// Hash of the commit.
    pub commit: Option<u64>,
    /// Hash of the change.
    pub change: Option<u64>,
    /// Passed and failed results.
    pub counts: RunCounts,
}

impl Fact {
    /// As a report says it: commit and change by their names, and how many results passed and failed.
    pub fn new<N: TryInto<u32>>(
        (seq, run, at): (u32, Uuid, DateTime<Utc>),
        (commit, change): (Option<&str>, Option<&str>),
        (passed, failed): (N, N),
    ) -> Self {
        let count = |count: N| count.try_into().unwrap_or(u32::MAX);
        let (passed, failed) = (count(passed), count(failed));
        let counts = RunCounts { failed, ran: passed.saturating_add(failed) };
        Self { seq, run, at, commit: commit.map(hash), change: change.map(hash), counts }
    }
}

/// A short hash of a commit's or change's name.
fn hash(text: &str) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&Sha256::digest(text.as_bytes())[..8]);
    u64::from_be_bytes(first)
}

/// A fact, and which of the runs it is of.
#[derive(Debug, Clone)]
struct Known {
    fact: Fact,
    run: usize,
}

/// What orders the runs of a branch: when the first report was that tells of it, microseconds, and its number.
type Order = (i64, u32);

/// A run as far as its reports tell.
#[derive(Debug, Clone, Copy)]
struct Run {
    order: Order,
    counts: RunCounts,
    mass: Mass,
}

/// The facts of a branch, by number, and how its runs failed as a whole.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// By number.
    facts: Vec<Known>,
    runs: Vec<Run>,
    /// The runs in order.
    ordered: Vec<usize>,
    places: HashMap<Uuid, usize>,
}

/// What the reports of one run say of a test, as far as they were looked at.
struct Told<'a> {
    order: Order,
    /// The newest.
    known: &'a Known,
    seen: Seen,
}

fn order(fact: &Fact) -> Order {
    (fact.at.timestamp_micros(), fact.seq)
}

/// A run of which nothing was told yet.
const UNTOLD: usize = usize::MAX;

impl Facts {
    /// From the facts of one branch, in any order.
    pub fn new(mut facts: Vec<Fact>) -> Self {
        facts.sort_by_key(|fact| fact.seq);
        let mut all = Self { facts: Vec::with_capacity(facts.len()), ..Self::default() };
        for fact in facts {
            all.add(fact);
        }
        all.judge();
        all
    }

    /// Adds the newest fact of the branch.
    pub fn push(&mut self, fact: Fact) {
        let run = self.add(fact);
        // Another report of a run may tell that it began earlier.
        let before = self.ordered.iter().position(|one| *one == run);
        if let Some(place) = before {
            self.ordered.remove(place);
        }
        let place = self.ordered.partition_point(|one| self.runs[*one].order < self.runs[run].order);
        self.ordered.insert(place, run);
        // Nothing changes for others than those that are compared with it.
        let (first, last) = (place.min(before.unwrap_or(place)), place.max(before.unwrap_or(place)));
        let end = self.ordered.len().min(last + mass_failure::COMPARED + 1);
        (first..end).for_each(|place| self.judge_one(place));
    }

    /// Gives the fact's run.
    fn add(&mut self, fact: Fact) -> usize {
        let run = *self.places.entry(fact.run).or_insert(self.runs.len());
        let known = match self.runs.get_mut(run) {
            Some(known) => known,
            None => {
                self.runs.push(Run { order: order(&fact), counts: RunCounts::default(), mass: Mass::Ordinary });
                &mut self.runs[run]
            }
        };
        known.order.0 = known.order.0.min(fact.at.timestamp_micros());
        known.counts.failed = known.counts.failed.saturating_add(fact.counts.failed);
        known.counts.ran = known.counts.ran.saturating_add(fact.counts.ran);
        self.facts.push(Known { fact, run });
        run
    }

    /// Compares each run with those before it.
    fn judge(&mut self) {
        self.ordered = (0..self.runs.len()).collect();
        self.ordered.sort_by_key(|run| self.runs[*run].order);
        (0..self.ordered.len()).for_each(|place| self.judge_one(place));
    }

    fn judge_one(&mut self, place: usize) {
        let run = self.ordered[place];
        let mut earlier = [RunCounts::default(); mass_failure::COMPARED];
        let compared = &self.ordered[place.saturating_sub(earlier.len())..place];
        earlier.iter_mut().zip(compared).for_each(|(counts, run)| *counts = self.runs[*run].counts);
        self.runs[run].mass = mass_failure::judge(self.runs[run].counts, &earlier[..compared.len()]);
    }

    /// The report with this number.
    pub fn get(&self, seq: u32) -> Option<&Fact> {
        let index = self.facts.binary_search_by_key(&seq, |known| known.fact.seq).ok()?;
        self.facts.get(index).map(|known| &known.fact)
    }

    /// How a run failed as a whole.
    pub fn mass(&self, run: Uuid) -> Mass {
        self.places.get(&run).map_or(Mass::Ordinary, |run| self.runs[*run].mass)
    }

    /// Observations of a series in the order of run time, one per run, and the numbers of the reports that they end with.
    /// The entries' numbers ascend.
    pub(super) fn observations(&self, entries: impl IntoIterator<Item = Entry>) -> (Vec<u32>, Vec<Observation>) {
        let mut places = vec![UNTOLD; self.runs.len()];
        let mut told: Vec<Told<'_>> = Vec::with_capacity(self.runs.len());
        let mut later = &self.facts[..];
        for entry in entries.into_iter().filter(|entry| entry.seen != Seen::NotRun) {
            let before = later.iter().take_while(|known| known.fact.seq < entry.seq).count();
            later = &later[before..];
            let Some(known) = later.first().filter(|known| known.fact.seq == entry.seq) else { continue };
            match told.get_mut(places[known.run]) {
                Some(run) => (run.known, run.seen) = (known, run.seen.and(entry.seen)),
                None => {
                    places[known.run] = told.len();
                    told.push(Told { order: order(&known.fact), known, seen: entry.seen });
                }
            }
        }
        if !told.is_sorted_by_key(|run| run.order) {
            told.sort_unstable_by_key(|run| run.order);
        }
        told.iter().filter_map(|run| Some((run.known.fact.seq, self.observation(run)?))).unzip()
    }

    fn observation(&self, told: &Told<'_>) -> Option<Observation> {
        let Known { fact, run } = told.known;
        let mut observation = Observation::new(fact.at.timestamp(), told.seen.outcome()?);
        observation.commit = fact.commit;
        observation.change = fact.change;
        observation.mass = self.runs[*run].mass;
        if let Seen::Failed { fails, passes, fingerprint } = told.seen {
            (observation.fails, observation.passes) = (fails, passes);
            observation.fingerprint = (fingerprint != 0).then_some(fingerprint);
        }
        Some(observation)
    }
}

/// Reports of a branch that a series is assessed with.
pub(super) const FACTS: u32 = 1_000;

fn since(seq: u32) -> u32 {
    seq.saturating_sub(FACTS)
}

/// The newest facts of some branches, each from a number on.
#[derive(Debug, Default, Clone)]
pub(super) struct Newest {
    branches: HashMap<Uuid, (u32, Vec<Fact>)>,
}

impl Newest {
    /// A report came in.
    pub fn push(&mut self, branch: Uuid, fact: Fact) {
        let Some((first, facts)) = self.branches.get_mut(&branch) else { return };
        let needed = since(fact.seq);
        facts.push(fact);
        // Not every time.
        if facts.len() > 2 * FACTS as usize {
            facts.retain(|fact| fact.seq >= needed);
            *first = needed;
        }
    }

    /// Bytes that they take, about.
    pub fn bytes(&self) -> usize {
        self.branches.values().map(|(_, facts)| facts.len() * size_of::<Fact>()).sum()
    }

    /// Reads those from such numbers on that are not known.
    async fn load(&mut self, conn: &mut PgConnection, needed: BTreeMap<Uuid, u32>) -> Result<(), ApplyError> {
        let known = |branch: &Uuid, needed: u32| self.branches.get(branch).is_some_and(|(first, _)| *first <= needed);
        let unknown: BTreeMap<Uuid, u32> =
            needed.into_iter().filter(|(branch, needed)| !known(branch, *needed)).collect();
        let mut loaded = stored::load_facts(conn, &unknown).await?;
        for (branch, first) in unknown {
            self.branches.insert(branch, (first, loaded.remove(&branch).unwrap_or_default()));
        }
        Ok(())
    }

    fn between(&self, branch: Uuid, first: u32, last: u32) -> Vec<Fact> {
        let facts = self.branches.get(&branch).map_or(&[][..], |(_, facts)| facts);
        facts.iter().filter(|fact| (first..=last).contains(&fact.seq)).cloned().collect()
    }
}

/// For each branch and newest report, the facts up to there: what a series is assessed with must not depend on reports
/// that came later, because it would not be assessed again when they are replayed one by one.
pub(super) struct FactsOf {
    facts: HashMap<(Uuid, u32), Facts>,
    none: Facts,
}

impl FactsOf {
    /// Those that some series are assessed with. A series that never failed needs none.
    pub async fn load(conn: &mut PgConnection, newest: &mut Newest, series: &[&Series]) -> Result<Self, ApplyError> {
        let mut wanted: BTreeMap<Uuid, BTreeSet<u32>> = BTreeMap::new();
        for one in series.iter().filter(|one| one.had_failure()) {
            wanted.entry(one.key.branch).or_default().insert(one.last_seq);
        }
        let first = |seqs: &BTreeSet<u32>| seqs.first().map_or(0, |seq| since(*seq));
        newest.load(conn, wanted.iter().map(|(branch, seqs)| (*branch, first(seqs))).collect()).await?;
        let wanted = wanted.into_iter().flat_map(|(branch, seqs)| seqs.into_iter().map(move |seq| (branch, seq)));
        let facts =
            wanted.map(|(branch, seq)| ((branch, seq), Facts::new(newest.between(branch, since(seq), seq)))).collect();
        Ok(Self { facts, none: Facts::default() })
    }

    pub fn of(&self, series: &Series) -> &Facts {
        self.facts.get(&(series.key.branch, series.last_seq)).unwrap_or(&self.none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts() -> impl Strategy<Value = Vec<Fact>> {
        let one = (0..12_u128, 0..40_i64, 0..30_u32);
        proptest::collection::vec(one, 1..60).prop_map(|all| {
            let fact = |(seq, (run, at, failed)): (usize, (u128, i64, u32))| {
                let at = DateTime::from_timestamp(at, 0).unwrap_or_default();
                Fact::new((seq as u32, Uuid::from_u128(run), at), (None, None), (40 - failed, failed))
            };
            all.into_iter().enumerate().map(fact).collect()
        })
    }

    proptest! {
        #[test]
        fn facts_that_come_one_by_one_are_judged_as_if_all_had_come_together(facts in facts()) {
            let mut pushed = Facts::default();
            facts.iter().cloned().for_each(|fact| pushed.push(fact));
            let together = Facts::new(facts);
            let masses = |facts: &Facts| facts.runs.iter().map(|run| (run.order, run.mass)).collect::<Vec<_>>();
            prop_assert_eq!(masses(&pushed), masses(&together));
            prop_assert_eq!(pushed.ordered, together.ordered);
        }
    }
}
