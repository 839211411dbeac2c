//! Edit distances with a bound on the work.

/// The Levenshtein distance of two slices, if it is at most `most`; O(most · length) time.
///
/// The band of Ukkonen ("Algorithms for approximate string matching", 1985): a path of cost k stays within k of the
/// diagonal.
pub fn distance_within<T: PartialEq>(left: &[T], right: &[T], most: usize) -> Option<usize> {
    let (left, right) = strip_common(left, right);
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    if long.len() - short.len() > most {
        return None;
    }
    if short.is_empty() {
        return Some(long.len());
    }
    let most = most.min(long.len());
    let beyond = most + 1;
    let mut row: Vec<usize> = (0..=long.len()).map(|i| i.min(beyond)).collect();
    for (i, letter) in short.iter().enumerate() {
        let from = (i + 1).saturating_sub(most).max(1);
        let to = (i + 1 + most).min(long.len());
        let mut diagonal = row[from - 1];
        row[from - 1] = if from == 1 { (i + 1).min(beyond) } else { beyond };
        let mut least = row[from - 1];
        for j in from..=to {
            let above = if j == i + 1 + most { beyond } else { row[j] };
            let cost = (diagonal + usize::from(*letter != long[j - 1])).min(above + 1).min(row[j - 1] + 1).min(beyond);
            diagonal = row[j];
            row[j] = cost;
            least = least.min(cost);
        }
        if least > most {
            return None;
        }
    }
    row.last().copied().filter(|cost| *cost <= most)
}

fn strip_common<'a, T: PartialEq>(left: &'a [T], right: &'a [T]) -> (&'a [T], &'a [T]) {
    let start = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    let (left, right) = (&left[start..], &right[start..]);
    let end = left.iter().rev().zip(right.iter().rev()).take_while(|(left, right)| left == right).count();
    (&left[..left.len() - end], &right[..right.len() - end])
}

/// `1 − distance / length of the longer one`, if that is at least `least`; two empty texts are equal. Of each text the
/// first 400 characters count.
pub fn similarity_at_least(left: &str, right: &str, least: f64) -> Option<f64> {
    let [left, right]: [Vec<char>; 2] = [left, right].map(|text| text.chars().take(400).collect());
    let longer = left.len().max(right.len());
    if longer == 0 {
        return Some(1.0);
    }
    let most = ((1.0 - least.clamp(0.0, 1.0)) * longer as f64 + 1e-9).floor() as usize;
    let distance = distance_within(&left, &right, most)?;
    Some(1.0 - distance as f64 / longer as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The textbook's table.
    fn plain(left: &[u8], right: &[u8]) -> usize {
        let mut row: Vec<usize> = (0..=right.len()).collect();
        for (i, a) in left.iter().enumerate() {
            let mut diagonal = row[0];
            row[0] = i + 1;
            for (j, b) in right.iter().enumerate() {
                let cost = (diagonal + usize::from(a != b)).min(row[j] + 1).min(row[j + 1] + 1);
                diagonal = row[j + 1];
                row[j + 1] = cost;
            }
        }
        row[right.len()]
    }

    #[test]
    fn known_distances() {
        assert_eq!(distance_within(b"kitten", b"sitting", 3), Some(3));
        assert_eq!(distance_within(b"kitten", b"sitting", 2), None);
        assert_eq!(distance_within(b"", b"abc", 3), Some(3));
        assert_eq!(similarity_at_least("adds an item", "adds one item", 0.8), Some(1.0 - 2.0 / 13.0));
        assert_eq!(similarity_at_least("", "", 1.0), Some(1.0));
    }

    proptest! {
        #[test]
        fn equals_the_plain_table(left in "[ab]{0,12}", right in "[abc]{0,12}", most in 0usize..14) {
            let expected = plain(left.as_bytes(), right.as_bytes());
            let found = distance_within(left.as_bytes(), right.as_bytes(), most);
            prop_assert_eq!(found, (expected <= most).then_some(expected));
        }

        #[test]
        fn total(left in "\\PC{0,40}", right in "\\PC{0,40}", least in any::<f64>()) {
            if let Some(similarity) = similarity_at_least(&left, &right, least) {
                prop_assert!((0.0..=1.0).contains(&similarity));
            }
        }
    }
}
