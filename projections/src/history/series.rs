//! A series in memory: what is stored of it, and what follows from that.

use super::seen::{Entries, Entry, Seen};
use chrono::{DateTime, Utc};
use scaledtest_domain::report::Variant;
use scaledtest_insight::{
    Mass, Observation, Outcome, State, assess, durations,
    flakiness::Prior,
    mass_failure::{self, RunCounts},
};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Durations that are kept, of the newest runs that passed at once.
const DURATIONS: usize = 50;

/// Which series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub branch: Uuid,
    pub test: Uuid,
    pub variant: i64,
}

/// What is stored, and when the newest runs were.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub key: Key,
    pub variant: Variant,
    pub entries: Entries,
    pub durations: Vec<u8>,
    pub last: Last,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    pub last_seq: u32,
}

/// How the newest run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// At the first attempt.
    Passed,
    /// Every attempt failed.
    Failed,
    /// Skipped, pending or other.
    NotRun,
    /// After a failure.
    Flaked,
}

impl Last {
    /// The number that it has in the tables.
    pub fn number(self) -> i16 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::NotRun => 2,
            Self::Flaked => 3,
        }
    }

    /// Undoes [`Self::number`].
    pub fn of(number: i16) -> Self {
        [Self::Passed, Self::Failed, Self::Flaked]
            .into_iter()
            .find(|last| last.number() == number)
            .unwrap_or(Self::NotRun)
    }

    /// The status word that the API uses; a flake passed.
    pub fn status(self) -> &'static str {
        match self {
            Self::Passed | Self::Flaked => "passed",
            Self::Failed => "failed",
            Self::NotRun => "skipped",
        }
    }
}

impl From<Seen> for Last {
    fn from(seen: Seen) -> Self {
        match seen.outcome() {
            Some(Outcome::Passed) => Self::Passed,
            Some(Outcome::Failed) => Self::Failed,
            Some(Outcome::Flaked) => Self::Flaked,
            None => Self::NotRun,
        }
    }
}

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

/// What orders the runs of a branch: when the first report that tells of a test was, its number, and the run.
type Order = (DateTime<Utc>, u32, Uuid);

/// The facts of a branch, by number, and how its runs failed as a whole.
#[derive(Debug, Default)]
pub struct Facts {
    facts: BTreeMap<u32, Fact>,
    mass: BTreeMap<Uuid, Mass>,
}

impl Facts {
    /// From the facts of one branch, in any order.
    pub fn new(facts: Vec<Fact>) -> Self {
        let mut runs: BTreeMap<Uuid, (DateTime<Utc>, u32, RunCounts)> = BTreeMap::new();
        for fact in &facts {
            let run = runs.entry(fact.run).or_insert((fact.at, fact.seq, RunCounts { failed: 0, ran: 0 }));
            run.0 = run.0.min(fact.at);
            run.1 = run.1.min(fact.seq);
            run.2.failed = run.2.failed.saturating_add(fact.counts.failed);
            run.2.ran = run.2.ran.saturating_add(fact.counts.ran);
        }
        let mut ordered: Vec<_> = runs.into_iter().map(|(run, (at, seq, counts))| (at, seq, run, counts)).collect();
        ordered.sort_unstable_by_key(|(at, seq, ..)| (*at, *seq));
        let shares: Vec<RunCounts> = ordered.iter().map(|(.., counts)| *counts).collect();
        let judged = ordered.iter().enumerate().map(|(i, (_, _, run, counts))| {
            let earlier = &shares[i.saturating_sub(50)..i];
            (*run, mass_failure::judge(*counts, earlier))
        });
        Self { mass: judged.collect(), facts: facts.into_iter().map(|fact| (fact.seq, fact)).collect() }
    }

    /// The report with this number.
    pub fn get(&self, seq: u32) -> Option<&Fact> {
        self.facts.get(&seq)
    }

    /// How a run failed as a whole.
    pub fn mass(&self, run: Uuid) -> Mass {
        self.mass.get(&run).copied().unwrap_or_default()
    }

