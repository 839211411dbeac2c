//! What a document is, by its first bytes. A new format gets a line here.

use crate::error::{FormatError, UNREADABLE, UNSUPPORTED};

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON, <https://ctrf.io>.
    Ctrf,
}

/// Well-known JSON documents that are no CTRF, by a key of their root.
const OTHER_JSON: &[(&str, &str)] = &[
    ("metrics", "the metrics that pytest-beacon posts, not the CTRF file that it writes"),
    ("testResults", "the own JSON of Jest or Vitest"),
    ("suites", "the own JSON of Playwright"),
    ("testsuites", "the own JSON of GoogleTest"),
    ("examples", "the own JSON of RSpec"),
    ("stats", "the own JSON of Mocha"),
    ("runs", "SARIF"),
];

pub(crate) fn detect(bytes: &[u8]) -> Result<Format, FormatError> {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let unsupported = |what: &str| {
        Err(FormatError::new(UNSUPPORTED, format!("This is {what}; the one format that can be read is CTRF (JSON).")))
    };
    let unreadable = |why: &str| Err(FormatError { offset: Some(0), ..FormatError::new(UNREADABLE, why) });
    let starts_with = |words: &[&[u8]]| words.iter().any(|word| start.starts_with(word));
    match start {
        [] => unreadable("The document is empty."),
        [b'<', ..] => unsupported("XML, perhaps JUnit or TRX"),
        _ if starts_with(&[b"{\"Time\":", b"{\"Action\":", b"{\"ImportPath\":"]) => {
            unsupported("the output of `go test -json`")
        }
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => unreadable("The document is compressed once more."),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => unreadable("The document is UTF-16; it must be UTF-8."),
        _ if starts_with(&[b"TAP version", b"1..", b"ok ", b"not ok "]) => unsupported("TAP"),
        [b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b'n' | b't' | b'f' | 0, ..] => Ok(Format::Ctrf),
        _ => unreadable("The document is not JSON and no other format that is known."),
    }
}

/// What a JSON object with these keys is, if it is something known.
pub(crate) fn other_json(has_key: impl Fn(&str) -> bool) -> Option<FormatError> {
    let (_, what) = OTHER_JSON.iter().find(|(key, _)| has_key(key))?;
    Some(FormatError::new(
        UNSUPPORTED,
        format!("This looks like {what}; the one format that can be read is CTRF (JSON)."),
    ))
}
