//! How often tests passed and failed in some reports of two branches, as their series tell.

use crate::history::seen::{Entries, WINDOW};
use scaledtest_insight::Outcome;
use sqlx::{FromRow, PgPool};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What the reports of a side say of a test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// In how many of them every attempt failed.
    pub failed: u32,
    /// In how many of them it passed, at once or in the end.
    pub passed: u32,
    /// The newest one in which it failed.
    pub newest_failure: Option<Uuid>,
    /// The newest one that tells of it, run or not.
    pub newest: Option<Uuid>,
}

/// Tests of which the reports say the very same: nearly all pass in all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    /// Each with its variant.
    pub tests: Vec<(Uuid, i64)>,
    /// What either side says.
    pub sides: [Outcomes; 2],
}

/// The reports of a side, by their numbers on their branch.
#[derive(Debug, Default)]
struct Side {
    branch: Uuid,
    reports: BTreeMap<u32, Uuid>,
}

#[derive(FromRow)]
struct Fact {
    report_id: Uuid,
    branch_id: Uuid,
    seq: i32,
    /// Whether the series of the branch have all that was said, and all of these reports.
    told: bool,
}

/// What the reports of two sides, each of one branch, say of every test in them; a test that a report has twice counts once.
/// None if the series do not have all of it (yet, or any more).
///
/// # Errors
/// What the database says.
pub async fn outcomes(pool: &PgPool, reports: [&[Uuid]; 2]) -> Result<Option<Vec<Alike>>, sqlx::Error> {
    let facts: Vec<Fact> = sqlx::query_as(
        "select report_id, branch_id, seq, settled = reports and seq > reports - $2 as told
         from history.fact join history.branch on branch.id = branch_id where report_id = any($1)",
    )
    .bind(reports.concat())
    .bind(i32::try_from(WINDOW).unwrap_or(i32::MAX))
    .fetch_all(pool)
    .await?;
    let known: BTreeSet<Uuid> = facts.iter().filter(|fact| fact.told).map(|fact| fact.report_id).collect();
    if reports.iter().any(|side| side.iter().any(|report| !known.contains(report))) {
        return Ok(None);
    }
    let [base, head] = reports.map(|side| Side::of(&facts, side));
    type Row = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<Uuid>, Vec<i64>);
    let rows: Vec<Row> = sqlx::query_as(
        "select base.seen, head.seen, array_agg(test_id), array_agg(variant)
         from (select test_id, variant, seen from history.series where branch_id = $1 and last_seq >= $2) base
         full join (select test_id, variant, seen from history.series where branch_id = $3 and last_seq >= $4) head
           using (test_id, variant)
         group by base.seen, head.seen",
    )
    .bind(base.branch)
    .bind(base.first())
    .bind(head.branch)
    .bind(head.first())
    .fetch_all(pool)
    .await?;
    let alike = |(in_base, in_head, tests, variants): Row| {
        let sides = [base.outcomes(in_base.as_deref()), head.outcomes(in_head.as_deref())];
        let tests = tests.into_iter().zip(variants).collect();
        sides.iter().any(|side| side.newest.is_some()).then_some(Alike { tests, sides })
    };
    Ok(Some(rows.into_iter().filter_map(alike).collect()))
}

impl Side {
    fn of(facts: &[Fact], reports: &[Uuid]) -> Self {
        let mut side = Self::default();
        for fact in facts.iter().filter(|fact| reports.contains(&fact.report_id)) {
            side.branch = fact.branch_id;
            side.reports.insert(u32::try_from(fact.seq).unwrap_or_default(), fact.report_id);
        }
        side
    }

    /// The number of its first report.
    fn first(&self) -> i32 {
        self.reports.keys().next().and_then(|seq| i32::try_from(*seq).ok()).unwrap_or(i32::MAX)
    }

    /// What its reports say of a test with that series.
    fn outcomes(&self, seen: Option<&[u8]>) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for entry in Entries::decode(seen.unwrap_or_default()).iter() {
            let Some(report) = self.reports.get(&entry.seq) else { continue };
            outcomes.newest = Some(*report);
            match entry.seen.outcome() {
                Some(Outcome::Failed) => {
                    outcomes.failed += 1;
                    outcomes.newest_failure = Some(*report);
                }
                Some(Outcome::Passed | Outcome::Flaked) => outcomes.passed += 1,
                None => {}
            }
        }
        outcomes
    }
}
