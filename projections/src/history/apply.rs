//! From events to rows: reports are gathered and folded together; what is not a report first writes what came before it.

use super::{aliases, delete, gathered::Gathered, memory::Memory, owners, place::Place};
use crate::checkpoint::signed;
use crate::copy::clean;
use crate::{ApplyError, Item, Settle};
use scaledtest_domain::{
    Event, TeamId,
    events::{alias, project, report},
};
use sqlx::PgConnection;

pub(super) async fn apply(conn: &mut PgConnection, memory: &mut Memory, batch: &[Item]) -> Result<(), ApplyError> {
    memory.look(conn).await?;
    let mut before = Before::default();
    for item in batch {
        for event in &item.events {
            match event {
                Event::Project(project::Event::Created(created)) => {
                    before.projects.push((item.team()?, created));
                }
                Event::Project(project::Event::OwnersChanged(changed)) => {
                    before.write(conn, memory).await?;
                    owners::change(conn, changed).await?;
                }
                Event::Report(report::Event::Ingested(ingested)) => {
                    before.gathered.take_in(Place::of(signed(item.n), item.team()?, ingested), ingested, &item.body);
                }
                Event::Report(report::Event::Deleted(gone)) => {
                    before.write(conn, memory).await?;
                    std::mem::take(memory).write(conn, Settle::All).await?;
                    delete::delete(conn, gone.report).await?;
                }
                Event::Alias(event) => {
                    before.write(conn, memory).await?;
                    std::mem::take(memory).write(conn, Settle::All).await?;
                    match event {
                        alias::Event::Accepted(accepted) => {
                            aliases::join(conn, (item.team()?, item.commit.at), accepted).await?;
                        }
                        alias::Event::Dismissed(dismissed) => aliases::dismiss(conn, dismissed).await?,
                        alias::Event::Removed(removed) => aliases::separate(conn, removed).await?,
                    }
                }
                _ => {}
            }
        }
    }
    before.write(conn, memory).await
}

/// What came before an event that it might concern.
#[derive(Default)]
struct Before<'a> {
    projects: Vec<(TeamId, &'a project::Created)>,
    gathered: Gathered<'a>,
}

impl Before<'_> {
    async fn write(&mut self, conn: &mut PgConnection, memory: &mut Memory) -> Result<(), ApplyError> {
        insert_projects(conn, &std::mem::take(&mut self.projects)).await?;
        std::mem::take(&mut self.gathered).write(conn, memory).await
    }
}

async fn insert_projects(conn: &mut PgConnection, projects: &[(TeamId, &project::Created)]) -> Result<(), ApplyError> {
    if projects.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into project (id, team_id, name, default_branch)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) on conflict (id) do nothing",
    )
    .bind(projects.iter().map(|(_, created)| created.project.0).collect::<Vec<_>>())
    .bind(projects.iter().map(|(team, _)| team.0).collect::<Vec<_>>())
    .bind(projects.iter().map(|(_, created)| clean(&created.name)).collect::<Vec<_>>())
    .bind(projects.iter().map(|(_, created)| clean(&created.default_branch)).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}
