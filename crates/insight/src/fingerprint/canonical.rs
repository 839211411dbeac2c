//! Takes out of a text what differs from run to run.

use super::shapes::{Letters, address_length, is_token, is_uuid, time_length};
use std::collections::HashMap;

/// Tags that reporters put around messages. Anything else in angle brackets is kept: `<anonymous>`, generics.
const TAGS: &[&str] = &["a", "b", "br", "code", "div", "em", "i", "li", "p", "pre", "span", "strong", "u", "ul"];

/// Without ANSI sequences, the usual HTML tags, code fences, and lines about the browser driver; at most `most` bytes.
pub fn clean(text: &str, most: usize) -> String {
    let text = super::cut(text, most);
    let stripped;
    let text = if text.contains(['\u{1b}', '<', '`', '\r']) {
        stripped = strip(text);
        &stripped
    } else {
        text
    };
    let noise = |line: &&str| !is_driver_noise(line.trim_start());
    let mut clean = String::with_capacity(text.len());
    for line in text.lines().filter(noise) {
        clean.push_str(line.trim_end());
        clean.push('\n');
    }
    clean
}

/// What Selenium appends: it names the machine and the session.
fn is_driver_noise(line: &str) -> bool {
    let starts = [
        "(Session info:",
        "Session info:",
        "Build info:",
        "System info:",
        "Driver info:",
        "Capabilities {",
        "Session ID:",
        "For documentation on this error",
        "Command: [",
    ];
    line.starts_with(['(', 'S', 'B', 'D', 'C', 'F']) && starts.iter().any(|start| line.starts_with(start))
}

fn strip(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut kept, mut i) = (String::with_capacity(text.len()), 0, 0);
    while i < bytes.len() {
        let skipped = match bytes[i] {
            0x1b => escape(&bytes[i..]),
            b'<' => tag(&bytes[i..]),
            b'`' if bytes[i..].starts_with(b"```") => 3,
            b'\r' => 1,
            _ => 0,
        };
        if skipped == 0 {
            i += 1;
            continue;
        }
        out.push_str(text.get(kept..i).unwrap_or_default());
        i += skipped;
        kept = i;
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    out
}

/// Length of the escape sequence at the start.
fn escape(bytes: &[u8]) -> usize {
    match bytes.get(1) {
        Some(b'[') => {
            let parameters = bytes[2..].iter().take(32).take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
            let last = bytes.get(2 + parameters).is_some_and(|byte| matches!(byte, 0x40..=0x7e));
            2 + parameters + usize::from(last)
        }
        Some(b']') => {
            let end = bytes.iter().take(256).position(|byte| *byte == 0x07 || *byte == b'\n');
            end.map_or(1, |end| end + usize::from(bytes[end] == 0x07))
        }
        Some(byte) if byte.is_ascii() => 2,
        _ => 1,
    }
}

/// Length of the HTML tag at the start, 0 if it is none of those that we know.
fn tag(bytes: &[u8]) -> usize {
    let name_at = 1 + usize::from(bytes.get(1) == Some(&b'/'));
    let name = bytes[name_at.min(bytes.len())..].iter().take(7).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let known = |tag: &&str| bytes[name_at..name_at + name].eq_ignore_ascii_case(tag.as_bytes());
    if name == 0 || !TAGS.iter().any(known) {
        return 0;
    }
    let ends = bytes.get(name_at + name).is_some_and(|byte| matches!(byte, b'>' | b' ' | b'/'));
    let end = bytes.iter().take(200).position(|byte| *byte == b'>');
    end.filter(|_| ends).map_or(0, |end| end + 1)
}

/// A canonical text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// One line per line that says something, single spaces.
    pub text: String,
    /// HTTP status codes, ascending, at most four.
    pub codes: Vec<u16>,
}

/// Masks what differs from run to run: `TIME`, `UUID`, `HEX`, `BLOB`, `ID`, `TOKEN`, `ADDR`, `REF`, `PATH`, `NUM`. Equal
/// ids in one text get equal numbers (`UUID1`, `UUID2`). HTTP status codes stay. A path of a machine is cut to its file's
/// name. Stops after about `most` bytes of output.
pub fn mask(text: &str, most: usize) -> Masked {
    let mut masker =
        Masker { text, bytes: text.as_bytes(), out: String::new(), ids: HashMap::new(), codes: Vec::new() };
    masker.run(most);
    let Masker { out, mut codes, .. } = masker;
    codes.sort_unstable();
    codes.dedup();
    codes.truncate(4);
    let mut text = String::with_capacity(out.len());
    for line in out.lines().map(|line| without_log_prefix(line.trim())).filter(|line| !line.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
    }
    Masked { text, codes }
}

