//! The series that were written last, kept in memory: the next report tells of the same tests.
//!
//! A report changes every series that it tells of a little. Reading them all again, and finding anew what follows from each,
//! costs more than all else; so they are remembered, and what follows is found when there is time, at the latest when
//! [`Settle::All`] is asked for. What is left for later can be found again from the tables: `branch.settled` is the number of
//! the newest report that everything was found for, and `told` has what is not in the rows of the series yet.

use super::{
    aliases::Aliases,
    facts::Newest,
    seen::{Entry, Seen},
    series::{Key, Series},
    stored::{self, Table},
    told::{self, Run, Told},
};
use crate::{ApplyError, Settle};
use sqlx::PgConnection;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use uuid::Uuid;

/// Bytes that are remembered between two batches, about.
const ROOM: usize = 16 * 1024 * 1024;

/// Projects whose aliases, and slices, that are remembered.
const KNOWN: usize = 10_000;

/// A series, and what of it is not in the tables.
#[derive(Debug, Clone)]
struct Held {
    series: Series,
    /// Nothing of it.
    is_new: bool,
    /// What the newest reports said; then it is among `changed` and `unsettled`.
    is_changed: bool,
    /// The number of the newest report of which the tables tell.
    written: u32,
    /// How many durations came after it.
    durations: usize,
}

impl Held {
    fn new(series: Series, is_new: bool) -> Self {
        let written = if is_new { 0 } else { series.last_seq };
        Self { series, is_new, is_changed: false, written, durations: 0 }
    }

    fn push(&mut self, (entry, at, duration_ms): Run) {
        self.durations += usize::from(entry.seen == Seen::Passed);
        self.series.push(entry, at, duration_ms);
    }

    /// The tables tell of everything.
    fn is_written(&mut self) {
        (self.is_new, self.is_changed) = (false, false);
        (self.written, self.durations) = (self.series.last_seq, 0);
    }

    /// What the tables do not tell of, if it is little: of a series that never failed, unless a report told of it twice.
    fn told(&self) -> Option<Told> {
        if self.is_new || self.series.had_failure() {
            return None;
        }
        let newer = self.series.entries.iter().rev().take_while(|entry| entry.seq > self.written);
        let newer: Vec<Entry> = newer.collect();
        let from = self.series.durations.len().checked_sub(self.durations)?;
        if newer.iter().filter(|entry| entry.seen == Seen::Passed).count() != self.durations {
            return None;
        }
        let mut codes = self.series.durations[from..].iter().copied();
        let run = |entry: &Entry| (entry.seq, if entry.seen == Seen::Passed { codes.next() } else { None });
        let runs = newer.iter().rev().map(run).collect();
        Some(Told { test: self.series.key.test, variant: self.series.key.variant, runs })
    }
}

/// What was written last, and what is still to be written. Right as long as nobody else writes.
#[derive(Debug, Default, Clone)]
pub(super) struct Memory {
    series: HashMap<Key, Held>,
    /// Bytes that they take, about.
    bytes: usize,
    /// Those that are not in the tables, or stand there as they were before.
    changed: Vec<Key>,
    /// Those of which not all is in the tables that follows from them, remembered or not.
    unsettled: BTreeSet<Key>,
    /// The branches of these, and others that had a report.
    branches: BTreeSet<Uuid>,
    /// The reports that series are assessed with.
    pub facts: Newest,
    /// What is joined in these projects; that changes only when all of this is forgotten.
    aliases: Arc<Aliases>,
    projects: BTreeSet<Uuid>,
    /// Slices that are in the tables.
    pub slices: BTreeSet<Uuid>,
    /// Whether it is known what those before left for later.
    looked: bool,
    /// Whether the table `told` has something.
    has_told: bool,
}

impl Memory {
    /// Reads those of the series that are not known.
    pub async fn load(&mut self, conn: &mut PgConnection, keys: &[Key]) -> Result<(), ApplyError> {
        let unknown: Vec<Key> = keys.iter().copied().filter(|key| !self.series.contains_key(key)).collect();
        for some in unknown.chunks(stored::AT_ONCE) {
            let loaded = stored::load_series(conn, Table::Series, some).await?;
            self.bytes += loaded.values().map(Series::bytes).sum::<usize>();
            self.series.extend(loaded.into_iter().map(|(key, series)| (key, Held::new(series, false))));
        }
        Ok(())
    }

    /// A report tells of a series; `begin` makes one that is new.
    pub fn push(&mut self, key: Key, begin: impl FnOnce() -> Series, run: Run) {
        let held = self.series.entry(key).or_insert_with(|| {
            let series = begin();
            self.bytes += series.bytes();
            Held::new(series, true)
        });
        if !std::mem::replace(&mut held.is_changed, true) {
            self.changed.push(key);
            self.unsettled.insert(key);
        }
        self.bytes -= held.series.bytes();
        held.push(run);
        self.bytes += held.series.bytes();
    }