    /// Observations of a series in the order of run time, one per run, and the number of the report that each ends with.
    pub(super) fn observations(&self, entries: impl IntoIterator<Item = Entry>) -> Vec<(u32, Observation)> {
        let mut runs: BTreeMap<Order, (u32, Seen, &Fact)> = BTreeMap::new();
        let mut first: BTreeMap<Uuid, Order> = BTreeMap::new();
        for entry in entries.into_iter().filter(|entry| entry.seen != Seen::NotRun) {
            let Some(fact) = self.facts.get(&entry.seq) else { continue };
            let key = *first.entry(fact.run).or_insert((fact.at, entry.seq, fact.run));
            let run = runs.entry(key).or_insert((entry.seq, entry.seen, fact));
            if run.0 != entry.seq {
                *run = (entry.seq, run.1.and(entry.seen), fact);
            }
        }
        runs.into_values().filter_map(|(seq, seen, fact)| Some((seq, self.observation(seen, fact)?))).collect()
    }

    fn observation(&self, seen: Seen, fact: &Fact) -> Option<Observation> {
        let outcome = seen.outcome()?;
        let mut observation = Observation::new(fact.at.timestamp(), outcome);
        observation.commit = fact.commit;
        observation.change = fact.change;
        observation.mass = self.mass(fact.run);
        if let Seen::Failed { fails, passes, fingerprint } = seen {
            (observation.fails, observation.passes) = (fails, passes);
            observation.fingerprint = (fingerprint != 0).then_some(fingerprint);
        }
        Some(observation)
    }
}

/// What follows from the stored part.
#[derive(Debug)]
pub(super) struct Derived {
    pub runs: i32,
    pub passed: i32,
    pub flaked: i32,
    pub failed: i32,
    pub failed_at: Option<DateTime<Utc>>,
    pub p50_ms: Option<i64>,
    pub p95_ms: Option<i64>,
    pub state: i16,
    pub since: Option<DateTime<Utc>>,
    pub score: [f64; 3],
    pub assessment: Option<serde_json::Value>,
}

impl Series {
    /// The series that begins with this report.
    pub fn begin(key: Key, variant: Variant, at: DateTime<Utc>) -> Self {
        let (entries, durations) = (Entries::default(), Vec::new());
        Self { key, variant, entries, durations, last: Last::NotRun, first_at: at, last_at: at, last_seq: 0 }
    }

    /// A report was taken in that says this.
    pub fn push(&mut self, entry: Entry, at: DateTime<Utc>, duration_ms: i64) {
        let seen = self.entries.push(entry);
        if entry.seen == Seen::Passed {
            self.durations.push(durations::encode(duration_ms));
            let extra = self.durations.len().saturating_sub(DURATIONS);
            self.durations.drain(..extra);
        }
        if at >= self.last_at {
            (self.last, self.last_at) = (seen.into(), at);
        }
        self.first_at = self.first_at.min(at);
        self.last_seq = self.last_seq.max(entry.seq);
    }

    /// What several series say together: those of one test on one branch in one variant, under the ids that its reports
    /// gave it. None of none.
    pub fn together(key: Key, mut parts: Vec<Self>) -> Option<Self> {
        if parts.len() < 2 {
            return parts.pop().map(|part| Self { key, ..part });
        }
        let mut runs: BTreeMap<u32, (Seen, Option<u8>)> = BTreeMap::new();
        for part in &parts {
            let mut known = part.durations.iter().rev();
            for entry in part.entries.iter().rev() {
                let duration = if entry.seen == Seen::Passed { known.next().copied() } else { None };
                let both = |run: &mut (Seen, Option<u8>)| *run = (run.0.and(entry.seen), run.1.max(duration));
                runs.entry(entry.seq).and_modify(both).or_insert((entry.seen, duration));
            }
        }
        let newest = parts.iter().map(|part| (part.last_at, part.last_seq)).max()?;
        let mut last = parts.iter().filter(|part| (part.last_at, part.last_seq) == newest).map(|part| part.last);
        let last = match (last.next()?, last.next(), runs.get(&newest.1)) {
            (_, Some(_), Some((seen, _))) => (*seen).into(),
            (last, ..) => last,
        };
        let passed = runs.values().rev().filter(|(seen, _)| *seen == Seen::Passed);
        let mut durations: Vec<u8> = passed.map_while(|(_, duration)| *duration).take(DURATIONS).collect();
        durations.reverse();
        Some(Self {
            key,
            variant: parts[0].variant.clone(),
            entries: runs.iter().map(|(seq, (seen, _))| Entry { seq: *seq, seen: *seen }).collect(),
            durations,
            last,
            first_at: parts.iter().map(|part| part.first_at).min()?,
            last_at: newest.0,
            last_seq: parts.iter().map(|part| part.last_seq).max()?,
        })
    }

