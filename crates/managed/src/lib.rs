//! PostgreSQL and nats-server as supervised children of this process, for people who want to run nothing else.
//!
//! [`Embedded::start`] is the whole of it: a [`DataDir`] that only one process may use, the [`Binaries`] found on this
//! machine, and the two children, started side by side, restarted in place when they die and gone when we are gone.

mod account;
mod binaries;
mod data_dir;
mod embedded;
mod error;
mod nats;
mod orphan;
mod postgres;
mod supervisor;
#[allow(unsafe_code)]
mod sys;

pub use account::can_reach_as_postgres;
pub use binaries::{Binaries, Overrides, PostgresPrograms};
pub use data_dir::{DataDir, LockedDataDir};
pub use embedded::{Children, Embedded, Running};

pub use error::ManagedError;
pub use nats::{Durability, Nats, NatsSettings};
pub use postgres::{Postgres, PostgresSettings};
pub use supervisor::ChildState;
