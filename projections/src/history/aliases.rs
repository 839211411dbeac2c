//! Which tests are one, and what joining and separating them does to the rows.
//!
//! The rows are a function of the reports and of what is joined: it does not matter which came first. What a report says is
//! kept under the id that it gave, in `part` where that is joined; `series` and `failure` have it under the id that it has
//! become.

use super::{
    facts::Newest,
    owners, parts,
    stored::{self, Table},
};
use crate::{ApplyError, copy::clean};
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    TeamId,
    events::alias::{Accepted, Dismissed, Named, Removed},
};
use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection, types::Json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What is joined in some projects: usually nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Aliases {
    /// What each old test became, in one step.
    became: BTreeMap<Uuid, Uuid>,
    /// What every joined test has become in the end; the last one, itself.
    targets: BTreeMap<Uuid, Uuid>,
}

impl Aliases {
    pub async fn load(conn: &mut PgConnection, projects: &[Uuid]) -> Result<Self, ApplyError> {
        let rows: Vec<(Uuid, Uuid)> = sqlx::query_as("select from_id, to_id from alias where project_id = any($1)")
            .bind(projects)
            .fetch_all(conn)
            .await?;
        Ok(Self::of(rows.into_iter().collect()))
    }

    fn of(became: BTreeMap<Uuid, Uuid>) -> Self {
        let mut targets = BTreeMap::new();
        for from in became.keys() {
            let target = last(&became, *from);
            targets.extend([(*from, target), (target, target)]);
        }
        Self { became, targets }
    }

    /// These, and those of other projects.
    pub fn and(&self, mut others: Self) -> Self {
        others.became.extend(self.became.iter().map(|(from, to)| (*from, *to)));
        others.targets.extend(self.targets.iter().map(|(test, target)| (*test, *target)));
        others
    }

    /// Whether a test is joined with any.
    pub fn has(&self, test: Uuid) -> bool {
        self.targets.contains_key(&test)
    }

    /// What a test has become.
    pub fn target(&self, test: Uuid) -> Uuid {
        self.targets.get(&test).copied().unwrap_or(test)
    }

    /// Every test that has become this one, and itself.
    pub fn members(&self, target: Uuid) -> BTreeSet<Uuid> {
        let others = self.targets.iter().filter(|(_, of)| **of == target).map(|(test, _)| *test);
        others.chain([target]).collect()
    }
}

/// Where steps lead. There are no circles; but if there were one, it would end.
fn last(became: &BTreeMap<Uuid, Uuid>, from: Uuid) -> Uuid {
    let mut test = from;
    for _ in 0..=became.len() {
        match became.get(&test) {
            Some(next) => test = *next,
            None => break,
        }
    }
    test
}