/// Without leading time, level and thread, as loggers write them.
fn without_log_prefix(line: &str) -> &str {
    const LEVELS: [&str; 9] = ["TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL"];
    let mut rest = line;
    let mut found = false;
    loop {
        let bracket =
            rest.strip_prefix('[').and_then(|inner| inner.split_once(']')).filter(|(inner, _)| inner.len() <= 40);
        let word = &rest[..rest.find([' ', ':']).unwrap_or(rest.len())];
        let told = bracket.filter(|(inner, _)| found || *inner == "TIME" || LEVELS.contains(inner));
        let next = if let Some((_, after)) = told {
            after
        } else if let Some(after) = rest.strip_prefix("TIME") {
            after
        } else if found && LEVELS.contains(&word) {
            &rest[word.len()..]
        } else {
            break;
        };
        found = true;
        rest = next.trim_start_matches([' ', ',', '-', '|', ':', '.']);
    }
    if rest.is_empty() { line } else { rest }
}

struct Masker<'a> {
    text: &'a str,
    bytes: &'a [u8],
    out: String,
    ids: HashMap<&'a str, usize>,
    codes: Vec<u16>,
}

/// Ids told apart in one text.
const MOST_IDS: usize = 64;

/// Where checkouts, homes and temporary files lie. What follows is the machine's but for the file's name.
const ROOTS: &[&str] = &[
    "/home/",
    "/Users/",
    "/root/",
    "/tmp/",
    "/private/",
    "/var/",
    "/builds/",
    "/opt/",
    "/usr/",
    "/app/",
    "/workspace/",
    "/github/",
    "/__w/",
    "/mnt/",
    "/srv/",
    "/codebuild/",
    "/drone/",
    "/bitrise/",
    "file:///",
];

impl<'a> Masker<'a> {
    fn run(&mut self, most: usize) {
        let mut i = 0;
        while i < self.bytes.len() && self.out.len() < most {
            i = self.step(i);
        }
    }

    /// Writes what begins at `i` and returns where the next thing begins.
    fn step(&mut self, i: usize) -> usize {
        let byte = self.bytes[i];
        let fresh = i == 0 || !self.bytes[i - 1].is_ascii_alphanumeric();
        match byte {
            b' ' | b'\t' => {
                if !self.out.ends_with([' ', '\n']) {
                    self.out.push(' ');
                }
                i + 1
            }
            b'/' | b'f' | b'A'..=b'Z' | b'a'..=b'z' if fresh && self.path_end(i).is_some() => self.path(i),
            b'@' => self.reference(i),
            b':' if self.bytes[i..].starts_with(b"://") => self.user(i),
            byte if byte.is_ascii_alphanumeric() => self.word(i, fresh),
            byte if byte.is_ascii() => {
                self.out.push(char::from(byte));
                i + 1
            }
            _ => {
                let end = self.bytes[i..].iter().position(u8::is_ascii).map_or(self.bytes.len(), |end| i + end);
                self.out.push_str(self.slice(i, end));
                end
            }
        }
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn run_of(&self, from: usize, allowed: impl Fn(u8) -> bool) -> usize {
        self.bytes[from..].iter().position(|byte| !allowed(*byte)).map_or(self.bytes.len(), |end| from + end)
    }

    /// End of the machine's path that begins here.
    fn path_end(&self, i: usize) -> Option<usize> {
        let rest = &self.bytes[i..];
        let drive = rest.len() > 3 && rest[1] == b':' && (rest[2] == b'\\' || rest[2] == b'/' && rest[3] != b'/');
        let opened = i == 0 || !matches!(self.bytes[i - 1], b'/' | b'.' | b':' | b'_' | b'-' | b'~');
        if !(drive || opened && ROOTS.iter().any(|root| rest.starts_with(root.as_bytes()))) {
            return None;
        }
        let skipped = if rest.starts_with(b"file:") { 7 } else { 2 };
        let end = self.run_of(i + skipped, |byte| !b" \t\n\"'()<>[]{},;:|*?`".contains(&byte));
        Some(end)
    }

    fn path(&mut self, i: usize) -> usize {
        let Some(end) = self.path_end(i) else { return i + 1 };
        let path = self.slice(i, end);
        let temporary =
            ["/tmp/", "/var/folders/", "/private/var/", "/var/tmp/"].iter().any(|root| path.starts_with(root))
                || path.contains("\\Temp\\");
        if temporary {
            self.out.push_str("PATH");
        } else {
            let name = path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
            let digits = |letter: char| if letter.is_ascii_digit() { '#' } else { letter };
            self.out.extend(name.chars().map(digits));
        }
        end
    }

    /// `://user:secret@` of a URL.
    fn user(&mut self, i: usize) -> usize {
        self.out.push_str("://");
        let end = self.run_of(i + 3, |byte| !byte.is_ascii_whitespace() && !b"/@\"'<>".contains(&byte));
        if self.bytes.get(end) != Some(&b'@') {
            return i + 3;
        }
        self.id("TOKEN", i + 3, end);
        self.out.push('@');
        end + 1
    }

    /// `Class@1f2e3d`.
    fn reference(&mut self, i: usize) -> usize {
        let end = self.run_of(i + 1, |byte| byte.is_ascii_hexdigit());
        let after = self.bytes.get(end).copied().unwrap_or(b' ');
        let inside = after.is_ascii_alphanumeric() || after == b'_' || after == b'.' || after == b'-';
        let named = i > 0 && (self.bytes[i - 1].is_ascii_alphanumeric() || matches!(self.bytes[i - 1], b';' | b']'));
        if named && (4..=16).contains(&(end - i - 1)) && !inside {
            self.out.push_str("@REF");
            end
        } else {
            self.out.push('@');
            i + 1
        }
    }

    fn word(&mut self, i: usize, fresh: bool) -> usize {
        if fresh && let Some(end) = self.special(i) {
            return end;
        }
        if self.bytes[i].is_ascii_digit() {
            return self.number(i, fresh);
        }
        let end = self.run_of(i, |byte| byte.is_ascii_alphabetic());
        self.out.push_str(self.slice(i, end));
        end
    }

    /// Times, addresses and ids.
    fn special(&mut self, i: usize) -> Option<usize> {
        let rest = &self.bytes[i..];
        if rest[0].is_ascii_digit() {
            if let Some(length) = time_length(rest) {
                self.out.push_str("TIME");
                return Some(i + length);
            }
            if let Some(length) = address_length(rest) {
                self.out.push_str("ADDR");
                return Some(i + length);
            }
        }
        if is_uuid(rest) {
            return Some(self.id("UUID", i, i + 36));
        }
        if rest.starts_with(b"0x") && rest.get(2).is_some_and(u8::is_ascii_hexdigit) {
            let end = self.run_of(i + 2, |byte| byte.is_ascii_hexdigit());
            return Some(self.id("HEX", i, end));
        }
        if is_token(rest) {
            let end = self.run_of(i, |byte| byte.is_ascii_alphanumeric() || b"_-.+/=".contains(&byte));
            return (end - i >= 16).then(|| self.id("TOKEN", i, end));
        }
        let end = self.run_of(i, |byte| byte.is_ascii_alphanumeric());
        if end - i >= 8 && Letters::of(&rest[..end - i]).is_hex() {
            return Some(self.id("HEX", i, end));
        }
        let wide = self.run_of(i, |byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte));
        if wide - i >= 20 && Letters::of(&rest[..wide - i]).is_blob() {
            let padded = self.run_of(wide, |byte| byte == b'=');
            return Some(self.id("BLOB", i, padded));
        }
        (end - i >= 8 && Letters::of(&rest[..end - i]).is_random()).then(|| self.id("ID", i, end))
    }

