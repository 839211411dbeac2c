//! What may be said of an issue.

use crate::http::extract::Faults;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use scaledtest_domain::{events::issue::Terms, truncate_to_micros};

/// Longest link, characters.
const MAX_LINK: usize = 2_000;
/// Longest key, characters.
const MAX_KEY: usize = 100;
/// Longest note, characters.
const MAX_NOTE: usize = 1_000;
/// Days that an issue may last from now on, if it is to end by itself.
const MAX_DAYS: i64 = 3_650;

/// What is wanted; what is absent stays.
#[derive(Debug, Default)]
pub struct Wanted {
    pub ticket: Option<String>,
    /// An empty one is none.
    pub note: Option<String>,
    /// When it ends; `Some(None)`: when somebody closes it.
    pub expires_at: Option<Option<DateTime<Utc>>>,
}

/// The terms, given what they were.
///
/// Notes what is wrong with them.
pub fn checked(wanted: Wanted, before: Option<&Terms>, now: DateTime<Utc>, faults: &mut Faults) -> Terms {
    let ticket = wanted.ticket.map(|ticket| ticket.trim().to_owned());
    let ticket = ticket.or_else(|| before.map(|terms| terms.ticket.clone())).unwrap_or_default();
    let message = format!(
        "must be an http(s) link of at most {MAX_LINK} characters without a password, or a key such as SHOP-7: at most \
         {MAX_KEY} letters, digits and any of - _ # / . ,"
    );
    faults.check(is_link(&ticket) || is_key(&ticket), "ticket", message);
    let note = match wanted.note {
        None => before.and_then(|terms| terms.note.clone()),
        Some(note) => Some(note.trim().to_owned()).filter(|note| !note.is_empty()),
    };
    let fits = note.as_ref().is_none_or(|note| note.chars().count() <= MAX_NOTE && !note.contains('\0'));
    faults.check(fits, "note", format!("must have at most {MAX_NOTE} characters"));
    let expires_at = match wanted.expires_at {
        None => before.and_then(|terms| terms.expires_at),
        Some(end) => end.map(truncate_to_micros),
    };
    if let Some(end) = wanted.expires_at.and(expires_at) {
        let fits = end > now && end <= now + TimeDelta::days(MAX_DAYS);
        faults.check(fits, "expires_at", format!("must be in the future, at most {MAX_DAYS} days from now"));
    }
    Terms { ticket, note, expires_at }
}

/// Whether it leads to a page, and gives away no password.
fn is_link(ticket: &str) -> bool {
    let plain = ticket.chars().count() <= MAX_LINK && !ticket.contains(|c: char| c.is_control() || c.is_whitespace());
    let is_page = |url: Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    };
    // What a browser would mend is no link that was meant.
    plain && ticket.contains("://") && Url::parse(ticket).is_ok_and(is_page)
}

fn is_key(ticket: &str) -> bool {
    (1..=MAX_KEY).contains(&ticket.len())
        && ticket.chars().all(|c| c.is_ascii_alphanumeric() || "-_#/.,".contains(c))
        && ticket.contains(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_a_link_or_a_key() {
        let key = "K".repeat(MAX_KEY);
        for good in [
            "SHOP-123",
            "#7",
            "acme/shop#7",
            "https://tracker.example/browse/SHOP-7?x=1#c",
            "http://localhost:80",
            &key,
        ] {
            assert!(is_link(good) || is_key(good), "{good}");
        }
        let link = format!("https://tracker.example/{}", "x".repeat(MAX_LINK));
        let key = "K".repeat(MAX_KEY + 1);
        for bad in [
            "",
            "#",
            "SHOP 7",
            "javascript:alert(1)",
            "javascript://x/%0aalert(1)",
            "https://",
            "https:/tracker.example",
            "https://ada:secret@tracker.example/1",
            "https://tracker.example/a b",
            "ftp://tracker.example/1",
            "SHOP-7\u{0}",
            "SHÖP-7",
            &link,
            &key,
        ] {
            assert!(!is_link(bad) && !is_key(bad), "{bad}");
        }
    }
}