    /// A report was deleted: as if it had never been. False if nothing is left. `facts` are those that are left.
    pub fn remove(&mut self, seq: u32, facts: &Facts) -> bool {
        if self.entries.remove(seq) == Some(Seen::Passed) {
            let later = self.entries.iter().filter(|entry| entry.seq > seq && entry.seen == Seen::Passed).count();
            if let Some(index) = self.durations.len().checked_sub(later + 1) {
                self.durations.remove(index);
            }
        }
        let known: Vec<(DateTime<Utc>, Entry)> =
            self.entries.iter().filter_map(|entry| Some((facts.get(entry.seq)?.at, entry))).collect();
        let Some((last_at, last)) = known.iter().max_by_key(|(at, entry)| (*at, entry.seq)) else { return false };
        (self.last, self.last_at) = (last.seen.into(), *last_at);
        self.first_at = known.iter().map(|(at, _)| *at).min().unwrap_or(*last_at);
        self.last_seq = known.iter().map(|(_, entry)| entry.seq).max().unwrap_or_default();
        true
    }

    /// Whether there is anything to assess.
    pub fn had_failure(&self) -> bool {
        self.entries.count(|seen| matches!(seen, Seen::Failed { .. })) > 0
    }

    /// `facts` may be empty if there never was a failure.
    pub fn derive(&self, facts: &Facts) -> Derived {
        let count = |outcome: Outcome| self.entries.count(|seen| seen.outcome() == Some(outcome)) as i32;
        let (passed, flaked, failed) = (count(Outcome::Passed), count(Outcome::Flaked), count(Outcome::Failed));
        let percentile =
            |percent| durations::percentile(&self.durations, percent).and_then(|ms| i64::try_from(ms).ok());
        let mut derived = Derived {
            runs: passed + flaked + failed,
            passed,
            flaked,
            failed,
            failed_at: None,
            p50_ms: percentile(50.0),
            p95_ms: percentile(95.0),
            state: 0,
            since: None,
            score: [0.0; 3],
            assessment: None,
        };
        if flaked + failed > 0 {
            self.assess(facts, &mut derived);
        }
        derived
    }

    fn assess(&self, facts: &Facts, derived: &mut Derived) {
        let observed = facts.observations(self.entries.iter());
        let observations: Vec<Observation> = observed.iter().map(|(_, observation)| *observation).collect();
        let Some(now) = observations.last().map(|last| last.at) else { return };
        let time = |at: i64| DateTime::from_timestamp(at, 0);
        let found = assess(&observations, Prior::default(), now);
        derived.failed_at = observations.iter().rev().find(|seen| seen.had_failure()).and_then(|seen| time(seen.at));
        derived.state = state_number(found.state);
        derived.since = found.since.and_then(time);
        let best = found.best();
        derived.score = [best.mean, best.low, best.high];
        let seq = |index: usize| observed.get(index).map(|(seq, _)| *seq);
        derived.assessment = Some(json!({
            "rule": found.rule,
            "flip_rate": found.flip_rate,
            "evidence": found.evidence.iter().rev().take(20).map(|one| json!({"seq": seq(one.index), "signal": one.signal})).collect::<Vec<_>>(),
            "changes": found.changes.iter().rev().take(10).map(|change| json!({
                "shift": change.shift, "seq": seq(change.at), "earliest": seq(change.earliest), "latest": seq(change.latest),
                "before": change.before, "after": change.after,
            })).collect::<Vec<_>>(),
        }));
    }
}

/// The number that a state has in the tables.
pub fn state_number(state: State) -> i16 {
    match state {
        State::Healthy => 0,
        State::Flaky => 1,
        State::Broken => 2,
    }
}

/// Undoes [`state_number`].
pub fn state_of(number: i16) -> State {
    match number {
        1 => State::Flaky,
        2 => State::Broken,
        _ => State::Healthy,
    }
}

/// Stored form of the runs.
pub(super) fn stored(series: &Series) -> Vec<u8> {
    series.entries.encode()
}