    /// What is joined in these projects.
    pub async fn aliases(
        &mut self,
        conn: &mut PgConnection,
        projects: BTreeSet<Uuid>,
    ) -> Result<Arc<Aliases>, ApplyError> {
        if self.projects.len() > KNOWN {
            (self.projects, self.aliases) = Default::default();
        }
        let unknown: Vec<Uuid> = projects.difference(&self.projects).copied().collect();
        if !unknown.is_empty() {
            let more = Aliases::load(conn, &unknown).await?;
            self.projects.extend(unknown);
            self.aliases = Arc::new(self.aliases.and(more));
        }
        Ok(Arc::clone(&self.aliases))
    }

    /// Reports came in on branches.
    pub fn touch(&mut self, branches: impl Iterator<Item = Uuid>) {
        self.branches.extend(branches);
    }

    /// Whether nothing is left for later.
    pub fn is_level(&self) -> bool {
        self.looked && self.branches.is_empty() && self.unsettled.is_empty()
    }

    /// Whether something is in no table yet.
    pub fn is_ahead(&self) -> bool {
        !self.changed.is_empty()
    }

    /// See [`Settle`].
    pub async fn write(&mut self, conn: &mut PgConnection, how: Settle) -> Result<(), ApplyError> {
        match how {
            Settle::All => self.write_all(conn).await?,
            _ if self.is_full() => self.write_all(conn).await?,
            Settle::Facts => self.write_changed(conn).await?,
            Settle::Overflow => {}
        }
        if self.is_full() {
            self.series.clear();
            self.bytes = 0;
            self.facts = Newest::default();
        }
        if self.slices.len() > KNOWN {
            self.slices.clear();
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.bytes + self.facts.bytes() + self.unsettled.len() * size_of::<Key>() > ROOM
    }

    /// What the reports said, without what follows from it.
    async fn write_changed(&mut self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        let (mut new, mut old, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for (key, held) in changed.iter().filter_map(|key| Some((*key, self.series.get(key)?))) {
            match held.told() {
                Some(runs) => told.push((key.branch, runs)),
                None if held.is_new => new.push(key),
                None => old.push(key),
            }
        }
        self.has_told |= !told.is_empty();
        self.derive(conn, &new).await?;
        stored::update_series(conn, &of(&self.series, &old)).await?;
        told::insert(conn, told).await?;
        self.is_written(&changed);
        Ok(())
    }

    async fn write_all(&mut self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        self.look(conn).await?;
        let unsettled: Vec<Key> = std::mem::take(&mut self.unsettled).into_iter().collect();
        self.load(conn, &unsettled).await?;
        self.derive(conn, &unsettled).await?;
        self.changed.clear();
        self.is_written(&unsettled);
        if std::mem::take(&mut self.has_told) {
            told::clear(conn).await?;
        }
        stored::settled(conn, std::mem::take(&mut self.branches)).await
    }

    /// What was said of these stands in the tables.
    fn is_written(&mut self, keys: &[Key]) {
        for key in keys {
            if let Some(held) = self.series.get_mut(key) {
                held.is_written();
            }
        }
    }

    /// Finds what others left for later, before anything is added to it.
    pub async fn look(&mut self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        if self.looked {
            return Ok(());
        }
        for (branch, settled) in stored::unsettled_branches(conn).await? {
            self.unsettled.extend(stored::load_keys(conn, branch, settled).await?);
            self.branches.insert(branch);
        }
        let told = told::load(conn).await?;
        self.has_told = !told.is_empty();
        let keys: BTreeSet<Key> = told.iter().map(|(key, _)| *key).collect();
        self.load(conn, &keys.into_iter().collect::<Vec<_>>()).await?;
        for (key, runs) in told {
            self.unsettled.insert(key);
            let Some(held) = self.series.get_mut(&key) else { continue };
            self.bytes -= held.series.bytes();
            // Its row may have been written since.
            let newer: Vec<Run> = runs.into_iter().filter(|(entry, ..)| entry.seq > held.series.last_seq).collect();
            newer.into_iter().for_each(|run| held.push(run));
            held.is_written();
            self.bytes += held.series.bytes();
        }
        self.looked = true;
        Ok(())
    }

    /// Writes all of these.
    async fn derive(&mut self, conn: &mut PgConnection, keys: &[Key]) -> Result<(), ApplyError> {
        stored::derive_series(conn, &mut self.facts, &of(&self.series, keys)).await
    }
}

/// Those of them that are held.
fn of<'a>(held: &'a HashMap<Key, Held>, keys: &[Key]) -> Vec<&'a Series> {
    keys.iter().filter_map(|key| held.get(key)).map(|held| &held.series).collect()
}
