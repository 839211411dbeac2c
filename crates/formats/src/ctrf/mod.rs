//! CTRF, <https://ctrf.io>, as its reporters write it: next to none obeys the schema, so no version is branched on.

mod envelope;
mod fields;
mod head;
mod parts;
mod shorten;
mod stream;
mod test;
mod words;
mod write;

use crate::{
    Envelope, Limits,
    clean::{self, Cleaned},
    error::{FormatError, TOO_DEEP, UNREADABLE},
    notes::Notes,
};
pub(crate) use envelope::{Summary, complete};
use head::{Head, Stop};
use std::ops::Range;
pub use stream::Tally;
pub(crate) use stream::read;
pub use write::Writer;

/// Bytes of JSON that one test's additional data may take, and the envelope's, and the environment.
const MAX_EXTRA: usize = 64 * 1024;

/// What the first pass found.
pub(crate) struct Opened {
    /// The document, if it was no strict JSON as it came.
    pub cleaned: Option<String>,
    /// Where each test stands in that, or in what came.
    pub tests: Vec<Range<usize>>,
    pub envelope: Envelope,
}

pub(crate) fn open(bytes: &[u8], limits: Limits) -> Result<Opened, FormatError> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let Some(rest) = bytes.strip_prefix(MARK) else { return open_plain(bytes, limits) };
    let mut opened = open_plain(rest, limits)
        .map_err(|error| FormatError { offset: error.offset.map(|offset| offset + MARK.len() as u64), ..error })?;
    if opened.cleaned.is_none() {
        for test in &mut opened.tests {
            *test = test.start + MARK.len()..test.end + MARK.len();
        }
    }
    Ok(opened)
}

/// Without a byte order mark.
fn open_plain(bytes: &[u8], limits: Limits) -> Result<Opened, FormatError> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return match Head::read(text, limits) {
            Ok(head) => finish(None, head, Notes::default()),
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Syntax(error)) => match clean::clean(text, 0) {
                Some(cleaned) => open_cleaned(text, cleaned, limits, |offset| offset),
                None => Err(unreadable(&error, text, |offset| offset)),
            },
        };
    }
    let (text, invalid) = clean::lossy(bytes);
    let cleaned = clean::clean(&text, invalid)
        .map(|cleaned| open_cleaned(&text, cleaned, limits, |offset| clean::lossy_offset(bytes, offset)));
    cleaned.unwrap_or_else(|| Err(FormatError::new(UNREADABLE, "The document is not UTF-8.")))
}

/// `origin` turns an offset in `text` into one in the document as it came.
fn open_cleaned(
    text: &str,
    cleaned: Cleaned,
    limits: Limits,
    origin: impl Fn(usize) -> usize,
) -> Result<Opened, FormatError> {
    match Head::read(&cleaned.text, limits) {
        Ok(head) => {
            let mut notes = Notes::default();
            cleaned.note(&mut notes);
            finish(Some(cleaned.text), head, notes)
        }
        Err(Stop::Refused(error)) => Err(error),
        Err(Stop::Syntax(error)) => {
            Err(unreadable(&error, &cleaned.text, |offset| origin(clean::original_offset(text, offset))))
        }
    }
}

fn finish(cleaned: Option<String>, mut head: Head, notes: Notes) -> Result<Opened, FormatError> {
    let tests = head.take_tests();
    let envelope = envelope::build(head, notes, tests.as_ref().map(|tests| tests.len() as u64))?;
    Ok(Opened { cleaned, tests: tests.unwrap_or_default(), envelope })
}

/// The error of the JSON parser in our words. `origin` turns an offset in `text` into one in the document as it came.
fn unreadable(error: &serde_json::Error, text: &str, origin: impl Fn(usize) -> usize) -> FormatError {
    if error.to_string().starts_with("recursion limit") {
        return FormatError::new(TOO_DEEP, "The document is nested too deeply.");
    }
    let offset = origin(offset(error, text)) as u64;
    let message = if error.is_eof() {
        format!("The document ends in the middle, after {offset} bytes: it seems to be truncated.")
    } else {
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        format!("The document is not JSON: {what} at byte {offset}.")
    };
    FormatError { offset: Some(offset), ..FormatError::new(UNREADABLE, message) }
}

/// The parser counts lines and columns of bytes.
fn offset(error: &serde_json::Error, text: &str) -> usize {
    let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
    let line = std::iter::once(0).chain(newlines).nth(error.line().saturating_sub(1)).unwrap_or(0);
    (line + error.column()).min(text.len())
}
