//! Histories of real tools with known truth (`testdata/corpus/history`).

use scaledtest_domain::{
    ProjectId,
    report::{Status, TestResult},
};
use scaledtest_formats::{Limits, ReadError, open};
use scaledtest_insight::fingerprint::{Fingerprint, fingerprint};
use serde::Deserialize;
use std::{collections::BTreeMap, convert::Infallible, io::Read, path::PathBuf};

/// Those written in a format that is read. The fourth one of the corpus is JUnit.
pub const HISTORIES: [&str; 3] = ["jest-billing-16", "pw-shop-24", "pytest-inventory-12"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Truth {
    pub runs: Vec<Run>,
    pub tests: Vec<Test>,
    pub flaky_tests: Vec<Flaky>,
    pub regressions: Vec<Regression>,
    pub always_failing: Vec<Ided>,
    pub branch_only_failures: Vec<Ided>,
    pub outages: Vec<Outage>,
    pub renamed: Vec<Renamed>,
    pub failure_causes: BTreeMap<String, Cause>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub run: usize,
    pub started_at: String,
    pub commit: String,
    pub branch: String,
    pub file: String,
}

#[derive(Deserialize)]
pub struct Test {
    pub id: String,
    pub name: String,
    pub suite: Vec<String>,
    pub file: String,
    pub outcomes: String,
}

#[derive(Deserialize)]
pub struct Flaky {
    pub id: String,
    pub observed: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Regression {
    pub id: String,
    pub runs_failed: Vec<usize>,
}

#[derive(Deserialize)]
pub struct Ided {
    pub id: String,
}

#[derive(Deserialize)]
pub struct Outage {
    pub run: usize,
    pub tests: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Renamed {
    pub id: String,
    pub new_name: String,
    pub from_run: usize,
}

#[derive(Deserialize)]
pub struct Cause {
    pub occurrences: Vec<Occurrence>,
}

#[derive(Deserialize)]
pub struct Occurrence {
    pub run: usize,
    pub test: String,
    pub attempt: usize,
}

pub struct History {
    pub truth: Truth,
    /// By run, in order.
    pub reports: Vec<Vec<TestResult>>,
}

impl Truth {
    pub fn outcome(&self, test: &Test, run: usize) -> char {
        test.outcomes.as_bytes()[run - 1] as char
    }

    pub fn in_outage(&self, id: &str, run: usize) -> bool {
        self.outages.iter().any(|outage| outage.run == run && outage.tests.iter().any(|test| test == id))
    }

    fn name_in(&self, test: &Test, run: usize) -> String {
        let renamed = self.renamed.iter().find(|renamed| renamed.id == test.id && run >= renamed.from_run);
        renamed.map_or(&test.name, |renamed| &renamed.new_name).clone()
    }
}

impl History {
    /// The result of a test in a run.
    pub fn result(&self, test: &Test, run: usize) -> Option<&TestResult> {
        let name = self.truth.name_in(test, run);
        let whole = |result: &TestResult| format!("{} {}", result.suite.join(" "), result.name);
        let fits = |result: &&TestResult| {
            let path = result.file_path.clone().unwrap_or_else(|| result.name.clone());
            result.name.ends_with(&name)
                && path.contains(test.file.rsplit('/').next().unwrap())
                && test.suite.iter().all(|suite| whole(result).contains(suite.as_str()))
        };
        let found: Vec<&TestResult> = self.reports[run - 1].iter().filter(fits).collect();
        // "updates" ends other names too: the shortest is meant.
        found.into_iter().min_by_key(|result| whole(result).len())
    }
}

fn read(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus/history").join(path);
    if path.exists() {
        return std::fs::read(path).unwrap();
    }
    let packed = std::fs::read(path.with_extension("json.gz")).unwrap();
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(&*packed).read_to_end(&mut inflated).unwrap();
    inflated
}

pub fn history(name: &str) -> History {
    let truth: Truth = serde_json::from_slice(&read(&format!("{name}/truth.json"))).unwrap();
    let reports = truth.runs.iter().map(|run| report(&read(&format!("{name}/{}", run.file)))).collect();
    History { truth, reports }
}

fn report(bytes: &[u8]) -> Vec<TestResult> {
    let (document, envelope) = open(bytes, Limits::default()).unwrap();
    let mut results = Vec::new();
    let sink = |result| {
        results.push(result);
        Ok::<_, Infallible>(())
    };
    match document.read_tests(&envelope, ProjectId::derived(&[b"tests"]), sink) {
        Ok(_) => results,
        Err(ReadError::Format(error)) => panic!("{error}"),
        Err(ReadError::Sink(never)) => match never {},
    }
}

/// What the failed attempts of a result said, by attempt from 0.
pub fn failures(result: &TestResult) -> BTreeMap<usize, (String, Option<Fingerprint>)> {
    let mut failures = BTreeMap::new();
    let attempts = result.attempts.iter().map(|attempt| (attempt.status, &attempt.message, &attempt.trace));
    for (i, (status, message, trace)) in attempts.chain([(result.status, &result.message, &result.trace)]).enumerate() {
        if status == Status::Failed {
            let found = fingerprint(message.as_deref(), trace.as_deref());
            failures.insert(i, (message.clone().unwrap_or_default(), found));
        }
    }
    failures
}
