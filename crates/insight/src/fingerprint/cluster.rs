//! Joins fingerprints that say nearly the same.
//!
//! Two fingerprints are near if they share a key (see [`Fingerprint::keys`]) and their first lines differ by less than 10 %. A
//! cluster is what near ones connect: it follows from which fingerprints there are, not from the order in which they came,
//! and so is the same after a rebuild, or after some of them were deleted.

use super::Fingerprint;
use crate::text::distance_within;
use scaledtest_domain::Hash16;
use std::collections::HashMap;

/// Of fingerprints that share a key, so many are compared: those with the smallest ids. The others stay alone, unless another
/// key joins them.
pub const COMPARED: usize = 1_000;

/// Words that say something, from which failures in different places may be one.
const TELLING_WORDS: usize = 2;

/// A fingerprint that may be near to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The fingerprint.
    pub id: Hash16,
    /// The cluster that it is known to be in, named by any id: only of one that is not looked at anew.
    pub cluster: Hash16,
    /// As in [`Fingerprint`].
    pub headline: String,
    /// What it is compared by.
    pub keys: Vec<i64>,
}

/// What belongs together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Fingerprints that were looked at anew, at least one, ascending.
    pub fresh: Vec<Hash16>,
    /// Whole clusters that they are in now, ascending.
    pub clusters: Vec<Hash16>,
}

impl Fingerprint {
    /// Only fingerprints that share one of these can be near. The first says the exception's type, the status codes and the place:
    /// all frames. The second, of a first line with at least two words that say something, says type, codes and these words:
    /// "connect ECONNREFUSED ADDR" in two files is one failure, "expected NUM but got NUM" is two.
    pub fn keys(&self) -> Vec<i64> {
        let key = |sort: &str, parts: &[String]| {
            let codes = self.codes.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
            let whole = super::joined([sort, &self.kind, &codes].into_iter().chain(parts.iter().map(String::as_str)));
            super::short(Hash16::of(&whole)).cast_signed()
        };
        let words = telling_words(&self.headline, &self.kind);
        let told = (words.len() >= TELLING_WORDS).then(|| key("words", &words));
        [key("place", &self.frames)].into_iter().chain(told).collect()
    }

    /// As one that is in no cluster yet.
    pub fn member(&self) -> Member {
        Member { id: self.id, cluster: self.id, headline: self.headline.clone(), keys: self.keys() }
    }
}

/// Puts together what is near. Of `others`, what is in one cluster stays so.
///
/// The 4-gram counts bound the edit distance from below, `Σ|a − b| / 8` (Ukkonen 1992), so that few lines are compared letter by
/// letter; none that are together already.
pub fn join(fresh: &[Member], others: &[Member]) -> Vec<Joined> {
    let mut sets = Sets::default();
    let mut by_key: HashMap<i64, Vec<(usize, &str, Grams)>> = HashMap::new();
    let mut clusters: HashMap<Hash16, usize> = HashMap::new();
    for other in others {
        let node = *clusters.entry(other.cluster).or_insert_with(|| sets.add());
        for key in &other.keys {
            by_key.entry(*key).or_default().push((node, &other.headline, grams(&other.headline)));
        }
    }
    let mut nodes = Vec::with_capacity(fresh.len());
    for one in fresh {
        let (node, own) = (sets.add(), grams(&one.headline));
        nodes.push((node, one.id));
        for key in &one.keys {
            let group = by_key.entry(*key).or_default();
            for (other, headline, grams) in group.iter() {
                if sets.find(*other) != sets.find(node) && is_near((&one.headline, &own), (headline, grams)) {
                    sets.unite(*other, node);
                }
            }
            group.push((node, &one.headline, own));
        }
    }
    let mut joined: HashMap<usize, Joined> = HashMap::new();
    for (node, id) in nodes {
        let empty = || Joined { fresh: Vec::new(), clusters: Vec::new() };
        joined.entry(sets.find(node)).or_insert_with(empty).fresh.push(id);
    }
    for (cluster, node) in clusters {
        if let Some(joined) = joined.get_mut(&sets.find(node)) {
            joined.clusters.push(cluster);
        }
    }
    let mut joined: Vec<Joined> = joined.into_values().collect();
    for one in &mut joined {
        one.fresh.sort_unstable_by_key(|id| id.0);
        one.clusters.sort_unstable_by_key(|id| id.0);
    }
    joined.sort_unstable_by_key(|one| one.fresh[0].0);
    joined
}

