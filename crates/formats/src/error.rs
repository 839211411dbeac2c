//! What a document is refused for.

use scaledtest_domain::ErrorKind;

/// Neither a report nor anything near one, or cut off, or damaged.
pub const UNREADABLE: &str = "unreadable_report";
/// Something that must be there is not.
pub const MISSING: &str = "missing_field";
/// Something that must be there is of another type.
pub const WRONG_TYPE: &str = "wrong_type";
/// No tests, and none declared.
pub const EMPTY: &str = "empty_report";
/// Nested deeper than [`crate::Limits::max_depth`].
pub const TOO_DEEP: &str = "too_deep";
/// More tests than [`crate::Limits::max_tests`].
pub const TOO_MANY_TESTS: &str = "too_many_tests";
/// Something else that we recognise but don't read.
pub const UNSUPPORTED: &str = "unsupported_format";

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FormatError {
    /// One of the constants of this module.
    pub code: &'static str,
    /// Where, if it is a place in the document: `results.tests[3]`.
    pub path: Option<String>,
    /// Where, in bytes of the document as it came, if it could not be read that far. Only near it if bytes before it were
    /// not UTF-8.
    pub offset: Option<u64>,
    /// One clear sentence.
    pub message: String,
}

impl FormatError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, path: None, offset: None, message: message.into() }
    }

    pub(crate) fn at(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: Some(path.into()), ..Self::new(code, message) }
    }

    /// What the caller should do about it.
    pub fn kind(&self) -> ErrorKind {
        if self.code == TOO_MANY_TESTS { ErrorKind::TooLarge } else { ErrorKind::Invalid }
    }
}

/// Why reading the tests stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// The document's fault.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The sink's: passed on as it came.
    #[error("the results could not be taken")]
    Sink(E),
}