    fn id(&mut self, name: &str, from: usize, to: usize) -> usize {
        let text = self.slice(from, to);
        let next = self.ids.len() + 1;
        self.out.push_str(name);
        let number =
            if next <= MOST_IDS { Some(*self.ids.entry(text).or_insert(next)) } else { self.ids.get(text).copied() };
        if let Some(number) = number {
            self.out.push_str(&number.to_string());
        }
        to
    }

    fn number(&mut self, i: usize, fresh: bool) -> usize {
        let mut end = self.run_of(i, |byte| byte.is_ascii_digit());
        if fresh && end - i == 3 && self.is_status_code(i, end) {
            let code = self.slice(i, end);
            self.codes.extend(code.parse::<u16>().ok().filter(|_| self.codes.len() < 64));
            self.out.push_str(code);
            return end;
        }
        while matches!(self.bytes.get(end), Some(b'.' | b',' | b'_'))
            && self.bytes.get(end + 1).is_some_and(u8::is_ascii_digit)
        {
            end = self.run_of(end + 1, |byte| byte.is_ascii_digit());
        }
        self.out.push_str("NUM");
        end
    }

    /// A number from 100 to 599 after "status", "code" or "HTTP", or before the words that belong to it.
    fn is_status_code(&self, i: usize, end: usize) -> bool {
        const PHRASES: [&str; 18] = [
            "OK",
            "Created",
            "Moved",
            "Found",
            "Bad ",
            "Unauthorized",
            "Forbidden",
            "Not ",
            "Method ",
            "Conflict",
            "Gone",
            "Payload",
            "Unprocessable",
            "Too Many",
            "Internal Server",
            "Service Unavailable",
            "Gateway",
            "I'm a teapot",
        ];
        let alone = self.bytes.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"._-".contains(byte));
        if !alone || !matches!(self.bytes[i], b'1'..=b'5') {
            return false;
        }
        let from = (i.saturating_sub(24)..=i).find(|from| self.text.is_char_boundary(*from)).unwrap_or(i);
        let before = self.slice(from, i).to_ascii_lowercase();
        let before = before.trim_end_matches([' ', ':', '=', '(', '"', '\'']);
        let words = ["status", "code", "http", "statuscode", "status_code", "http/1.1", "http/2", "http/1.0"];
        let after = self.slice(end, self.bytes.len()).trim_start_matches([':', ' ', '(']);
        words.iter().any(|word| before.ends_with(word)) || PHRASES.iter().any(|phrase| after.starts_with(phrase))
    }
}
