//! The read side: tables in Postgres that follow the log, the runner that fills them, and the queries over them.
//!
//! A [`Projection`] is a set of tables in a schema of its own and a function from commits to rows. The [`Runner`] keeps
//! every projection level with the log; [`rebuild`] fills a second copy beside the live one and swaps them;
//! [`Positions`] lets a request wait until its own write is visible.

pub mod access;
pub mod audit;
mod batch;
mod checkpoint;
pub mod copy;
mod cursor;
mod drive;
mod feed;
mod fresh;
pub mod gates;
pub mod history;
pub mod issues;
mod positions;
mod projection;
pub mod quarantine;
mod rebuild;
pub mod reports;
mod rewind;
pub mod rollups;
mod runner;
mod schema;
mod session;
mod status;
pub mod storage;

pub use fresh::{Coming, Fresh, FreshResults};
pub use positions::Positions;
pub use projection::{Applier, ApplyError, Body, Item, Projection, Settle};
pub use rebuild::{Progress, RebuildError, Rebuilt, rebuild};
pub use rewind::notice_rewind;
pub use runner::{Runner, Setup};
pub use session::Failure;
pub use status::{ProjectionStatus, SkipError, State, StatusError, skip, status};

use std::sync::Arc;

/// Every projection, in the order in which they are rebuilt.
pub fn all() -> Vec<Arc<dyn Projection>> {
    vec![
        Arc::new(access::Access),
        Arc::new(reports::Reports),
        Arc::new(history::History),
        Arc::new(quarantine::Quarantine),
        Arc::new(issues::Issues),
        Arc::new(gates::Gates),
        Arc::new(audit::Audit),
    ]
}

/// Brings the tables that are not projections (`ops`, `auth`) up to date. Safe to call from several processes at once.
///
/// # Errors
/// When the database is not reachable, or a migration that ran there is unknown here or was changed.
pub async fn migrate(pool: &sqlx::PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    sqlx::migrate!("../migrations").run(pool).await
}
