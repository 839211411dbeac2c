//! Writes what is left of a batch, table by table.

use super::changes::{Account, Born, Changes, Invitation, Member};
use crate::ApplyError;
use crate::copy::clean;
use chrono::{DateTime, Utc};
use scaledtest_domain::{InstanceRole, Scope};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use uuid::Uuid;

impl Changes<'_> {
    pub async fn write(self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        self.write_accounts(conn).await?;
        self.write_teams(conn).await?;
        self.write_members(conn).await?;
        self.write_tokens(conn).await?;
        self.write_invitations(conn).await?;
        self.write_publishers(conn).await?;
        self.write_shares(conn).await?;
        self.write_deletions(conn).await
    }

    async fn write_accounts(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        let made: Vec<(Uuid, InstanceRole, Born)> = self
            .accounts
            .iter()
            .filter_map(|(id, account)| account.made.map(|(role, born)| (*id, role, born)))
            .collect();
        if !made.is_empty() {
            sqlx::query(
                "insert into account (user_id, instance_role, created_at, updated_at, no)
                 select id, role, at, at, no
                 from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[]) as new (id, role, at, no)
                 on conflict (user_id) do nothing",
            )
            .bind(made.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
            .bind(made.iter().map(|(_, role, _)| word(*role)).collect::<Vec<_>>())
            .bind(made.iter().map(|(.., born)| born.at).collect::<Vec<_>>())
            .bind(made.iter().map(|(.., born)| born.no).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
        }
        let changed: Vec<(Uuid, &Account, DateTime<Utc>)> =
            self.accounts.iter().filter_map(|(id, account)| account.changed_at.map(|at| (*id, account, at))).collect();
        if changed.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update account set instance_role = coalesce(role, instance_role), updated_at = at,
                                is_disabled = coalesce(disabled, is_disabled)
             from unnest($1::uuid[], $2::text[], $3::boolean[], $4::timestamptz[]) as new (id, role, disabled, at)
             where user_id = id",
        )
        .bind(changed.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, account, _)| account.role.map(word)).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, account, _)| account.is_disabled).collect::<Vec<_>>())
        .bind(changed.iter().map(|(.., at)| *at).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_teams(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        if !self.teams.is_empty() {
            sqlx::query(
                "insert into team (id, name, created_at, no)
                 select * from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[])
                 on conflict (id) do nothing",
            )
            .bind(self.teams.keys().copied().collect::<Vec<_>>())
            .bind(self.teams.values().map(|team| clean(team.0)).collect::<Vec<_>>())
            .bind(self.teams.values().map(|team| team.1.at).collect::<Vec<_>>())
            .bind(self.teams.values().map(|team| team.1.no).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
        }
        if !self.renamed.is_empty() {
            sqlx::query(
                "update team set name = new.name from unnest($1::uuid[], $2::text[]) as new (id, name)
                 where team.id = new.id",
            )
            .bind(self.renamed.keys().copied().collect::<Vec<_>>())
            .bind(self.renamed.values().map(|name| clean(name)).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
        }
        if !self.badges.is_empty() {
            sqlx::query(
                "update team set badges_public = new.is_public from unnest($1::uuid[], $2::boolean[]) as new (id, is_public)
                 where team.id = new.id",
            )
            .bind(self.badges.keys().copied().collect::<Vec<_>>())
            .bind(self.badges.values().copied().collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
        }
        if !self.retention.is_empty() {
            sqlx::query(
                "update team set retention_days = new.days from unnest($1::uuid[], $2::smallint[]) as new (id, days)
                 where team.id = new.id",
            )
            .bind(self.retention.keys().copied().collect::<Vec<_>>())
            .bind(self.retention.values().copied().collect::<Vec<_>>())
            .execute(conn)
            .await?;
        }
        Ok(())
    }

    async fn write_members(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        let (mut joined, mut changed, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for (key, member) in &self.members {
            match member {
                Member::Joined(role, born) => {
                    // Who left and came back in one batch begins anew.
                    left.push(*key);
                    joined.push((*key, role.as_str(), *born));
                }
                Member::Changed(role) => changed.push((*key, role.as_str())),
                Member::Left => left.push(*key),
            }
        }
        if !left.is_empty() {
            sqlx::query(
                "delete from member using unnest($1::uuid[], $2::uuid[]) as old (team_id, user_id)
                 where member.team_id = old.team_id and member.user_id = old.user_id",
            )
            .bind(left.iter().map(|key| key.0).collect::<Vec<_>>())
            .bind(left.iter().map(|key| key.1).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
        }
        if !changed.is_empty() {
            sqlx::query(
                "update member set role = new.role
                 from unnest($1::uuid[], $2::uuid[], $3::text[]) as new (team_id, user_id, role)
                 where member.team_id = new.team_id and member.user_id = new.user_id",
            )
            .bind(changed.iter().map(|(key, _)| key.0).collect::<Vec<_>>())
            .bind(changed.iter().map(|(key, _)| key.1).collect::<Vec<_>>())
            .bind(changed.iter().map(|(_, role)| *role).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
        }
        if joined.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into member (team_id, user_id, role, joined_at, no)
             select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[])",
        )
        .bind(joined.iter().map(|(key, ..)| key.0).collect::<Vec<_>>())
        .bind(joined.iter().map(|(key, ..)| key.1).collect::<Vec<_>>())
        .bind(joined.iter().map(|(_, role, _)| *role).collect::<Vec<_>>())
        .bind(joined.iter().map(|(.., born)| born.at).collect::<Vec<_>>())
        .bind(joined.iter().map(|(.., born)| born.no).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_tokens(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        forget(conn, "delete from token where id = any($1)", &self.revoked_tokens).await?;
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
             where not exists (select from deleted_team where deleted_team.team_id = new.team_id)
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

    async fn write_invitations(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        forget(conn, "delete from invitation where id = any($1)", &self.revoked_invitations).await?;
        let made: Vec<_> = self
            .invitations
            .iter()
            .filter_map(|(id, invitation)| Some((*id, invitation.made?, invitation.expires_at?)))
            .collect();
        if !made.is_empty() {
            sqlx::query(
                "insert into invitation (id, team_id, role, invited_by, expires_at, created_at, no)
                 select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[], $6::timestamptz[],
                                      $7::bigint[]) as new (id, team_id, role, invited_by, expires_at, created_at, no)
                 where not exists (select from deleted_team where deleted_team.team_id = new.team_id)
                 on conflict (id) do nothing",
            )
            .bind(made.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
            .bind(made.iter().map(|(_, made, _)| made.0).collect::<Vec<_>>())
            .bind(made.iter().map(|(_, made, _)| made.1.as_str()).collect::<Vec<_>>())
            .bind(made.iter().map(|(_, made, _)| made.2).collect::<Vec<_>>())
            .bind(made.iter().map(|(.., expiry)| *expiry).collect::<Vec<_>>())
            .bind(made.iter().map(|(_, made, _)| made.3.at).collect::<Vec<_>>())
            .bind(made.iter().map(|(_, made, _)| made.3.no).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
        }
        let is_changed = |invitation: &Invitation| invitation.accepted.is_some() || invitation.made.is_none();
        let changed: Vec<_> = self.invitations.iter().filter(|(_, invitation)| is_changed(invitation)).collect();
        if changed.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update invitation set expires_at = coalesce(new.expires_at, invitation.expires_at),
                                   accepted_by = coalesce(new.accepted_by, invitation.accepted_by),
                                   accepted_at = coalesce(new.accepted_at, invitation.accepted_at)
             from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::timestamptz[])
               as new (id, expires_at, accepted_by, accepted_at)
             where invitation.id = new.id",
        )
        .bind(changed.iter().map(|(id, _)| **id).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, invitation)| invitation.expires_at).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, invitation)| invitation.accepted.map(|by| by.0)).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, invitation)| invitation.accepted.map(|by| by.1)).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_publishers(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        forget(conn, "delete from publisher where id = any($1)", &self.removed_publishers).await?;
        if self.publishers.is_empty() {
            return Ok(());
        }
        let publishers = || self.publishers.values();
        sqlx::query(
            "insert into publisher (id, team_id, user_id, issuer, repository, branch, environment, created_at, no)
             select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                                  $8::timestamptz[], $9::bigint[])
               as new (id, team_id, user_id, issuer, repository, branch, environment, created_at, no)
             where not exists (select from deleted_team where deleted_team.team_id = new.team_id)
             on conflict (id) do nothing",
        )
        .bind(self.publishers.keys().copied().collect::<Vec<_>>())
        .bind(publishers().map(|publisher| publisher.0).collect::<Vec<_>>())
        .bind(publishers().map(|publisher| publisher.1.user.0).collect::<Vec<_>>())
        .bind(publishers().map(|publisher| clean(&publisher.1.rule.issuer)).collect::<Vec<_>>())
        .bind(publishers().map(|publisher| clean(&publisher.1.rule.repository)).collect::<Vec<_>>())
        .bind(publishers().map(|publisher| publisher.1.rule.branch.as_deref().map(clean)).collect::<Vec<_>>())
        .bind(publishers().map(|publisher| publisher.1.rule.environment.as_deref().map(clean)).collect::<Vec<_>>())
        .bind(publishers().map(|publisher| publisher.2.at).collect::<Vec<_>>())
        .bind(publishers().map(|publisher| publisher.2.no).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_shares(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        forget(conn, "delete from share where id = any($1)", &self.revoked_shares).await?;
        if self.shares.is_empty() {
            return Ok(());
        }
        let shares = || self.shares.values();
        sqlx::query(
            "insert into share (id, team_id, user_id, run_id, expires_at, created_at, no)
             select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[],
                                  $7::bigint[]) as new (id, team_id, user_id, run_id, expires_at, created_at, no)
             where not exists (select from deleted_team where deleted_team.team_id = new.team_id)
             on conflict (id) do nothing",
        )
        .bind(self.shares.keys().copied().collect::<Vec<_>>())
        .bind(shares().map(|share| share.0).collect::<Vec<_>>())
        .bind(shares().map(|share| share.1.user.0).collect::<Vec<_>>())
        .bind(shares().map(|share| share.1.run.0).collect::<Vec<_>>())
        .bind(shares().map(|share| share.1.expires_at).collect::<Vec<_>>())
        .bind(shares().map(|share| share.2.at).collect::<Vec<_>>())
        .bind(shares().map(|share| share.2.no).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Last, so that what came into a team before its end in the same batch goes with it.
    async fn write_deletions(&self, conn: &mut PgConnection) -> Result<(), ApplyError> {
        if self.deleted.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "with gone as (
                 insert into deleted_team (team_id, deleted_at, no)
                 select * from unnest($1::uuid[], $2::timestamptz[], $3::bigint[]) on conflict do nothing
             ), members as (delete from member where team_id = any($1)
             ), tokens as (delete from token where team_id = any($1)
             ), invitations as (delete from invitation where team_id = any($1)
             ), publishers as (delete from publisher where team_id = any($1)
             ), shares as (delete from share where team_id = any($1))
             delete from team where id = any($1)",
        )
        .bind(self.deleted.keys().copied().collect::<Vec<_>>())
        .bind(self.deleted.values().map(|born| born.at).collect::<Vec<_>>())
        .bind(self.deleted.values().map(|born| born.no).collect::<Vec<_>>())
        .execute(conn)
        .await?;
        Ok(())
    }
}

async fn forget(conn: &mut PgConnection, statement: &'static str, ids: &BTreeSet<Uuid>) -> Result<(), ApplyError> {
    if !ids.is_empty() {
        sqlx::query(statement).bind(ids.iter().copied().collect::<Vec<_>>()).execute(conn).await?;
    }
    Ok(())
}

fn word(role: InstanceRole) -> &'static str {
    if role == InstanceRole::Owner { "owner" } else { "member" }
}

/// Arrays of arrays must be rectangular in Postgres, so the words travel joined.
fn words(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}
