//! Which failures are the same.
//!
//! 1. [`canonical`] takes out of a text what differs from run to run: addresses, times, ids, numbers, paths.
//! 2. [`fingerprint`] hashes what stays: the exception's type, HTTP status codes, the first line, and the five innermost
//!    frames of the project's own code without line numbers.
//! 3. [`join`] puts fingerprints together that say nearly the same: that is an error.
//!
//! Linear in the text. After ReportPortal's, Kubernetes' triage's and LUCI's ways to do it.

pub mod canonical;
mod cluster;
pub mod frames;
mod shapes;

use canonical::{clean, mask};
pub use cluster::{COMPARED, Joined, Member, join};
use scaledtest_domain::Hash16;
use serde::{Deserialize, Serialize};

/// Version of everything that leads to an id.
pub const VERSION: u8 = 1;

/// Bytes of a message and of a trace that are looked at.
const MOST_MESSAGE: usize = 8 * 1024;
const MOST_TRACE: usize = 64 * 1024;
/// Lines of a trace that are looked at.
const MOST_LINES: usize = 400;
/// Bytes of the message that are made canonical, and of the first line that are kept.
const MOST_MASKED: usize = 1_200;
const MOST_HEADLINE: usize = 300;
/// Frames that count.
const FRAMES: usize = 5;

/// What identifies a failure.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The hash of the rest, with [`VERSION`].
    pub id: Hash16,
    /// The exception's type without its package, `panic`, or nothing.
    pub kind: String,
    /// HTTP status codes in the message, ascending.
    pub codes: Vec<u16>,
    /// The first line that says something, canonical, at most 300 bytes: what near-equality is measured on.
    pub headline: String,
    /// `file function` of up to five frames of the project's own code, innermost first.
    pub frames: Vec<String>,
}

impl Fingerprint {
    /// The id cut to 64 bits, as [`crate::Observation::fingerprint`] holds it.
    pub fn short(&self) -> u64 {
        short(self.id)
    }
}

/// An id cut to 64 bits.
pub fn short(id: Hash16) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&id.0[..8]);
    u64::from_be_bytes(bytes)
}

/// The fingerprint of a failure; `None` if neither message nor trace says anything.
pub fn fingerprint(message: Option<&str>, trace: Option<&str>) -> Option<Fingerprint> {
    let message = clean(message.unwrap_or_default(), MOST_MESSAGE);
    let trace = clean(trace.unwrap_or_default(), MOST_TRACE);
    let said = if says_something(&message) { message.clone() } else { telling_lines(&trace) };
    let said = if said.trim().is_empty() { message.clone() } else { said };
    if said.trim().is_empty() {
        return None;
    }
    let kind = kind(&said, &trace);
    let frames = own_frames(if trace.trim().is_empty() { &message } else { &trace });
    let lines: Vec<&str> = telling(&said).collect();
    let lines = if lines.is_empty() { vec![said.trim()] } else { lines };
    let masked = mask(&lines.join("\n"), MOST_MASKED);
    let headline = cut(masked.text.lines().next().unwrap_or_default(), MOST_HEADLINE).to_owned();
    let id = hash(&kind, &masked.codes, &headline, &frames);
    Some(Fingerprint { id, kind, codes: masked.codes, headline, frames })
}

fn hash(kind: &str, codes: &[u16], headline: &str, frames: &[String]) -> Hash16 {
    let codes: Vec<String> = codes.iter().map(u16::to_string).collect();
    Hash16::of(&joined([kind, &codes.join(","), headline].into_iter().chain(frames.iter().map(String::as_str))))
}

