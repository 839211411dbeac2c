//! What makes two results the same test (decision: never dependent on other tests in the file).
//!
//! A change of any rule here is a new [`VERSION`]: histories are keyed by what it returns. Golden vectors in the tests.

use crate::{Hash16, ProjectId, TestId};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use uuid::Uuid;

/// Version of these rules; part of every hash.
pub const VERSION: u8 = 1;

/// Checkout roots that CI systems use; what follows them is the path inside the repository. `*` is one path component.
const CHECKOUT_ROOTS: &[&str] = &[
    "/home/runner/work/*/*/",
    "/github/workspace/",
    "/__w/*/*/",
    "/builds/*/*/",
    "/home/circleci/project/",
    "/home/circleci/*/",
    "/home/ci/project/",
    "/home/ci/*/",
    "/home/vsts/work/*/s/",
    "/var/lib/jenkins/workspace/*/",
    "/home/jenkins/agent/workspace/*/",
    "/opt/atlassian/pipelines/agent/build/",
    "/drone/src/",
    "/bitrise/src/",
    "/var/lib/buildkite-agent/builds/*/*/*/",
    "/codebuild/output/*/src/*/",
    "/workspace/",
    "/usr/src/app/",
    "/app/",
];

/// What identity is made of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts<'a> {
    /// CTRF `testId`, where the producer gave one: it alone decides, within the project.
    pub explicit: Option<&'a str>,
    /// Outermost first; see [`normalise_suite`].
    pub suite: &'a [String],
    /// The test's name, untouched.
    pub name: &'a str,
    /// The path as written; see [`relative_path`].
    pub file_path: Option<&'a str>,
}

/// The identity of a test in a project.
pub fn test_id(project: ProjectId, parts: Parts<'_>) -> TestId {
    let project = project.0.as_bytes();
    if let Some(explicit) = parts.explicit {
        return hash(&[project, b"explicit", explicit.as_bytes()]);
    }
    let path = parts.file_path.map(relative_path).unwrap_or_default();
    let suite = parts.suite.join("\u{1f}");
    hash(&[project, b"derived", suite.as_bytes(), parts.name.as_bytes(), path.as_bytes()])
}

/// SHA-256 over the length-prefixed parts, cut to a version 8 UUID. Not version 5: SHA-1 has no help from the processor,
/// and this runs once per test.
fn hash(parts: &[&[u8]]) -> TestId {
    let mut hash = Sha256::new();
    hash.update([VERSION]);
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    TestId(Uuid::new_v8(Hash16::from_digest(&hash.finalize()).0))
}

/// The suite path without a last part that only repeats the test's name, and without empty parts.
pub fn normalise_suite(mut suite: Vec<String>, name: &str) -> Vec<String> {
    suite.retain(|part| !part.is_empty());
    if suite.join(" > ") == name {
        return Vec::new();
    }
    if suite.last().is_some_and(|last| last == name) {
        suite.pop();
    }
    suite
}

/// The path inside the repository, as far as one path alone can tell: a relative path is kept, a known checkout root is
/// cut off, and of any other absolute path only the file's name is left, because the rest is the machine's.
pub fn relative_path(path: &str) -> String {
    let path = if path.contains('\\') { Cow::Owned(path.replace('\\', "/")) } else { Cow::Borrowed(path) };
    let path = path.strip_prefix("file://").unwrap_or(&path);
    let windows = path.as_bytes().get(1) == Some(&b':') && path.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    if !path.starts_with('/') && !windows {
        return path.trim_start_matches("./").to_owned();
    }
    CHECKOUT_ROOTS
        .iter()
        .find_map(|root| strip_root(path, root))
        .unwrap_or_else(|| path.rsplit('/').next().unwrap_or_default())
        .to_owned()
}

fn strip_root<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    let mut rest = path;
    for part in root.split_inclusive('/') {
        if part == "*/" {
            let end = rest.find('/').filter(|end| *end > 0)?;
            rest = &rest[end + 1..];
        } else {
            rest = rest.strip_prefix(part)?;
        }
    }
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn project() -> ProjectId {
        ProjectId::derived(&[b"golden"])
    }

    #[test]
    fn golden_vectors_never_change() {
        let suite = ["chromium".to_owned(), "cart.spec.ts".to_owned()];
        let vectors = [
            (Parts { name: "adds", ..Parts::default() }, "e53d2f7a-91e5-8601-b96d-51da752ce7b5"),
            (Parts { name: "adds", suite: &suite, ..Parts::default() }, "3685a593-6e2c-81e8-a241-4cfd6cf869a8"),
            (
                Parts {
                    name: "adds",
                    suite: &suite,
                    file_path: Some("/home/runner/work/shop/shop/tests/cart.spec.ts"),
                    ..Parts::default()
                },
                "2c62674c-3fff-87e4-affe-bda3ee07c301",
            ),
            (Parts { name: "adds", explicit: Some("T-1"), ..Parts::default() }, "cc1c12c8-d1f0-85a4-a9ac-0194bb8d60dc"),
        ];
        for (parts, expected) in vectors {
            assert_eq!(test_id(project(), parts).to_string(), expected, "{parts:?}");
        }
    }

    #[test]
    fn the_checkout_root_of_a_machine_does_not_matter() {
        for path in [
            "/home/runner/work/shop/shop/tests/cart.spec.ts",
            "/builds/acme/shop/tests/cart.spec.ts",
            "/home/ci/project/tests/cart.spec.ts",
            "./tests/cart.spec.ts",
            "tests\\cart.spec.ts",
        ] {
            assert_eq!(relative_path(path), "tests/cart.spec.ts", "{path}");
        }
        assert_eq!(relative_path("C:\\agent\\x\\cart.spec.ts"), "cart.spec.ts");
        assert_eq!(relative_path("/somebody/checkout/cart.spec.ts"), "cart.spec.ts");
    }

    #[test]
    fn a_suite_that_repeats_the_name_is_cut() {
        let suite = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
        assert_eq!(normalise_suite(suite(&["cart", "adds"]), "adds"), suite(&["cart"]));
        assert_eq!(normalise_suite(suite(&["cart", "adds"]), "cart > adds"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn moving_text_between_parts_changes_the_identity(a in "[a-z]{1,8}", b in "[a-z]{1,8}", c in "[a-z]{1,8}") {
            let one = [a.clone(), b.clone()];
            let other = [format!("{a}{b}")];
            let left = test_id(project(), Parts { suite: &one, name: &c, ..Parts::default() });
            let right = test_id(project(), Parts { suite: &other, name: &c, ..Parts::default() });
            prop_assert_ne!(left, right);
        }

        #[test]
        fn relative_path_never_panics_and_is_stable(path in "\\PC{0,60}") {
            let once = relative_path(&path);
            if !once.starts_with('/') && !once.contains(':') && !once.contains('\\') && !once.starts_with("./") {
                prop_assert_eq!(relative_path(&once), once);
            }
        }
    }
}
