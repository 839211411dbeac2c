//! Kinds of failure, and which of them are one error: those that say nearly the same.
//!
//! Clusters follow from which kinds there are (`scaledtest_insight::fingerprint::join`), so they are the same after any batch, a
//! rebuild, and after reports were deleted. Only when a kind appears or vanishes there is something to do: what is near is
//! looked up by its keys, at most [`COMPARED`] of each.

use super::failures::Failed;
use crate::ApplyError;
use crate::copy::clean;
use scaledtest_domain::Hash16;
use scaledtest_insight::fingerprint::{COMPARED, Fingerprint, Joined, Member, join};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// The keys of a kind: none if nothing was said.
fn keys(failed: &Failed<'_, '_>) -> (Option<i64>, Option<i64>) {
    let keys = failed.failure.print.as_ref().map(Fingerprint::keys).unwrap_or_default();
    (keys.first().copied(), keys.get(1).copied())
}

fn headline(failed: &Failed<'_, '_>) -> String {
    clean(failed.failure.print.as_ref().map_or("", |print| &print.headline))
}

fn place(failed: &Failed<'_, '_>) -> Option<String> {
    failed.failure.print.as_ref().and_then(|print| print.frames.first()).map(|frame| clean(frame))
}

/// Adds those kinds that were not known.
pub(super) async fn insert(conn: &mut PgConnection, failures: &[Failed<'_, '_>]) -> Result<(), ApplyError> {
    let mut first: BTreeMap<(Uuid, Uuid), &Failed<'_, '_>> = BTreeMap::new();
    for failed in failures {
        first.entry((failed.taken.report.project.0, failed.failure.fingerprint)).or_insert(failed);
    }
    // Mostly all are known: that is found out before anything is made of them.
    let known: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "select project_id, fingerprint from unnest($1::uuid[], $2::uuid[]) as wanted (project, kind)
         join error on project_id = project and fingerprint = kind",
    )
    .bind(first.keys().map(|(project, _)| *project).collect::<Vec<_>>())
    .bind(first.keys().map(|(_, fingerprint)| *fingerprint).collect::<Vec<_>>())
    .fetch_all(&mut *conn)
    .await?;
    for kind in &known {
        first.remove(kind);
    }
    if first.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = first.values().map(|failed| keys(failed)).collect();
    sqlx::query(
        "insert into error (project_id, fingerprint, team_id, cluster_id, no, message, place, headline, place_key, words_key)
         select project, kind, team, kind, no, message, place, headline, place_key, words_key
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[],
                     $9::bigint[])
           as new (project, kind, team, no, message, place, headline, place_key, words_key)",
    )
    .bind(first.keys().map(|(project, _)| *project).collect::<Vec<_>>())
    .bind(first.keys().map(|(_, fingerprint)| *fingerprint).collect::<Vec<_>>())
    .bind(first.values().map(|failed| failed.taken.place.team.0).collect::<Vec<_>>())
    .bind(first.values().map(|failed| failed.taken.place.no).collect::<Vec<_>>())
    .bind(first.values().map(|failed| clean(failed.failure.message.as_deref().unwrap_or_default())).collect::<Vec<_>>())
    .bind(first.values().map(|failed| place(failed)).collect::<Vec<_>>())
    .bind(first.values().map(|failed| headline(failed)).collect::<Vec<_>>())
    .bind(keys.iter().map(|(place, _)| *place).collect::<Vec<_>>())
    .bind(keys.iter().map(|(_, words)| *words).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await?;
    let mut changes: BTreeMap<Uuid, Change> = BTreeMap::new();
    for ((project, fingerprint), (place, words)) in first.keys().zip(&keys) {
        let change = changes.entry(*project).or_default();
        change.kinds.insert(*fingerprint);
        [place, words].into_iter().flatten().for_each(|key| *change.came.entry(*key).or_default() += 1);
    }
    for (project, change) in changes {
        change.recluster(conn, project).await?;
    }
    Ok(())
}

