//! What histories want to know of a result.

use super::{owners::named, seen::Seen};
use scaledtest_domain::{
    TestId,
    report::{Status, TestResult, Variant},
};
use scaledtest_insight::{
    attempts_of,
    fingerprint::{Fingerprint, fingerprint},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Characters of a failure's message that its kind is shown by.
const SAMPLE: usize = 500;

/// One result, reduced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub test_id: TestId,
    pub variant_id: i64,
    pub seen: Seen,
    pub duration_ms: i64,
    pub failure: Option<Box<Failure>>,
}

/// What is said of a test again and again, and read only when the test is new.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct About {
    pub name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suite: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whom the report names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    #[serde(default)]
    pub variant: Variant,
}

impl About {
    pub fn of(result: &TestResult) -> Self {
        Self {
            name: result.name.clone(),
            suite: result.suite.clone(),
            file_path: result.file_path.clone(),
            tags: result.tags.clone(),
            owners: named(result),
            variant: result.variant.clone(),
        }
    }
}

/// How it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub fingerprint: Uuid,
    /// What the fingerprint is of, if anything was said.
    pub print: Option<Fingerprint>,
    /// This and `print` are taken from the first failure of a report with the fingerprint, and forgotten of the others.
    pub message: Option<String>,
    pub attempts: u16,
    pub flaked: bool,
}

impl Said {
    pub fn of(result: &TestResult) -> Self {
        let failure = failure(result);
        let seen = match (attempts_of(result), &failure) {
            (None, _) => Seen::NotRun,
            (Some(_), None) => Seen::Passed,
            (Some(attempts), Some(failure)) => {
                Seen::Failed { fails: attempts.fails, passes: attempts.passes, fingerprint: short(failure.fingerprint) }
            }
        };
        Self {
            test_id: result.test_id,
            variant_id: variant_id(&result.variant),
            seen,
            duration_ms: result.duration_ms,
            failure: failure.map(Box::new),
        }
    }
}

/// The first 64 bits of a fingerprint.
pub(super) fn short(fingerprint: Uuid) -> u64 {
    fingerprint.as_u64_pair().0
}

/// Of the first attempt that failed: the later ones may only be its consequences.
fn failure(result: &TestResult) -> Option<Failure> {
    let attempts = attempts_of(result).filter(|attempts| attempts.fails > 0)?;
    let first = result.attempts.iter().find(|attempt| attempt.status == Status::Failed);
    let first = first.filter(|first| first.message.is_some() || first.trace.is_some());
    let (message, trace) = match first {
        Some(first) => (first.message.as_deref(), first.trace.as_deref()),
        None => (result.message.as_deref(), result.trace.as_deref()),
    };
    let found = fingerprint(message, trace);
    let id = found.as_ref().map_or(Uuid::nil(), |found| Uuid::from_bytes(found.id.0));
    let said = message.or(trace).unwrap_or_default().trim();
    let message = Some(said.chars().take(SAMPLE).collect());
    Some(Failure { fingerprint: id, print: found, message, attempts: attempts.fails, flaked: attempts.passes > 0 })
}

/// Follows from what the variant is.
pub(crate) fn variant_id(variant: &Variant) -> i64 {
    if variant == &Variant::default() {
        return 0;
    }
    let mut hash = Sha256::new();
    for part in [&variant.browser, &variant.device, &variant.os] {
        // No part can look like an absent one followed by another.
        hash.update(part.as_ref().map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        hash.update(part.as_deref().unwrap_or_default());
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    i64::from_be_bytes(first)
}
