//! Accounts, teams, members, API tokens, invitations, trusted workflows and links to runs: ids and roles, read at every call.

mod apply;
mod changes;
pub mod queries;

use crate::{Applier, ApplyError, Item, Projection};
use futures_util::future::BoxFuture;
use scaledtest_domain::Kind;
use sqlx::PgConnection;

/// The projection `access`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Access;

impl Projection for Access {
    fn name(&self) -> &'static str {
        "access"
    }

    fn version(&self) -> i32 {
        4
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::User, Kind::Team, Kind::Token, Kind::Invitation, Kind::Publisher, Kind::Share]
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

impl Applier for Access {
    fn apply<'a>(&'a mut self, conn: &'a mut PgConnection, batch: &'a [Item]) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move { changes::Changes::of(batch)?.write(conn).await })
    }
}