/// Forgets the kinds of a report that nothing tells of any more; what it was the first to say is known from the next one then.
pub(super) async fn forget(conn: &mut PgConnection, project: Uuid, no: i64) -> Result<(), ApplyError> {
    let vanished: Vec<(Uuid, Option<i64>, Option<i64>)> = sqlx::query_as(
        "delete from error where project_id = $1 and no = $2 and not exists
           (select from error_test other where other.project_id = $1 and other.fingerprint = error.fingerprint)
         returning cluster_id, place_key, words_key",
    )
    .bind(project)
    .bind(no)
    .fetch_all(&mut *conn)
    .await?;
    let left: Vec<Uuid> = sqlx::query_scalar(
        "update error set no = next.no, message = next.message
         from (select distinct on (failure.fingerprint) failure.fingerprint, failure.no, failure.message
               from error old join failure on failure.project_id = $1 and failure.fingerprint = old.fingerprint
               where old.project_id = $1 and old.no = $2
               order by failure.fingerprint, failure.no, failure.idx) next
         where error.project_id = $1 and error.fingerprint = next.fingerprint
         returning error.cluster_id",
    )
    .bind(project)
    .bind(no)
    .fetch_all(&mut *conn)
    .await?;
    let mut change = Change { clusters: left.into_iter().collect(), ..Change::default() };
    for (cluster, place, words) in vanished {
        change.clusters.insert(cluster);
        [place, words].into_iter().flatten().for_each(|key| *change.went.entry(key).or_default() += 1);
    }
    change.recluster(conn, project).await
}

/// What of a project is to be looked at anew.
#[derive(Debug, Default)]
struct Change {
    kinds: BTreeSet<Uuid>,
    /// With all that they hold.
    clusters: BTreeSet<Uuid>,
    /// How many came under a key, and how many went.
    came: BTreeMap<i64, i64>,
    went: BTreeMap<i64, i64>,
}

/// A kind as its key finds it.
type Found = (i64, Uuid, Uuid, String);

/// Kinds with a key, by fingerprint.
const OF_KEY: &str = "(select fingerprint, cluster_id, headline from error where project_id = $1 and place_key = key
       union all select fingerprint, cluster_id, headline from error where project_id = $1 and words_key = key
       order by fingerprint offset \"from\" limit most)";

impl Change {
    async fn recluster(mut self, conn: &mut PgConnection, project: Uuid) -> Result<(), ApplyError> {
        if self.kinds.is_empty() && self.clusters.is_empty() {
            return Ok(());
        }
        self.add_edge(conn, project).await?;
        let fresh: Vec<(Uuid, Option<i64>, Option<i64>)> = sqlx::query_as(
            "select fingerprint, place_key, words_key from error
             where project_id = $1 and (fingerprint = any($2) or cluster_id = any($3))",
        )
        .bind(project)
        .bind(self.kinds.iter().copied().collect::<Vec<_>>())
        .bind(self.clusters.iter().copied().collect::<Vec<_>>())
        .fetch_all(&mut *conn)
        .await?;
        let keys: BTreeSet<i64> = fresh.iter().flat_map(|(_, place, words)| [*place, *words]).flatten().collect();
        let keys: Vec<(i64, i64, i64)> = keys.into_iter().map(|key| (key, 0, COMPARED as i64)).collect();
        let found = find(conn, project, &keys).await?;
        let fresh: HashSet<Uuid> = fresh.into_iter().map(|(fingerprint, ..)| fingerprint).collect();
        put(conn, project, together(&fresh, found)).await
    }

    /// The clusters of kinds that are compared by a key no more, or only now, because so many share it.
    async fn add_edge(&mut self, conn: &mut PgConnection, project: Uuid) -> Result<(), ApplyError> {
        let most = COMPARED as i64;
        let out = self.came.iter().map(|(key, came)| (*key, most, *came));
        let back = self.went.iter().map(|(key, went)| (*key, (most - went).max(0), *went));
        let edge: Vec<(i64, i64, i64)> = out.chain(back).collect();
        self.clusters.extend(find(conn, project, &edge).await?.into_iter().map(|(_, _, cluster, _)| cluster));
        Ok(())
    }
}

