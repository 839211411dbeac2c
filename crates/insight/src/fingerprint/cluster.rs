//! Joins fingerprints whose texts are nearly equal.

use super::{Fingerprint, short};
use crate::text::distance_within;
use scaledtest_domain::Hash16;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A group of fingerprints: that of its first member, whose id it keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// The fingerprint id of the first member.
    pub id: Hash16,
    /// As in [`Fingerprint`].
    pub kind: String,
    /// As in [`Fingerprint`].
    pub codes: Vec<u16>,
    /// As in [`Fingerprint`].
    pub frames: Vec<String>,
    /// As in [`Fingerprint`].
    pub text: String,
}

impl From<&Fingerprint> for Cluster {
    fn from(from: &Fingerprint) -> Self {
        let Fingerprint { id, kind, codes, frames, text, .. } = from.clone();
        Self { id, kind, codes, frames, text }
    }
}

/// Where a fingerprint belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The cluster's id.
    pub cluster: Hash16,
    /// Whether the fingerprint began it.
    pub new: bool,
}

impl Assigned {
    /// The id cut to 64 bits, as [`crate::Observation::fingerprint`] holds it.
    pub fn short(&self) -> u64 {
        short(self.cluster)
    }
}

/// The clusters of a project, in memory.
#[derive(Debug, Default)]
pub struct Clusters {
    /// Cluster by fingerprint.
    of: HashMap<Hash16, Hash16>,
    /// Members to compare with, by exception type and status codes.
    groups: HashMap<(String, Vec<u16>), Vec<Member>>,
}

#[derive(Debug)]
struct Member {
    id: Hash16,
    frame: String,
    text: String,
    grams: Grams,
}

/// Counts of 4-grams by hash.
type Grams = [u8; 64];

/// Clusters of one type compared by their 4-grams at most, the newest.
const MOST_MEMBERS: usize = 4_000;
/// Of these, compared letter by letter at most, the nearest.
const MOST_COMPARED: usize = 8;
/// Words that say something, from which equal texts in different places are one failure.
const TELLING_WORDS: usize = 2;

impl Clusters {
    /// From earlier clusters, and the cluster of each earlier fingerprint that did not begin one.
    pub fn new(
        clusters: impl IntoIterator<Item = Cluster>,
        members: impl IntoIterator<Item = (Hash16, Hash16)>,
    ) -> Self {
        let mut all = Self::default();
        clusters.into_iter().for_each(|cluster| all.add(&cluster));
        all.of.extend(members);
        all
    }

    fn add(&mut self, cluster: &Cluster) {
        self.of.insert(cluster.id, cluster.id);
        let member = Member {
            id: cluster.id,
            frame: cluster.frames.first().cloned().unwrap_or_default(),
            text: cluster.text.clone(),
            grams: grams(&cluster.text),
        };
        self.groups.entry((cluster.kind.clone(), cluster.codes.clone())).or_default().push(member);
    }

    /// The cluster of a fingerprint: its own if it has one; else that of the nearest text of the same exception type and
    /// status codes at less than 10 % edit distance; else a new one.
    ///
    /// Texts at different frames are joined only if they say something: "expected NUM but got NUM" in two files is two
    /// failures, "connect ECONNREFUSED ADDR" is one. The 4-gram counts bound the distance from below, `Σ|a − b| / 8`
    /// (Ukkonen 1992), so that few texts are compared letter by letter. Depends on the order of calls: give failures in
    /// the order of the log.
    pub fn assign(&mut self, fingerprint: &Fingerprint) -> Assigned {
        if let Some(cluster) = self.of.get(&fingerprint.id) {
            return Assigned { cluster: *cluster, new: false };
        }
        let near = self.nearest(fingerprint);
        if let Some(cluster) = near {
            self.of.insert(fingerprint.id, cluster);
            return Assigned { cluster, new: false };
        }
        self.add(&Cluster::from(fingerprint));
        Assigned { cluster: fingerprint.id, new: true }
    }

    fn nearest(&self, fingerprint: &Fingerprint) -> Option<Hash16> {
        let members = self.groups.get(&(fingerprint.kind.clone(), fingerprint.codes.clone()))?;
        let grams = grams(&fingerprint.text);
        let frame = fingerprint.frames.first().map_or("", String::as_str);
        let telling = telling_words(&fingerprint.text) >= TELLING_WORDS;
        let mut near: Vec<(usize, usize)> = Vec::new();
        for (i, member) in members.iter().enumerate().rev().take(MOST_MEMBERS) {
            if telling || member.frame == frame {
                let least = least_distance(&grams, &member.grams);
                if least <= allowed(&fingerprint.text, &member.text) {
                    near.push((least, i));
                }
            }
        }
        near.sort_unstable();
        let compared = near.iter().take(MOST_COMPARED).filter_map(|(_, i)| {
            let member = &members[*i];
            let most = allowed(&fingerprint.text, &member.text);
            let distance = distance_within(fingerprint.text.as_bytes(), member.text.as_bytes(), most)?;
            Some((distance, *i))
        });
        compared.min().map(|(_, i)| members[i].id)
    }
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
    "and",
    "any",
    "are",
    "assert",
    "assertion",
    "assertionerror",
    "but",
    "called",
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
    "left",
    "match",
    "not",
    "null",
    "none",
    "object",
    "received",
    "right",
    "should",
    "than",
    "that",
    "the",
    "these",
    "time",
    "timed",
    "timeout",
    "times",
    "tobe",
    "toequal",
    "true",
    "undefined",
    "value",
    "values",
    "was",
    "were",
    "with",
    "num",
    "hex",
    "uuid",
    "blob",
    "token",
    "addr",
    "ref",
    "path",
    "out",
    "after",
    "which",
];

/// Different words of three letters or more that are neither placeholders nor what every assertion says.
fn telling_words(text: &str) -> usize {
    let words = text.split(|letter: char| !letter.is_alphabetic()).filter(|word| word.chars().nth(2).is_some());
    let mut telling: Vec<String> =
        words.map(str::to_lowercase).filter(|word| !EMPTY.contains(&word.as_str())).collect();
    telling.sort_unstable();
    telling.dedup();
    telling.len()
}
