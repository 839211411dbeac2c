//! The set-based statements of the projection.

use super::{cases, partitions, retain};
use crate::checkpoint::signed;
use crate::copy::clean;
use crate::{ApplyError, Item};
use scaledtest_domain::{events::project, retention::Part};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub(super) async fn insert_projects(
    conn: &mut PgConnection,
    projects: &[(&Item, &project::Created)],
) -> Result<(), ApplyError> {
    let teams = projects.iter().map(|(item, _)| item.team().map(Uuid::from)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(
        "insert into project (id, team_id, name, default_branch, created_at, no)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[])
         on conflict (id) do nothing",
    )
    .bind(projects.iter().map(|(_, created)| created.project.0).collect::<Vec<_>>())
    .bind(teams)
    .bind(projects.iter().map(|(_, created)| clean(&created.name)).collect::<Vec<_>>())
    .bind(projects.iter().map(|(_, created)| clean(&created.default_branch)).collect::<Vec<_>>())
    .bind(projects.iter().map(|(item, _)| item.commit.at).collect::<Vec<_>>())
    .bind(projects.iter().map(|(item, _)| signed(item.n)).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds new reports to their branches, computes runs anew from their reports, and answers with those of the parts that
/// have no partitions. One statement, because what a small batch costs is mostly the waiting for answers.
pub(super) async fn settle(
    conn: &mut PgConnection,
    numbers: &[i64],
    runs: &[Uuid],
    parts: &BTreeSet<Part>,
) -> Result<Vec<Part>, ApplyError> {
    let missing = sqlx::query_scalar(concat!(
        "with counted as (
           insert into branch (project_id, team_id, name, reports, last_run_at)
           select project_id, min(team_id::text)::uuid, branch, count(*), max(run_at)
           from report where no = any($1) and branch is not null group by project_id, branch
           on conflict (project_id, name) do update
           set reports = branch.reports + excluded.reports,
             last_run_at = greatest(branch.last_run_at, excluded.last_run_at)
         ), computed as (",
        include_str!("runs.sql"),
        ") select part from unnest($3::int[], $4::text[]) as made (part, name) where to_regclass(name) is null"
    ));
    let missing = missing
        .bind(numbers)
        .bind(runs)
        .bind(parts.iter().map(|part| part.0).collect::<Vec<_>>())
        .bind(parts.iter().map(|part| partitions::name("attempt", *part)).collect::<Vec<_>>());
    let missing: Vec<i32> = missing.fetch_all(conn).await?;
    Ok(missing.into_iter().map(Part).collect())
}

type Removed = (i64, i32, Uuid, Uuid, Option<String>);

/// Removes reports with their results, and adds their runs to `touched`. One that was never there changes nothing.
pub(super) async fn delete_reports(
    conn: &mut PgConnection,
    reports: &[Uuid],
    touched: &mut BTreeSet<Uuid>,
) -> Result<(), ApplyError> {
    let removed: Vec<Removed> =
        sqlx::query_as("delete from report where id = any($1) returning no, part, run_id, project_id, branch")
            .bind(reports)
            .fetch_all(&mut *conn)
            .await?;
    let mut parts: BTreeMap<Part, (Vec<i64>, BTreeSet<Uuid>)> = BTreeMap::new();
    for (no, part, run, project, _) in &removed {
        touched.insert(*run);
        let (numbers, projects) = parts.entry(Part(*part)).or_default();
        numbers.push(*no);
        projects.insert(*project);
    }
    for (part, (numbers, projects)) in parts {
        let cases = retain::delete_results(conn, part, &numbers).await?;
        let projects: Vec<Uuid> = projects.into_iter().collect();
        cases::prune(conn, part, &projects, &numbers, cases.into_iter().collect()).await?;
    }
    let branches: BTreeSet<(Uuid, String)> =
        removed.into_iter().filter_map(|(_, _, _, project, branch)| Some((project, branch?))).collect();
    recount_branches(conn, branches).await
}

async fn recount_branches(conn: &mut PgConnection, branches: BTreeSet<(Uuid, String)>) -> Result<(), ApplyError> {
    if branches.is_empty() {
        return Ok(());
    }
    let (projects, names): (Vec<Uuid>, Vec<String>) = branches.into_iter().unzip();
    sqlx::query(
        "delete from branch using unnest($1::uuid[], $2::text[]) as touched (project_id, name)
         where branch.project_id = touched.project_id and branch.name = touched.name",
    )
    .bind(&projects)
    .bind(&names)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into branch (project_id, team_id, name, reports, last_run_at)
         select report.project_id, min(report.team_id::text)::uuid, report.branch, count(*), max(report.run_at)
         from report join unnest($1::uuid[], $2::text[]) as touched (project_id, name)
           on report.project_id = touched.project_id and report.branch = touched.name
         group by report.project_id, report.branch",
    )
    .bind(&projects)
    .bind(&names)
    .execute(conn)
    .await?;
    Ok(())
}

/// Computes runs anew after reports were removed; one whose last report it was is gone.
pub(super) async fn recompute_runs(conn: &mut PgConnection, runs: &[Uuid]) -> Result<(), ApplyError> {
    settle(conn, &[], runs, &BTreeSet::new()).await?;
    sqlx::query("delete from run where id = any($1) and not exists (select from report where report.run_id = run.id)")
        .bind(runs)
        .execute(conn)
        .await?;
    Ok(())
}