/// Joins two tests. What would lead back to itself, because two people said the opposite at one time, is passed over.
pub(super) async fn join(
    conn: &mut PgConnection,
    (team, at): (TeamId, DateTime<Utc>),
    accepted: &Accepted,
) -> Result<(), ApplyError> {
    let Accepted { project, from, to, user, evidence, .. } = accepted;
    let before = Aliases::load(conn, &[project.0]).await?;
    if before.became.contains_key(&from.0) || before.target(to.0) == from.0 {
        return Ok(());
    }
    sqlx::query("delete from dismissed where project_id = $1 and from_id = $2 and to_id = $3")
        .bind(project.0)
        .bind(from.0)
        .bind(to.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "insert into alias (from_id, to_id, target_id, project_id, team_id, from_named, to_named, similarity, reason, user_id, at)
         values ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(from.0)
    .bind(to.0)
    .bind(project.0)
    .bind(team.0)
    .bind(named(&evidence.from))
    .bind(named(&evidence.to))
    .bind(evidence.similarity)
    .bind(evidence.reason.as_str())
    .bind(user.0)
    .bind(at)
    .execute(&mut *conn)
    .await?;
    let mut became = before.became.clone();
    became.insert(from.0, to.0);
    let both = &before.members(before.target(from.0)) | &before.members(before.target(to.0));
    rearrange(conn, project.0, (&before, &Aliases::of(became)), &both).await
}

fn named(named: &Named) -> Value {
    let suite: Vec<String> = named.suite.iter().map(|part| clean(part)).collect();
    json!({"name": clean(&named.name), "suite": suite, "file_path": named.file_path.as_deref().map(clean)})
}

/// Separates two tests.
pub(super) async fn separate(conn: &mut PgConnection, removed: &Removed) -> Result<(), ApplyError> {
    let Removed { project, from, to, .. } = removed;
    let before = Aliases::load(conn, &[project.0]).await?;
    if before.became.get(&from.0) != Some(&to.0) {
        return Ok(());
    }
    sqlx::query("delete from alias where from_id = $1").bind(from.0).execute(&mut *conn).await?;
    let mut became = before.became.clone();
    became.remove(&from.0);
    let both = before.members(before.target(from.0));
    rearrange(conn, project.0, (&before, &Aliases::of(became)), &both).await
}

/// Remembers that two tests are not one.
pub(super) async fn dismiss(conn: &mut PgConnection, dismissed: &Dismissed) -> Result<(), ApplyError> {
    sqlx::query("insert into dismissed (project_id, from_id, to_id) values ($1, $2, $3) on conflict do nothing")
        .bind(dismissed.project.0)
        .bind(dismissed.from.0)
        .bind(dismissed.to.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Makes the rows of some tests what they are after a change.
async fn rearrange(
    conn: &mut PgConnection,
    project: Uuid,
    (before, after): (&Aliases, &Aliases),
    tests: &BTreeSet<Uuid>,
) -> Result<(), ApplyError> {
    let all: Vec<Uuid> = tests.iter().copied().collect();
    let alone = |aliases: &Aliases| all.iter().copied().filter(|test| !aliases.has(*test)).collect::<Vec<_>>();
    let sql = format!("insert into part ({0}) select {0} from series where test_id = any($1)", stored::COLUMNS);
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(alone(before)).execute(&mut *conn).await?;
    sqlx::query("delete from series where test_id = any($1)").bind(&all).execute(&mut *conn).await?;
    let parts = stored::load_of(conn, Table::Part, &all).await?;
    let series = parts::joined(after, parts.into_iter());
    stored::derive_series(conn, &mut Newest::default(), &series.iter().collect::<Vec<_>>()).await?;
    sqlx::query("delete from part where test_id = any($1)").bind(alone(after)).execute(&mut *conn).await?;
    let targets: Vec<Uuid> = all.iter().map(|test| after.target(*test)).collect();
    sqlx::query(
        "update alias set target_id = target from unnest($1::uuid[], $2::uuid[]) as new (test, target)
         where from_id = test and target_id <> target",
    )
    .bind(&all)
    .bind(&targets)
    .execute(&mut *conn)
    .await?;
    let held: BTreeSet<Uuid> = all.iter().map(|test| before.target(*test)).collect();
    move_failures(conn, project, (&all, &targets), held.into_iter().collect()).await?;
    settle(conn, after, &all).await
}

/// Gives every failure to what its test has become. `held`: the tests that they are with.
async fn move_failures(
    conn: &mut PgConnection,
    project: Uuid,
    (tests, targets): (&[Uuid], &[Uuid]),
    held: Vec<Uuid>,
) -> Result<(), ApplyError> {
    sqlx::query(
        "update failure set test_id = target, reported_id = nullif(test, target)
         from unnest($1::uuid[], $2::uuid[]) as new (test, target)
         where test_id = any($3) and coalesce(reported_id, test_id) = test and test_id <> target",
    )
    .bind(tests)
    .bind(targets)
    .bind(held)
    .execute(&mut *conn)
    .await?;
    sqlx::query("delete from error_test where project_id = $1 and test_id = any($2)")
        .bind(project)
        .bind(tests)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "insert into error_test (project_id, fingerprint, test_id, failures)
         select project_id, fingerprint, test_id, count(*) from failure where test_id = any($1) group by 1, 2, 3",
    )
    .bind(targets)
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct Nameless {
    to_id: Uuid,
    team_id: Uuid,
    project_id: Uuid,
    to_named: Json<Named>,
}

/// Forgets those of the tests that no report tells of any more; one that others have become is named by what is known from
/// when they were joined.
pub(super) async fn settle(conn: &mut PgConnection, aliases: &Aliases, tests: &[Uuid]) -> Result<(), ApplyError> {
    sqlx::query(
        "delete from test where id = any($1) and not exists (select from series where test_id = test.id)
           and not exists (select from part where test_id = test.id)",
    )
    .bind(tests)
    .execute(&mut *conn)
    .await?;
    let targets: BTreeSet<Uuid> =
        tests.iter().filter(|test| aliases.has(**test)).map(|test| aliases.target(*test)).collect();
    if targets.is_empty() {
        return Ok(());
    }
    let nameless: Vec<Nameless> = sqlx::query_as(
        "select distinct on (to_id) to_id, team_id, project_id, to_named from alias
         where to_id = any($1) and exists (select from series where test_id = to_id)
           and not exists (select from part where test_id = to_id)
         order by to_id, from_id",
    )
    .bind(targets.into_iter().collect::<Vec<_>>())
    .fetch_all(&mut *conn)
    .await?;
    for one in nameless {
        make_up(conn, &one).await?;
    }
    Ok(())
}

async fn make_up(conn: &mut PgConnection, one: &Nameless) -> Result<(), ApplyError> {
    let Nameless { to_id, team_id, project_id, to_named: Json(named) } = one;
    let rules = owners::rules(conn, &[*project_id]).await?;
    let owners = owners::of(rules.get(project_id), &[], named.file_path.as_deref());
    sqlx::query(
        "insert into test (id, team_id, project_id, name, suite, file_path, tags, named_owners, owners, words, made_up)
         values ($1, $2, $3, $4, $5, $6, '[]', '[]', $7, $8, true)
         on conflict (id) do update set
           name = excluded.name, suite = excluded.suite, file_path = excluded.file_path, tags = excluded.tags,
           named_owners = excluded.named_owners, owners = excluded.owners, words = excluded.words, made_up = true",
    )
    .bind(to_id)
    .bind(team_id)
    .bind(project_id)
    .bind(&named.name)
    .bind(json!(named.suite))
    .bind(&named.file_path)
    .bind(json!(owners))
    .bind(stored::words(&named.suite, &named.name, named.file_path.as_deref()))
    .execute(conn)
    .await?;
    Ok(())
}
