//! What may be said of a stay.

use crate::http::extract::Faults;
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::{
    events::quarantine::{Mode, Terms},
    truncate_to_micros,
};

/// Longest reason, characters.
const MAX_REASON: usize = 500;
/// Longest name of an owner, characters.
const MAX_OWNER: usize = 100;
/// Longest ticket, characters.
const MAX_TICKET: usize = 500;
/// Days that a stay lasts when nothing is said.
pub const DAYS: i64 = 14;
/// Days that it may last from now on.
pub const MAX_DAYS: i64 = 90;

/// What is wanted; what is absent stays, or is as usual.
#[derive(Debug, Default)]
pub struct Wanted {
    pub mode: Option<String>,
    pub reason: Option<String>,
    /// An empty one is none.
    pub owner: Option<String>,
    /// An empty one is none.
    pub ticket: Option<String>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// The terms, given what they were.
///
/// Notes what is wrong with them.
pub fn checked(wanted: Wanted, before: Option<&Terms>, now: DateTime<Utc>, faults: &mut Faults) -> Terms {
    let mode = mode(wanted.mode.as_deref(), faults).or(before.map(|terms| terms.mode)).unwrap_or_default();
    let reason = wanted.reason.map(|reason| reason.trim().to_owned());
    let reason = reason.or_else(|| before.map(|terms| terms.reason.clone())).unwrap_or_default();
    let fits = (1..=MAX_REASON).contains(&reason.chars().count()) && !reason.contains('\0');
    faults.check(fits, "reason", format!("must have 1 to {MAX_REASON} characters: why is the test quarantined?"));
    let owner =
        wanted.owner.map_or_else(|| before.and_then(|terms| terms.owner.clone()), |owner| self::owner(&owner, faults));
    let ticket = match wanted.ticket {
        None => before.and_then(|terms| terms.ticket.clone()),
        Some(ticket) => self::ticket(&ticket, faults),
    };
    let began_skipping = mode == Mode::Skip && before.is_none_or(|terms| terms.mode == Mode::Mute);
    if began_skipping && wanted.expires_at.is_none() {
        faults.add("expires_at", "must be given with skip: what does not run cannot be seen to recover");
    }
    let usual = || before.map_or(now + TimeDelta::days(DAYS), |terms| terms.expires_at);
    let expires_at = truncate_to_micros(wanted.expires_at.unwrap_or_else(usual));
    if wanted.expires_at.is_some() {
        let allowed = now..=now + TimeDelta::days(MAX_DAYS);
        let fits = allowed.contains(&expires_at) && expires_at > now;
        faults.check(fits, "expires_at", format!("must be in the future, at most {MAX_DAYS} days from now"));
    }
    Terms { mode, reason, owner, ticket, expires_at }
}

/// Reads `mute` or `skip`.
pub fn mode(word: Option<&str>, faults: &mut Faults) -> Option<Mode> {
    let word = word?;
    let mode = Mode::from_word(word);
    faults.check(mode.is_some(), "mode", "must be mute or skip");
    mode
}

/// A team or a handle. The log keeps what is in it for ever, so it is no place for people's addresses.
pub fn owner(owner: &str, faults: &mut Faults) -> Option<String> {
    let owner = owner.trim();
    let plain = owner.chars().count() <= MAX_OWNER && !owner.contains(char::is_control);
    faults.check(plain, "owner", format!("must have at most {MAX_OWNER} characters"));
    let is_address = owner.trim_start_matches('@').contains('@');
    faults.check(!is_address, "owner", "must be a team or a handle such as @payments, not an e-mail address");
    Some(owner.to_owned()).filter(|owner| !owner.is_empty())
}

fn ticket(ticket: &str, faults: &mut Faults) -> Option<String> {
    let ticket = ticket.trim();
    let plain = ticket.chars().count() <= MAX_TICKET && !ticket.contains(char::is_control);
    let is_link = ticket.starts_with("https://") || ticket.starts_with("http://");
    let fits = plain && (is_link || !ticket.contains(':'));
    faults.check(
        fits,
        "ticket",
        format!("must be an http(s) link or a key such as SHOP-7, at most {MAX_TICKET} characters"),
    );
    Some(ticket.to_owned()).filter(|ticket| !ticket.is_empty())
}
