//! The set-based statements of the projection.

use super::{
    facts::{Fact, FactsOf, Newest},
    gathered::Taken,
    owners,
    said::About,
    series::{Derived, Key, Last, Series},
};
use crate::ApplyError;
use crate::copy::{Rows, clean, copy_rows};
use chrono::{DateTime, Utc};
use scaledtest_domain::report::Variant;
use scaledtest_insight::owners::Owners;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Postgres, postgres::PgArguments};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// What came in on a branch: how many reports, how many of them are gone already, and which is the first.
struct Came {
    first: usize,
    reports: i32,
    gone: i32,
}

/// Gives each report its number on its branch.
pub(super) async fn number(conn: &mut PgConnection, reports: &mut [Taken<'_>]) -> Result<(), ApplyError> {
    let mut branches: BTreeMap<Uuid, Came> = BTreeMap::new();
    for (index, taken) in reports.iter().enumerate() {
        let came = branches.entry(taken.place.branch_id).or_insert(Came { first: index, reports: 0, gone: 0 });
        came.reports += 1;
        came.gone += i32::from(taken.is_gone());
    }
    let of = |index: usize| &reports[index];
    let numbered: Vec<(Uuid, i32)> = sqlx::query_as(
        "insert into branch (id, project_id, team_id, name, reports, deleted, settled)
         select *, 0 from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::int[], $6::int[])
         on conflict (id) do update set
           reports = branch.reports + excluded.reports, deleted = branch.deleted + excluded.deleted
         returning id, reports",
    )
    .bind(branches.keys().copied().collect::<Vec<_>>())
    .bind(branches.values().map(|came| of(came.first).report.project.0).collect::<Vec<_>>())
    .bind(branches.values().map(|came| of(came.first).place.team.0).collect::<Vec<_>>())
    .bind(branches.values().map(|came| of(came.first).place.branch.clone()).collect::<Vec<_>>())
    .bind(branches.values().map(|came| came.reports).collect::<Vec<_>>())
    .bind(branches.values().map(|came| came.gone).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let mut next: HashMap<Uuid, i32> = HashMap::new();
    for (branch, reports) in numbered {
        let came = branches.get(&branch).map_or(0, |came| came.reports);
        next.insert(branch, reports - came);
    }
    for taken in reports {
        let seq = next.entry(taken.place.branch_id).or_default();
        *seq += 1;
        taken.seq = u32::try_from(*seq).unwrap_or_default();
    }
    Ok(())
}

#[derive(FromRow)]
struct SeriesRow {
    branch_id: Uuid,
    test_id: Uuid,
    variant: i64,
    browser: Option<String>,
    device: Option<String>,
    os: Option<String>,
    seen: Vec<u8>,
    durations: Vec<u8>,
    last_status: i16,
    first_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    last_seq: i32,
}

impl From<SeriesRow> for Series {
    fn from(row: SeriesRow) -> Self {
        Self {
            key: Key { branch: row.branch_id, test: row.test_id, variant: row.variant },
            variant: Variant { browser: row.browser, device: row.device, os: row.os },
            entries: super::seen::Entries::decode(&row.seen),
            durations: row.durations,
            last: Last::of(row.last_status),
            first_at: row.first_at,
            last_at: row.last_at,
            last_seq: u32::try_from(row.last_seq).unwrap_or_default(),
        }
    }
}

/// Where series are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Table {
    /// What is asked for: one of every test.
    Series,
    /// Those of joined tests, each under the id that its reports gave.
    Part,
}

impl Table {
    pub fn name(self) -> &'static str {
        match self {
            Self::Series => "series",
            Self::Part => "part",
        }
    }
}

/// What is stored of a series, beside what follows from it.
pub(super) const COLUMNS: &str =
    "branch_id, test_id, variant, browser, device, os, seen, durations, last_status, first_at, last_at, last_seq";

