//! Stays in quarantine: events to rows, and histories that could have been come to the same rows however they are cut.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use chrono::TimeDelta;
use proptest::prelude::*;
use scaledtest_domain::{
    Event, Kind, QuarantineId, StreamId, TeamId, TestId, UserId,
    events::{
        policy::{self, Rules},
        quarantine::{self, By, Changed, Entered, Evidence, Mode, Released, Terms, Why},
        team,
    },
};
use scaledtest_projections::Item;
use std::collections::BTreeMap;
use support::{replay::replayed_alike, *};

/// What happens; numbers stand for teams and tests.
#[derive(Debug, Clone, Copy)]
enum Op {
    /// A test is put there, its terms are changed, or it comes out, as it fits.
    Test(u8, u8, u8),
    Policy(u8, u8),
    DeleteTeam(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..2_u8, 0..3_u8, 0..4_u8).prop_map(|(team, test, what)| Op::Test(team, test, what)),
        2 => (0..2_u8, 0..4_u8).prop_map(|(team, what)| Op::Policy(team, what)),
        1 => (0..2_u8).prop_map(Op::DeleteTeam),
    ]
}

fn a_team(n: u8) -> TeamId {
    TeamId::derived(&[b"team", &[n]])
}

fn terms(n: u64) -> Terms {
    Terms {
        mode: Mode::ALL[(n % 2) as usize],
        reason: format!("reason {n}\0"),
        owner: n.is_multiple_of(3).then(|| "@qa".to_owned()),
        ticket: n.is_multiple_of(2).then(|| format!("SHOP-{n}")),
        expires_at: start() + TimeDelta::days(14) + TimeDelta::minutes(n as i64),
    }
}

fn entered(team: u8, test: u8, n: u64) -> Entered {
    let evidence = Evidence {
        branch: "main".into(),
        state: "flaky".into(),
        score: 0.25,
        score_low: 0.125,
        score_high: 0.5,
        runs: 40,
    };
    Entered {
        quarantine: QuarantineId::derived(&[&n.to_be_bytes()]),
        project: project_id(&format!("project {team}")),
        test: TestId::derived(&[&[team, test]]),
        by: if n.is_multiple_of(2) { By::Policy } else { By::Person { user: UserId::derived(&[b"ada"]) } },
        terms: terms(n),
        evidence: n.is_multiple_of(2).then_some(evidence),
    }
}

fn history(ops: Vec<Op>) -> Vec<Item> {
    let mut open: BTreeMap<(u8, u8), QuarantineId> = BTreeMap::new();
    let mut items = Vec::new();
    for op in ops {
        let n = items.len() as u64 + 1;
        let (team, kind, id, event) = match op {
            Op::Test(team, test, what) => {
                let id = TestId::derived(&[&[team, test]]).0;
                let event = match (open.get(&(team, test)).copied(), what) {
                    (None, _) => {
                        let entered = entered(team, test, n);
                        open.insert((team, test), entered.quarantine);
                        quarantine::Event::Entered(entered)
                    }
                    (Some(quarantine), 0 | 1) => quarantine::Event::Changed(Changed { quarantine, terms: terms(n) }),
                    (Some(quarantine), _) => {
                        open.remove(&(team, test));
                        let user = n.is_multiple_of(2).then(|| UserId::derived(&[b"ada"]));
                        let why = Why::ALL[(n % 4) as usize];
                        quarantine::Event::Released(Released { quarantine, why, user })
                    }
                };
                (team, Kind::Quarantine, id, Event::Quarantine(event))
            }
            Op::Policy(team, what) => {
                let project = project_id(&format!("project {team}"));
                let rules = Rules { enabled: what > 1, max_count: u32::from(what), ..Rules::default() };
                let set = policy::Set { project, user: UserId::derived(&[b"ada"]), rules };
                (team, Kind::Policy, project.0, Event::Policy(policy::Event::Set(set)))
            }
            // Its other streams may go on: they are written by whoever had not heard of it yet.
            Op::DeleteTeam(team) => {
                let deleted = team::Deleted { team: a_team(team) };
                (team, Kind::Team, a_team(team).0, Event::Team(team::Event::Deleted(deleted)))
            }
        };
        items.push(item(StreamId::of(a_team(team), kind, id), n, event));
    }
    items
}

#[tokio::test]
async fn events_become_these_rows() {
    let database = database().await;
    let ops = vec![
        Op::Test(0, 0, 0),
        Op::Test(0, 0, 1),
        Op::Test(0, 1, 0),
        Op::Test(0, 0, 3),
        Op::Test(0, 0, 0),
        Op::Policy(0, 1),
        Op::Policy(0, 3),
        Op::Test(1, 0, 0),
        Op::DeleteTeam(1),
    ];
    let tables = applied(&database.pool, "quarantine", "rows", &[&history(ops)]).await;
    insta::assert_snapshot!("quarantine", render(&tables));
}

#[test]
fn one_batch_equals_some_equals_one_by_one() {
    replayed_alike(&["quarantine"], 48, op(), history);
}
