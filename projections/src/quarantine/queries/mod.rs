//! Questions about quarantine. Tests and their projects are named as `history` knows them.

mod due;
mod entries;
mod list;
mod policies;
mod sums;

pub use due::{Candidate, Candidates, Open, Standing, candidates, expired, open_entries, standing};
pub use entries::{Entry, Filter, Phase, entry, list_entries};
pub use list::{Active, CiList, Muted, active_count, active_of, ci_list, covering};
pub use policies::{Policy, enabled_policies, policy};
pub use sums::{Sums, sums};