pub(super) async fn load_series(
    conn: &mut PgConnection,
    table: Table,
    keys: &[Key],
) -> Result<BTreeMap<Key, Series>, ApplyError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = format!(
        "select {COLUMNS} from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as wanted (branch, test, variety)
         join {} on branch_id = branch and test_id = test and variant = variety",
        table.name()
    );
    let rows: Vec<SeriesRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(keys.iter().map(|key| key.branch).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| key.test).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| key.variant).collect::<Vec<_>>())
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(Series::from).map(|series| (series.key, series)).collect())
}

/// Every series of a branch.
pub(super) async fn load_branch(
    conn: &mut PgConnection,
    table: Table,
    branch: Uuid,
) -> Result<Vec<Series>, ApplyError> {
    let sql = format!("select {COLUMNS} from {} where branch_id = $1 order by test_id, variant", table.name());
    let rows: Vec<SeriesRow> = sqlx::query_as(AssertSqlSafe(sql)).bind(branch).fetch_all(conn).await?;
    Ok(rows.into_iter().map(Series::from).collect())
}

/// Rows of series that are read or written at once.
pub(super) const AT_ONCE: usize = 10_000;

/// Every series of some tests.
pub(super) async fn load_of(conn: &mut PgConnection, table: Table, tests: &[Uuid]) -> Result<Vec<Series>, ApplyError> {
    let sql = format!("select {COLUMNS} from {} where test_id = any($1)", table.name());
    let rows: Vec<SeriesRow> = sqlx::query_as(AssertSqlSafe(sql)).bind(tests).fetch_all(conn).await?;
    Ok(rows.into_iter().map(Series::from).collect())
}

pub(super) async fn delete_series(conn: &mut PgConnection, table: Table, keys: &[Key]) -> Result<(), ApplyError> {
    if keys.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "delete from {} using unnest($1::uuid[], $2::uuid[], $3::bigint[]) as gone (branch, test, variety)
         where branch_id = branch and test_id = test and variant = variety",
        table.name()
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(keys.iter().map(|key| key.branch).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| key.test).collect::<Vec<_>>())
        .bind(keys.iter().map(|key| key.variant).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}

/// What [`bind_said`] binds, as columns and as arrays.
const SAID: &str = "branch_id, test_id, variant, seen, durations, last_status, first_at, last_at, last_seq";
const SAID_ARRAYS: &str = "$1::uuid[], $2::uuid[], $3::bigint[], $4::bytea[], $5::bytea[], $6::smallint[], \
     $7::timestamptz[], $8::timestamptz[], $9::int[]";
/// The variant, which only a series that is new brings.
const VARIANT: &str = "browser, device, os";
const VARIANT_ARRAYS: &str = "$10::text[], $11::text[], $12::text[]";

/// A statement, and what is bound to it so far.
pub(super) type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// Binds what reports said: [`SAID`].
fn bind_said<'q>(query: Query<'q>, series: &[&Series]) -> Query<'q> {
    let last_seq = |one: &&Series| i32::try_from(one.last_seq).unwrap_or(i32::MAX);
    query
        .bind(series.iter().map(|one| one.key.branch).collect::<Vec<_>>())
        .bind(series.iter().map(|one| one.key.test).collect::<Vec<_>>())
        .bind(series.iter().map(|one| one.key.variant).collect::<Vec<_>>())
        .bind(series.iter().map(|one| one.entries.encode()).collect::<Vec<_>>())
        .bind(series.iter().map(|one| one.durations.clone()).collect::<Vec<_>>())
        .bind(series.iter().map(|one| one.last.number()).collect::<Vec<_>>())
        .bind(series.iter().map(|one| one.first_at).collect::<Vec<_>>())
        .bind(series.iter().map(|one| one.last_at).collect::<Vec<_>>())
        .bind(series.iter().map(last_seq).collect::<Vec<_>>())
}

