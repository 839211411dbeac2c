//! Inviting: a pending row, then the log, then the row is active and the mail on its way.

use super::{LIFE, Shown, Stage, Standing, already_accepted, found_by, mailed_token, retire, row, shown_token, stream};
use crate::{
    accounts::{admission, email::Email, users},
    app::App,
    http::error::ApiError,
    mail::{self, NewMail, Template},
};
use chrono::{DateTime, Utc};
use scaledtest_commands::{Invitation, invitation};
use scaledtest_domain::{
    Actor, CommandId, ErrorKind, Hash16, InvitationId, Position, TeamId, TeamRole, UserId, events::invitation::Created,
};
use scaledtest_eventlog::{CommandMeta, Executed};
use scaledtest_projections::access::queries as access;
use serde_json::json;
use uuid::Uuid;

/// How often a place is looked for while others invite the same address.
const TRIES: usize = 5;

/// An invitation that was just made or sent again, with the secret of its link.
pub struct Made {
    /// As the team sees it.
    pub shown: Shown,
    /// `inv_` and 64 hex digits.
    pub token: String,
    /// Where the log has it.
    pub position: Position,
}

/// Invites somebody into a team; an earlier invitation of the same address that nobody has accepted is taken back. With an
/// idempotency key everything follows from the key, so the first answer can be given again.
///
/// # Errors
/// 409 `already_member`, 409 when the key's invitation was taken back since, 422 when the key was used for another one,
/// 429 when the address gets too much mail, 503 when log or database are away.
pub async fn create(
    app: &App,
    team: TeamId,
    by: UserId,
    email: &Email,
    role: TeamRole,
    key: Option<&str>,
    correlation: Uuid,
) -> Result<Made, ApiError> {
    let (id, command) = match key {
        Some(key) => {
            let parts: [&[u8]; 4] = [b"create_invitation", team.0.as_bytes(), by.0.as_bytes(), key.as_bytes()];
            (InvitationId::derived(&parts), CommandId::derived(&parts))
        }
        None => (InvitationId::new(), CommandId::new()),
    };
    let is_known = key.is_some() && app.log.state::<Invitation>(&stream(team, id)).await?.created.is_some();
    let mut replaced = Vec::new();
    if !is_known {
        check(app, team, email).await?;
        replaced = place(app, id, team, by, email).await?;
    }
    let now = app.clock.now();
    let meta = CommandMeta {
        command,
        request: key.map(|_| fingerprint(app, email, role)),
        actor: Actor::User(by),
        at: now,
        correlation: Some(correlation),
        causation: None,
    };
    let create = invitation::Command::Create { invitation: id, role, expires_at: now + LIFE };
    let executed = app.log.execute::<Invitation>(stream(team, id), create, &meta).await;
    let executed = executed.map_err(ApiError::from_execute)?;
    let made = activate(app, team, by, email, executed).await?;
    for old in replaced {
        if let Err(error) = retire(app, team, old, Actor::User(by), Some(correlation)).await {
            // Its links are dead already.
            tracing::warn!(invitation = %old, %error, "the sweep will take the replaced invitation back in the log");
        }
    }
    Ok(made)
}

async fn check(app: &App, team: TeamId, email: &Email) -> Result<(), ApiError> {
    admission::check_domain(app, email)?;
    if let Some(user) = users::by_email(app, email.as_str()).await?
        && access::members_of(&app.db, team).await?.iter().any(|member| member.user_id == user.id)
    {
        let message = "this person is a member of the team already";
        return Err(ApiError::new(ErrorKind::Conflict, "already_member", message));
    }
    mail::spare(app, email.as_str(), Template::Invitation).await
}

/// What is remembered of a request, to know it again. Nobody can tell the address from it: the log holds none.
fn fingerprint(app: &App, email: &Email, role: TeamRole) -> Hash16 {
    let address = email.as_str().as_bytes();
    Hash16::of(&app.secrets.derive(&[b"invitation request", address, role.as_str().as_bytes()]))
}

