//! Tests that vanished under one name and appeared under another.

use crate::text::similarity_at_least;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// A test as its report names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its suite path, joined.
    pub suite: &'a str,
    /// Its file, if it is known.
    pub file: Option<&'a str>,
}

/// Why two are taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The same name in another file or suite, and nowhere else.
    Moved,
    /// Similar names in one suite or file.
    Similar,
    /// The only one that vanished from and appeared in its suite and file, and one name has all words of the other.
    OnlyOne,
}

/// A proposed alias. Indices are those of the slices that were compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Of the vanished ones.
    pub old: usize,
    /// Of the new ones.
    pub new: usize,
    /// 1 − distance / length, of the names.
    pub similarity: f64,
    /// Why.
    pub reason: Reason,
}

/// Normalised Levenshtein similarity from which names are similar.
pub const SIMILAR: f64 = 0.8;
/// Pairs compared in one call, at most.
const MOST_PAIRS: usize = 20_000;
/// Tests on either side beyond which nothing is proposed by similarity: a suite was replaced, not a test renamed.
const MOST_IN_GROUP: usize = 200;

/// Proposes which of the tests that vanished in a commit came back as which of those that appeared in it. Each is used
/// once; the most similar pairs first. Bounded: at most 20,000 names are compared.
pub fn proposals(vanished: &[Named<'_>], appeared: &[Named<'_>]) -> Vec<Proposal> {
    let mut found = moved(vanished, appeared);
    similar(vanished, appeared, &mut found);
    only_ones(vanished, appeared, &mut found);
    found.sort_by(|left, right| {
        right.similarity.total_cmp(&left.similarity).then((left.old, left.new).cmp(&(right.old, right.new)))
    });
    let (mut old, mut new) = (HashSet::new(), HashSet::new());
    found.retain(|pair| {
        let free = !old.contains(&pair.old) && !new.contains(&pair.new);
        if free {
            old.insert(pair.old);
            new.insert(pair.new);
        }
        free
    });
    found
}

