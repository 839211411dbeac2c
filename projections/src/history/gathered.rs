//! Reports on their way into the tables: numbered on their branches, read in rounds, folded into series.

use super::{
    aliases::{self, Aliases},
    facts::Fact,
    memory::Memory,
    parts,
    place::Place,
    round,
    series::Key,
    stored,
    sums::{self, Sums},
};
use crate::{ApplyError, Body};
use scaledtest_domain::events::report::Ingested;
use sqlx::PgConnection;
use std::collections::BTreeSet;
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

    pub async fn write(mut self, conn: &mut PgConnection, memory: &mut Memory) -> Result<(), ApplyError> {
        if self.reports.is_empty() {
            return Ok(());
        }
        // Those that are gone too: so that the others have the same numbers whenever they are replayed.
        stored::number(conn, &mut self.reports).await?;
        memory.touch(self.reports.iter().map(|taken| taken.place.branch_id));
        self.reports.retain(|taken| !taken.is_gone());
        let projects: BTreeSet<Uuid> = self.reports.iter().map(|taken| taken.report.project.0).collect();
        let aliases = memory.aliases(conn, projects).await?;
        let bodies = self.reports.iter().map(|taken| (taken.place.no, taken.body.clone())).collect();
        let mut reading = round::read(bodies);
        let mut joined = BTreeSet::new();
        while let Some(round) = reading.next().await {
            for (report, sums) in &round.sums {
                self.reports[*report].sums.add(sums);
            }
            joined.extend(round.write(conn, (memory, &aliases), &self.reports).await?);
        }
        reading.end().await?;
        stored::insert_facts(conn, &self.reports).await?;
        self.reports.iter().for_each(|taken| memory.facts.push(taken.place.branch_id, taken.fact()));
        put_together(conn, (memory, &aliases), joined).await?;
        sums::add_sums(conn, &mut memory.slices, &self.reports).await
    }
}

/// What the parts of joined tests say together takes the place of what they said before.
async fn put_together(
    conn: &mut PgConnection,
    (memory, aliases): (&mut Memory, &Aliases),
    parts: BTreeSet<Key>,
) -> Result<(), ApplyError> {
    if parts.is_empty() {
        return Ok(());
    }
    let together = parts::together(conn, aliases, parts.iter().copied()).await?;
    stored::derive_series(conn, &mut memory.facts, &together.iter().collect::<Vec<_>>()).await?;
    aliases::settle(conn, aliases, &parts.iter().map(|key| key.test).collect::<Vec<_>>()).await
}

impl Taken<'_> {
    /// Whether it was deleted later.
    pub fn is_gone(&self) -> bool {
        matches!(self.body, Body::Gone)
    }

    /// What it says to the series of its branch.
    pub fn fact(&self) -> Fact {
        let (origin, counts) = (&self.report.origin, &self.report.counts);
        let names = (origin.commit.as_deref(), origin.pr.as_deref());
        Fact::new((self.seq, self.report.run.0, self.place.at), names, (counts.passed, counts.failed))
    }
}
