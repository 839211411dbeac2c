//! What reporters write for statuses and times.

use crate::loose::{Loose, Numeric};
use chrono::DateTime;
use scaledtest_domain::report::Status;

/// Below this a time is seconds: as milliseconds it would be before March 1973.
const SECONDS_BELOW: f64 = 1e11;
/// The end of the year 9999, the last that can be written.
const LAST_MS: i64 = 253_402_300_799_999;

/// The status meant by a word that is none of the five as they should be written.
pub(super) fn synonym(word: &str) -> Option<Status> {
    let plain: String = word.chars().filter(|letter| letter.is_alphanumeric()).take(32).collect();
    Some(match plain.to_ascii_lowercase().as_str() {
        "passed" | "pass" | "ok" | "success" | "successful" | "succeeded" | "xpassed" | "xpass" | "expected" => {
            Status::Passed
        }
        "failed" | "fail" | "failure" | "error" | "errored" | "broken" | "timedout" | "timeout" | "interrupted"
        | "aborted" | "crashed" | "unexpected" => Status::Failed,
        "skipped" | "skip" | "disabled" | "ignored" | "ignore" | "xfailed" | "xfail" | "notrun" | "notexecuted" => {
            Status::Skipped
        }
        "pending" => Status::Pending,
        "other" | "todo" => Status::Other,
        _ => return None,
    })
}

/// A time read loosely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// Null, or 0.
    Unknown,
    /// Milliseconds since the epoch.
    At(i64),
    /// As before; it was written in seconds.
    Seconds(i64),
    /// Before the epoch or beyond the year 9999.
    OutOfRange,
    /// No number and no RFC 3339.
    Unreadable,
}

pub(super) fn time(value: &Loose<'_>) -> Time {
    if let Loose::Null = value {
        return Time::Unknown;
    }
    let Some(number) = value.numeric() else {
        let Loose::Text(text) = value else { return Time::Unreadable };
        return DateTime::parse_from_rfc3339(text).map_or(Time::Unreadable, |time| in_range(time.timestamp_millis()));
    };
    match number.float() {
        float if float < 0.0 => Time::OutOfRange,
        0.0 => Time::Unknown,
        float if float < SECONDS_BELOW => {
            let seconds = Numeric::Float(float * 1000.0).rounded().map_or(Time::OutOfRange, in_range);
            if let Time::At(ms) = seconds { Time::Seconds(ms) } else { seconds }
        }
        _ => number.rounded().map_or(Time::OutOfRange, in_range),
    }
}

fn in_range(ms: i64) -> Time {
    match ms {
        0 => Time::Unknown,
        1..=LAST_MS => Time::At(ms),
        _ => Time::OutOfRange,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_read_in_seconds_milliseconds_and_words() {
        for (written, expected) in [
            (json!(1_794_721_683), Time::Seconds(1_794_721_683_000)),
            (json!(1_794_721_683.5), Time::Seconds(1_794_721_683_500)),
            (json!(1_794_721_683_123_i64), Time::At(1_794_721_683_123)),
            (json!("1794721683123"), Time::At(1_794_721_683_123)),
            (json!("2026-11-15T05:48:03.123Z"), Time::At(1_794_721_683_123)),
            (json!(0), Time::Unknown),
            (json!(null), Time::Unknown),
            (json!(-1), Time::OutOfRange),
            (json!(1e300), Time::OutOfRange),
            (json!(u64::MAX), Time::OutOfRange),
            (json!("yesterday"), Time::Unreadable),
            (json!([1]), Time::Unreadable),
        ] {
            assert_eq!(time(&Loose::from(&written)), expected, "{written}");
        }
    }

    #[test]
    fn words_of_real_tools_are_mapped() {
        for (word, expected) in [
            ("PASSED", Some(Status::Passed)),
            ("timedOut", Some(Status::Failed)),
            ("timed_out", Some(Status::Failed)),
            ("error", Some(Status::Failed)),
            ("xfailed", Some(Status::Skipped)),
            ("todo", Some(Status::Other)),
            ("purple", None),
            ("", None),
        ] {
            assert_eq!(synonym(word), expected, "{word}");
        }
    }
}
