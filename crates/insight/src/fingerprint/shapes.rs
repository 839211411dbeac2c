//! What times, addresses and ids look like.

/// What a run of letters and digits is made of.
pub(super) struct Letters {
    length: usize,
    digits: usize,
    upper: usize,
    lower: usize,
    hex: bool,
    /// Places where a digit follows a letter or the other way round.
    changes: usize,
    /// Places where the kind changes: digit, upper or lower case, other.
    mixed: usize,
}

impl Letters {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut letters = Self { length: bytes.len(), digits: 0, upper: 0, lower: 0, hex: true, changes: 0, mixed: 0 };
        let kind = |byte: &u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase(), byte.is_ascii_lowercase());
        letters.mixed = bytes.windows(2).filter(|pair| kind(&pair[0]) != kind(&pair[1])).count();
        let mut last = None;
        for byte in bytes {
            let digit = byte.is_ascii_digit();
            letters.digits += usize::from(digit);
            letters.upper += usize::from(byte.is_ascii_uppercase());
            letters.lower += usize::from(byte.is_ascii_lowercase());
            letters.hex &= byte.is_ascii_hexdigit();
            letters.changes += usize::from(last.is_some_and(|last| last != digit));
            last = Some(digit);
        }
        letters
    }

    /// All hexadecimal with a digit and a letter, or so many digits that it is no quantity.
    pub(super) fn is_hex(&self) -> bool {
        self.hex && self.digits > 0 && self.digits < self.length
    }

    /// Base64 changes its kind at every second letter; `camelCase` at every third or fourth.
    pub(super) fn is_blob(&self) -> bool {
        self.digits > 0 && self.upper > 2 && self.lower > 2 && self.mixed * 5 >= self.length * 2
    }

    pub(super) fn is_random(&self) -> bool {
        self.changes >= 4 && self.digits >= 2
    }
}

fn digits(bytes: &[u8], from: usize) -> usize {
    bytes.get(from..).unwrap_or_default().iter().take(10).take_while(|byte| byte.is_ascii_digit()).count()
}

/// Length of a date, a time of day, or both.
pub(super) fn time_length(bytes: &[u8]) -> Option<usize> {
    let Some(date) = date_length(bytes) else { return clock_length(bytes) };
    let joined = bytes.get(date).is_some_and(|byte| matches!(byte, b'T' | b' ' | b't'));
    let clock = if joined { bytes.get(date + 1..).and_then(clock_length) } else { None };
    Some(clock.map_or(date, |clock| date + 1 + clock))
}

fn date_length(bytes: &[u8]) -> Option<usize> {
    let first = digits(bytes, 0);
    let separator = *bytes.get(first).filter(|byte| matches!(byte, b'-' | b'/' | b'.'))?;
    let second = digits(bytes, first + 1);
    let third_at = first + second + 2;
    let same = bytes.get(third_at - 1) == Some(&separator);
    let third = digits(bytes, third_at);
    let year_first = first == 4 && second == 2 && third == 2;
    let year_last = (1..=2).contains(&first) && (1..=2).contains(&second) && third == 4;
    let length = third_at + third;
    // The T of an ISO time may follow.
    let ends = bytes.get(length).is_none_or(|byte| !byte.is_ascii_alphanumeric() || matches!(byte, b'T' | b't'));
    (same && (year_first || year_last) && ends).then_some(length)
}

fn clock_length(bytes: &[u8]) -> Option<usize> {
    let hours = digits(bytes, 0);
    let shape = (1..=2).contains(&hours)
        && bytes.get(hours) == Some(&b':')
        && digits(bytes, hours + 1) == 2
        && bytes.get(hours + 3) == Some(&b':')
        && digits(bytes, hours + 4) == 2;
    if !shape {
        return None;
    }
    let mut length = hours + 6;
    if matches!(bytes.get(length), Some(b'.' | b',')) {
        let fraction = digits(bytes, length + 1);
        length += if fraction > 0 { 1 + fraction } else { 0 };
    }
    match bytes.get(length) {
        Some(b'Z') => Some(length + 1),
        Some(b'+' | b'-') if digits(bytes, length + 1) >= 2 => {
            let colon = usize::from(bytes.get(length + 3) == Some(&b':'));
            Some(length + 3 + colon + if digits(bytes, length + 3 + colon) >= 2 { 2 } else { 0 })
        }
        _ => Some(length),
    }
}

/// Length of an IPv4 address with an optional port.
pub(super) fn address_length(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    for part in 0..4 {
        let count = digits(bytes, length);
        if !(1..=3).contains(&count) || (part < 3 && bytes.get(length + count) != Some(&b'.')) {
            return None;
        }
        length += count + usize::from(part < 3);
    }
    let port = if bytes.get(length) == Some(&b':') { digits(bytes, length + 1) } else { 0 };
    Some(if port > 0 { length + 1 + port } else { length })
}

pub(super) fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() >= 36
        && bytes[..36].iter().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Secrets that begin with what they are, and JSON web tokens.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    const STARTS: [&str; 10] =
        ["eyJ", "ghp_", "gho_", "ghs_", "github_pat_", "xoxb-", "xoxp-", "sk-", "glpat-", "AKIA"];
    STARTS.iter().any(|start| bytes.starts_with(start.as_bytes()))
}
