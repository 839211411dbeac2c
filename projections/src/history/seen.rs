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

/// Consecutive reports that said the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    first: u32,
    /// After the first; none of a failure.
    more: u32,
    seen: Seen,
}

impl Span {
    fn last(self) -> u32 {
        self.first + self.more
    }
}

/// The newest [`WINDOW`] entries, whose numbers ascend; as short in memory as in the tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    spans: Vec<Span>,
}

impl Entries {
    /// Reads entries. What is cut off or damaged ends the list.
    pub fn decode(bytes: &[u8]) -> Self {
        let mut reader = Reader::of(bytes);
        let (mut spans, mut seq) = (Vec::new(), 0_u32);
        while let Some(head) = reader.number() {
            let Ok(distance) = u32::try_from(head >> 2) else { break };
            let Some(first) = seq.checked_add(distance) else { break };
            let (more, seen) = match head & 3 {
                kind @ (PASSED | NOT_RUN) => {
                    let Some(more) = reader.number().filter(|more| *more < u64::from(u32::MAX - first)) else { break };
                    (more as u32, if kind == PASSED { Seen::Passed } else { Seen::NotRun })
                }
                _ => {
                    let Some(seen) = reader.failure() else { break };
                    (0, seen)
                }
            };
            seq = first + more;
            spans.push(Span { first, more, seen });
        }
        let mut entries = Self { spans };
        entries.trim();
        entries
    }

    /// Writes them.
    pub fn encode(&self) -> Vec<u8> {
        let (mut bytes, mut seq) = (Vec::with_capacity(8), 0_u32);
        for span in &self.spans {
            let distance = u64::from(span.first.saturating_sub(seq)) << 2;
            seq = span.last();
            match span.seen {
                Seen::Failed { fails, passes, fingerprint } => {
                    put(&mut bytes, distance | FAILED);
                    put(&mut bytes, u64::from(fails));
                    put(&mut bytes, u64::from(passes));
                    bytes.extend_from_slice(&fingerprint.to_le_bytes());
                }
                seen => {
                    put(&mut bytes, distance | if seen == Seen::Passed { PASSED } else { NOT_RUN });
                    put(&mut bytes, u64::from(span.more));
                }
            }
        }
        bytes
    }

    /// Adds what a report said, and gives what is known of it together with what it said before.
    pub fn push(&mut self, entry: Entry) -> Seen {
        let again = self.spans.last().is_some_and(|last| last.last() == entry.seq);
        let seen = match again.then(|| self.pop()).flatten() {
            Some(before) => before.seen.and(entry.seen),
            None => entry.seen,
        };
        self.append(Entry { seq: entry.seq, seen });
        self.trim();
        seen
    }

    /// Takes out what a report said.
    pub fn remove(&mut self, seq: u32) -> Option<Seen> {
        let mut left = Self::default();
        let mut removed = None;
        for entry in self.iter() {
            if entry.seq == seq { removed = Some(entry.seen) } else { left.append(entry) }
        }
        if removed.is_some() {
            *self = left;
        }
        removed
    }

    /// Each entry.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Entry> + '_ {
        self.spans.iter().flat_map(|span| (span.first..=span.last()).map(|seq| Entry { seq, seen: span.seen }))
    }

    /// The numbers of consecutive reports that said the same: the first and the last.
    pub fn ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.spans.iter().map(|span| (span.first, span.last()))
    }

    /// How many there are of a sort.
    pub fn count(&self, is_counted: impl Fn(Seen) -> bool) -> usize {
        self.spans.iter().filter(|span| is_counted(span.seen)).map(|span| span.more as usize + 1).sum()
    }

    /// Bytes of memory that they take, about.
    pub fn bytes(&self) -> usize {
        self.spans.len() * size_of::<Span>()
    }

    fn append(&mut self, Entry { seq, seen }: Entry) {
        match self.spans.last_mut() {
            Some(last) if last.seen == seen && !matches!(seen, Seen::Failed { .. }) && last.last() + 1 == seq => {
                last.more += 1;
            }
            _ => self.spans.push(Span { first: seq, more: 0, seen }),
        }
    }

    fn pop(&mut self) -> Option<Entry> {
        let last = self.spans.last_mut()?;
        let entry = Entry { seq: last.last(), seen: last.seen };
        match last.more.checked_sub(1) {
            Some(more) => last.more = more,
            None => drop(self.spans.pop()),
        }
        Some(entry)
    }

    /// Forgets all but the newest.
    fn trim(&mut self) {
        let mut extra = self.count(|_| true).saturating_sub(WINDOW);
        let mut gone = 0;
        for span in &mut self.spans {
            let held = span.more as usize + 1;
            if held > extra {
                span.first += extra as u32;
                span.more -= extra as u32;
                break;
            }
            (extra, gone) = (extra - held, gone + 1);
        }
        self.spans.drain(..gone);
    }
}

impl FromIterator<Entry> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut all = Self::default();
        entries.into_iter().for_each(|entry| all.append(entry));
        all.trim();
        all
    }
}

/// Reads entries, each for itself.
pub fn decode(bytes: &[u8]) -> Vec<Entry> {
    Entries::decode(bytes).iter().collect()
}

pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads numbers and bytes one after the other.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The next so many bytes.
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*taken)
    }

    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take()?;
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
        Some(Seen::Failed { fails, passes, fingerprint: u64::from_le_bytes(self.take()?) })
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
            let all: Entries = entries.iter().copied().collect();
            prop_assert_eq!(decode(&all.encode()), kept);
            let mut pushed = Entries::default();
            for entry in &entries {
                pushed.push(*entry);
                // As if it were stored after each report.
                prop_assert_eq!(&Entries::decode(&pushed.encode()), &pushed);
            }
            prop_assert_eq!(pushed, all);
        }

        #[test]
        fn entries_are_counted_merged_and_removed_as_a_list_would(entries in entries(), at in any::<prop::sample::Index>()) {
            let kept = entries[entries.len().saturating_sub(WINDOW)..].to_vec();
            let mut all: Entries = entries.iter().copied().collect();
            prop_assert_eq!(all.count(|seen| seen == Seen::Passed), kept.iter().filter(|one| one.seen == Seen::Passed).count());
            let Some(last) = kept.last().copied() else { return Ok(()) };
            let again = Seen::Failed { fails: 1, passes: 0, fingerprint: 7 };
            let mut merged = all.clone();
            prop_assert_eq!(merged.push(Entry { seq: last.seq, seen: again }), last.seen.and(again));
            prop_assert_eq!(merged.iter().count(), kept.len());
            let gone = kept[at.index(kept.len())];
            prop_assert_eq!(all.remove(gone.seq), Some(gone.seen));
            let left: Vec<Entry> = kept.into_iter().filter(|one| one.seq != gone.seq).collect();
            prop_assert_eq!(all.iter().collect::<Vec<_>>(), left.clone());
            prop_assert_eq!(all, left.into_iter().collect::<Entries>());
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(decode(&bytes).len() <= WINDOW);
        }
    }

    #[test]
    fn a_test_that_always_passes_takes_a_few_bytes() {
        let always: Entries = (1..=4000).map(|seq| Entry { seq, seen: Seen::Passed }).collect();
        assert!(always.encode().len() <= 5);
    }
}
