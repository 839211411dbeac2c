//! A series in memory: what is stored of it, and what follows from that.

use super::{
    facts::Facts,
    seen::{Entries, Entry, Seen},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::report::Variant;
use scaledtest_insight::{Assessment, Observation, Outcome, State, assess, durations, flakiness::Prior};
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
}

impl Series {
    /// The series that begins with this report.
    pub fn begin(key: Key, variant: Variant, at: DateTime<Utc>) -> Self {
        let (entries, durations) = (Entries::default(), Vec::new());
        Self { key, variant, entries, durations, last: Last::NotRun, first_at: at, last_at: at, last_seq: 0 }
    }

    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.entries.bytes() + self.durations.len()
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
        };
        if flaked + failed > 0 {
            self.assess(facts, &mut derived);
        }
        derived
    }

    fn assess(&self, facts: &Facts, derived: &mut Derived) {
        let (_, observed) = facts.observations(self.entries.iter());
        let Some(found) = assess_as_of_newest(&observed) else { return };
        let time = |at: i64| DateTime::from_timestamp(at, 0);
        derived.failed_at = observed.iter().rev().find(|seen| seen.had_failure()).and_then(|seen| time(seen.at));
        derived.state = state_number(found.state);
        derived.since = found.since.and_then(time);
        let best = found.best();
        derived.score = [best.mean, best.low, best.high];
    }
}

/// What is found about a series as of its newest run; none without any.
pub fn assess_as_of_newest(observed: &[Observation]) -> Option<Assessment> {
    Some(assess(observed, Prior::default(), observed.last()?.at))
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
