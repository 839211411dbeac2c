//! Pages of a list.

use scaledtest_domain::report::Counts;
use sqlx::FromRow;

/// Which part of a list. A cursor wins over an offset.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Entries, at most; the caller has bounded it.
    pub limit: u32,
    /// Entries left out before.
    pub offset: u64,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Entries of the whole list.
    pub total: u64,
    /// Where the next page begins; none on the last.
    pub next_cursor: Option<String>,
}

/// The cursor is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cursor is not one that an earlier page gave")]
pub struct CursorError;

/// Why a list could not be read.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The request is wrong.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Two numbers of the last entry, from which the next page goes on. 32 hex digits, opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor(pub i64, pub i64);

impl Cursor {
    pub fn encode(self) -> String {
        format!("{:016x}{:016x}", self.0.cast_unsigned(), self.1.cast_unsigned())
    }

    pub fn decode(text: &str) -> Result<Self, CursorError> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(CursorError);
        }
        let half = |part: &str| u64::from_str_radix(part, 16).map(u64::cast_signed).map_err(|_| CursorError);
        let (first, second) = text.split_at(16);
        Ok(Self(half(first)?, half(second)?))
    }
}

impl Page {
    pub(super) fn cursor(&self) -> Result<Option<Cursor>, CursorError> {
        self.cursor.as_deref().map(Cursor::decode).transpose()
    }

    /// One more than asked for tells whether there is a next page.
    pub(super) fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    pub(super) fn listing<T>(&self, mut items: Vec<T>, total: i64, cursor: impl Fn(&T) -> Cursor) -> Listing<T> {
        let limit = self.limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more { items.last().map(|last| cursor(last).encode()) } else { None };
        Listing { items, total: count(total), next_cursor }
    }
}

/// A count as the database gives it.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Counts and times of a report or a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
#[allow(missing_docs, reason = "counts of results by status; see Counts")]
pub struct Summary {
    pub tests: i64,
    pub passed: i64,
    pub failed: i64,
    pub skipped: i64,
    pub pending: i64,
    pub other: i64,
    pub flaky: i64,
    /// Milliseconds since the epoch; 0 if unknown.
    pub start_ms: i64,
    /// Milliseconds since the epoch; 0 if unknown.
    pub stop_ms: i64,
    /// Milliseconds.
    pub duration_ms: i64,
}

impl Summary {
    /// Without the times.
    pub fn counts(&self) -> Counts {
        Counts {
            tests: count(self.tests),
            passed: count(self.passed),
            failed: count(self.failed),
            skipped: count(self.skipped),
            pending: count(self.pending),
            other: count(self.other),
            flaky: count(self.flaky),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_round_trip_and_nothing_else_is_one() {
        for cursor in [Cursor(0, 0), Cursor(-1, i64::MAX), Cursor(i64::MIN, 42)] {
            assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        }
        for text in ["", "1", "zz", &"g".repeat(32), &"0".repeat(33), "+000000000000001+000000000000001", "ü"] {
            assert_eq!(Cursor::decode(text), Err(CursorError), "{text}");
        }
    }
}
