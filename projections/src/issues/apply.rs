//! From events to rows. Issues are few and far between: a statement each.

use crate::{ApplyError, Item, copy::clean};
use scaledtest_domain::{
    Event,
    events::{
        issue::{self, Terms},
        team,
    },
};
use sqlx::PgConnection;

pub(super) async fn apply(conn: &mut PgConnection, batch: &[Item]) -> Result<(), ApplyError> {
    for item in batch {
        for event in &item.events {
            match event {
                Event::Team(team::Event::Deleted(deleted)) => {
                    let query = sqlx::query("delete from issue where team_id = $1").bind(deleted.team.0);
                    query.execute(&mut *conn).await?;
                }
                Event::Issue(event) => write(conn, item, event).await?,
                _ => {}
            }
        }
    }
    Ok(())
}

async fn write(conn: &mut PgConnection, item: &Item, event: &issue::Event) -> Result<(), ApplyError> {
    let note = |terms: &Terms| terms.note.as_deref().map(clean);
    let query = match event {
        issue::Event::Linked(linked) => sqlx::query(
            "insert into issue (id, team_id, project_id, fingerprint, ticket, note, user_id, linked_at, changed_at, changed_by,
                                expires_at, ends_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $7, $9, coalesce($9, 'infinity')) on conflict (id) do nothing",
        )
        .bind(linked.issue.0)
        .bind(item.team()?.0)
        .bind(linked.project.0)
        .bind(linked.fingerprint)
        .bind(clean(&linked.terms.ticket))
        .bind(note(&linked.terms))
        .bind(linked.user.0)
        .bind(item.commit.at)
        .bind(linked.terms.expires_at),
        issue::Event::Changed(changed) => sqlx::query(
            "update issue set ticket = $2, note = $3, changed_at = $4, changed_by = $5, expires_at = $6,
                              ends_at = coalesce(least($6, closed_at), 'infinity')
             where id = $1",
        )
        .bind(changed.issue.0)
        .bind(clean(&changed.terms.ticket))
        .bind(note(&changed.terms))
        .bind(item.commit.at)
        .bind(changed.user.0)
        .bind(changed.terms.expires_at),
        issue::Event::Closed(closed) => sqlx::query(
            "update issue set closed_at = $2, closed_by = $3, ends_at = least(expires_at, $2) where id = $1",
        )
        .bind(closed.issue.0)
        .bind(item.commit.at)
        .bind(closed.user.0),
    };
    query.execute(conn).await?;
    Ok(())
}
