//! The vocabulary of ScaledTest: identifiers, values, events and their upcasters, the [`Decider`] trait and error kinds.
//!
//! Pure: no I/O, no clock, no runtime. Everything else in the workspace may import it; it imports nothing of ours.

mod clock;
mod commit;
mod decider;
mod error;
pub mod events;
pub mod gate;
pub mod identity;
mod ids;
mod packing;
mod position;
pub mod report;
pub mod retention;
mod role;
mod stream;

pub use clock::{Clock, truncate_to_micros};
pub use commit::{Actor, Commit, DecodeError, Hash16, RawEvent};
pub use decider::{Decider, Reject};
pub use error::ErrorKind;
pub use events::Event;
pub use ids::*;
pub use packing::{compress, decompress};
pub use position::Position;
pub use role::{InstanceRole, Scope, TeamRole};
pub use stream::{Kind, StreamId, slot};
