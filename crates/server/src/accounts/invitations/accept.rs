//! Accepting: the row says who does, then the log has it, then the account and the membership, then the row is done.

use super::{Row, Stage, found_by, may_invite, row, stream};
use crate::{
    accounts::{
        admission::{self, Way},
        attempts,
        email::Email,
        registration, rules, users,
        users::User,
    },
    app::App,
    http::{error::ApiError, extract::Faults},
};
use chrono::{DateTime, Utc};
use scaledtest_commands::{Invitation, Team, invitation, team};
use scaledtest_domain::{Actor, CommandId, ErrorKind, Kind, Position, StreamId, TeamId, TeamRole, UserId};
use scaledtest_eventlog::{CommandMeta, ExecuteError};
use scaledtest_projections::access::queries as access;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use uuid::Uuid;

/// What somebody with a link may see of an invitation.
#[derive(Debug)]
pub struct Preview {
    /// To whom.
    pub email: String,
    /// As what.
    pub role: TeamRole,
    /// Into which team.
    pub team_name: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// Whether the address has an account.
    pub account_exists: bool,
}

/// Who accepts.
pub struct Answer {
    /// Of the account, or for a new one; empty where `signed_in` is to count.
    pub password: SecretString,
    /// For a new account.
    pub display_name: String,
    /// Who is signed in, if anybody is.
    pub signed_in: Option<UserId>,
}

/// Somebody has joined.
#[derive(Debug)]
pub struct Accepted {
    /// Who.
    pub user: User,
    /// What.
    pub team: TeamId,
    /// As what they are in it now.
    pub role: TeamRole,
    /// Where the log has all of it.
    pub position: Position,
    /// Whether the account is new.
    pub is_new: bool,
}

/// An invitation that can be accepted.
struct Open {
    row: Row,
    role: TeamRole,
    team_name: String,
    expires_at: DateTime<Utc>,
    /// Whether the link of the mail was shown.
    mailed: bool,
}

fn not_found() -> ApiError {
    ApiError::not_found("invitation_not_found", "invitation not found")
}

fn accepted() -> ApiError {
    ApiError::new(ErrorKind::Gone, "invitation_accepted", "invitation already accepted")
}

fn expired(message: &str) -> ApiError {
    ApiError::new(ErrorKind::Gone, "invitation_expired", message)
}

async fn open(app: &App, token: &str) -> Result<Open, ApiError> {
    let hash = found_by(token);
    let found: Option<Row> = sqlx::query_as("select * from auth.invitations where token_hash = $1 or mailed_hash = $1")
        .bind(hash.as_slice())
        .fetch_optional(&app.db)
        .await?;
    let row = found.ok_or_else(not_found)?;
    match row.stage {
        Stage::Pending | Stage::Revoked => return Err(not_found()),
        Stage::Accepted => return Err(accepted()),
        Stage::Active | Stage::Accepting => {}
    }
    let state = app.log.state::<Invitation>(&stream(row.team, row.id)).await?;
    let (created, expires_at) = state.created.zip(state.expires_at).ok_or_else(not_found)?;
    if state.is_revoked {
        return Err(not_found());
    }
    let team = access::team(&app.db, row.team).await?.ok_or_else(not_found)?;
    // Once the log has it, it is only to be finished.
    if state.accepted.is_none() {
        if expires_at <= app.clock.now() {
            return Err(expired("invitation expired"));
        }
        if !may_invite(access::membership(&app.db, row.vouched_by, row.team).await?, created.role) {
            return Err(expired("whoever sent this invitation may not invite any more; ask for a new one"));
        }
    }
    let mailed = row.mailed_hash == hash;
    Ok(Open { row, role: created.role, team_name: team.name, expires_at, mailed })
}

/// What an invitation says.
///
/// # Errors
/// 404 `invitation_not_found`; 410 `invitation_accepted` or `invitation_expired`.
pub async fn preview(app: &App, token: &str) -> Result<Preview, ApiError> {
    let Open { row, role, team_name, expires_at, .. } = open(app, token).await?;
    let account_exists = users::by_email(app, &row.email).await?.is_some_and(|user| user.active);
    Ok(Preview { email: row.email, role, team_name, expires_at, account_exists })
}

