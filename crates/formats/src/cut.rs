//! Bounds on texts.

use scaledtest_domain::report::MAX_TEXT;
use std::borrow::Cow;

/// Bytes kept at each end of a text that is too long; the rest of [`MAX_TEXT`] is for the marker.
const END: usize = MAX_TEXT / 2 - 32;

/// The longest head of `text` of at most `max` bytes.
pub(crate) fn head(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

fn tail(text: &str, max: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(max))..]
}

/// `text`, or its head and its tail with a marker between, at most [`MAX_TEXT`] bytes. True if it was cut.
pub(crate) fn bounded(text: Cow<'_, str>) -> (String, bool) {
    if text.len() <= MAX_TEXT {
        return (text.into_owned(), false);
    }
    (ends(&text, MAX_TEXT), true)
}

/// Head and tail of a text of more than `max` bytes, in at most `max` (128 or more) bytes.
pub(crate) fn ends(text: &str, max: usize) -> String {
    let end = max / 2 - 32;
    let (head, tail) = (head(text, end), tail(text, end));
    joined(head, text.len() - head.len() - tail.len(), tail)
}

fn joined(head: &str, left_out: usize, tail: &str) -> String {
    format!("{head}\n[... {} bytes left out ...]\n{tail}", thousands(left_out))
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Lines joined by `\n` that never take more than about twice [`MAX_TEXT`], however many come.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Everything, until it is too long; then the head.
    head: String,
    /// What follows the head, once it is too long; its own head is dropped as it grows.
    tail: String,
    left_out: usize,
    any: bool,
}

impl Lines {
    pub(crate) fn push(&mut self, line: &str) {
        if self.any {
            self.append("\n");
        }
        self.any = true;
        self.append(line);
    }

    fn append(&mut self, text: &str) {
        if self.tail.is_empty() && self.left_out == 0 && self.head.len() + text.len() <= MAX_TEXT {
            self.head.push_str(text);
            return;
        }
        if self.tail.is_empty() && self.left_out == 0 {
            let kept = self.head.floor_char_boundary(END);
            self.tail = self.head.split_off(kept);
            if self.tail.is_empty() {
                let more = head(text, END - self.head.len());
                self.head.push_str(more);
                return self.grow(&text[more.len()..]);
            }
        }
        self.grow(text);
    }

    fn grow(&mut self, text: &str) {
        let kept = tail(text, END);
        if kept.len() < text.len() {
            self.left_out += self.tail.len() + text.len() - kept.len();
            self.tail.clear();
        }
        self.tail.push_str(kept);
        if self.tail.len() > 2 * END {
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        let start = self.tail.len() - tail(&self.tail, END).len();
        self.left_out += start;
        self.tail.drain(..start);
    }

    /// The text, if there is any. True if it was cut.
    pub(crate) fn finish(mut self) -> Option<(String, bool)> {
        if self.tail.len() > END {
            self.shorten();
        }
        if self.left_out > 0 {
            return Some((joined(&self.head, self.left_out, &self.tail), true));
        }
        self.head.push_str(&self.tail);
        (!self.head.is_empty()).then_some((self.head, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_text_keeps_head_and_tail_and_says_what_is_missing() {
        let text = format!("START{}END", "é".repeat(100_000));
        let (cut, was_cut) = bounded(text.as_str().into());
        assert!(was_cut && cut.len() <= MAX_TEXT);
        assert!(cut.starts_with("START") && cut.ends_with("END"));
        assert!(cut.contains("\n[... 134,"), "{}", &cut[END - 10..END + 60]);
    }

    #[test]
    fn numbers_get_thousands_separators() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn lines_are_cut_like_the_text_they_make(sizes in prop::collection::vec(0_usize..30_000, 0..12), wide in any::<bool>()) {
            let word = if wide { "ü" } else { "u" };
            let pieces: Vec<String> = sizes.iter().map(|size| word.repeat(*size)).collect();
            let mut lines = Lines::default();
            pieces.iter().for_each(|piece| lines.push(piece));
            let whole = pieces.join("\n");
            match lines.finish() {
                None => prop_assert_eq!(whole.len(), 0),
                Some((text, false)) => prop_assert_eq!(text, whole),
                Some((text, true)) => {
                    prop_assert!(whole.len() > MAX_TEXT && text.len() <= MAX_TEXT);
                    let (start, end) = text.split_once("\n[... ").unwrap();
                    prop_assert!(whole.starts_with(start));
                    let (left_out, end) = end.split_once(" bytes left out ...]\n").unwrap();
                    prop_assert!(whole.ends_with(end));
                    let left_out: usize = left_out.replace(',', "").parse().unwrap();
                    prop_assert_eq!(start.len() + left_out + end.len(), whole.len());
                }
            }
        }
    }
}