/// The same, and [`VARIANT`].
fn bind_whole<'q>(query: Query<'q>, series: &[&Series]) -> Query<'q> {
    let texts = |of: fn(&Variant) -> &Option<String>| {
        series.iter().map(|one| of(&one.variant).clone()).collect::<Vec<Option<String>>>()
    };
    let query = bind_said(query, series).bind(texts(|variant| &variant.browser));
    query.bind(texts(|variant| &variant.device)).bind(texts(|variant| &variant.os))
}

/// Writes the series of joined tests, each under the id that its reports gave.
pub(super) async fn upsert_parts(conn: &mut PgConnection, parts: &[&Series]) -> Result<(), ApplyError> {
    let sql = format!(
        "insert into part ({SAID}, {VARIANT}) select * from unnest({SAID_ARRAYS}, {VARIANT_ARRAYS})
         on conflict (branch_id, test_id, variant) do update set
           seen = excluded.seen, durations = excluded.durations, last_status = excluded.last_status,
           first_at = excluded.first_at, last_at = excluded.last_at, last_seq = excluded.last_seq"
    );
    for some in parts.chunks(AT_ONCE) {
        bind_whole(sqlx::query(AssertSqlSafe(sql.as_str())), some).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Writes what the newest reports said to series that are in the tables, and nothing that follows from that.
pub(super) async fn update_series(conn: &mut PgConnection, series: &[&Series]) -> Result<(), ApplyError> {
    let sql = format!(
        "update series set seen = new.seen, durations = new.durations, last_status = new.last_status,
           first_at = new.first_at, last_at = new.last_at, last_seq = new.last_seq
         from unnest({SAID_ARRAYS}) as new ({SAID})
         where series.branch_id = new.branch_id and series.test_id = new.test_id and series.variant = new.variant"
    );
    for some in series.chunks(AT_ONCE) {
        bind_said(sqlx::query(AssertSqlSafe(sql.as_str())), some).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Writes series, and what follows from them.
pub(super) async fn derive_series(
    conn: &mut PgConnection,
    newest: &mut Newest,
    series: &[&Series],
) -> Result<(), ApplyError> {
    let facts = FactsOf::load(conn, newest, series).await?;
    for some in series.chunks(AT_ONCE) {
        let derived: Vec<Derived> = some.iter().map(|one| one.derive(facts.of(one))).collect();
        upsert_some(conn, some, &derived).await?;
    }
    Ok(())
}

async fn upsert_some(conn: &mut PgConnection, series: &[&Series], derived: &[Derived]) -> Result<(), ApplyError> {
    macro_rules! column {
        ($with:expr) => {
            derived.iter().map($with).collect::<Vec<_>>()
        };
    }
    let sql = format!(
        "insert into series ({SAID}, {VARIANT}, runs, passed, flaked, failed, failed_at, p50_ms, p95_ms, state, since,
                             score, score_low, score_high)
         select * from unnest({SAID_ARRAYS}, {VARIANT_ARRAYS}, $13::int[], $14::int[], $15::int[], $16::int[],
                              $17::timestamptz[], $18::bigint[], $19::bigint[], $20::smallint[], $21::timestamptz[],
                              $22::double precision[], $23::double precision[], $24::double precision[])
         on conflict (branch_id, test_id, variant) do update set
           seen = excluded.seen, durations = excluded.durations, runs = excluded.runs, passed = excluded.passed,
           flaked = excluded.flaked, failed = excluded.failed, last_status = excluded.last_status,
           first_at = excluded.first_at, last_at = excluded.last_at, last_seq = excluded.last_seq,
           failed_at = excluded.failed_at, p50_ms = excluded.p50_ms, p95_ms = excluded.p95_ms, state = excluded.state,
           since = excluded.since, score = excluded.score, score_low = excluded.score_low,
           score_high = excluded.score_high"
    );
    bind_whole(sqlx::query(AssertSqlSafe(sql)), series)
        .bind(column!(|one| one.runs))
        .bind(column!(|one| one.passed))
        .bind(column!(|one| one.flaked))
        .bind(column!(|one| one.failed))
        .bind(column!(|one| one.failed_at))
        .bind(column!(|one| one.p50_ms))
        .bind(column!(|one| one.p95_ms))
        .bind(column!(|one| one.state))
        .bind(column!(|one| one.since))
        .bind(column!(|one| one.score[0]))
        .bind(column!(|one| one.score[1]))
        .bind(column!(|one| one.score[2]))
        .execute(conn)
        .await?;
    Ok(())
}

/// The series of a branch that reports after this one tell of.
pub(super) async fn load_keys(conn: &mut PgConnection, branch: Uuid, after: i32) -> Result<Vec<Key>, ApplyError> {
    let keys: Vec<(Uuid, i64)> =
        sqlx::query_as("select test_id, variant from series where branch_id = $1 and last_seq > $2")
            .bind(branch)
            .bind(after)
            .fetch_all(conn)
            .await?;
    Ok(keys.into_iter().map(|(test, variant)| Key { branch, test, variant }).collect())
}

/// Branches with reports from which not all was found yet that follows, and the newest report from which all was.
pub(super) async fn unsettled_branches(conn: &mut PgConnection) -> Result<Vec<(Uuid, i32)>, ApplyError> {
    Ok(sqlx::query_as("select id, settled from branch where settled < reports").fetch_all(conn).await?)
}

/// From all reports of these branches all was found that follows.
pub(super) async fn settled(conn: &mut PgConnection, branches: BTreeSet<Uuid>) -> Result<(), ApplyError> {
    sqlx::query("update branch set settled = reports where id = any($1)")
        .bind(branches.into_iter().collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}

/// A test that may be new: who reported it first, and what he said of it.
type New<'a> = (Uuid, (&'a Taken<'a>, &'a About));

pub(super) async fn insert_tests(
    conn: &mut PgConnection,
    tests: HashMap<Uuid, (&Taken<'_>, &About)>,
) -> Result<(), ApplyError> {
    if tests.is_empty() {
        return Ok(());
    }
    let mut tests: Vec<New<'_>> = tests.into_iter().collect();
    tests.sort_unstable_by_key(|(id, _)| *id);
    let projects: BTreeSet<Uuid> = tests.iter().map(|(_, (taken, _))| taken.report.project.0).collect();
    let rules = owners::rules(conn, &projects.into_iter().collect::<Vec<_>>()).await?;
    for some in tests.chunks(AT_ONCE) {
        insert_some_tests(conn, &rules, some).await?;
    }
    Ok(())
}

async fn insert_some_tests(
    conn: &mut PgConnection,
    rules: &HashMap<Uuid, Owners>,
    tests: &[New<'_>],
) -> Result<(), ApplyError> {
    macro_rules! column {
        ($with:expr) => {
            tests.iter().map(|(id, (taken, about))| $with(*id, *taken, *about)).collect::<Vec<_>>()
        };
    }
    let owners = |taken: &Taken<'_>, about: &About| {
        let of = owners::of(rules.get(&taken.report.project.0), &about.owners, about.file_path.as_deref());
        serde_json::Value::from(of)
    };
    let texts = |texts: &[String]| serde_json::Value::from(texts.iter().map(|text| clean(text)).collect::<Vec<_>>());
    sqlx::query(
        "insert into test (id, team_id, project_id, name, suite, file_path, tags, named_owners, owners, words)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::json[], $6::text[], $7::json[], $8::json[],
                              $9::json[], $10::text[])
         on conflict (id) do update set
           name = excluded.name, suite = excluded.suite, file_path = excluded.file_path, tags = excluded.tags,
           named_owners = excluded.named_owners, owners = excluded.owners, words = excluded.words, made_up = false
         where test.made_up",
    )
    .bind(column!(|id: Uuid, _, _| id))
    .bind(column!(|_, taken: &Taken<'_>, _| taken.place.team.0))
    .bind(column!(|_, taken: &Taken<'_>, _| taken.report.project.0))
    .bind(column!(|_, _, about: &About| clean(&about.name)))
    .bind(column!(|_, _, about: &About| texts(&about.suite)))
    .bind(column!(|_, _, about: &About| about.file_path.as_deref().map(clean)))
    .bind(column!(|_, _, about: &About| texts(&about.tags)))
    .bind(column!(|_, _, about: &About| texts(&about.owners)))
    .bind(column!(|_, taken: &Taken<'_>, about: &About| owners(taken, about)))
    .bind(column!(|_, _, about: &About| words(&about.suite, &about.name, about.file_path.as_deref())))
    .execute(conn)
    .await?;
    Ok(())
}

/// What a search looks into.
pub(super) fn words(suite: &[String], name: &str, file_path: Option<&str>) -> String {
    let suite = suite.join(" › ");
    clean(&[suite.as_str(), name, file_path.unwrap_or_default()].join("\n").to_lowercase())
}

#[derive(FromRow)]
struct FactRow {
    branch_id: Uuid,
    seq: i32,
    run_id: Uuid,
    at: DateTime<Utc>,
    commit: Option<String>,
    change: Option<String>,
    failed: i64,
    passed: i64,
}

impl FactRow {
    fn fact(&self) -> Fact {
        let seq = u32::try_from(self.seq).unwrap_or_default();
        let names = (self.commit.as_deref(), self.change.as_deref());
        Fact::new((seq, self.run_id, self.at), names, (self.passed, self.failed))
    }
}

/// Facts of some branches, from a number on each.
pub(super) async fn load_facts(
    conn: &mut PgConnection,
    since: &BTreeMap<Uuid, u32>,
) -> Result<BTreeMap<Uuid, Vec<Fact>>, ApplyError> {
    let mut facts: BTreeMap<Uuid, Vec<Fact>> = BTreeMap::new();
    if since.is_empty() {
        return Ok(facts);
    }
    let rows: Vec<FactRow> = sqlx::query_as(
        "select branch_id, seq, run_id, at, commit, change, failed, passed
         from unnest($1::uuid[], $2::int[]) as wanted (branch, since) join fact on branch_id = branch and seq >= since",
    )
    .bind(since.keys().copied().collect::<Vec<_>>())
    .bind(since.values().map(|since| i32::try_from(*since).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    for row in rows {
        facts.entry(row.branch_id).or_default().push(row.fact());
    }
    Ok(facts)
}

const COPY_FACT: &str = "copy fact (no, report_id, run_id, team_id, project_id, branch_id, slice_id, seq, at, tests, passed, \
     failed, skipped, pending, other, flaky, duration_ms, durations, commit, base_commit, target, change) \
     from stdin (format binary)";
const FACT_FIELDS: i16 = 22;

pub(super) async fn insert_facts(conn: &mut PgConnection, reports: &[Taken<'_>]) -> Result<(), ApplyError> {
    if reports.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::default();
    for Taken { place, report, seq, sums, .. } in reports {
        let origin = &report.origin;
        rows.row(FACT_FIELDS)
            .int8(place.no)
            .uuid(report.report)
            .uuid(report.run)
            .uuid(place.team)
            .uuid(report.project)
            .uuid(place.branch_id)
            .uuid(place.slice_id)
            .int4(i32::try_from(*seq).unwrap_or(i32::MAX))
            .timestamp(place.at);
        for number in &sums.numbers()[1..] {
            rows.int8(*number);
        }
        rows.int8s(&sums.durations)
            .opt_text(origin.commit.as_deref())
            .opt_text(origin.base_commit.as_deref())
            .opt_text(origin.target_branch.as_deref())
            .opt_text(origin.pr.as_deref());
    }
    copy_rows(conn, COPY_FACT, rows.as_slice()).await?;
    Ok(())
}
