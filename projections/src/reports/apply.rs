//! From events to rows: inserts are gathered and written together; a deletion first writes what came before it.

use super::results::{self, Source};
use super::rows::{COPY_REPORT, Place, month_of, write_report};
use super::{partitions, writes};
use crate::checkpoint::signed;
use crate::copy::{Rows, copy_rows};
use crate::{ApplyError, Body, Item};
use scaledtest_domain::{Event, events::project, events::report};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use uuid::Uuid;

pub(super) async fn apply(conn: &mut PgConnection, batch: &[Item]) -> Result<(), ApplyError> {
    let mut touched = BTreeSet::new();
    let mut pending = Pending::default();
    let mut deleted = Vec::new();
    for item in batch {
        for event in &item.events {
            match event {
                Event::Project(project::Event::Created(created)) => pending.projects.push((item, created)),
                Event::Report(report::Event::Ingested(ingested)) => {
                    if !deleted.is_empty() {
                        writes::delete_reports(conn, &std::mem::take(&mut deleted), &mut touched).await?;
                    }
                    pending.take_in(item, ingested)?;
                }
                Event::Report(report::Event::Deleted(gone)) => {
                    pending.write(conn).await?;
                    deleted.push(gone.report.0);
                }
                Event::User(_)
                | Event::Team(_)
                | Event::Token(_)
                | Event::Invitation(_)
                | Event::Publisher(_)
                | Event::Gate(_)
                | Event::Evaluation(_)
                | Event::Quarantine(_)
                | Event::Policy(_)
                | Event::Alias(_)
                | Event::Claim(_)
                | Event::Project(project::Event::OwnersChanged(_)) => {}
            }
        }
    }
    pending.write(conn).await?;
    if !deleted.is_empty() {
        writes::delete_reports(conn, &deleted, &mut touched).await?;
    }
    if touched.is_empty() {
        return Ok(());
    }
    let touched: Vec<Uuid> = touched.into_iter().collect();
    writes::recompute_runs(conn, &touched).await
}

/// What is to be inserted.
#[derive(Default)]
struct Pending<'a> {
    projects: Vec<(&'a Item, &'a project::Created)>,
    reports: Rows,
    numbers: Vec<i64>,
    runs: BTreeSet<Uuid>,
    months: BTreeSet<chrono::NaiveDate>,
    results: Vec<Source>,
}

impl Pending<'_> {
    fn take_in(&mut self, item: &Item, ingested: &report::Ingested) -> Result<(), ApplyError> {
        let place = Place { report_no: signed(item.n), month: month_of(item.commit.at) };
        // Even for a report that is gone: so a rebuild makes the same partitions.
        self.months.insert(place.month);
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
        let Self { projects, reports, numbers, runs, months, results } = std::mem::take(self);
        let encoding = results::encode(results);
        if !projects.is_empty() {
            writes::insert_projects(conn, &projects).await?;
        }
        if months.is_empty() {
            return Ok(());
        }
        if !numbers.is_empty() {
            copy_rows(conn, COPY_REPORT, reports.as_slice()).await?;
        }
        let runs: Vec<Uuid> = runs.into_iter().collect();
        // Asked each time: a transaction that made one may have been rolled back, and a schema may be a new one.
        let missing = writes::settle(conn, &numbers, &runs, &months).await?;
        partitions::ensure(conn, &missing).await?;
        match encoding {
            Some(encoding) => encoding.copy(conn).await,
            None => Ok(()),
        }
    }
}
