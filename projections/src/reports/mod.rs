//! Reports, their results and attempts, and the runs and branches that they make up.
//!
//! Raw results are partitioned by part, which is a retention class and a week, and dropped with it; see
//! `scaledtest_domain::retention`. A report's rows are found by its part and its number, the position of its commit.

mod apply;
mod cases;
mod partitions;
pub mod queries;
mod results;
mod retain;
pub mod rows;
mod writes;

pub use partitions::ensure as ensure_partitions;

use crate::{Applier, ApplyError, Item, Projection};
use futures_util::future::BoxFuture;
use scaledtest_domain::Kind;
use sqlx::PgConnection;

/// The projection `reports`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reports;

impl Projection for Reports {
    fn name(&self) -> &'static str {
        "reports"
    }

    fn version(&self) -> i32 {
        4
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Project, Kind::Report, Kind::Run, Kind::Part]
    }

    fn needs_bodies(&self) -> bool {
        true
    }

    fn ddl(&self) -> &'static str {
        include_str!("ddl.sql")
    }

    fn indexes(&self) -> &'static str {
        include_str!("indexes.sql")
    }

    fn applier(&self) -> Box<dyn Applier> {
        Box::new(*self)
    }
}

impl Applier for Reports {
    fn apply<'a>(&'a mut self, conn: &'a mut PgConnection, batch: &'a [Item]) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(apply::apply(conn, batch))
    }
}
