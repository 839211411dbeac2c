//! How much is applied at once.

use crate::{Item, checkpoint::Checkpoint};
use scaledtest_domain::Position;

/// Rows in a batch after which an idle projection does not wait for more: few enough to be seen soon.
pub(crate) const SOON: usize = 5_000;
/// Rows in a batch, at most (unless a single commit is larger): so many come together while a projection catches up, or is busy.
/// More are hardly faster, and take memory twice: one batch is read while another is applied.
pub(crate) const MOST: usize = 50_000;
/// Bytes of compressed bodies in a batch, at most (unless a single commit is larger).
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Consecutive commits, applied in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub items: Vec<Item>,
    rows: usize,
    bytes: usize,
}

impl Batch {
    pub fn push(&mut self, item: Item) {
        self.rows = self.rows.saturating_add(item.rows().max(1));
        self.bytes += item.bytes();
        self.items.push(item);
    }

    /// Whether it has so many rows, or as many bytes as any batch may have.
    pub fn is_full(&self, rows: usize) -> bool {
        self.rows >= rows || self.bytes >= MAX_BYTES
    }

    /// Where it ends, if nothing in it concerns the projection.
    pub fn passes(&self, from: &Checkpoint) -> Option<Checkpoint> {
        let last = self.items.last()?;
        let foreign = self.items.iter().all(|item| item.events.is_empty() && item.poison.is_none());
        let position = Position { epoch: from.position.epoch, n: last.n };
        foreign.then_some(Checkpoint { position, commit: last.id() })
    }

    /// Position of its last commit.
    pub fn last(&self) -> Option<u64> {
        self.items.last().map(|item| item.n)
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}
