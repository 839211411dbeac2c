//! What histories need of reports whose results are dropped: the content of a roll-up.
//!
//! JSON, column by column, with what results have in common written once, then zstd: two or three bytes a result. Read back it
//! says to the histories exactly what the results said.

use super::said::{About, Failure, Said, short, variant_id};
use super::seen::Seen;
use bytes::Bytes;
use scaledtest_domain::{
    DecodeError, TestId, UploadId, compress, decompress, events::rollup::Rolled, report::TestResult,
};
use scaledtest_insight::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;

/// Results in a roll-up, unless a single report has more: they are in memory together.
pub const RESULTS: usize = 200_000;
/// Bytes of a piece of a roll-up in the log.
const PIECE: usize = 512 * 1024;
/// A roll-up inflates to at most this many bytes.
const MAX_INFLATED: usize = 1024 * 1024 * 1024;
/// Version of the format.
const VERSION: u32 = 1;

/// Some reports, reduced to what histories need of them.
#[derive(Debug, Default)]
pub struct Digest {
    content: Content,
    /// Where a test stands.
    tests: HashMap<Test, usize>,
    /// Where a text stands.
    texts: HashMap<String, usize>,
    /// Where a fingerprint stands.
    prints: HashMap<Fingerprint, usize>,
}

/// One report of a [`Digest`].
#[derive(Debug)]
pub struct DigestedReport {
    digest: Arc<Digest>,
    /// Its place there.
    place: usize,
}

impl DigestedReport {
    /// What its results said, and of what.
    pub(super) fn results(&self) -> impl Iterator<Item = (Said, &About)> {
        let report = self.digest.content.reports.get(self.place);
        report.into_iter().flat_map(|report| self.digest.said(report)).map(|(said, test)| (said, &test.about))
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    v: u32,
    tests: Vec<Test>,
    texts: Vec<String>,
    /// Not their keys: a later version may tell otherwise what is near.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    prints: Vec<Fingerprint>,
    reports: Vec<Report>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Test {
    id: TestId,
    #[serde(flatten)]
    about: About,
}

#[derive(Debug, Serialize, Deserialize)]
struct Report {
    #[serde(flatten)]
    rolled: Rolled,
    /// The tests of its results, each as the distance from the one before: mostly ones.
    tests: Vec<i64>,
    /// Their durations, milliseconds.
    ms: Vec<i64>,
    /// Places of results that did not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    not_run: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Failed>,
}

/// A result that failed at least once.
#[derive(Debug, Serialize, Deserialize)]
struct Failed {
    at: usize,
    fails: u16,
    passes: u16,
    fingerprint: Uuid,
    /// Place of its message.
    text: usize,
    /// Place of what its fingerprint is of, if anything was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    print: Option<usize>,
}

impl Digest {
    /// Adds a report.
    pub fn add<'a>(&mut self, report: Rolled, results: impl IntoIterator<Item = &'a TestResult>) {
        let results = results.into_iter();
        self.add_said(report, results.map(|result| (Said::of(result), About::of(result))));
    }

    /// Results that it holds.
    pub fn results(&self) -> usize {
        self.content.reports.iter().map(|report| report.tests.len()).sum()
    }

    /// Reports that it holds, in the order in which they were added.
    pub fn reports(&self) -> Vec<Rolled> {
        self.content.reports.iter().map(|report| report.rolled).collect()
    }

    /// The same with only these of its reports.
    #[must_use]
    pub fn with_only(&self, left: &[Rolled]) -> Self {
        let mut digest = Self::default();
        for report in self.content.reports.iter().filter(|report| left.contains(&report.rolled)) {
            digest.add_said(report.rolled, self.said(report).map(|(said, test)| (said, test.about.clone())));
        }
        digest
    }

    /// As pieces for the log.
    ///
    /// # Errors
    /// When it cannot be compressed.
    pub fn encode(&self) -> Result<Vec<Vec<u8>>, DecodeError> {
        let packed = compress(&serde_json::to_vec(&self.content)?)?;
        Ok(packed.chunks(PIECE).map(<[u8]>::to_vec).collect())
    }

    /// From the pieces of the log.
    ///
    /// # Errors
    /// When they are none, or of a newer version.
    pub fn decode(pieces: &[Bytes]) -> Result<Self, DecodeError> {
        let content: Content = serde_json::from_slice(&decompress(&pieces.concat(), MAX_INFLATED)?)?;
        if content.v > VERSION {
            return Err(DecodeError::Envelope(content.v));
        }
        Ok(Self { content, ..Self::default() })
    }

    /// What an upload said; nothing if it is not here.
    pub fn report(self: &Arc<Self>, upload: UploadId) -> Option<DigestedReport> {
        let place = self.content.reports.iter().position(|report| report.rolled.upload == upload)?;
        Some(DigestedReport { digest: Arc::clone(self), place })
    }

    /// How many results of an upload it holds; nothing if it is not here.
    pub fn results_of(&self, upload: UploadId) -> Option<u64> {
        let report = self.content.reports.iter().find(|report| report.rolled.upload == upload)?;
        Some(report.tests.len() as u64)
    }

    fn add_said(&mut self, rolled: Rolled, results: impl Iterator<Item = (Said, About)>) {
        self.content.v = VERSION;
        let (mut added, mut before) = (Report::new(rolled), -1);
        for (at, (said, about)) in results.enumerate() {
            if said.seen == Seen::NotRun {
                added.not_run.push(at);
            }
            if let (Seen::Failed { fails, passes, .. }, Some(failure)) = (said.seen, said.failure) {
                let text = place(&mut self.texts, &mut self.content.texts, failure.message.unwrap_or_default());
                let print = failure.print.map(|print| place(&mut self.prints, &mut self.content.prints, print));
                added.failed.push(Failed { at, fails, passes, fingerprint: failure.fingerprint, text, print });
            }
            added.ms.push(said.duration_ms);
            let test = Test { id: said.test_id, about };
            let test = place(&mut self.tests, &mut self.content.tests, test) as i64;
            added.tests.push(test - before);
            before = test;
        }
        self.content.reports.push(added);
    }

    fn said<'a>(&'a self, report: &'a Report) -> impl Iterator<Item = (Said, &'a Test)> + 'a {
        let (mut not_run, mut failed) = (report.not_run.iter().peekable(), report.failed.iter().peekable());
        let mut place = -1_i64;
        report.tests.iter().zip(&report.ms).enumerate().map_while(move |(at, (distance, ms))| {
            place = place.saturating_add(*distance);
            let test = usize::try_from(place).ok().and_then(|place| self.content.tests.get(place))?;
            let failure = failed.next_if(|failed| failed.at == at);
            let seen = match failure {
                Some(&Failed { fails, passes, fingerprint, .. }) => {
                    Seen::Failed { fails, passes, fingerprint: short(fingerprint) }
                }
                None if not_run.next_if(|place| **place == at).is_some() => Seen::NotRun,
                None => Seen::Passed,
            };
            let failure = failure.map(|failed| {
                Box::new(Failure {
                    fingerprint: failed.fingerprint,
                    print: failed.print.and_then(|print| self.content.prints.get(print)).cloned(),
                    message: self.content.texts.get(failed.text).cloned(),
                    attempts: failed.fails,
                    flaked: failed.passes > 0,
                })
            });
            let variant_id = variant_id(&test.about.variant);
            Some((Said { test_id: test.id, variant_id, seen, duration_ms: *ms, failure }, test))
        })
    }
}

