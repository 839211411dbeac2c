//! How the values of settings are written.

use ipnet::IpNet;
use std::time::Duration;

/// The words of a list, without empty ones.
pub(super) fn words(list: &[String], change: impl Fn(&str) -> String) -> Vec<String> {
    list.iter().map(|word| change(word.trim())).filter(|word| !word.is_empty()).collect()
}

/// A network, or a single address; nothing for nothing.
pub(super) fn network(text: &str) -> Result<Option<IpNet>, String> {
    let text = text.trim();
    let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .or_else(|_| address())
        .map(Some)
        .map_err(|_| format!("{text:?} is no network: write 10.0.0.0/8 or ::1"))
}

pub(super) fn base_url(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    match trimmed.split_once("://") {
        Some(("http" | "https", host)) if !host.is_empty() && !host.contains(['/', '?', '#', ' ']) => {
            Ok(trimmed.to_owned())
        }
        _ => Err("must be http://host[:port] or https://host[:port]".to_owned()),
    }
}

/// As [`base_url`], or nothing.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Ok(String::new()) } else { base_url(text) }
}

/// `90s`, `15m`, `1h30m`, `7d`: whole numbers with ms, s, m, h or d.
///
/// # Errors
/// A sentence that says how it is written.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration: write it like 90s, 15m, 1h30m or 7d");
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let more = number.checked_mul(millis).filter(|millis| *millis < 1 << 53).ok_or_else(wrong)?;
        total += Duration::from_millis(more);
        rest = tail;
    }
    if total.is_zero() { Err(wrong()) } else { Ok(total) }
}