/// What is hashed: no two lists of parts give the same.
fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    for part in parts {
        bytes.extend((part.len() as u32).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

/// At most so many bytes, whole characters.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The lines of a text that say something: no frames, and of Rust's `thread 'x' panicked at` only what it panicked with.
fn telling(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(|line| panicked_with(line).unwrap_or(line));
    lines.filter(|line| !line.trim().is_empty() && !frames::is_frame(line))
}

fn says_something(text: &str) -> bool {
    telling(text).next().is_some()
}

/// The message in the first line of a panic: empty since Rust 1.73, which writes it into the next line.
fn panicked_with(line: &str) -> Option<&str> {
    let (_, rest) = line.trim_start().strip_prefix("thread '")?.split_once(" panicked at ")?;
    Some(rest.strip_prefix('\'').and_then(|rest| rest.rsplit_once("', ")).map_or("", |(message, _)| message))
}

/// What a trace says itself, when there is no message: pytest's `E` lines; a panic up to its backtrace; the last line of a Python traceback; else
/// what comes before the first frame.
fn telling_lines(trace: &str) -> String {
    let lines = || trace.lines().take(MOST_LINES);
    let marked: Vec<&str> = lines().filter_map(|line| line.strip_prefix("E ")).map(str::trim).collect();
    if !marked.is_empty() {
        return marked.join("\n");
    }
    if let Some(at) = lines().position(|line| panicked_with(line).is_some()) {
        let ends = |line: &&str| !line.starts_with("stack backtrace:") && !line.starts_with("note: ");
        return lines().skip(at).take_while(ends).collect::<Vec<_>>().join("\n");
    }
    if lines().any(|line| line.starts_with("Traceback (most recent call last)")) {
        let last = lines().filter(|line| !line.trim().is_empty() && !line.starts_with([' ', '\t'])).last();
        return last.unwrap_or_default().to_owned();
    }
    let before: Vec<&str> = lines().take_while(|line| !frames::is_frame(line)).collect();
    if before.iter().all(|line| line.trim().is_empty()) { trace.trim().to_owned() } else { before.join("\n") }
}

/// The exception's type, from the message, else from the trace.
fn kind(message: &str, trace: &str) -> String {
    let first = message.lines().find(|line| !line.trim().is_empty()).and_then(kind_of_line);
    let marked = |line: &str| line.strip_prefix("E ").map(str::trim).and_then(kind_of_line);
    let lines = || trace.lines().take(MOST_LINES);
    let from_trace = || lines().next().and_then(kind_of_line).or_else(|| lines().find_map(marked));
    let panicked = || (message.contains("panicked at") || trace.contains("panicked at")).then(|| "panic".to_owned());
    first.or_else(from_trace).or_else(panicked).unwrap_or_default()
}

/// `java.lang.NullPointerException: ...`, `AssertionError`, `App\Domain\CartException: ...`, `panic: ...`.
fn kind_of_line(line: &str) -> Option<String> {
    let line = line.trim_start();
    let line =
        ["Uncaught ", "Caused by: ", "Unhandled exception: "].iter().find_map(|p| line.strip_prefix(p)).unwrap_or(line);
    if line.starts_with("panic:") || line.contains("panicked at") {
        return Some("panic".to_owned());
    }
    let named = |letter: char| letter.is_ascii_alphanumeric() || "_.$\\:".contains(letter);
    let end = line.find(|letter| !named(letter)).unwrap_or(line.len());
    let word = line[..end].trim_end_matches(':');
    let word = word.split(": ").next().unwrap_or(word);
    let name = word.rsplit(['.', '\\', ':', '$']).next().unwrap_or(word);
    let telling = ["Error", "Exception", "Failure", "Fault", "Timeout", "Interrupt", "_error"];
    let known = name.len() <= 80 && telling.iter().any(|part| name.contains(part));
    let ends = line[end..].is_empty() || line[..end].ends_with(':') || line[end..].starts_with([' ', '\n', '[', '(']);
    (known && ends).then(|| name.to_owned())
}

/// The innermost frames of the project's own code; of any code if there is none.
fn own_frames(trace: &str) -> Vec<String> {
    let mut found: Vec<frames::Frame<'_>> = trace.lines().take(MOST_LINES).filter_map(frames::parse).collect();
    if found.iter().filter(|frame| frame.innermost_last).count() * 2 > found.len() {
        found.reverse();
    }
    let mut keys: Vec<String> = Vec::with_capacity(FRAMES);
    // Only as far as needed: a stack is long, and most of it is the framework's.
    for frame in found.iter().filter(|frame| frame.is_own()) {
        let key = frame.key();
        if keys.last() != Some(&key) {
            keys.push(key);
        }
        if keys.len() == FRAMES {
            return keys;
        }
    }
    if keys.is_empty() { found.first().map(frames::Frame::key).into_iter().collect() } else { keys }
}

#[cfg(test)]
mod tests;