impl Report {
    fn new(rolled: Rolled) -> Self {
        Self { rolled, tests: Vec::new(), ms: Vec::new(), not_run: Vec::new(), failed: Vec::new() }
    }
}

/// The place of a thing in a list, to which it is added if it is new.
fn place<T: Clone + Eq + std::hash::Hash>(places: &mut HashMap<T, usize>, list: &mut Vec<T>, thing: T) -> usize {
    match places.get(&thing) {
        Some(place) => *place,
        None => {
            list.push(thing.clone());
            places.insert(thing, list.len() - 1);
            list.len() - 1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scaledtest_domain::ReportId;
    use serde_json::json;

    fn results(run: u64, tests: u64) -> Vec<TestResult> {
        let mut random = run;
        let one = |index: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = TestId::derived(&[&index.to_be_bytes()]);
            let failed = (random >> 40).is_multiple_of(200);
            let mut result = json!({
                "test_id": id, "name": format!("handles case {index} with {} items", index % 50),
                "suite": [format!("area {}.spec.ts", index % 12)], "status": if failed { "failed" } else { "passed" },
                "duration_ms": 20 + index * 37 % 800 + (random >> 33) % 80, "file_path": "tests/area.spec.ts",
            });
            if failed {
                result["message"] = json!(format!("timed out after {} ms", random >> 50));
            }
            serde_json::from_value(result).expect("a result")
        };
        (0..tests).map(one).collect()
    }

    #[test]
    fn a_result_takes_two_or_three_bytes() {
        let (runs, tests) = (20, 1_000);
        let mut digest = Digest::default();
        for run in 0..runs {
            let rolled = Rolled { report: ReportId::new(), upload: UploadId::new() };
            digest.add(rolled, &results(run, tests));
        }
        let bytes: usize = digest.encode().expect("pieces").iter().map(Vec::len).sum();
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let each = bytes as f64 / (runs * tests) as f64;
        assert!(each < 3.0, "{each} bytes");
        assert_eq!(digest.results(), 20_000);
    }
}
