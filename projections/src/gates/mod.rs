//! Quality gates, and what they said of runs.

mod apply;
mod inputs;
mod queries;

pub use inputs::Known;
pub use queries::{
    Due, EvaluationRow, GateRow, PastRun, WaiverRow, due, evaluations_of, evaluations_of_run, gate, gates_of,
    has_enabled_gate, newest_report, newest_runs, settled_until, waivers_for, waivers_of,
};

use crate::{Applier, ApplyError, Item, Projection};
use futures_util::future::BoxFuture;
use scaledtest_domain::{Event, Kind, events::report};
use sqlx::PgConnection;

/// The projection `gates`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gates;

impl Projection for Gates {
    fn name(&self) -> &'static str {
        "gates"
    }

    fn version(&self) -> i32 {
        1
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Gate, Kind::Evaluation, Kind::Report]
    }

    /// Of a report only that it is gone.
    fn wants(&self, event: &Event) -> bool {
        match event {
            Event::Report(event) => matches!(event, report::Event::Deleted(_)),
            _ => true,
        }
    }

    fn needs_bodies(&self) -> bool {
        false
    }

    fn ddl(&self) -> &'static str {
        include_str!("ddl.sql")
    }

    fn applier(&self) -> Box<dyn Applier> {
        Box::new(*self)
    }
}

impl Applier for Gates {
    fn apply<'a>(&'a mut self, conn: &'a mut PgConnection, batch: &'a [Item]) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(apply::apply(conn, batch))
    }
}
