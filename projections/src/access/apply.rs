//! A batch is folded in memory to what is left of it, then written table by table.

use crate::checkpoint::signed;
use crate::{ApplyError, Item};
use chrono::{DateTime, Utc};
use scaledtest_domain::{
    Event, InstanceRole, Scope, TeamRole,
    events::{team, token, user},
};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// When something came into being: the commit's time and position.
#[derive(Clone, Copy)]
struct Born {
    at: DateTime<Utc>,
    no: i64,
}

#[derive(Default)]
pub(super) struct Changes<'a> {
    accounts: BTreeMap<Uuid, (InstanceRole, Born)>,
    teams: BTreeMap<Uuid, (&'a str, Born)>,
    members: BTreeMap<(Uuid, Uuid), (TeamRole, Born)>,
    tokens: BTreeMap<Uuid, (Uuid, &'a token::Created, Born)>,
    revoked: BTreeSet<Uuid>,
}

impl<'a> Changes<'a> {
    pub fn of(batch: &'a [Item]) -> Result<Self, ApplyError> {
        let mut changes = Self::default();
        for item in batch {
            for event in &item.events {
                changes.fold(item, event)?;
            }
        }
        Ok(changes)
    }

    fn fold(&mut self, item: &Item, event: &'a Event) -> Result<(), ApplyError> {
        let born = Born { at: item.commit.at, no: signed(item.n) };
        let team = || {
            let team = item.commit.team.map(Uuid::from);
            team.ok_or_else(|| ApplyError::Data(format!("the commit at position {} has no team", item.n)))
        };
        match event {
            Event::User(user::Event::Registered(event)) => {
                self.accounts.entry(event.user.0).or_insert((event.instance_role, born));
            }
            Event::Team(team::Event::Created(event)) => {
                self.teams.entry(event.team.0).or_insert((&event.name, born));
            }
            Event::Team(team::Event::MemberAdded(event)) => {
                self.members.entry((team()?, event.user.0)).or_insert((event.role, born)).0 = event.role;
            }
            Event::Token(token::Event::Created(event)) => {
                self.tokens.entry(event.token.0).or_insert((team()?, event, born));
            }
            Event::Token(token::Event::Revoked(event)) => {
                self.tokens.remove(&event.token.0);
                self.revoked.insert(event.token.0);
            }
            Event::Project(_) | Event::Report(_) | Event::Claim(_) => {}
        }
        Ok(())
    }

    pub async fn write(self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        self.write_accounts(conn).await?;
        self.write_teams(conn).await?;
        self.write_members(conn).await?;
        self.write_tokens(conn).await
    }

    async fn write_accounts(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        if self.accounts.is_empty() {
            return Ok(());
        }
        let role = |role| if role == InstanceRole::Owner { "owner" } else { "member" };
        sqlx::query(
            "insert into account (user_id, instance_role, created_at, no)
             select * from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[])
             on conflict (user_id) do nothing",
        )
        .bind(self.accounts.keys().copied().collect::<Vec<_>>())
        .bind(self.accounts.values().map(|account| role(account.0)).collect::<Vec<_>>())
        .bind(self.accounts.values().map(|account| account.1.at).collect::<Vec<_>>())
        .bind(self.accounts.values().map(|account| account.1.no).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_teams(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        if self.teams.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into team (id, name, created_at, no)
             select * from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[])
             on conflict (id) do nothing",
        )
        .bind(self.teams.keys().copied().collect::<Vec<_>>())
        .bind(self.teams.values().map(|team| clean(team.0)).collect::<Vec<_>>())
        .bind(self.teams.values().map(|team| team.1.at).collect::<Vec<_>>())
        .bind(self.teams.values().map(|team| team.1.no).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_members(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        if self.members.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into member (team_id, user_id, role, joined_at, no)
             select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[])
             on conflict (team_id, user_id) do update set role = excluded.role",
        )
        .bind(self.members.keys().map(|key| key.0).collect::<Vec<_>>())
        .bind(self.members.keys().map(|key| key.1).collect::<Vec<_>>())
        .bind(self.members.values().map(|member| member.0.as_str()).collect::<Vec<_>>())
        .bind(self.members.values().map(|member| member.1.at).collect::<Vec<_>>())
        .bind(self.members.values().map(|member| member.1.no).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_tokens(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        if !self.revoked.is_empty() {
            let revoked: Vec<Uuid> = self.revoked.iter().copied().collect();
            sqlx::query("delete from token where id = any($1)").bind(revoked).execute(&mut *conn).await?;
        }
        if self.tokens.is_empty() {
            return Ok(());
        }
        let tokens = || self.tokens.values();
        sqlx::query(
            "insert into token (id, team_id, user_id, name, prefix, scopes, expires_at, created_at, no)
             select id, team_id, user_id, name, prefix, string_to_array(scopes, ' '), expires_at, created_at, no
             from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                         $8::timestamptz[], $9::bigint[])
               as new (id, team_id, user_id, name, prefix, scopes, expires_at, created_at, no)
             on conflict (id) do nothing",
        )
        .bind(self.tokens.keys().copied().collect::<Vec<_>>())
        .bind(tokens().map(|token| token.0).collect::<Vec<_>>())
        .bind(tokens().map(|token| token.1.user.0).collect::<Vec<_>>())
        .bind(tokens().map(|token| clean(&token.1.name)).collect::<Vec<_>>())
        .bind(tokens().map(|token| clean(&token.1.prefix)).collect::<Vec<_>>())
        .bind(tokens().map(|token| words(&token.1.scopes)).collect::<Vec<_>>())
        .bind(tokens().map(|token| token.1.expires_at).collect::<Vec<_>>())
        .bind(tokens().map(|token| token.2.at).collect::<Vec<_>>())
        .bind(tokens().map(|token| token.2.no).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Postgres keeps no NUL.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Arrays of arrays must be rectangular in Postgres, so the words travel joined.
fn words(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}
