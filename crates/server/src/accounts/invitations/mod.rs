//! Invitations into a team: the address and the hashes of the links are rows here, everything else is in the log.
//!
//! Of the row's state at most one thing can be made at a time, whoever asks: `active` becomes `accepting` or `revoked`,
//! never both. What a crash leaves in between, [`settle_all`] finishes or takes back.
//!
//! An invitation has two links: one for whoever invites, to be handed on in any way, and one that only the mail holds.
//! Both let in; the second one also proves the address.

mod accept;
mod create;
mod sweep;

pub use accept::{Accepted, Answer, Preview, accept, preview};
pub(crate) use accept::{finish, of_newcomer};
pub use create::{Made, create, resend};
pub(crate) use sweep::settle_all;

use super::digest;
use crate::{
    app::App,
    http::error::ApiError,
    mail,
    secrets::{Secrets, hex},
};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_commands::{Invitation, invitation};
use scaledtest_domain::{
    Actor, CommandId, ErrorKind, InvitationId, Kind, Position, StreamId, TeamId, TeamRole, UserId,
};
use scaledtest_eventlog::{CommandMeta, ExecuteError};
use scaledtest_projections::access::queries as access;
use sqlx::{PgPool, Row as _};
use std::collections::HashMap;
use uuid::Uuid;

/// How every secret begins.
pub const PREFIX: &str = "inv_";
/// How long an invitation is good.
const LIFE: TimeDelta = TimeDelta::days(7);

/// Where an invitation's row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Pending,
    Active,
    Accepting,
    Accepted,
    Revoked,
}

/// The personal side of an invitation. `Debug` shows the id only.
struct Row {
    id: InvitationId,
    team: TeamId,
    email: String,
    serial: i32,
    stage: Stage,
    vouched_by: UserId,
    user: Option<UserId>,
    mailed_hash: Vec<u8>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invitation({})", self.id)
    }
}

impl sqlx::FromRow<'_, sqlx::postgres::PgRow> for Row {
    fn from_row(row: &sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
        let state: String = row.try_get("state")?;
        let user: Option<Uuid> = row.try_get("user_id")?;
        Ok(Self {
            id: InvitationId(row.try_get("id")?),
            team: TeamId(row.try_get("team_id")?),
            email: row.try_get("email")?,
            serial: row.try_get("serial")?,
            stage: match state.as_str() {
                "pending" => Stage::Pending,
                "active" => Stage::Active,
                "accepting" => Stage::Accepting,
                "accepted" => Stage::Accepted,
                _ => Stage::Revoked,
            },
            vouched_by: UserId(row.try_get("vouched_by")?),
            user: user.map(UserId),
            mailed_hash: row.try_get("mailed_hash")?,
        })
    }
}

async fn row(db: &PgPool, id: InvitationId) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as("select * from auth.invitations where id = $1").bind(id.0).fetch_optional(db).await
}

fn secret(secrets: &Secrets, what: &[u8], id: InvitationId, serial: i32) -> String {
    format!("{PREFIX}{}", hex(&secrets.derive(&[what, id.0.as_bytes(), &serial.to_be_bytes()])))
}

/// The secret that is told to whoever invites.
fn shown_token(secrets: &Secrets, id: InvitationId, serial: i32) -> String {
    secret(secrets, b"invitation", id, serial)
}

/// The secret that only the mail holds.
fn mailed_token(secrets: &Secrets, id: InvitationId, serial: i32) -> String {
    secret(secrets, b"mailed invitation", id, serial)
}

/// The page that a link opens.
pub fn url(base_url: &str, token: &str) -> String {
    format!("{base_url}/invitations/{token}")
}

/// What a mail says.
pub(crate) struct Mailed {
    /// Into which team.
    pub team: TeamId,
    /// The secret of the link.
    pub token: String,
}

/// What the mail of an invitation shall hold; `None` if it was taken back, accepted, or sent anew since.
pub(crate) async fn mailed(
    db: &PgPool,
    secrets: &Secrets,
    id: InvitationId,
    params: &serde_json::Value,
) -> Result<Option<Mailed>, sqlx::Error> {
    let found = row(db, id).await?;
    let found = found.filter(|row| row.stage == Stage::Active && params["serial"] == row.serial);
    Ok(found.map(|row| Mailed { team: row.team, token: mailed_token(secrets, id, row.serial) }))
}

/// Where an invitation stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It can be accepted.
    Pending,
    /// It was.
    Accepted,
    /// It cannot be any more: its time is over, or whoever sent it may not invite any more.
    Expired,
}

/// An invitation, as the team sees it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Which.
    pub id: InvitationId,
    /// Into which team.
    pub team: TeamId,
    /// To whom.
    pub email: String,
    /// As what.
    pub role: TeamRole,
    /// By whom.
    pub invited_by: Option<UserId>,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
    /// When it was.
    pub accepted_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Where it stands.
    pub standing: Standing,
    /// What became of its mail, if there was one.
    pub mail: Option<mail::State>,
}

