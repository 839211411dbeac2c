//! Stack frames as the usual runtimes write them.

use std::borrow::Cow;

/// A line of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The path as written.
    pub path: &'a str,
    /// The function, without arguments; empty if the line names none.
    pub function: &'a str,
    /// Whether stacks of this kind end with the innermost frame (Python).
    pub innermost_last: bool,
}

/// Extensions of source files.
const SOURCES: &[&str] = &[
    "js", "jsx", "ts", "tsx", "mjs", "cjs", "mts", "cts", "vue", "py", "pyx", "java", "kt", "kts", "scala", "go", "rs",
    "php", "c", "cc", "cpp", "cxx", "h", "hpp", "hh", "cs", "fs", "vb", "rb", "swift", "m", "mm", "dart", "ex", "exs",
    "erl", "clj", "pl", "pm", "t", "lua", "sh", "bats", "groovy", "robot", "feature", "svelte",
];

/// Parts of a path that is not the project's.
const FOREIGN_PATHS: &[&str] = &[
    "node_modules/",
    "node:",
    "internal/",
    "site-packages/",
    "dist-packages/",
    "/lib/python",
    "/usr/lib/",
    "/usr/include/",
    "/usr/local/go/",
    "/rustc/",
    "library/std/src",
    "library/core/src",
    "library/alloc/src",
    "library/test/src",
    ".cargo/registry/",
    "/vendor/",
    "/gems/",
    "/go/pkg/mod/",
    "<frozen",
    "googletest/",
    "gtest/",
];

/// How functions of runtimes and test frameworks begin.
const FOREIGN_FUNCTIONS: &[&str] = &[
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "org.junit.",
    "junit.",
    "org.testng.",
    "org.gradle.",
    "org.apache.maven.",
    "org.mockito.",
    "org.hamcrest.",
    "org.assertj.",
    "org.opentest4j.",
    "kotlin.",
    "scala.",
    "groovy.",
    "std::",
    "core::",
    "testing.",
    "testing::",
    "runtime.",
    "System.",
    "Xunit.",
    "NUnit.",
    "Microsoft.",
    "PHPUnit",
    "processTicksAndRejections",
];

/// Parts of functions that are generated anew in each run.
const GENERATED: &[&str] = &["$$Lambda", "$Proxy", "CGLIB", "GeneratedMethodAccessor", "$$FastClass", "ByteBuddy"];

impl Frame<'_> {
    /// Whether it is the project's own code.
    pub fn is_own(&self) -> bool {
        let path =
            if self.path.contains('\\') { Cow::Owned(self.path.replace('\\', "/")) } else { Cow::Borrowed(self.path) };
        !FOREIGN_PATHS.iter().any(|part| path.contains(part))
            && !FOREIGN_FUNCTIONS.iter().any(|start| self.function.starts_with(start))
            && !GENERATED.iter().any(|part| self.function.contains(part))
    }

    /// File name and function, without numbers.
    pub fn key(&self) -> String {
        let file = self.path.rsplit(['/', '\\']).next().unwrap_or(self.path);
        let function = ["Object.<anonymous>", "<anonymous>"]
            .iter()
            .fold(self.function, |name, part| name.strip_suffix(part).map_or(name, |name| name.trim_end_matches('.')));
        let mut key = String::new();
        let text = file.chars().take(80).chain([' ']).chain(function.chars().take(120));
        for letter in text {
            if !letter.is_ascii_digit() {
                key.push(letter);
            } else if !key.ends_with('#') {
                key.push('#');
            }
        }
        key.trim_end().to_owned()
    }
}

/// Whether a line is nothing but a frame, so that it belongs to no message.
pub fn is_frame(line: &str) -> bool {
    let line = line.trim();
    let marked = ["at ", "File \"", "❯ ", "#"].iter().any(|start| line.starts_with(start));
    match location(line) {
        Some((_, end)) if marked => end > 0,
        Some((start, end)) => {
            start == 0 && line[end..].trim_matches([':', ' ', '(', ')']).chars().all(|c| c.is_ascii_digit() || c == ':')
        }
        None => line.starts_with("at ") && (line.ends_with("(Native Method)") || line.ends_with("(Unknown Source)")),
    }
}

/// Reads a line of a stack: JavaScript, Python and pytest, Java, Go, Rust, PHP, C#, Ruby, C++, and whatever names a source
/// file with a line.
pub fn parse(line: &str) -> Option<Frame<'_>> {
    let line = line.trim();
    let (start, end) = location(line)?;
    let path = &line[start..end];
    let (before, after) = (&line[..start], &line[end..]);
    let python = path.ends_with(".py");
    Some(Frame { path, function: function(before, after), innermost_last: python })
}

fn function<'a>(before: &'a str, after: &'a str) -> &'a str {
    let name = if let Some(named) = before.strip_prefix("at ") {
        // `at async fn (`, `at module/pkg.Class.method(`, `at Ns.Class.Method(int x) in `
        let named = named.trim_start_matches("async ").trim_start_matches("new ");
        let named = named.split(['(', ' ']).next().unwrap_or_default();
        named.rsplit('/').next().unwrap_or_default()
    } else if let Some((_, named)) = after.split_once(", in ").or_else(|| after.split_once(": in ")) {
        named
    } else if let Some((_, named)) = after.split_once(":in ") {
        named.trim_matches(['`', '\''])
    } else if let Some(named) = before.strip_prefix('❯') {
        named.trim().split(' ').next().unwrap_or_default()
    } else if before.starts_with('#') {
        after.split_once("): ").map_or("", |(_, named)| named)
    } else {
        before.strip_suffix('@').unwrap_or_default()
    };
    name.split('(').next().unwrap_or_default().trim()
}

/// Start and end of the first path of a source file with a line number.
fn location(line: &str) -> Option<(usize, usize)> {
    let bytes = line.as_bytes();
    let mut dots = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(i, _)| i);
    let end = dots.find_map(|dot| {
        let extension = bytes[dot + 1..].iter().take(8).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let end = dot + 1 + extension;
        let known = line.get(dot + 1..end).is_some_and(|extension| SOURCES.contains(&extension));
        (known && has_line_number(&bytes[end..])).then_some(end)
    })?;
    // An `@` ends a function's name, but not in `node_modules/@scope`.
    let stops = |i: usize| match bytes[i] {
        b' ' | b'\t' | b'(' | b'"' | b'\'' | b'<' | b'[' | b',' | b'=' => true,
        b'@' => i > 0 && bytes[i - 1] != b'/',
        _ => false,
    };
    let start = (0..end).rev().find(|i| stops(*i)).map_or(0, |stop| stop + 1);
    (start < end && line.is_char_boundary(start)).then_some((start, end))
}

/// `:12`, `(12)`, `", line 12`, `:line 12`.
fn has_line_number(rest: &[u8]) -> bool {
    let digit = |i: usize| rest.get(i).is_some_and(u8::is_ascii_digit);
    match rest.first() {
        Some(b':' | b'(') => digit(1) || rest.starts_with(b":line "),
        Some(b'"') => rest.starts_with(b"\", line "),
        _ => false,
    }
}
