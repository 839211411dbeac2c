//! Gates: events to rows, and histories that could have been come to the same rows however they are cut.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use scaledtest_domain::{
    EvaluationId, Event, GateId, Hash16, Kind, ReportId, RunId, StreamId, UserId, WaiverId,
    events::{evaluation, gate, report},
    gate::{Check, Definition, Extent, Level, Outcome, Rule, Seen, Waiver},
};
use scaledtest_projections::Item;
use std::sync::Arc;
use support::{replay::replayed_alike, *};

/// A gate's whole life in few ids, so that it often meets itself again: what it does, to which gate, for which report.
fn gate_item(i: usize, (what, gate, report): (u8, u8, u8)) -> Item {
    let (gate, report) = (GateId::derived(&[&[gate]]), ReportId::derived(&[&[report]]));
    let rules = vec![Rule { check: Check::ZeroFailures, level: Level::Block, scope: None }];
    let definition = Definition {
        name: format!("gate {i}"),
        description: None,
        rules: rules.clone(),
        branches: vec!["main".into()],
        enabled: what % 2 == 0,
    };
    let n = i as u64 * 3 + 1;
    let (kind, id, event) = match what {
        0 | 1 => (Kind::Gate, gate.0, Event::Gate(gate::Event::Created(gate::Created { gate, definition }))),
        2 | 3 => (Kind::Gate, gate.0, Event::Gate(gate::Event::Changed(gate::Changed { gate, definition }))),
        12 | 13 => {
            let waiver = Waiver {
                id: WaiverId::derived(&[gate.0.as_bytes(), report.0.as_bytes()]),
                rule: rules[0].clone(),
                extent: if what == 12 { Extent::Branch("main".into()) } else { Extent::Run(RunId(report.0)) },
                reason: "known".into(),
                by: UserId::derived(&[b"u"]),
                expires_at: start() + chrono::TimeDelta::days(7),
            };
            let waived = gate::RuleWaived { gate, waiver };
            (Kind::Gate, gate.0, Event::Gate(gate::Event::RuleWaived(Box::new(waived))))
        }
        14 => {
            let waiver = WaiverId::derived(&[gate.0.as_bytes(), report.0.as_bytes()]);
            let by = UserId::derived(&[b"u"]);
            (Kind::Gate, gate.0, Event::Gate(gate::Event::WaiverRevoked(gate::WaiverRevoked { gate, waiver, by })))
        }
        4 => (Kind::Gate, gate.0, Event::Gate(gate::Event::Deleted(gate::Deleted { gate }))),
        5 => {
            let spec = Spec::new("gone", Vec::new());
            let none = report::Chunks { count: 0, first: 0, last: 0, hash: Hash16::of(b"") };
            let deleted = report::Deleted { report, ..spec.deleted(none) };
            (Kind::Report, report.0, Event::Report(report::Event::Deleted(deleted)))
        }
        _ => {
            let evaluation = EvaluationId::derived(&[gate.0.as_bytes(), report.0.as_bytes()]);
            let evaluated = evaluation::Evaluated {
                evaluation,
                gate,
                name: "gate".into(),
                version: 1,
                report,
                run: RunId::derived(&[report.0.as_bytes()]),
                report_no: Some(n - 1),
                rules: Vec::new(),
                baseline: None,
                seen: Seen::default(),
                outcome: Outcome::Passed,
                results: Vec::new(),
            };
            (Kind::Evaluation, evaluation.0, Event::Evaluation(evaluation::Event::Evaluated(Box::new(evaluated))))
        }
    };
    let stream = StreamId::of(team_id(), kind, id);
    let at = start() + chrono::TimeDelta::minutes(i as i64);
    Item::new(n, Arc::new(commit(stream, n, at, &event)), vec![event])
}

#[tokio::test]
async fn gates_become_these_rows() {
    let database = database().await;
    let acts = [
        (0, 1, 1),
        (1, 2, 1),
        (6, 1, 1),
        (6, 2, 1),
        (6, 1, 2),
        (6, 3, 2),
        (2, 2, 1),
        (5, 1, 2),
        (0, 4, 1),
        (12, 4, 1),
        (4, 4, 1),
        (12, 1, 1),
        (13, 1, 2),
        (14, 1, 1),
        (12, 3, 1),
    ];
    let items: Vec<Item> = acts.into_iter().enumerate().map(|(i, act)| gate_item(i, act)).collect();
    let rows = applied(&database.pool, "gates", "rows", &[&items]).await;
    insta::assert_snapshot!("gates", render(&rows));
}

#[test]
fn gates_are_the_same_however_they_are_replayed() {
    replayed_alike(&["gates"], 24, (0..15_u8, 0..2_u8, 0..3_u8), |acts| {
        acts.into_iter().enumerate().map(|(i, act)| gate_item(i, act)).collect()
    });
}

#[test]
fn of_reports_only_deletions_cost_the_gates_a_transaction() {
    let gates = projection("gates");
    let wanted = (0..15).map(|what| gate_item(1, (what, 1, 1)));
    assert!(wanted.flat_map(|item| item.events).all(|event| gates.wants(&event)));
    let none = report::Chunks { count: 0, first: 0, last: 0, hash: Hash16::of(b"") };
    let ingested = Spec::new("one", passed(1)).ingested(start(), none);
    assert!(!gates.wants(&Event::Report(report::Event::Ingested(Box::new(ingested)))));
}