/// Puts the pending row in the place of any other of the same address; returns those that had it.
async fn place(
    app: &App,
    id: InvitationId,
    team: TeamId,
    by: UserId,
    email: &Email,
) -> Result<Vec<InvitationId>, ApiError> {
    let now = app.clock.now();
    for _ in 0..TRIES {
        let mut tx = app.db.begin().await?;
        let replaced: Vec<Uuid> = sqlx::query_scalar(
            "update auth.invitations set state = 'revoked', changed_at = $4
             where team_id = $1 and lower(email) = lower($2) and state in ('pending', 'active') and id <> $3
             returning id",
        )
        .bind(team.0)
        .bind(email.as_str())
        .bind(id.0)
        .bind(now)
        .fetch_all(&mut *tx)
        .await?;
        // One that an interrupted request with the same key left is made anew.
        sqlx::query("delete from auth.invitations where id = $1 and state = 'pending'")
            .bind(id.0)
            .execute(&mut *tx)
            .await?;
        let placed = sqlx::query(
            "insert into auth.invitations (id, team_id, email, serial, token_hash, mailed_hash, vouched_by, changed_at)
             values ($1, $2, $3, 1, $4, $5, $6, $7) on conflict do nothing",
        )
        .bind(id.0)
        .bind(team.0)
        .bind(email.as_str())
        .bind(found_by(&shown_token(&app.secrets, id, 1)).as_slice())
        .bind(found_by(&mailed_token(&app.secrets, id, 1)).as_slice())
        .bind(by.0)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if placed.rows_affected() == 1 {
            tx.commit().await?;
            return Ok(replaced.into_iter().map(InvitationId).collect());
        }
        tx.rollback().await?;
        if row(&app.db, id).await?.is_some() {
            // Another request with the same key is ahead.
            return Ok(Vec::new());
        }
    }
    let message = "somebody is accepting or making an invitation of this address right now; try again in a moment";
    Err(ApiError::new(ErrorKind::Conflict, "conflict", message))
}

/// Makes the row usable, and queues its mail with that.
async fn activate(
    app: &App,
    team: TeamId,
    by: UserId,
    email: &Email,
    executed: Executed<Invitation>,
) -> Result<Made, ApiError> {
    let invitation::State { created, expires_at, is_revoked, .. } = executed.state;
    let Some((created, expires_at)) = created.zip(expires_at) else {
        return Err(ApiError::internal("an invitation was made without an event"));
    };
    let id = created.invitation;
    let is_new = !is_revoked && make_usable(app, &created, expires_at, Some((email, by))).await?;
    let current = row(&app.db, id).await?.filter(|row| row.stage != Stage::Revoked);
    let Some(current) = current.filter(|_| !is_revoked) else {
        // Somebody took it back, or invited the same address, before it was made.
        retire(app, team, id, Actor::User(by), None).await?;
        let message = "this invitation was taken back or replaced meanwhile; use a new key for a new one";
        return Err(ApiError::new(ErrorKind::Conflict, "invitation_revoked", message));
    };
    let shown = Shown {
        id,
        team,
        email: current.email,
        role: created.role,
        invited_by: Some(by),
        expires_at,
        accepted_at: None,
        created_at: executed.at,
        standing: if current.stage == Stage::Accepted { Standing::Accepted } else { Standing::Pending },
        mail: match is_new {
            true => app.config.mail.is_some().then_some(mail::State::Queued),
            false => mail::states(app, vec![id.0]).await?.remove(&id.0),
        },
    };
    Ok(Made { shown, token: shown_token(&app.secrets, id, current.serial), position: executed.position })
}

/// Turns a pending row active and queues the mail; false if it was not pending. `known` is what the request said, where
/// there is one.
pub(super) async fn make_usable(
    app: &App,
    created: &Created,
    expires_at: DateTime<Utc>,
    known: Option<(&Email, UserId)>,
) -> Result<bool, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let activated: Option<(String, i32)> = sqlx::query_as(
        "update auth.invitations
         set state = 'active', changed_at = $2, email = coalesce($3, email), vouched_by = coalesce($4, vouched_by)
         where id = $1 and state = 'pending' returning email, serial",
    )
    .bind(created.invitation.0)
    .bind(now)
    .bind(known.map(|known| known.0.as_str()))
    .bind(known.map(|known| known.1.0))
    .fetch_optional(&mut *tx)
    .await?;
    let Some((email, serial)) = activated else { return Ok(false) };
    if app.config.mail.is_some() {
        mail::queue(&mut tx, &letter(&email, created, serial, expires_at), now).await?;
    }
    tx.commit().await?;
    app.mail_nudge.notify_one();
    Ok(true)
}

