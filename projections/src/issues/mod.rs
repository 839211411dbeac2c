//! Known issues: which errors are, or were, linked to a ticket.

mod apply;
pub mod queries;

use crate::{Applier, ApplyError, Item, Projection};
use futures_util::future::BoxFuture;
use scaledtest_domain::Kind;
use sqlx::PgConnection;

/// The projection `issues`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Issues;

impl Projection for Issues {
    fn name(&self) -> &'static str {
        "issues"
    }

    fn version(&self) -> i32 {
        1
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Team, Kind::Issue]
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

impl Applier for Issues {
    fn apply<'a>(&'a mut self, conn: &'a mut PgConnection, batch: &'a [Item]) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(apply::apply(conn, batch))
    }
}
