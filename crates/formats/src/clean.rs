//! Almost-JSON made JSON: what real reporters write although no parser should take it.

use crate::notes::{Code, Notes};
use std::{borrow::Cow, ops::Range};

/// A document that was no strict JSON, as it should have been.
pub(crate) struct Cleaned {
    pub(crate) text: String,
    counts: Vec<(Code, u64)>,
}

impl Cleaned {
    pub(crate) fn note(&self, notes: &mut Notes) {
        for (code, count) in &self.counts {
            notes.document(*code, *count);
        }
    }

    fn count(&mut self, code: Code, times: u64) {
        match self.counts.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += times,
            None => self.counts.push((code, times)),
        }
    }
}

/// Reads bytes that are not UTF-8 with replacement characters; says how many there are.
pub(crate) fn lossy(bytes: &[u8]) -> (Cow<'_, str>, u64) {
    let invalid = bytes.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
    (String::from_utf8_lossy(bytes), invalid as u64)
}

/// Where in `bytes` the byte `offset` of their lossy reading came from: a replacement character may be longer than what it
/// stands for.
pub(crate) fn lossy_offset(bytes: &[u8], offset: usize) -> usize {
    let (mut written, mut read) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        let invalid = chunk.invalid().len();
        let shown = if invalid == 0 { 0 } else { char::REPLACEMENT_CHARACTER.len_utf8() };
        let valid = chunk.valid().len();
        if offset <= written + valid {
            return read + offset - written;
        }
        if offset <= written + valid + shown {
            return read + valid + invalid;
        }
        written += valid + shown;
        read += valid + invalid;
    }
    read
}

/// The cleaned text, or nothing if there is nothing to clean.
pub(crate) fn clean(text: &str, invalid_utf8: u64) -> Option<Cleaned> {
    let mut cleaned = Cleaned { text: String::new(), counts: Vec::new() };
    let mut copied = 0;
    scan(text, |range, replacement, code| {
        cleaned.text.push_str(&text[copied..range.start]);
        cleaned.text.push_str(replacement);
        copied = range.end;
        cleaned.count(code, 1);
    });
    if invalid_utf8 > 0 {
        cleaned.count(Code::InvalidUtf8, invalid_utf8);
    }
    if cleaned.counts.is_empty() {
        return None;
    }
    cleaned.text.push_str(&text[copied..]);
    Some(cleaned)
}

/// Where in `text` the byte `offset` of its cleaned copy came from.
pub(crate) fn original_offset(text: &str, offset: usize) -> usize {
    let (mut written, mut copied, mut found) = (0, 0, None);
    scan(text, |range, replacement, _| {
        let plain = range.start - copied;
        if found.is_none() && written + plain >= offset {
            found = Some(copied + (offset - written));
        }
        written += plain + replacement.len();
        copied = range.end;
        if found.is_none() && written >= offset {
            found = Some(range.start);
        }
    });
    found.unwrap_or_else(|| (copied + offset.saturating_sub(written)).min(text.len()))
}

/// Calls `edit` for every piece to be replaced, in order.
fn scan(text: &str, mut edit: impl FnMut(Range<usize>, &str, Code)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        at += match rest[0] {
            b'"' => 1 + string(bytes, at + 1, &mut edit),
            b'N' if rest.starts_with(b"NaN") => replace(at, 3, "null", Code::NotANumber, &mut edit),
            b'I' if rest.starts_with(b"Infinity") => replace(at, 8, "null", Code::NotANumber, &mut edit),
            b'-' if rest.starts_with(b"-Infinity") => replace(at, 9, "null", Code::NotANumber, &mut edit),
            b'-' | b'0'..=b'9' => number(text, at, &mut edit),
            0 => replace(at, 1, "", Code::NulRemoved, &mut edit),
            byte @ 1..0x20 if !byte.is_ascii_whitespace() => replace(at, 1, " ", Code::ControlCharacters, &mut edit),
            _ => 1,
        };
    }
}

fn replace(
    at: usize,
    length: usize,
    replacement: &str,
    code: Code,
    edit: &mut impl FnMut(Range<usize>, &str, Code),
) -> usize {
    edit(at..at + length, replacement, code);
    length
}

