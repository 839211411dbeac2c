//! The log: append, load, follow, and execute a decider against it. The only user of the NATS client.
//!
//! Two streams and a bucket hold everything: `EV` the commits (the truth), `RES` the chunks of report results that
//! commits name, and the bucket `raw` the original documents, which expire. Beside NATS there is an in-memory log with
//! the same semantics; one contract suite runs against both.

mod chunks;
mod error;
mod execute;
mod follow;
mod log;
mod memory;
mod nats;
mod raw;
mod verify;

pub use chunks::{ChunkUpload, ChunkWriter};
pub use error::{ChunkError, ExecuteError, LogError};
pub use execute::{CommandMeta, Executed};
pub use follow::{Follow, Follower};
pub use log::{EventLog, Recorded, Standing, StoredBytes};
pub use nats::{Credentials, NatsOptions};
pub use verify::{Verified, Verifier};
