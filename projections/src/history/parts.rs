//! The series of joined tests, each under the id that its reports gave, and what they say together.

use super::{
    aliases::Aliases,
    series::{Key, Series, stored},
    stored::{self, Table},
};
use crate::ApplyError;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};

/// What the parts say together in each of these series; nothing of those that have none.
pub(super) async fn together(
    conn: &mut PgConnection,
    aliases: &Aliases,
    keys: impl Iterator<Item = Key>,
) -> Result<Vec<Series>, ApplyError> {
    let wanted: BTreeSet<Key> = keys.map(|key| Key { test: aliases.target(key.test), ..key }).collect();
    let of = |key: &Key| aliases.members(key.test).into_iter().map(|test| Key { test, ..*key }).collect::<Vec<_>>();
    let keys: Vec<Key> = wanted.iter().flat_map(of).collect();
    let parts = stored::load_series(conn, Table::Part, &keys).await?.into_values();
    Ok(joined(aliases, parts))
}

/// Puts the parts of each test together.
pub(super) fn joined(aliases: &Aliases, parts: impl Iterator<Item = Series>) -> Vec<Series> {
    let mut by_key: BTreeMap<Key, Vec<Series>> = BTreeMap::new();
    for part in parts {
        by_key.entry(Key { test: aliases.target(part.key.test), ..part.key }).or_default().push(part);
    }
    let one = |(key, mut parts): (Key, Vec<Series>)| {
        parts.sort_unstable_by_key(|part| part.key.test);
        Series::together(key, parts)
    };
    by_key.into_iter().filter_map(one).collect()
}

pub(super) async fn upsert(conn: &mut PgConnection, parts: &[&Series]) -> Result<(), ApplyError> {
    if parts.is_empty() {
        return Ok(());
    }
    macro_rules! column {
        ($with:expr) => {
            parts.iter().map($with).collect::<Vec<_>>()
        };
    }
    sqlx::query(
        "insert into part (branch_id, test_id, variant, browser, device, os, seen, durations, last_status, first_at, last_at,
                           last_seq)
         select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bytea[],
                              $8::bytea[], $9::smallint[], $10::timestamptz[], $11::timestamptz[], $12::int[])
         on conflict (branch_id, test_id, variant) do update set
           seen = excluded.seen, durations = excluded.durations, last_status = excluded.last_status,
           first_at = excluded.first_at, last_at = excluded.last_at, last_seq = excluded.last_seq",
    )
    .bind(column!(|one| one.key.branch))
    .bind(column!(|one| one.key.test))
    .bind(column!(|one| one.key.variant))
    .bind(column!(|one| one.variant.browser.as_deref()))
    .bind(column!(|one| one.variant.device.as_deref()))
    .bind(column!(|one| one.variant.os.as_deref()))
    .bind(column!(|one| stored(one)))
    .bind(column!(|one| one.durations.clone()))
    .bind(column!(|one| one.last.number()))
    .bind(column!(|one| one.first_at))
    .bind(column!(|one| one.last_at))
    .bind(column!(|one| i32::try_from(one.last_seq).unwrap_or(i32::MAX)))
    .execute(conn)
    .await?;
    Ok(())
}
