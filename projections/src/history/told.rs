//! What reports said of tests that never failed, written down while more is coming.
//!
//! Such a test is most tests, and what a report adds to its series is a pass and how long it took. While reports come one
//! after the other, that is one row of the table `told` for all series of a branch, a few bytes each besides their ids,
//! instead of a new version of each series' row. The rows last until the series are written, and tell a projector that
//! comes after one that ended what to write.
//!
//! A series is its test, then in LEB128 its variant and how many runs there are; of each run its distance from the one before
//! and whether the test passed (`distance << 1 | passed`), and if it did, the code of its duration, a byte.

use super::{
    facts::Fact,
    seen::{Entry, Reader, Seen, put},
    series::Key,
    stored,
};
use crate::ApplyError;
use chrono::{DateTime, Utc};
use scaledtest_insight::durations;
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// What a report said of a test, when its run was, and how long it took, milliseconds.
pub(super) type Run = (Entry, DateTime<Utc>, i64);

/// What reports said of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub test: Uuid,
    pub variant: i64,
    /// By the number of the report, ascending: the code of the duration if the test passed, none if it did not run.
    pub runs: Vec<(u32, Option<u8>)>,
}

/// Writes down what was told of series, by branch.
pub(super) async fn insert(
    conn: &mut PgConnection,
    told: impl IntoIterator<Item = (Uuid, Told)>,
) -> Result<(), ApplyError> {
    let mut branches: BTreeMap<Uuid, (u32, Vec<u8>)> = BTreeMap::new();
    for (branch, told) in told {
        let (newest, bytes) = branches.entry(branch).or_default();
        *newest = told.runs.last().map_or(*newest, |(seq, _)| (*newest).max(*seq));
        told.encode(bytes);
    }
    if branches.is_empty() {
        return Ok(());
    }
    sqlx::query("insert into told (branch_id, seq, series) select * from unnest($1::uuid[], $2::int[], $3::bytea[])")
        .bind(branches.keys().copied().collect::<Vec<_>>())
        .bind(branches.values().map(|(newest, _)| i32::try_from(*newest).unwrap_or(i32::MAX)).collect::<Vec<_>>())
        .bind(branches.into_values().map(|(_, bytes)| bytes).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}

/// All that is written down of each series, in the order in which it was said.
pub(super) async fn load(conn: &mut PgConnection) -> Result<Vec<(Key, Vec<Run>)>, ApplyError> {
    let rows: Vec<(Uuid, i32, Vec<u8>)> = sqlx::query_as(
        "select branch_id, settled, series from told join branch on branch.id = branch_id order by branch_id, seq",
    )
    .fetch_all(&mut *conn)
    .await?;
    // The reports before have nothing here: a branch may have very many of them.
    let since: BTreeMap<Uuid, u32> =
        rows.iter().map(|(branch, settled, _)| (*branch, u32::try_from(*settled).unwrap_or_default())).collect();
    let facts = stored::load_facts(conn, &since).await?;
    let times: HashMap<(Uuid, u32), DateTime<Utc>> = facts
        .iter()
        .flat_map(|(branch, facts)| facts.iter().map(|fact: &Fact| ((*branch, fact.seq), fact.at)))
        .collect();
    let mut all = Vec::new();
    for (branch, _, bytes) in rows {
        for told in decode(&bytes) {
            let run = |(seq, code): &(u32, Option<u8>)| {
                let seen = if code.is_some() { Seen::Passed } else { Seen::NotRun };
                let ms = code.map_or(0, |code| i64::try_from(durations::decode(code)).unwrap_or(i64::MAX));
                Some((Entry { seq: *seq, seen }, *times.get(&(branch, *seq))?, ms))
            };
            let key = Key { branch, test: told.test, variant: told.variant };
            all.push((key, told.runs.iter().filter_map(run).collect()));
        }
    }
    Ok(all)
}

/// All of it is in the series now. Deleting leaves some megabytes a second for vacuum; truncating does not, but would
/// wait for a backup to end.
const CLEAR: &str = "do $$ begin
       lock table told in access exclusive mode nowait;
       truncate told;
     exception when lock_not_available then
       delete from told;
     end $$";

/// Forgets what was written down.
pub(super) async fn clear(conn: &mut PgConnection) -> Result<(), ApplyError> {
    sqlx::raw_sql(CLEAR).execute(conn).await?;
    Ok(())
}

impl Told {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.test.as_bytes());
        put(bytes, self.variant.cast_unsigned());
        put(bytes, self.runs.len() as u64);
        let mut before = 0;
        for (seq, code) in &self.runs {
            put(bytes, u64::from(seq - before) << 1 | u64::from(code.is_some()));
            bytes.extend(code);
            before = *seq;
        }
    }
}

/// Undoes [`Told::encode`] for one after the other. What is cut off or damaged ends the list.
fn decode(bytes: &[u8]) -> Vec<Told> {
    let mut reader = Reader::of(bytes);
    std::iter::from_fn(|| read(&mut reader)).collect()
}

fn read(reader: &mut Reader<'_>) -> Option<Told> {
    let test = Uuid::from_bytes(reader.take()?);
    let variant = reader.number()?.cast_signed();
    let mut runs = Vec::new();
    let mut before = 0_u32;
    for _ in 0..reader.number()? {
        let head = reader.number()?;
        before = before.checked_add(u32::try_from(head >> 1).ok()?)?;
        let code = if head & 1 == 1 { Some(reader.take::<1>()?[0]) } else { None };
        runs.push((before, code));
    }
    Some(Told { test, variant, runs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told() -> impl Strategy<Value = Told> {
        let runs = proptest::collection::btree_map(any::<u32>(), any::<Option<u8>>(), 0..20);
        (any::<u128>(), any::<i64>(), runs).prop_map(|(test, variant, runs)| Told {
            test: Uuid::from_u128(test),
            variant,
            runs: runs.into_iter().collect(),
        })
    }

    proptest! {
        #[test]
        fn what_is_written_down_is_read_again(all in proptest::collection::vec(told(), 0..20)) {
            let mut bytes = Vec::new();
            all.iter().for_each(|told| told.encode(&mut bytes));
            prop_assert_eq!(decode(&bytes), all);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            decode(&bytes);
        }

        #[test]
        fn a_duration_has_the_code_that_it_was_made_from(code in any::<u8>()) {
            prop_assert_eq!(durations::encode(i64::try_from(durations::decode(code)).unwrap()), code);
        }
    }
}