/// Accepts an invitation: with the account of the address, or by making it, without a team of its own. The same person may
/// say so any number of times at once; they join once.
///
/// # Errors
/// As [`preview`]; 400 when a new account lacks something; 401 `invalid_password`; 403 `other_account` or
/// `account_disabled`; 503 when log or database are away: then the same again carries on.
pub async fn accept(app: &App, token: &str, answer: Answer, correlation: Uuid) -> Result<Accepted, ApiError> {
    let open = open(app, token).await?;
    let known = match users::by_email(app, &open.row.email).await? {
        Some(known) => Some(known),
        None => register(app, &open, &answer).await?,
    };
    let user = match known {
        Some(user) => user,
        // Somebody was faster with the same address: their password decides.
        None => users::by_email(app, &open.row.email).await?.ok_or_else(accepted)?,
    };
    let is_new = !user.active;
    prove(app, &user, &answer).await?;
    claim(app, &open, &user).await?;
    let mut accepted = finish(app, open.row.id, user, Some(correlation)).await?;
    accepted.is_new = is_new;
    Ok(accepted)
}

/// Makes the pending row of an account, bound to the invitation from the beginning; `None` if the address has one now.
async fn register(app: &App, open: &Open, answer: &Answer) -> Result<Option<User>, ApiError> {
    registration::check_newcomer(&answer.password, &answer.display_name)?;
    let email = Email::parse(&open.row.email).ok_or_else(|| ApiError::internal("an unreadable address was invited"))?;
    admission::admit(app, &email, Way::Invited).await?;
    let hash = app.passwords.hash(answer.password.clone()).await?;
    let mut tx = app.db.begin().await?;
    let user = registration::insert_in(&mut tx, &email, &answer.display_name, hash, app.clock.now()).await?;
    if let Some(user) = &user {
        bind(app, &mut tx, open, user).await?;
        tx.commit().await?;
    }
    Ok(user)
}

/// The password of the account, or being signed in with it.
async fn prove(app: &App, user: &User, answer: &Answer) -> Result<(), ApiError> {
    if answer.password.expose_secret().is_empty() {
        if answer.signed_in == Some(user.id) {
            return Ok(());
        }
        if answer.signed_in.is_none() {
            let mut faults = Faults::default();
            rules::check_present(&mut faults, "password", &answer.password);
            return faults.finish();
        }
        let message = "this invitation is for another e-mail address than the one you are signed in with";
        return Err(ApiError::forbidden("other_account", message));
    }
    attempts::begin(app, &user.email).await?;
    if !app.passwords.verify(answer.password.clone(), Some(user.password_hash.clone())).await? {
        return Err(ApiError::unauthenticated("invalid_password", "invalid password"));
    }
    attempts::succeeded(app, &user.email).await?;
    if users::is_disabled(app, user.id).await? {
        return Err(ApiError::forbidden("account_disabled", "this account is switched off; ask an administrator"));
    }
    Ok(())
}

/// Makes the row theirs, unless it is somebody else's or was taken back since.
async fn claim(app: &App, open: &Open, user: &User) -> Result<(), ApiError> {
    let mut tx = app.db.begin().await?;
    if !user.active {
        // Young again, so that the sweep leaves it to us. If the sweep holds it, this waits.
        registration::touch(&mut tx, user.id, app.clock.now()).await?;
    }
    bind(app, &mut tx, open, user).await?;
    tx.commit().await?;
    Ok(())
}

