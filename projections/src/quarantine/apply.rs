//! What is left of a batch, and how it is written.

use crate::{ApplyError, Item, checkpoint::signed, copy::clean};
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Event,
    events::{
        policy::{self, Set},
        quarantine::{self, By, Entered, Released, Terms},
        team,
    },
};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What became of a stay in this batch.
#[derive(Default)]
struct Entry<'a> {
    entered: Option<(i64, Uuid, DateTime<Utc>, &'a Entered)>,
    changed: Option<(DateTime<Utc>, &'a Terms)>,
    released: Option<(DateTime<Utc>, &'a Released)>,
}

/// What a batch comes to.
#[derive(Default)]
pub(super) struct Changes<'a> {
    /// Everything that was there of these teams goes first.
    gone: BTreeSet<Uuid>,
    entries: BTreeMap<Uuid, Entry<'a>>,
    policies: BTreeMap<Uuid, (Uuid, DateTime<Utc>, &'a Set)>,
}

impl<'a> Changes<'a> {
    pub fn of(batch: &'a [Item]) -> Result<Self, ApplyError> {
        let mut changes = Self::default();
        for item in batch {
            for event in &item.events {
                match event {
                    Event::Team(team::Event::Deleted(deleted)) => changes.forget(deleted.team.0),
                    Event::Quarantine(event) => changes.quarantine(item, event)?,
                    Event::Policy(policy::Event::Set(set)) => {
                        changes.policies.insert(set.project.0, (item.team()?.0, item.commit.at, set));
                    }
                    _ => {}
                }
            }
        }
        Ok(changes)
    }

    fn forget(&mut self, team: Uuid) {
        self.entries.retain(|_, entry| entry.entered.is_none_or(|(_, of, ..)| of != team));
        self.policies.retain(|_, (of, ..)| *of != team);
        self.gone.insert(team);
    }

    fn quarantine(&mut self, item: &Item, event: &'a quarantine::Event) -> Result<(), ApplyError> {
        let at = item.commit.at;
        match event {
            quarantine::Event::Entered(entered) => {
                let made = (signed(item.n), item.team()?.0, at, entered);
                self.entries.entry(entered.quarantine.0).or_default().entered = Some(made);
            }
            quarantine::Event::Changed(changed) => {
                self.entries.entry(changed.quarantine.0).or_default().changed = Some((at, &changed.terms));
            }
            quarantine::Event::Released(released) => {
                self.entries.entry(released.quarantine.0).or_default().released = Some((at, released));
            }
        }
        Ok(())
    }

    pub async fn write(self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        if !self.gone.is_empty() {
            let teams: Vec<Uuid> = self.gone.iter().copied().collect();
            sqlx::query("delete from entry where team_id = any($1)").bind(&teams).execute(&mut *conn).await?;
            sqlx::query("delete from policy where team_id = any($1)").bind(&teams).execute(&mut *conn).await?;
        }
        self.write_entered(conn).await?;
        self.write_changed(conn).await?;
        self.write_released(conn).await?;
        self.write_policies(conn).await
    }

    async fn write_entered(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        let made: Vec<_> = self.entries.values().filter_map(|entry| entry.entered).collect();
        if made.is_empty() {
            return Ok(());
        }
        let evidence = |entered: &Entered| entered.evidence.as_ref().and_then(|found| serde_json::to_value(found).ok());
        let person = |by: By| if let By::Person { user } = by { Some(user.0) } else { None };
        sqlx::query(
            "insert into entry (id, no, team_id, project_id, test_id, user_id, mode, reason, owner, ticket, entered_at,
                                changed_at, expires_at, ends_at, evidence)
             select id, no, team, project, test, person, mode, reason, owner, ticket, at, at, expires, expires, evidence::json
             from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
                         $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::jsonb[])
                  as new (id, no, team, project, test, person, mode, reason, owner, ticket, at, expires, evidence)
             on conflict (id) do nothing",
        )
        .bind(made.iter().map(|(.., one)| one.quarantine.0).collect::<Vec<_>>())
        .bind(made.iter().map(|(no, ..)| *no).collect::<Vec<_>>())
        .bind(made.iter().map(|(_, team, ..)| *team).collect::<Vec<_>>())
        .bind(made.iter().map(|(.., one)| one.project.0).collect::<Vec<_>>())
        .bind(made.iter().map(|(.., one)| one.test.0).collect::<Vec<_>>())
        .bind(made.iter().map(|(.., one)| person(one.by)).collect::<Vec<_>>())
        .bind(made.iter().map(|(.., one)| one.terms.mode.as_str()).collect::<Vec<_>>())
        .bind(made.iter().map(|(.., one)| clean(&one.terms.reason)).collect::<Vec<_>>())
        .bind(made.iter().map(|(.., one)| one.terms.owner.as_deref().map(clean)).collect::<Vec<_>>())
        .bind(made.iter().map(|(.., one)| one.terms.ticket.as_deref().map(clean)).collect::<Vec<_>>())
        .bind(made.iter().map(|(_, _, at, _)| *at).collect::<Vec<_>>())
        .bind(made.iter().map(|(.., one)| one.terms.expires_at).collect::<Vec<_>>())
        .bind(made.iter().map(|(.., one)| evidence(one)).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_changed(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        let changed: Vec<(Uuid, DateTime<Utc>, &Terms)> =
            self.entries.iter().filter_map(|(id, entry)| entry.changed.map(|(at, terms)| (*id, at, terms))).collect();
        if changed.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update entry set mode = new.mode, reason = new.reason, owner = new.owner, ticket = new.ticket, changed_at = at,
                              expires_at = expires, ends_at = least(expires, released_at)
             from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
                  as new (entry_id, at, mode, reason, owner, ticket, expires)
             where id = entry_id",
        )
        .bind(changed.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, at, _)| *at).collect::<Vec<_>>())
        .bind(changed.iter().map(|(.., terms)| terms.mode.as_str()).collect::<Vec<_>>())
        .bind(changed.iter().map(|(.., terms)| clean(&terms.reason)).collect::<Vec<_>>())
        .bind(changed.iter().map(|(.., terms)| terms.owner.as_deref().map(clean)).collect::<Vec<_>>())
        .bind(changed.iter().map(|(.., terms)| terms.ticket.as_deref().map(clean)).collect::<Vec<_>>())
        .bind(changed.iter().map(|(.., terms)| terms.expires_at).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_released(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        let released: Vec<(Uuid, DateTime<Utc>, &Released)> =
            self.entries.iter().filter_map(|(id, entry)| entry.released.map(|(at, one)| (*id, at, one))).collect();
        if released.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update entry set released_at = at, released_why = why, released_user = person, ends_at = least(expires_at, at)
             from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[]) as new (entry_id, at, why, person)
             where id = entry_id",
        )
        .bind(released.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
        .bind(released.iter().map(|(_, at, _)| *at).collect::<Vec<_>>())
        .bind(released.iter().map(|(.., one)| one.why.as_str()).collect::<Vec<_>>())
        .bind(released.iter().map(|(.., one)| one.user.map(|user| user.0)).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_policies(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        // Few and far between: a statement each.
        for (project, (team, at, set)) in &self.policies {
            let rules = &set.rules;
            sqlx::query(
                "insert into policy (project_id, team_id, enabled, mode, max_share, max_count, expiry_days, owner,
                                     max_per_owner, set_at, set_by)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                 on conflict (project_id) do update set enabled = excluded.enabled, mode = excluded.mode,
                   max_share = excluded.max_share, max_count = excluded.max_count, expiry_days = excluded.expiry_days,
                   owner = excluded.owner, max_per_owner = excluded.max_per_owner, set_at = excluded.set_at,
                   set_by = excluded.set_by",
            )
            .bind(project)
            .bind(team)
            .bind(rules.enabled)
            .bind(rules.mode.as_str())
            .bind(rules.max_share)
            .bind(i64::from(rules.max_count))
            .bind(i64::from(rules.expiry_days))
            .bind(rules.owner.as_deref().map(clean))
            .bind(rules.max_per_owner.map(i64::from))
            .bind(at)
            .bind(set.user.0)
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }
}