fn group<'a, K: std::hash::Hash + Eq>(
    tests: &[Named<'a>],
    key: impl Fn(&Named<'a>) -> Option<K>,
) -> HashMap<K, Vec<usize>> {
    let mut groups: HashMap<K, Vec<usize>> = HashMap::new();
    for (i, test) in tests.iter().enumerate() {
        if let Some(key) = key(test) {
            groups.entry(key).or_default().push(i);
        }
    }
    groups
}

fn moved(vanished: &[Named<'_>], appeared: &[Named<'_>]) -> Vec<Proposal> {
    let old = group(vanished, |test| Some(test.name));
    let new = group(appeared, |test| Some(test.name));
    let pairs = old.iter().filter_map(|(name, old)| match (old.as_slice(), new.get(name).map(Vec::as_slice)) {
        ([old], Some([new])) => Some(Proposal { old: *old, new: *new, similarity: 1.0, reason: Reason::Moved }),
        _ => None,
    });
    pairs.collect()
}

/// Pairs in one suite (of the same file, where both are known), or in one file.
fn similar(vanished: &[Named<'_>], appeared: &[Named<'_>], found: &mut Vec<Proposal>) {
    let suite = |test: &Named<'_>| (!test.suite.is_empty()).then(|| test.suite.to_owned());
    let file = |test: &Named<'_>| test.file.map(str::to_owned);
    let mut left = MOST_PAIRS;
    let mut compared = HashSet::new();
    for key in [suite as fn(&Named<'_>) -> Option<String>, file] {
        let new = group(appeared, key);
        let mut old: Vec<(String, Vec<usize>)> = group(vanished, key).into_iter().collect();
        old.sort_unstable();
        for (key, old) in old {
            let Some(new) = new.get(&key).filter(|new| new.len().max(old.len()) <= MOST_IN_GROUP) else { continue };
            for (old, new) in old.iter().flat_map(|old| new.iter().map(|new| (*old, *new))) {
                if !compared.insert((old, new)) {
                    continue;
                }
                if left == 0 {
                    return;
                }
                left -= 1;
                if let Some(similarity) = similarity_at_least(vanished[old].name, appeared[new].name, SIMILAR) {
                    found.push(Proposal { old, new, similarity, reason: Reason::Similar });
                }
            }
        }
    }
}

fn only_ones(vanished: &[Named<'_>], appeared: &[Named<'_>], found: &mut Vec<Proposal>) {
    let place = |test: &Named<'_>| Some((test.suite.to_owned(), test.file.map(str::to_owned)));
    let (old, new) = (group(vanished, place), group(appeared, place));
    for (place, old) in &old {
        let ([old], Some([new])) = (old.as_slice(), new.get(place).map(Vec::as_slice)) else { continue };
        let (from, to) = (vanished[*old].name, appeared[*new].name);
        if has_words(to, from) || has_words(from, to) {
            let similarity = similarity_at_least(from, to, 0.0).unwrap_or_default().min(SIMILAR - 0.01);
            found.push(Proposal { old: *old, new: *new, similarity, reason: Reason::OnlyOne });
        }
    }
}

/// Whether a name has every word of another one, which has at least two.
fn has_words(name: &str, other: &str) -> bool {
    let words = |text: &str| -> HashSet<String> {
        let words = text.chars().take(400).collect::<String>().to_lowercase();
        words
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let other = words(other);
    other.len() >= 2 && other.is_subset(&words(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named<'a>(name: &'a str, suite: &'a str, file: &'a str) -> Named<'a> {
        Named { name, suite, file: Some(file) }
    }

    fn reasons(vanished: &[Named<'_>], appeared: &[Named<'_>]) -> Vec<(usize, usize, Reason)> {
        proposals(vanished, appeared).iter().map(|pair| (pair.old, pair.new, pair.reason)).collect()
    }

    #[test]
    fn similar_names_in_one_suite() {
        let old = [named("adds an item to the cart", "Cart", "a.ts"), named("pays", "Cart", "a.ts")];
        let new = [named("adds one item to the cart", "Cart", "b.ts"), named("something else", "Cart", "a.ts")];
        assert_eq!(reasons(&old, &new), [(0, 0, Reason::Similar)]);
        let elsewhere = [named("adds one item to the cart", "Shop", "b.ts")];
        assert_eq!(reasons(&old, &elsewhere), []);
    }

    #[test]
    fn a_test_that_moved_to_another_file() {
        let old = [named("pays", "Cart", "a.ts")];
        assert_eq!(reasons(&old, &[named("pays", "Checkout", "b.ts")]), [(0, 0, Reason::Moved)]);
        let twice = [named("pays", "Checkout", "b.ts"), named("pays", "Orders", "c.ts")];
        assert_eq!(reasons(&old, &twice), [], "which one?");
    }

    #[test]
    fn the_only_one_with_all_words() {
        let old = [named("prints a label", "Returns", "orders.ts")];
        let new = [named("prints a return label (PDF/A)", "Returns", "orders.ts")];
        assert_eq!(reasons(&old, &new), [(0, 0, Reason::OnlyOne)]);
        assert_eq!(reasons(&[named("creates", "S", "f")], &[named("creates it", "S", "f")]), [], "one word is no clue");
    }

    #[test]
    fn the_most_similar_pair_wins() {
        let old = [named("sums up line items", "", "a.ts")];
        let new = [
            named("sums up line item", "", "a.ts"),
            named("sums up lines items", "", "a.ts"),
            named("sums up line items!", "", "b.ts"),
        ];
        assert_eq!(reasons(&old, &new).len(), 1);
        assert_eq!(reasons(&old, &new)[0].1, 1);
    }

    #[test]
    fn a_replaced_suite_costs_little() {
        let names: Vec<String> = (0..3_000).map(|i| format!("a generated name with a number {i}")).collect();
        let old: Vec<Named<'_>> = names[..1_500].iter().map(|name| named(name, "S", "f")).collect();
        let new: Vec<Named<'_>> = names[1_500..].iter().map(|name| named(name, "S", "f")).collect();
        assert_eq!(proposals(&old, &new), []);
    }

    proptest! {
        #[test]
        fn each_is_used_once(old in proptest::collection::vec("[ab ]{0,8}", 0..20), new in proptest::collection::vec("[ab ]{0,8}", 0..20)) {
            let old: Vec<Named<'_>> = old.iter().map(|name| named(name, "S", "f")).collect();
            let new: Vec<Named<'_>> = new.iter().map(|name| named(name, "S", "f")).collect();
            let found = proposals(&old, &new);
            let distinct = |pick: fn(&Proposal) -> usize| found.iter().map(pick).collect::<HashSet<_>>().len();
            prop_assert_eq!((distinct(|pair| pair.old), distinct(|pair| pair.new)), (found.len(), found.len()));
            prop_assert!(found.iter().all(|pair| (0.0..=1.0).contains(&pair.similarity)));
        }
    }
}