/// Whether somebody with this role may invite others with that one.
fn may_invite(role: Option<TeamRole>, as_role: TeamRole) -> bool {
    role.is_some_and(|role| role >= TeamRole::Maintainer && (as_role < TeamRole::Owner || role == TeamRole::Owner))
}

/// A team's invitations, newest first.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App, team: TeamId) -> Result<Vec<Shown>, ApiError> {
    let rows: Vec<Row> =
        sqlx::query_as("select * from auth.invitations where team_id = $1").bind(team.0).fetch_all(&app.db).await?;
    let mut rows: HashMap<InvitationId, Row> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mails = mail::states(app, rows.keys().map(|id| id.0).collect()).await?;
    let members = access::members_of(&app.db, team).await?;
    let role_of = |user: UserId| members.iter().find(|member| member.user_id == user).map(|member| member.role);
    let now = app.clock.now();
    let known = access::invitations_of(&app.db, team).await?;
    let shown = known.into_iter().filter_map(|known| {
        let row = rows.remove(&known.id)?;
        let standing = match row.stage {
            Stage::Pending | Stage::Revoked => return None,
            Stage::Accepted => Standing::Accepted,
            Stage::Active | Stage::Accepting if known.expires_at <= now => Standing::Expired,
            Stage::Active | Stage::Accepting if !may_invite(role_of(row.vouched_by), known.role) => Standing::Expired,
            Stage::Active | Stage::Accepting => Standing::Pending,
        };
        Some(Shown {
            id: known.id,
            team,
            email: row.email,
            role: known.role,
            invited_by: known.invited_by,
            expires_at: known.expires_at,
            accepted_at: known.accepted_at,
            created_at: known.created_at,
            standing,
            mail: mails.get(&known.id.0).copied(),
        })
    });
    Ok(shown.collect())
}

fn already_accepted() -> ApiError {
    ApiError::new(ErrorKind::Conflict, "invitation_accepted", "invitation already accepted")
}

/// Takes an invitation back: its links are dead at once. One that was accepted only leaves the list. `None` if the team has no
/// such invitation.
///
/// # Errors
/// 409 `invitation_accepted` while somebody is accepting it; 503 when log or database are away: the links are dead all the same, and the same again
/// carries on.
pub async fn revoke(
    app: &App,
    team: TeamId,
    id: InvitationId,
    actor: Actor,
    correlation: Option<Uuid>,
) -> Result<Option<Position>, ApiError> {
    let revoked = sqlx::query(
        "update auth.invitations set state = 'revoked', changed_at = $3
         where id = $1 and team_id = $2 and state <> 'accepting'",
    )
    .bind(id.0)
    .bind(team.0)
    .bind(app.clock.now())
    .execute(&app.db)
    .await?;
    if revoked.rows_affected() == 0 {
        match row(&app.db, id).await? {
            Some(row) if row.team == team => return Err(already_accepted()),
            Some(_) => return Ok(None),
            // Without a row it may still be in the log: of a database restored from an older backup.
            None if access::invitation(&app.db, id).await?.is_some_and(|known| known.team_id == team) => {}
            None => return Ok(None),
        }
    }
    retire(app, team, id, actor, correlation).await
}

/// Says in the log that it was taken back, and forgets the address. `None` if the log does not have it, or not yet: then
/// whoever is making it sees the row, or the sweep does.
async fn retire(
    app: &App,
    team: TeamId,
    id: InvitationId,
    actor: Actor,
    correlation: Option<Uuid>,
) -> Result<Option<Position>, ApiError> {
    let meta = CommandMeta {
        command: CommandId::derived(&[b"revoke_invitation", id.0.as_bytes()]),
        request: None,
        actor,
        at: app.clock.now(),
        correlation,
        causation: None,
    };
    let revoke = invitation::Command::Revoke { invitation: id };
    let executed = match app.log.execute::<Invitation>(stream(team, id), revoke, &meta).await {
        Ok(executed) => executed,
        Err(ExecuteError::Rejected(invitation::Reject::NotFound)) => return Ok(None),
        Err(error) => return Err(ApiError::from_execute(error)),
    };
    sqlx::query("delete from auth.invitations where id = $1 and state = 'revoked'").bind(id.0).execute(&app.db).await?;
    Ok(Some(executed.position))
}

/// Forgets every address that was invited into a team that is gone.
///
/// # Errors
/// What the database says.
pub async fn forget_team(app: &App, team: TeamId) -> Result<(), ApiError> {
    sqlx::query("delete from auth.invitations where team_id = $1 and state <> 'accepting'")
        .bind(team.0)
        .execute(&app.db)
        .await?;
    Ok(())
}

fn stream(team: TeamId, id: InvitationId) -> StreamId {
    StreamId::of(team, Kind::Invitation, id)
}

/// How a secret is found again.
fn found_by(token: &str) -> [u8; 32] {
    digest(token)
}
