//! What became of a test in the newest runs of a branch, in a few bytes.
//!
//! Entries in the order of arrival, each with the number of its report on the branch. Numbers are written as the distance
//! from the one before, as LEB128: `distance << 2 | kind`. Passes and skips in consecutive reports are one entry followed by
//! how many more there are; a failure or flake is followed by its failed and passed attempts and eight bytes of its
//! fingerprint. So a test that always passes takes some six bytes, however often it ran.

use scaledtest_insight::Outcome;

/// Observations that are kept; older ones are forgotten.
pub const WINDOW: usize = 400;

/// What a report said of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Number of the report on its branch.
    pub seq: u32,
    /// What it said.
    pub seen: Seen,
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Passed at the first attempt.
    Passed,
    /// Skipped, pending or other.
    NotRun,
    /// At least one attempt failed.
    Failed {
        /// Failed attempts, at least 1.
        fails: u16,
        /// Passed attempts: if there is one, it is a flake.
        passes: u16,
        /// The first bytes of the failure's fingerprint.
        fingerprint: u64,
    },
}

impl Seen {
    /// The outcome, if the test ran to its end.
    pub fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Passed => Some(Outcome::Passed),
            Self::NotRun => None,
            Self::Failed { passes: 0, .. } => Some(Outcome::Failed),
            Self::Failed { .. } => Some(Outcome::Flaked),
        }
    }

    /// Two results of the same test in one report: the worse one counts, with the attempts of both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Failed { fails, passes, fingerprint }, Self::Failed { fails: more, passes: passed, .. }) => {
                let passes = if passes == 0 || passed == 0 { 0 } else { passes.saturating_add(passed) };
                Self::Failed { fails: fails.saturating_add(more), passes, fingerprint }
            }
            (failed @ Self::Failed { .. }, _) | (_, failed @ Self::Failed { .. }) => failed,
            (Self::Passed, _) | (_, Self::Passed) => Self::Passed,
            (Self::NotRun, Self::NotRun) => Self::NotRun,
        }
    }
}

const PASSED: u64 = 0;
const NOT_RUN: u64 = 1;
const FAILED: u64 = 2;

/// Reads entries. What is cut off or damaged ends the list.
pub fn decode(bytes: &[u8]) -> Vec<Entry> {
    let mut reader = Reader { bytes };
    let (mut entries, mut seq) = (Vec::new(), 0_u32);
    while let Some(head) = reader.number() {
        let Ok(distance) = u32::try_from(head >> 2) else { break };
        let Some(first) = seq.checked_add(distance) else { break };
        seq = first;
        match head & 3 {
            kind @ (PASSED | NOT_RUN) => {
                let Some(more) = reader.number().filter(|more| *more < u64::from(u32::MAX - seq)) else { break };
                let seen = if kind == PASSED { Seen::Passed } else { Seen::NotRun };
                let last = seq + more as u32;
                // No more than were ever written: damaged bytes must not fill the memory.
                let from = seq.max(last.saturating_sub(WINDOW as u32));
                entries.extend((from..=last).map(|seq| Entry { seq, seen }));
                seq = last;
            }
            _ => {
                let Some(seen) = reader.failure() else { break };
                entries.push(Entry { seq, seen });
            }
        }
    }
    entries
}

/// Writes the newest [`WINDOW`] entries, whose numbers ascend.
pub fn encode(entries: &[Entry]) -> Vec<u8> {
    let entries = &entries[entries.len().saturating_sub(WINDOW)..];
    let (mut bytes, mut seq, mut index) = (Vec::with_capacity(16), 0_u32, 0);
    while let Some(entry) = entries.get(index) {
        let distance = u64::from(entry.seq.saturating_sub(seq)) << 2;
        seq = entry.seq;
        index += 1;
        match entry.seen {
            Seen::Failed { fails, passes, fingerprint } => {
                put(&mut bytes, distance | FAILED);
                put(&mut bytes, u64::from(fails));
                put(&mut bytes, u64::from(passes));
                bytes.extend_from_slice(&fingerprint.to_le_bytes());
            }
            seen => {
                put(&mut bytes, distance | if seen == Seen::Passed { PASSED } else { NOT_RUN });
                let first = seq;
                while let Some(next) = entries.get(index).filter(|next| next.seen == seen && next.seq == seq + 1) {
                    seq = next.seq;
                    index += 1;
                }
                put(&mut bytes, u64::from(seq - first));
            }
        }
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn failure(&mut self) -> Option<Seen> {
        let fails = u16::try_from(self.number()?).ok()?;
        let passes = u16::try_from(self.number()?).ok()?;
        let (fingerprint, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(Seen::Failed { fails, passes, fingerprint: u64::from_le_bytes(*fingerprint) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let seen = prop_oneof![
            6 => Just(Seen::Passed),
            1 => Just(Seen::NotRun),
            2 => (1..3_u16, 0..3_u16, any::<u64>())
                .prop_map(|(fails, passes, fingerprint)| Seen::Failed { fails, passes, fingerprint }),
        ];
        proptest::collection::vec((prop_oneof![8 => Just(1_u32), 1 => 1..1000_u32], seen), 0..500).prop_map(|steps| {
            let mut seq = 0;
            let step = |(distance, seen)| {
                seq += distance;
                Entry { seq, seen }
            };
            steps.into_iter().map(step).collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again_as_far_as_it_is_kept(entries in entries()) {
            let kept = &entries[entries.len().saturating_sub(WINDOW)..];
            prop_assert_eq!(decode(&encode(&entries)), kept);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(decode(&bytes).len() <= bytes.len() * (WINDOW + 1));
        }
    }

    #[test]
    fn a_test_that_always_passes_takes_a_few_bytes() {
        let always: Vec<Entry> = (1..=4000).map(|seq| Entry { seq, seen: Seen::Passed }).collect();
        assert!(encode(&always).len() <= 5);
    }
}
