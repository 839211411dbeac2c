//! From events to rows: inserts are gathered and written together; a deletion first writes what came before it.

use super::results::{self, Source};
use super::rows::{COPY_REPORT, Place, write_report};
use super::{partitions, retain, writes};
use crate::checkpoint::signed;
use crate::copy::{Rows, copy_rows};
use crate::{ApplyError, Body, Item};
use scaledtest_domain::{
    Event,
    events::{part, project, report, run},
    retention::Part,
};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use uuid::Uuid;

pub(super) async fn apply(conn: &mut PgConnection, batch: &[Item]) -> Result<(), ApplyError> {
    let mut changes = Changes::default();
    for item in batch {
        for event in &item.events {
            match event {
                Event::Project(project::Event::Created(created)) => {
                    changes.turn_to(conn, Turn::Insert).await?;
                    changes.pending.projects.push((item, created));
                }
                Event::Report(report::Event::Ingested(ingested)) => {
                    changes.turn_to(conn, Turn::Insert).await?;
                    changes.pending.take_in(item, ingested)?;
                }
                Event::Report(report::Event::Sealed(sealed)) => {
                    changes.turn_to(conn, Turn::Seal).await?;
                    changes.named.push(sealed.report.0);
                }
                Event::Report(report::Event::Deleted(gone)) => {
                    changes.turn_to(conn, Turn::Delete).await?;
                    changes.named.push(gone.report.0);
                }
                Event::Part(part::Event::Dropped(dropped)) => {
                    changes.turn_to(conn, Turn::Insert).await?;
                    changes.pending.write(conn).await?;
                    retain::drop_part(conn, dropped.part).await?;
                }
                Event::Run(run::Event::Pinned(pinned)) => retain::pin(conn, pinned.run, item.commit.at).await?,
                Event::Run(run::Event::Unpinned(unpinned)) => retain::unpin(conn, unpinned.run).await?,
                Event::User(_)
                | Event::Team(_)
                | Event::Token(_)
                | Event::Invitation(_)
                | Event::Publisher(_)
                | Event::Share(_)
                | Event::Gate(_)
                | Event::Evaluation(_)
                | Event::Quarantine(_)
                | Event::Policy(_)
                | Event::Rollup(_)
                | Event::Alias(_)
                | Event::Issue(_)
                | Event::Claim(_)
                | Event::Project(project::Event::OwnersChanged(_)) => {}
            }
        }
    }
    changes.turn_to(conn, Turn::End).await?;
    if changes.touched.is_empty() {
        return Ok(());
    }
    let touched: Vec<Uuid> = changes.touched.into_iter().collect();
    writes::recompute_runs(conn, &touched).await
}

/// What is being gathered: changes of one sort are written together, before one of another sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Turn {
    #[default]
    Insert,
    Seal,
    Delete,
    End,
}

/// Changes that wait to be written.
#[derive(Default)]
struct Changes<'a> {
    turn: Turn,
    pending: Pending<'a>,
    /// Reports that are sealed or deleted.
    named: Vec<Uuid>,
    /// Runs that deletions took reports from.
    touched: BTreeSet<Uuid>,
}

impl Changes<'_> {
    async fn turn_to(&mut self, conn: &mut PgConnection, turn: Turn) -> Result<(), ApplyError> {
        if self.turn == turn {
            return Ok(());
        }
        let named = std::mem::take(&mut self.named);
        match std::mem::replace(&mut self.turn, turn) {
            Turn::Insert | Turn::End => self.pending.write(conn).await,
            Turn::Seal => retain::seal(conn, &named).await,
            Turn::Delete => writes::delete_reports(conn, &named, &mut self.touched).await,
        }
    }
}

/// What is to be inserted.
#[derive(Default)]
struct Pending<'a> {
    projects: Vec<(&'a Item, &'a project::Created)>,
    reports: Rows,
    numbers: Vec<i64>,
    runs: BTreeSet<Uuid>,
    parts: BTreeSet<Part>,
    results: Vec<Source>,
}

impl Pending<'_> {
    fn take_in(&mut self, item: &Item, ingested: &report::Ingested) -> Result<(), ApplyError> {
        let place = Place { report_no: signed(item.n), part: ingested.part() };
        // Even for a report that is gone: so a rebuild makes the same partitions.
        self.parts.insert(place.part);
        // As if it had never been; the deletion that follows finds nothing.
        if matches!(item.body, Body::Gone) {
            return Ok(());
        }
        write_report(&mut self.reports, place, item.team()?, item.commit.at, ingested)
            .map_err(|error| ApplyError::Data(error.to_string()))?;
        self.numbers.push(place.report_no);
        self.runs.insert(ingested.run.0);
        self.results.push(Source { place, body: item.body.clone() });
        Ok(())
    }

    async fn write(&mut self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        let Self { projects, reports, numbers, runs, parts, results } = std::mem::take(self);
        let encoding = results::encode(results);
        if !projects.is_empty() {
            writes::insert_projects(conn, &projects).await?;
        }
        if parts.is_empty() {
            return Ok(());
        }
        if !numbers.is_empty() {
            copy_rows(conn, COPY_REPORT, reports.as_slice()).await?;
        }
        let runs: Vec<Uuid> = runs.into_iter().collect();
        // Asked each time: a transaction that made one may have been rolled back, and a schema may be a new one.
        let missing = writes::settle(conn, &numbers, &runs, &parts).await?;
        partitions::ensure(conn, &missing).await?;
        match encoding {
            Some(encoding) => encoding.copy(conn).await,
            None => Ok(()),
        }
    }
}