/// A number that no double holds is as bad as Infinity. Returns its length.
fn number(text: &str, start: usize, edit: &mut impl FnMut(Range<usize>, &str, Code)) -> usize {
    let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let length = text.as_bytes()[start..].iter().take_while(|byte| part(byte)).count();
    let token = &text[start..start + length];
    if (length > 300 || token.contains(['e', 'E'])) && token.parse::<f64>().is_ok_and(f64::is_infinite) {
        edit(start..start + length, "null", Code::NotANumber);
    }
    length
}

/// The inside of a string from `start` on. Returns its length with the closing quote.
fn string(bytes: &[u8], start: usize, edit: &mut impl FnMut(Range<usize>, &str, Code)) -> usize {
    let mut at = start;
    while at < bytes.len() {
        at += match bytes[at] {
            b'"' => return at + 1 - start,
            b'\\' => escape(bytes, at, edit),
            0 => replace(at, 1, "", Code::NulRemoved, edit),
            byte @ 1..0x20 => replace(at, 1, &format!("\\u{byte:04x}"), Code::ControlCharacters, edit),
            _ => 1,
        };
    }
    at - start
}

fn escape(bytes: &[u8], at: usize, edit: &mut impl FnMut(Range<usize>, &str, Code)) -> usize {
    match bytes.get(at + 1) {
        Some(b'u') => match unicode(bytes, at) {
            None => 2,
            Some(0) => replace(at, 6, "", Code::NulRemoved, edit),
            Some(0xd800..0xdc00) if unicode(bytes, at + 6).is_some_and(|low| (0xdc00..0xe000).contains(&low)) => 12,
            Some(0xd800..0xe000) => replace(at, 6, "\u{fffd}", Code::LoneSurrogate, edit),
            Some(_) => 6,
        },
        Some(0..0x20) | None => 1,
        Some(byte) if byte.is_ascii() => 2,
        Some(_) => 1,
    }
}

/// The value of the `\uXXXX` at `at`, if there is one.
fn unicode(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cleaned(text: &str) -> String {
        clean(text, 0).map_or_else(|| text.to_owned(), |cleaned| cleaned.text)
    }

    #[test]
    fn each_kind_of_dirt_is_cleaned() {
        for (dirty, expected) in [
            (r#"[NaN,Infinity,-Infinity,-1,"NaN"]"#, r#"[null,null,null,-1,"NaN"]"#),
            ("[1e999, 1e9]", "[null, 1e9]"),
            ("\"a\u{1b}[1m\nb\"", "\"a\\u001b[1m\\u000ab\""),
            ("\"a\0b\\u0000c\"\0", "\"abc\""),
            (r#""\ud83d\ude00 \ud83d \ude00""#, "\"\\ud83d\\ude00 \u{fffd} \u{fffd}\""),
            (r#""\\u0000 \" NaN""#, r#""\\u0000 \" NaN""#),
        ] {
            assert_eq!(cleaned(dirty), expected);
        }
        assert!(clean(r#"{"a": [1, -2.5, "x\n"]}"#, 0).is_none());
    }

    #[test]
    fn an_offset_is_found_back_in_the_original() {
        let dirty = "[NaN, \"\\u0000x\", ?]";
        let offset = cleaned(dirty).find('?').unwrap();
        assert_eq!(original_offset(dirty, offset), dirty.find('?').unwrap());
        assert_eq!(original_offset("[1, ?]", 4), 4);
    }

    #[test]
    fn an_offset_in_a_lossy_reading_is_found_back_in_the_bytes() {
        let bytes = b"ab\xffc\xe2\x82";
        let text = lossy(bytes).0;
        let found: Vec<usize> = (0..=text.len()).map(|offset| lossy_offset(bytes, offset)).collect();
        // a b, U+FFFD for one byte, c, U+FFFD for two bytes.
        assert_eq!(found, [0, 1, 2, 3, 3, 3, 4, 6, 6, 6]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn cleaning_never_panics_and_is_done_once(text in "[\\[\\]{}\",:0-9eE.N\\\\udD8aInfity\\x00-\\x1fé-]{0,60}") {
            let once = cleaned(&text);
            original_offset(&text, once.len() / 2);
            prop_assert!(!once.contains('\0'));
        }
    }
}
