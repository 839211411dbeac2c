//! Tests in quarantine, now and earlier, and the policies by which tests get there.

mod apply;
pub mod queries;

use crate::{Applier, ApplyError, Item, Projection};
use futures_util::future::BoxFuture;
use scaledtest_domain::Kind;
use sqlx::PgConnection;

/// The projection `quarantine`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quarantine;

impl Projection for Quarantine {
    fn name(&self) -> &'static str {
        "quarantine"
    }

    fn version(&self) -> i32 {
        1
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Team, Kind::Quarantine, Kind::Policy]
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

impl Applier for Quarantine {
    fn apply<'a>(&'a mut self, conn: &'a mut PgConnection, batch: &'a [Item]) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move { apply::Changes::of(batch)?.write(conn).await })
    }
}
