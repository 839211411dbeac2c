//! Known issues: events to rows, and histories that could have been come to the same rows however they are cut.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what it shows by its name, and fails by panicking")]

mod support;

use chrono::TimeDelta;
use proptest::prelude::*;
use scaledtest_domain::{
    ErrorId, Event, IssueId, Kind, StreamId, TeamId, UserId,
    events::{
        issue::{self, Changed, Closed, Linked, Terms},
        team,
    },
};
use scaledtest_projections::Item;
use std::collections::BTreeMap;
use support::{replay::replayed_alike, *};
use uuid::Uuid;

/// What happens; numbers stand for teams and errors.
#[derive(Debug, Clone, Copy)]
enum Op {
    /// An error is linked, its terms are changed, or it is closed, as it fits.
    Error(u8, u8, u8),
    DeleteTeam(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..2_u8, 0..3_u8, 0..4_u8).prop_map(|(team, error, what)| Op::Error(team, error, what)),
        1 => (0..2_u8).prop_map(Op::DeleteTeam),
    ]
}

fn a_team(n: u8) -> TeamId {
    TeamId::derived(&[b"team", &[n]])
}

fn ada() -> UserId {
    UserId::derived(&[b"ada"])
}

fn terms(n: u64) -> Terms {
    Terms {
        ticket: format!("SHOP-{n}"),
        note: n.is_multiple_of(3).then(|| format!("note {n}\0")),
        expires_at: n.is_multiple_of(2).then(|| start() + TimeDelta::minutes(n as i64)),
    }
}

fn history(ops: Vec<Op>) -> Vec<Item> {
    let mut open: BTreeMap<(u8, u8), IssueId> = BTreeMap::new();
    let mut items = Vec::new();
    for op in ops {
        let n = items.len() as u64 + 1;
        let (team, kind, id, event) = match op {
            Op::Error(team, error, what) => {
                let event = match (open.get(&(team, error)).copied(), what) {
                    // An earlier one may have expired.
                    (None, _) | (_, 0) => {
                        let issue = IssueId::derived(&[&n.to_be_bytes()]);
                        open.insert((team, error), issue);
                        let project = project_id(&format!("project {team}"));
                        let fingerprint = Uuid::from_u128(error.into());
                        issue::Event::Linked(Linked { issue, project, fingerprint, user: ada(), terms: terms(n) })
                    }
                    (Some(issue), 1) => issue::Event::Changed(Changed { issue, user: ada(), terms: terms(n) }),
                    (Some(issue), _) => {
                        open.remove(&(team, error));
                        issue::Event::Closed(Closed { issue, user: ada() })
                    }
                };
                (team, Kind::Issue, ErrorId::derived(&[&[team, error]]).0, Event::Issue(event))
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
        Op::Error(0, 0, 0),
        Op::Error(0, 0, 1),
        Op::Error(0, 1, 0),
        Op::Error(0, 0, 2),
        Op::Error(0, 0, 0),
        Op::Error(0, 2, 0),
        Op::Error(0, 2, 3),
        Op::Error(1, 0, 0),
        Op::DeleteTeam(1),
    ];
    let tables = applied(&database.pool, "issues", "rows", &[&history(ops)]).await;
    insta::assert_snapshot!("issues", render(&tables));
}

#[test]
fn one_batch_equals_some_equals_one_by_one() {
    replayed_alike(&["issues"], 32, op(), history);
}
