//! Reports that real tools have written.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{corpus, index, take};
use std::{collections::BTreeMap, fmt::Write};

/// Our word for a status as the independent count has it.
fn ours(word: &str) -> &str {
    if word == "error" { "failed" } else { word }
}

#[test]
fn every_report_of_the_corpus_is_taken_with_every_test() {
    let files = index();
    assert_eq!(files.len(), 73);
    for file in files {
        let taken = take(&corpus(&file.path)).unwrap_or_else(|error| panic!("{}: {error}", file.path));
        let counts = taken.outcome.counts;
        assert_eq!((taken.results.len() as u64, taken.envelope.tests), (file.tests, file.tests), "{}", file.path);
        let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
        for (word, count) in &file.by_status {
            *expected.entry(ours(word)).or_default() += count;
        }
        let counted = [
            ("passed", counts.passed),
            ("failed", counts.failed),
            ("skipped", counts.skipped),
            ("pending", counts.pending),
            ("other", counts.other),
        ];
        let counted: BTreeMap<&str, u64> = counted.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, expected, "{}", file.path);
    }
}

/// What a producer's reports are grouped by: the runs of a history and the shards of a run are one.
fn group(path: &str) -> &str {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    if folder == "ctrf" || folder == "ctrf/large" { path } else { folder }
}

fn general(path: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in path.chars() {
        inside = (inside || letter == '[') && letter != ']';
        if !inside || letter == '[' {
            text.push(letter);
        }
    }
    text
}

#[test]
fn the_diagnostics_of_every_producer_are_known() {
    let mut table: BTreeMap<(String, String), BTreeMap<String, u64>> = BTreeMap::new();
    for file in index() {
        let taken = take(&corpus(&file.path)).unwrap();
        let rows = table.entry((group(&file.path).to_owned(), file.tool)).or_default();
        for odd in taken.outcome.diagnostics {
            *rows.entry(format!("{} {}", odd.code, general(&odd.path))).or_default() += odd.count;
        }
    }
    let mut text = String::new();
    for ((group, tool), rows) in table {
        writeln!(text, "{group} ({tool})").unwrap();
        for (row, count) in rows {
            writeln!(text, "    {count:>5} x {row}").unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_report_with_every_field_keeps_them() {
    let taken = take(&corpus("ctrf/ctrf-lib-all-fields.json")).unwrap();
    insta::assert_json_snapshot!(serde_json::json!({
        "meta": taken.outcome.meta,
        "origin": taken.envelope.origin,
        "shard_id": taken.envelope.shard_id,
        "counts": taken.outcome.counts,
        "first": taken.results[0],
        "last": taken.results[5],
    }));
}

#[test]
fn a_playwright_report_keeps_attempts_steps_attachments_and_pictures() {
    let taken = take(&corpus("ctrf/playwright-showcase.json.gz")).unwrap();
    let mut text = String::new();
    for result in &taken.results {
        let attempts: Vec<&str> = result.attempts.iter().map(|attempt| attempt.status.as_str()).collect();
        writeln!(
            text,
            "{} | {} | {}{}{} | retries {} {attempts:?} | {} steps, {} files",
            result.suite.join(" > "),
            result.name.chars().take(60).collect::<String>(),
            result.status.as_str(),
            if result.flaky { ", flaky" } else { "" },
            if result.reported_flaky == Some(true) { ", said to be flaky" } else { "" },
            result.retries,
            result.steps.len(),
            result.attachments.len(),
        )
        .unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_filtered_report_is_partial_and_keeps_the_declared_counts() {
    let taken = take(&corpus("ctrf/pytest-beacon-default-showcase.json")).unwrap();
    let declared = taken.outcome.meta.declared.unwrap();
    assert!(taken.outcome.meta.partial);
    assert_eq!((taken.outcome.counts.tests, taken.outcome.counts.failed), (24, 19));
    assert_eq!((declared.tests, declared.passed, declared.failed, declared.skipped), (51, 27, 19, 5));
}
