//! The series that were written last, kept in memory: the next report tells of the same tests.
//!
//! A report changes every series that it tells of a little. Reading them all again, and finding anew what follows from each,
//! costs more than all else; so they are remembered, and what follows is found when there is time, at the latest when
//! [`Settle::All`] is asked for. What is left for later can be found again from the tables: `branch.settled` is the number of
//! the newest report that everything was found for.

use super::{
    aliases::Aliases,
    facts::Newest,
    seen::Entry,
    series::{Key, Series},
    stored::{self, Table},
};
use crate::{ApplyError, Settle};
use chrono::{DateTime, Utc};
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

/// What a report said of a test, when its run was, and how long it took, milliseconds.
type Told = (Entry, DateTime<Utc>, i64);

/// A series, and what of it is not in the tables.
#[derive(Debug, Clone)]
struct Held {
    series: Series,
    /// Nothing of it.
    is_new: bool,
    /// What the newest reports said; then it is among `changed` and `unsettled`.
    is_changed: bool,
}

impl Held {
    fn new(series: Series, is_new: bool) -> Self {
        Self { series, is_new, is_changed: false }
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
    pub fn push(&mut self, key: Key, begin: impl FnOnce() -> Series, (entry, at, duration_ms): Told) {
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
        held.series.push(entry, at, duration_ms);
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
            Settle::Facts => self.write_changed(conn).await?,
            Settle::Overflow if self.is_full() => self.write_all(conn).await?,
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
        let is_new = |key: &Key| self.series.get(key).is_some_and(|held| held.is_new);
        let (new, old): (Vec<Key>, Vec<Key>) = changed.iter().copied().partition(is_new);
        self.derive(conn, &new).await?;
        stored::update_series(conn, &of(&self.series, &old)).await?;
        self.is_written(&changed);
        Ok(())
    }

    async fn write_all(&mut self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        if !self.looked {
            self.look(conn).await?;
        }
        let unsettled: Vec<Key> = std::mem::take(&mut self.unsettled).into_iter().collect();
        self.load(conn, &unsettled).await?;
        self.derive(conn, &unsettled).await?;
        self.changed.clear();
        self.is_written(&unsettled);
        stored::settled(conn, std::mem::take(&mut self.branches)).await
    }

    /// What was said of these stands in the tables.
    fn is_written(&mut self, keys: &[Key]) {
        for key in keys {
            if let Some(held) = self.series.get_mut(key) {
                (held.is_new, held.is_changed) = (false, false);
            }
        }
    }

    /// Finds what others left for later.
    async fn look(&mut self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        for (branch, settled) in stored::unsettled_branches(conn).await? {
            self.unsettled.extend(stored::load_keys(conn, branch, settled).await?);
            self.branches.insert(branch);
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
