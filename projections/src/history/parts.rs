//! The series of joined tests, each under the id that its reports gave, and what they say together.

use super::{
    aliases::Aliases,
    series::{Key, Series},
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