/// The kinds with some keys: of each so many, after as many as are passed over.
async fn find(conn: &mut PgConnection, project: Uuid, keys: &[(i64, i64, i64)]) -> Result<Vec<Found>, ApplyError> {
    let sql = format!(
        "select key, fingerprint, cluster_id, headline
         from unnest($2::bigint[], $3::bigint[], $4::bigint[]) as wanted (key, \"from\", most) cross join lateral {OF_KEY} kinds"
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(project);
    let query = query.bind(keys.iter().map(|(key, ..)| *key).collect::<Vec<_>>());
    let query = query.bind(keys.iter().map(|(_, from, _)| *from).collect::<Vec<_>>());
    Ok(query.bind(keys.iter().map(|(.., most)| *most).collect::<Vec<_>>()).fetch_all(conn).await?)
}

/// Kinds and whole clusters that belong together.
#[derive(Debug)]
struct Set {
    kinds: Vec<Uuid>,
    clusters: Vec<Uuid>,
}

/// Sets of kinds and of whole clusters that belong together. A fresh one that no key finds is alone.
fn together(fresh: &HashSet<Uuid>, found: Vec<Found>) -> Vec<Set> {
    let mut members: BTreeMap<Uuid, Member> = BTreeMap::new();
    for (key, fingerprint, cluster, headline) in found {
        let [id, cluster] = [fingerprint, cluster].map(|id| Hash16(id.into_bytes()));
        let member = members.entry(fingerprint).or_insert(Member { id, cluster, headline, keys: Vec::new() });
        member.keys.push(key);
    }
    let alone = fresh.iter().filter(|fingerprint| !members.contains_key(fingerprint));
    let mut sets: Vec<_> = alone.map(|fingerprint| Set { kinds: vec![*fingerprint], clusters: Vec::new() }).collect();
    let (fresh, others): (Vec<_>, Vec<_>) = members.into_iter().partition(|(id, _)| fresh.contains(id));
    let [fresh, others] = [fresh, others].map(|some| some.into_iter().map(|(_, member)| member).collect::<Vec<_>>());
    let ids = |hashes: Vec<Hash16>| hashes.into_iter().map(|hash| Uuid::from_bytes(hash.0)).collect();
    let set = |joined: Joined| Set { kinds: ids(joined.fresh), clusters: ids(joined.clusters) };
    sets.extend(join(&fresh, &others).into_iter().map(set));
    sets
}

/// Names each set by its first kind.
async fn put(conn: &mut PgConnection, project: Uuid, sets: Vec<Set>) -> Result<(), ApplyError> {
    let (mut kinds, mut clusters) = (HashMap::new(), HashMap::new());
    for (place, set) in sets.iter().enumerate() {
        kinds.extend(set.kinds.iter().map(|kind| (*kind, place)));
        clusters.extend(set.clusters.iter().map(|cluster| (*cluster, place)));
    }
    let rows: Vec<(Uuid, Uuid, i64)> = sqlx::query_as(
        "select fingerprint, cluster_id, no from error
         where project_id = $1 and (fingerprint = any($2) or cluster_id = any($3))",
    )
    .bind(project)
    .bind(kinds.keys().copied().collect::<Vec<_>>())
    .bind(clusters.keys().copied().collect::<Vec<_>>())
    .fetch_all(&mut *conn)
    .await?;
    let set = |(fingerprint, cluster, _): &(Uuid, Uuid, i64)| kinds.get(fingerprint).or(clusters.get(cluster)).copied();
    let mut first: HashMap<Option<usize>, (i64, Uuid)> = HashMap::new();
    for row in &rows {
        let own = (row.2, row.0);
        first.entry(set(row)).and_modify(|first| *first = own.min(*first)).or_insert(own);
    }
    let named = rows.iter().map(|row| (row.0, row.1, first[&set(row)].1));
    let (moved, to): (Vec<Uuid>, Vec<Uuid>) =
        named.filter(|(_, old, new)| old != new).map(|(fingerprint, _, new)| (fingerprint, new)).unzip();
    if moved.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update error set cluster_id = name from unnest($2::uuid[], $3::uuid[]) as moved (kind, name)
         where project_id = $1 and fingerprint = kind",
    )
    .bind(project)
    .bind(moved)
    .bind(to)
    .execute(conn)
    .await?;
    Ok(())
}