/// Disjoint sets, with path halving.
#[derive(Debug, Default)]
struct Sets(Vec<usize>);

impl Sets {
    fn add(&mut self) -> usize {
        self.0.push(self.0.len());
        self.0.len() - 1
    }

    fn find(&mut self, mut node: usize) -> usize {
        while self.0[node] != node {
            self.0[node] = self.0[self.0[node]];
            node = self.0[node];
        }
        node
    }

    fn unite(&mut self, one: usize, other: usize) {
        let (one, other) = (self.find(one), self.find(other));
        self.0[one.max(other)] = one.min(other);
    }
}

/// Counts of 4-grams by hash.
type Grams = [u8; 64];

fn is_near((left, left_grams): (&str, &Grams), (right, right_grams): (&str, &Grams)) -> bool {
    let most = allowed(left, right);
    least_distance(left_grams, right_grams) <= most
        && distance_within(left.as_bytes(), right.as_bytes(), most).is_some()
}

/// Edits that are less than 10 % of the mean length.
fn allowed(left: &str, right: &str) -> usize {
    (left.len() + right.len()).saturating_sub(1) / 20
}

fn grams(text: &str) -> Grams {
    let mut grams = [0u8; 64];
    for gram in text.as_bytes().windows(4) {
        let hash = gram.iter().fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        let bucket = &mut grams[(hash.wrapping_mul(0x9E37_79B1) >> 26) as usize];
        *bucket = bucket.saturating_add(1);
    }
    grams
}

/// One edit changes at most four 4-grams, and adds at most four.
fn least_distance(left: &Grams, right: &Grams) -> usize {
    let sum: u32 = left.iter().zip(right).map(|(left, right)| u32::from(left.abs_diff(*right))).sum();
    sum.div_ceil(8) as usize
}

/// What every assertion says, and our placeholders.
const EMPTY: &[&str] = &[
    "actual",
    "addr",
    "after",
    "and",
    "any",
    "are",
    "assert",
    "assertion",
    "assertionerror",
    "blob",
    "but",
    "called",
    "deep",
    "deeply",
    "equal",
    "equality",
    "equals",
    "error",
    "exceeded",
    "exception",
    "expect",
    "expected",
    "fail",
    "failed",
    "failure",
    "false",
    "for",
    "found",
    "from",
    "got",
    "have",
    "hex",
    "instance",
    "left",
    "locator",
    "match",
    "none",
    "not",
    "null",
    "num",
    "object",
    "out",
    "page",
    "path",
    "received",
    "ref",
    "right",
    "should",
    "strictly",
    "than",
    "that",
    "the",
    "these",
    "time",
    "timed",
    "timeout",
    "timeouterror",
    "times",
    "tobe",
    "toequal",
    "token",
    "true",
    "undefined",
    "uuid",
    "value",
    "values",
    "was",
    "were",
    "which",
    "with",
];

/// Different words of three letters or more that are neither placeholders, nor the exception's type, nor what every assertion
/// says, matchers such as `toBeVisible` among it; ascending.
fn telling_words(text: &str, kind: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_alphabetic()).filter(|word| word.chars().nth(2).is_some());
    let is_matcher = |word: &str| {
        word.strip_prefix("to").or(word.strip_prefix("not")).is_some_and(|rest| rest.starts_with(char::is_uppercase))
    };
    // "NUMms" and the like, too.
    let says = |word: &&str| *word != kind && !word.starts_with("NUM") && !is_matcher(word);
    let words = words.filter(says).map(str::to_lowercase);
    let mut telling: Vec<String> = words.filter(|word| !EMPTY.contains(&word.as_str())).collect();
    telling.sort_unstable();
    telling.dedup();
    telling
}
