//! Pages of lists that are ordered by a time and an id.

use crate::history::queries::QueryError;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Where a page begins: microseconds since the epoch, and the id.
///
/// # Errors
/// When it is not what an earlier page gave.
pub(crate) fn decode(cursor: &str) -> Result<(DateTime<Utc>, Uuid), QueryError> {
    let parts = || {
        let (at, id) = cursor.split_once('_')?;
        Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, Uuid::try_parse(id).ok()?))
    };
    parts().ok_or(QueryError::Cursor)
}

/// Takes the row off that was asked for beyond the page, and says where the next page begins, if there was one.
pub(crate) fn cut<T>(rows: &mut Vec<T>, limit: u32, place: impl Fn(&T) -> (DateTime<Utc>, Uuid)) -> Option<String> {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let (at, id) = rows.last().filter(|_| more).map(place)?;
    Some(format!("{}_{id}", at.timestamp_micros()))
}
