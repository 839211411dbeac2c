//! The audit log of domain acts: derived from the events, so none can be missing.

mod entries;

use crate::{Applier, ApplyError, Item, Projection};
pub use entries::ACTIONS;
use entries::Entry;
use futures_util::future::BoxFuture;
use scaledtest_domain::{Actor, Event, Kind, events::token};
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// Who reads the audit log can wait this long; who uploads need not pay for it.
const LINGER: Duration = Duration::from_millis(250);

/// The projection `audit`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Audit;

impl Projection for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn version(&self) -> i32 {
        1
    }

    fn kinds(&self) -> &'static [Kind] {
        &[
            Kind::User,
            Kind::Team,
            Kind::Token,
            Kind::Invitation,
            Kind::Publisher,
            Kind::Share,
            Kind::Project,
            Kind::Report,
            Kind::Gate,
            Kind::Quarantine,
            Kind::Policy,
            Kind::Run,
            Kind::Alias,
            Kind::Issue,
        ]
    }

    fn needs_bodies(&self) -> bool {
        false
    }

    fn linger(&self) -> Duration {
        LINGER
    }

    fn ddl(&self) -> &'static str {
        include_str!("ddl.sql")
    }

    fn applier(&self) -> Box<dyn Applier> {
        Box::new(*self)
    }
}

impl Applier for Audit {
    fn apply<'a>(&'a mut self, conn: &'a mut PgConnection, batch: &'a [Item]) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            write_owners(conn, batch).await?;
            write_entries(conn, batch).await
        })
    }
}

async fn write_owners(conn: &mut PgConnection, batch: &[Item]) -> Result<(), ApplyError> {
    let made = batch.iter().flat_map(|item| &item.events).filter_map(|event| match event {
        Event::Token(token::Event::Created(created)) => Some((created.token.0, created.user.0)),
        _ => None,
    });
    let (tokens, users): (Vec<Uuid>, Vec<Uuid>) = made.unzip();
    if !tokens.is_empty() {
        sqlx::query("insert into token_owner select * from unnest($1::uuid[], $2::uuid[]) on conflict do nothing")
            .bind(tokens)
            .bind(users)
            .execute(conn)
            .await?;
    }
    Ok(())
}

async fn write_entries(conn: &mut PgConnection, batch: &[Item]) -> Result<(), ApplyError> {
    let entries: Vec<Entry> = batch.iter().flat_map(Entry::of).collect();
    if entries.is_empty() {
        return Ok(());
    }
    let actor = |pick: fn(Actor) -> Option<Uuid>| entries.iter().map(|entry| pick(entry.actor)).collect::<Vec<_>>();
    sqlx::query(
        "insert into entry (no, idx, at, user_id, token_id, publisher_id, team_id, action, resource_type, resource_id, metadata)
         select * from unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[],
                              $8::text[], $9::text[], $10::uuid[], $11::jsonb[])",
    )
    .bind(entries.iter().map(|entry| entry.no).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.idx).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.at).collect::<Vec<_>>())
    .bind(actor(|actor| if let Actor::User(id) = actor { Some(id.0) } else { None }))
    .bind(actor(|actor| if let Actor::Token(id) = actor { Some(id.0) } else { None }))
    .bind(actor(|actor| if let Actor::Publisher(id) = actor { Some(id.0) } else { None }))
    .bind(entries.iter().map(|entry| entry.team).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.action).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.resource_type).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.resource_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.metadata.as_ref()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}
