//! What became of every test, branch by branch, and the sums and kinds of failure over time: the roll-ups that answer
//! questions in milliseconds, however many results there are.

mod aliases;
mod apply;
mod delete;
mod digest;
mod errors;
pub(crate) mod facts;
mod failures;
mod gathered;
mod memory;
mod owners;
mod parts;
mod place;
pub mod queries;
mod round;
mod said;
pub mod seen;
pub(crate) mod series;
mod stored;
mod sums;
mod told;

pub use digest::{Digest, DigestedReport, RESULTS as DIGEST_RESULTS};
pub use place::RANGES;
pub(crate) use place::branch_id;
pub(crate) use said::variant_id;
pub use seen::WINDOW;
pub use series::Last;

use crate::{Applier, ApplyError, Item, Projection, Settle};
use futures_util::future::BoxFuture;
use memory::Memory;
use scaledtest_domain::Kind;
use sqlx::PgConnection;

/// The projection `history`.
#[derive(Debug, Clone, Copy, Default)]
pub struct History;

impl Projection for History {
    fn name(&self) -> &'static str {
        "history"
    }

    fn version(&self) -> i32 {
        8
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Project, Kind::Report, Kind::Alias]
    }

    fn needs_bodies(&self) -> bool {
        true
    }

    fn waits_for_disk(&self) -> bool {
        false
    }

    fn ddl(&self) -> &'static str {
        include_str!("ddl.sql")
    }

    fn applier(&self) -> Box<dyn Applier> {
        Box::<Memory>::default()
    }
}

impl Applier for Memory {
    fn apply<'a>(&'a mut self, conn: &'a mut PgConnection, batch: &'a [Item]) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(apply::apply(conn, self, batch))
    }

    fn settle<'a>(&'a mut self, conn: &'a mut PgConnection, how: Settle) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(self.write(conn, how))
    }

    fn copy(&self) -> Option<Box<dyn Applier>> {
        self.is_ahead().then(|| -> Box<dyn Applier> { Box::new(self.clone()) })
    }

    fn is_settled(&self) -> bool {
        self.is_level()
    }
}
