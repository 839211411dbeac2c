//! For tests only: a fresh database, a real nats-server, a clock that stands still.
//!
//! One PostgreSQL cluster serves a whole test process (flushing off), a database is created in it for each caller; every
//! caller of [`nats`] gets a server of its own. Both end with the process, however it ends. None of this is bound to the
//! runtime of the test that happens to start it.

mod clock;
mod crypto;
mod database;
#[allow(unsafe_code)]
mod exit;
mod nats;
mod place;
mod smtp;

pub use clock::FakeClock;
pub use crypto::install_crypto;
pub use database::{Database, database};
pub use nats::{Nats, nats, nats_with};
pub use place::TestDir;
pub use scaledtest_managed::{Binaries, Durability, Overrides};
pub use smtp::{Delivered, Smtp, SmtpTls};

use std::time::Duration;

/// Longer than anything here takes on a loaded machine; a hang becomes a failure.
const PATIENCE: Duration = Duration::from_secs(60);