async fn bind(app: &App, conn: &mut PgConnection, open: &Open, user: &User) -> Result<(), ApiError> {
    let now = app.clock.now();
    let bound = sqlx::query(
        "update auth.invitations set state = 'accepting', user_id = $2, changed_at = $4
         where id = $1 and serial = $3 and (state = 'active' or state = 'accepting' and user_id = $2)",
    )
    .bind(open.row.id.0)
    .bind(user.id.0)
    .bind(open.row.serial)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if bound.rows_affected() == 0 {
        let stage = row(&app.db, open.row.id).await?.map(|row| row.stage);
        return Err(if matches!(stage, Some(Stage::Accepting | Stage::Accepted)) { accepted() } else { not_found() });
    }
    if open.mailed {
        sqlx::query("update auth.users set email_verified_at = coalesce(email_verified_at, $2) where id = $1")
            .bind(user.id.0)
            .bind(now)
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// The invitation with which a pending account came about, if it did with one, and whether the log has that.
pub(crate) async fn of_newcomer(app: &App, user: UserId) -> Result<Option<(super::InvitationId, bool)>, ApiError> {
    let found: Option<Row> =
        sqlx::query_as("select * from auth.invitations where user_id = $1 and state = 'accepting' limit 1")
            .bind(user.0)
            .fetch_optional(&app.db)
            .await?;
    let Some(found) = found else { return Ok(None) };
    let state = app.log.state::<Invitation>(&stream(found.team, found.id)).await?;
    Ok(Some((found.id, state.accepted == Some(user))))
}

/// Carries on an acceptance whose row says who accepts: acceptance, account and membership into the log, then the rows are
/// done. What is there already is left as it is.
///
/// # Errors
/// What the invitation's state says; 404 `team_not_found` if the team was deleted meanwhile: there is an account then, but
/// no membership; 503 when log or database are away.
pub(crate) async fn finish(
    app: &App,
    id: super::InvitationId,
    user: User,
    correlation: Option<Uuid>,
) -> Result<Accepted, ApiError> {
    let row = row(&app.db, id).await?.ok_or_else(not_found)?;
    let steps = Steps { app, row: &row, user: user.id, correlation };
    let (role, mut position) = steps.accept().await?;
    if !user.active {
        position = position.max(registration::register_member(app, user.id, correlation).await?);
    }
    let joined = steps.join(role).await?;
    done(app, &row, user.id).await?;
    let (role, at) = joined.ok_or_else(|| ApiError::not_found("team_not_found", "team not found"))?;
    let user = User { active: true, ..user };
    Ok(Accepted { user, team: row.team, role, position: position.max(at), is_new: false })
}

struct Steps<'a> {
    app: &'a App,
    row: &'a Row,
    user: UserId,
    correlation: Option<Uuid>,
}

impl Steps<'_> {
    fn meta(&self, what: &str) -> CommandMeta {
        let parts: [&[u8]; 4] = [b"invitation", what.as_bytes(), self.row.id.0.as_bytes(), self.user.0.as_bytes()];
        CommandMeta {
            command: CommandId::derived(&parts),
            request: None,
            actor: Actor::User(self.user),
            at: self.app.clock.now(),
            correlation: self.correlation,
            causation: None,
        }
    }

    async fn accept(&self) -> Result<(TeamRole, Position), ApiError> {
        let Row { id, team, .. } = *self.row;
        let accept = invitation::Command::Accept { invitation: id, user: self.user };
        let executed = self.app.log.execute::<Invitation>(stream(team, id), accept, &self.meta("accept")).await;
        let executed = executed.map_err(ApiError::from_execute)?;
        let created = executed.state.created.ok_or_else(not_found)?;
        Ok((created.role, executed.position))
    }

    /// `None` if there is no such team any more.
    async fn join(&self, role: TeamRole) -> Result<Option<(TeamRole, Position)>, ApiError> {
        let team = self.row.team;
        let join = team::Command::Join { user: self.user, role };
        let stream = StreamId::of(team, Kind::Team, team);
        match self.app.log.execute::<Team>(stream, join, &self.meta("join")).await {
            Ok(executed) => {
                let present = executed.state.members.get(&self.user).copied();
                Ok(Some((present.unwrap_or(role), executed.position)))
            }
            Err(ExecuteError::Rejected(team::Reject::NotFound)) => Ok(None),
            Err(error) => Err(ApiError::from_execute(error)),
        }
    }
}

async fn done(app: &App, row: &Row, user: UserId) -> Result<(), ApiError> {
    let mut tx = app.db.begin().await?;
    sqlx::query("update auth.users set state = 'active' where id = $1 and state = 'pending'")
        .bind(user.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query("update auth.invitations set state = 'accepted', changed_at = $2 where id = $1")
        .bind(row.id.0)
        .bind(app.clock.now())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}
