//! Reading reports in tests.
#![allow(dead_code, missing_docs, reason = "each test file uses its part")]

use scaledtest_domain::{ProjectId, report::TestResult};
use scaledtest_formats::{Envelope, FormatError, Limits, Outcome, ReadError, open};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, convert::Infallible, io::Read, path::PathBuf};

pub fn project() -> ProjectId {
    ProjectId::derived(&[b"tests"])
}

pub struct Taken {
    pub envelope: Envelope,
    pub results: Vec<TestResult>,
    pub outcome: Outcome,
}

impl Taken {
    /// `code path` of every diagnostic.
    pub fn odd(&self) -> Vec<String> {
        self.outcome.diagnostics.iter().map(|odd| format!("{} {}", odd.code, odd.path)).collect()
    }
}

/// Both passes.
pub fn take(bytes: &[u8]) -> Result<Taken, FormatError> {
    let (document, envelope) = open(bytes, Limits::default())?;
    let mut results = Vec::new();
    let sink = |result| {
        results.push(result);
        Ok::<_, Infallible>(())
    };
    match document.read_tests(&envelope, project(), sink) {
        Ok(outcome) => Ok(Taken { envelope, results, outcome }),
        Err(ReadError::Format(error)) => Err(error),
        Err(ReadError::Sink(never)) => match never {},
    }
}

pub fn taken(document: &Value) -> Taken {
    take(document.to_string().as_bytes()).unwrap()
}

/// A report of these tests.
pub fn report(tests: Value) -> Value {
    serde_json::json!({"results": {"tool": {"name": "jest"}, "tests": tests}})
}

/// The result of a report of one test with these fields beside a name and a status.
pub fn one(fields: Value) -> (TestResult, Vec<String>) {
    let mut test = serde_json::json!({"name": "adds", "status": "passed"});
    test.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let mut taken = taken(&report(serde_json::json!([test])));
    let mut odd = taken.odd();
    odd.retain(|odd| !odd.starts_with("summary_missing"));
    (taken.results.remove(0), odd)
}

#[derive(Deserialize)]
pub struct Index {
    pub files: Vec<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    pub path: String,
    pub tool: String,
    pub tests: u64,
    pub by_status: BTreeMap<String, u64>,
}

pub fn corpus(path: &str) -> Vec<u8> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus");
    let bytes = std::fs::read(root.join(path)).unwrap();
    if !path.ends_with(".gz") {
        return bytes;
    }
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut inflated).unwrap();
    inflated
}

pub fn index() -> Vec<File> {
    serde_json::from_slice::<Index>(&corpus("index.json")).unwrap().files
}