fn letter<'a>(email: &'a str, created: &Created, serial: i32, expires_at: DateTime<Utc>) -> NewMail<'a> {
    NewMail {
        recipient: email,
        template: Template::Invitation,
        subject: created.invitation.0,
        params: json!({"serial": serial, "role": created.role.as_str(), "expires_at": expires_at}),
    }
}

/// Sends an invitation again, for another seven days and with new links; the old ones are dead. `None` if the team has no
/// such invitation. Who sends it vouches for it from now on: so an owner's is sent again by owners only.
///
/// # Errors
/// 403 for an owner's; 409 `invitation_accepted`; 429 when the address gets too much mail; 503 when log or database are
/// away: the old links may be dead then, and the same again makes new ones.
pub async fn resend(
    app: &App,
    team: TeamId,
    id: InvitationId,
    by: UserId,
    role: TeamRole,
    correlation: Uuid,
) -> Result<Option<Made>, ApiError> {
    let Some(found) = row(&app.db, id).await?.filter(|row| row.team == team) else { return Ok(None) };
    match found.stage {
        Stage::Pending | Stage::Revoked => return Ok(None),
        Stage::Accepting | Stage::Accepted => return Err(already_accepted()),
        Stage::Active => {}
    }
    let known = app.log.state::<Invitation>(&stream(team, id)).await?;
    let Some(created) = known.created else { return Ok(None) };
    if !super::may_invite(Some(role), created.role) {
        return Err(ApiError::forbidden("forbidden", "only owners can invite owners"));
    }
    mail::spare(app, &found.email, Template::Invitation).await?;
    let serial = renumber(app, id, found.serial, by).await?;
    let now = app.clock.now();
    let meta = CommandMeta {
        command: CommandId::new(),
        request: None,
        actor: Actor::User(by),
        at: now,
        correlation: Some(correlation),
        causation: None,
    };
    let renew = invitation::Command::Renew { invitation: id, expires_at: now + LIFE };
    let executed = app.log.execute::<Invitation>(stream(team, id), renew, &meta).await;
    let executed = executed.map_err(ApiError::from_execute)?;
    if app.config.mail.is_some() {
        let mut conn = app.db.acquire().await?;
        mail::queue(&mut conn, &letter(&found.email, &created, serial, now + LIFE), now).await?;
        app.mail_nudge.notify_one();
    }
    let first = access::invitation(&app.db, id).await?;
    let shown = Shown {
        id,
        team,
        email: found.email,
        role: created.role,
        invited_by: first.as_ref().and_then(|first| first.invited_by),
        expires_at: now + LIFE,
        accepted_at: None,
        created_at: first.map_or(now, |first| first.created_at),
        standing: Standing::Pending,
        mail: app.config.mail.is_some().then_some(mail::State::Queued),
    };
    Ok(Some(Made { shown, token: shown_token(&app.secrets, id, serial), position: executed.position }))
}

/// Gives the row its next number, and with it new links.
async fn renumber(app: &App, id: InvitationId, serial: i32, by: UserId) -> Result<i32, ApiError> {
    let next = serial + 1;
    let renumbered = sqlx::query(
        "update auth.invitations set serial = $3, token_hash = $4, mailed_hash = $5, vouched_by = $6, changed_at = $7
         where id = $1 and serial = $2 and state = 'active'",
    )
    .bind(id.0)
    .bind(serial)
    .bind(next)
    .bind(found_by(&shown_token(&app.secrets, id, next)).as_slice())
    .bind(found_by(&mailed_token(&app.secrets, id, next)).as_slice())
    .bind(by.0)
    .bind(app.clock.now())
    .execute(&app.db)
    .await?;
    if renumbered.rows_affected() == 1 {
        return Ok(next);
    }
    let message = "somebody has changed this invitation at the same moment; look at it again";
    Err(ApiError::new(ErrorKind::Conflict, "conflict", message))
}
