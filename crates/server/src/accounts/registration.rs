//! New accounts: a pending row, then the log, then the row is active.
//!
//! Every step may be repeated: ids and command ids follow from the account's id, so whoever finds the row pending (the
//! same person trying again, the sweep) carries on where the first try stopped.

use super::{email::Email, invitations, rules, tokens, users, users::User};
use crate::{
    app::App,
    http::{error::ApiError, extract::Faults},
};
use chrono::{DateTime, Utc};
use scaledtest_commands::{Claim, Team, User as UserDecider, claim, team, user};
use scaledtest_domain::{
    Actor, ClaimId, CommandId, Decider, ErrorKind, InstanceRole, Kind, Position, StreamId, TeamId, UserId,
};
use scaledtest_eventlog::{CommandMeta, ExecuteError, Executed};
use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;

/// What everybody's own team is called until they rename it. Never after the person: names stay out of the log.
const TEAM_NAME: &str = "My team";

/// An account that is in the log.
#[derive(Debug)]
pub struct Registered {
    /// Whose.
    pub user: User,
    /// The first account's is owner.
    pub instance_role: InstanceRole,
    /// Their own team.
    pub team: TeamId,
    /// Where the log has all of it.
    pub position: Position,
}

/// Makes an account with a team of its own.
///
/// # Errors
/// 409 `email_taken`; 503 when log or database are away: then the same again carries on.
pub async fn register(
    app: &App,
    email: &Email,
    password: SecretString,
    display_name: &str,
    correlation: Uuid,
) -> Result<Registered, ApiError> {
    let user = match users::by_email(app, email.as_str()).await? {
        Some(known) => return resume(app, known, password, correlation).await,
        None => {
            let hash = app.passwords.hash(password.clone()).await?;
            match insert(app, email, display_name, hash).await? {
                Some(user) => user,
                // Somebody was faster with the same address.
                None => match users::by_email(app, email.as_str()).await? {
                    Some(known) => return resume(app, known, password, correlation).await,
                    None => return Err(taken()),
                },
            }
        }
    };
    complete(app, user, Some(correlation)).await
}

fn taken() -> ApiError {
    ApiError::new(ErrorKind::Conflict, "email_taken", "email already registered")
}

/// An interrupted registration goes on for whoever knows its password; all else is taken.
async fn resume(app: &App, known: User, password: SecretString, correlation: Uuid) -> Result<Registered, ApiError> {
    if !known.active && app.passwords.verify(password, Some(known.password_hash.clone())).await? {
        return finish(app, known, Some(correlation)).await;
    }
    Err(taken())
}

/// What an invited person gives for a new account.
///
/// # Errors
/// 400 naming every faulty field.
pub(crate) fn check_newcomer(password: &SecretString, display_name: &str) -> Result<(), ApiError> {
    let mut faults = Faults::default();
    rules::check_password(&mut faults, "password", password);
    rules::check_name(&mut faults, display_name);
    faults.finish()
}

async fn insert(app: &App, email: &Email, display_name: &str, hash: String) -> Result<Option<User>, ApiError> {
    let mut conn = app.db.acquire().await?;
    Ok(insert_in(&mut conn, email, display_name, hash, app.clock.now()).await?)
}

/// The pending row of a new account; `None` if the address has one.
pub(crate) async fn insert_in(
    conn: &mut PgConnection,
    email: &Email,
    display_name: &str,
    hash: String,
    now: DateTime<Utc>,
) -> Result<Option<User>, sqlx::Error> {
    let id = UserId::new();
    let inserted = sqlx::query(
        "insert into auth.users (id, email, display_name, password_hash, state, created_at, updated_at)
         values ($1, $2, $3, $4, 'pending', $5, $5) on conflict do nothing",
    )
    .bind(id.0)
    .bind(email.as_str())
    .bind(display_name)
    .bind(&hash)
    .bind(now)
    .execute(conn)
    .await?;
    let user = User {
        id,
        email: email.as_str().to_owned(),
        display_name: display_name.to_owned(),
        password_hash: hash,
        email_verified: false,
        active: false,
    };
    Ok((inserted.rows_affected() == 1).then_some(user))
}

/// Carries on an interrupted registration: brings the account into the log and makes its row active; what is there
/// already is left as it is.
///
/// # Errors
/// 503 when log or database are away, or when the sweep removed the row at this very moment.
pub async fn finish(app: &App, user: User, correlation: Option<Uuid>) -> Result<Registered, ApiError> {
    // First of all the row becomes young again, so that the sweep leaves it to us. If the sweep holds it, this waits.
    touch(&mut *app.db.acquire().await?, user.id, app.clock.now()).await?;
    complete(app, user, correlation).await
}

/// Makes a pending row young again.
///
/// # Errors
/// 503 `registration_removed` when the sweep was faster.
pub(crate) async fn touch(conn: &mut PgConnection, user: UserId, now: DateTime<Utc>) -> Result<(), ApiError> {
    let touched = sqlx::query(
        "update auth.users set created_at = case when state = 'pending' then $2 else created_at end where id = $1",
    )
    .bind(user.0)
    .bind(now)
    .execute(conn)
    .await?;
    if touched.rows_affected() == 0 { Err(gone()) } else { Ok(()) }
}

fn gone() -> ApiError {
    let message = "this interrupted registration was just removed; send the same again";
    ApiError::unavailable("registration_removed", message).with_retry_after(1)
}

async fn complete(app: &App, user: User, correlation: Option<Uuid>) -> Result<Registered, ApiError> {
    if !user.active
        && let Some((invitation, _)) = invitations::of_newcomer(app, user.id).await?
    {
        // Whoever was invited joins that team and gets none of their own.
        let joined = Box::pin(invitations::finish(app, invitation, user, correlation)).await?;
        let invitations::Accepted { user, team, position, .. } = joined;
        return Ok(Registered { user, instance_role: InstanceRole::Member, team, position });
    }
    let log = Steps { app, user: user.id, at: app.clock.now(), correlation };
    // Whoever is in the log as something stays that: they must not take the claim away from who will own the instance by it.
    let instance_role = match log.registered().await? {
        Some(role) => role,
        None => log.instance_role().await?,
    };
    let registered = log.register(instance_role).await?;
    let (team, created) = log.own_team().await?;
    let activated =
        sqlx::query("update auth.users set state = 'active' where id = $1").bind(user.id.0).execute(&app.db).await?;
    if activated.rows_affected() != 1 {
        return Err(gone());
    }
    let position = registered.max(created);
    Ok(Registered { user: User { active: true, ..user }, instance_role, team, position })
}

/// Brings the account of somebody who was invited into the log. They never own the instance.
///
/// # Errors
/// 503 when log or database are away.
pub(crate) async fn register_member(app: &App, user: UserId, correlation: Option<Uuid>) -> Result<Position, ApiError> {
    let log = Steps { app, user, at: app.clock.now(), correlation };
    log.register(log.registered().await?.unwrap_or(InstanceRole::Member)).await
}

/// Brings an account back into the log that an older log was put under: it is missing there. `None` if it isn't.
///
/// # Errors
/// 503 when log or database are away.
pub async fn restore(app: &App, user: &User, correlation: Uuid) -> Result<Option<Registered>, ApiError> {
    if !user.active || !app.log.load(&StreamId::global(Kind::User, user.id)).await?.is_empty() {
        return Ok(None);
    }
    let team = own_team(user.id);
    tracing::warn!(user = %user.id, "the log knows nothing of this account; it is made again, with its team");
    // Its tokens are lost with it: they would work again, but nobody would see them in the list.
    tokens::forget_team(app, team).await?;
    complete(app, user.clone(), Some(correlation)).await.map(Some)
}

/// Removes a pending account that the log knows nothing of; finishes any other. False if there is no such row from before
/// `before`: somebody has carried on.
///
/// # Errors
/// 503 when log or database are away.
pub async fn settle(app: &App, user: UserId, before: DateTime<Utc>) -> Result<bool, ApiError> {
    // The row stays locked until it is decided: who wants to carry on waits, and then finds it gone or as it was.
    let mut tx = app.db.begin().await?;
    let locked =
        sqlx::query("select 1 from auth.users where id = $1 and state = 'pending' and created_at < $2 for update")
            .bind(user.0)
            .bind(before)
            .fetch_optional(&mut *tx)
            .await?;
    if locked.is_none() {
        return Ok(false);
    }
    // Of an invited person the log has the acceptance first.
    let has_joined = invitations::of_newcomer(app, user).await?.is_some_and(|(_, is_accepted)| is_accepted);
    if !has_joined && app.log.load(&StreamId::global(Kind::User, user)).await?.is_empty() {
        let log = Steps { app, user, at: app.clock.now(), correlation: None };
        log.release().await?;
        sqlx::query("delete from auth.users where id = $1").bind(user.0).execute(&mut *tx).await?;
        tx.commit().await?;
        return Ok(true);
    }
    // In the log it is for good: whoever else carries on does the same as we do.
    tx.rollback().await?;
    match users::by_id(app, user).await? {
        Some(user) if !user.active => complete(app, user, None).await.map(|_| true),
        _ => Ok(false),
    }
}

/// The commands of one registration.
struct Steps<'a> {
    app: &'a App,
    user: UserId,
    at: DateTime<Utc>,
    correlation: Option<Uuid>,
}

impl Steps<'_> {
    fn meta(&self, command: CommandId) -> CommandMeta {
        CommandMeta {
            command,
            request: None,
            actor: Actor::User(self.user),
            at: self.at,
            correlation: self.correlation,
            causation: None,
        }
    }

    fn command(&self, what: &str) -> CommandId {
        CommandId::derived(&[b"registration", what.as_bytes(), self.user.0.as_bytes()])
    }

    async fn execute<D: Decider>(
        &self,
        stream: StreamId,
        command: D::Command,
        id: CommandId,
    ) -> Result<Executed<D>, ExecuteError<D::Reject>> {
        self.app.log.execute::<D>(stream, command, &self.meta(id)).await
    }

    /// As what the log has the account, if it has it.
    async fn registered(&self) -> Result<Option<InstanceRole>, ApiError> {
        let known = self.app.log.state::<UserDecider>(&StreamId::global(Kind::User, self.user)).await?;
        Ok(known.registered)
    }

    /// The first account has the claim on owning the instance; everybody else finds it taken.
    async fn instance_role(&self) -> Result<InstanceRole, ApiError> {
        let first = self.lost_first_account().await?.unwrap_or(self.user);
        let take = claim::Command::Take { holder: first.0, content: None };
        // A new id each time: the same one would be answered with its first success even after a release.
        let holder = match self.execute::<Claim>(owner_claim(), take, CommandId::new()).await {
            Ok(_) => first,
            Err(ExecuteError::Rejected(claim::Reject::Held { holder, .. })) => UserId(holder),
            Err(error) => return Err(ApiError::from_execute(error)),
        };
        Ok(if holder == self.user { InstanceRole::Owner } else { InstanceRole::Member })
    }

    /// The first account, if the log lost it: what it held then is its own, whoever comes back first.
    async fn lost_first_account(&self) -> Result<Option<UserId>, ApiError> {
        // Ids are in the order of their making.
        let first = "select id from auth.users where state = 'active' order by id limit 1";
        let first: Option<Uuid> = sqlx::query_scalar(first).fetch_optional(&self.app.db).await?;
        let Some(first) = first.map(UserId) else { return Ok(None) };
        let known = self.app.log.load(&StreamId::global(Kind::User, first)).await?;
        Ok(known.is_empty().then_some(first))
    }

    async fn release(&self) -> Result<(), ApiError> {
        let release = claim::Command::Release { holder: self.user.0 };
        self.execute::<Claim>(owner_claim(), release, CommandId::new()).await.map_err(ApiError::from_execute)?;
        Ok(())
    }

    async fn register(&self, instance_role: InstanceRole) -> Result<Position, ApiError> {
        let stream = StreamId::global(Kind::User, self.user);
        let command = user::Command::Register { user: self.user, instance_role };
        let executed = self.execute::<UserDecider>(stream, command, self.command("user")).await;
        executed.map(|executed| executed.position).map_err(ApiError::from_execute)
    }

    async fn own_team(&self) -> Result<(TeamId, Position), ApiError> {
        let team = own_team(self.user);
        let stream = StreamId::of(team, Kind::Team, team);
        let command = team::Command::Create { team, name: TEAM_NAME.to_owned(), owner: self.user };
        let executed = self.execute::<Team>(stream, command, self.command("team")).await;
        executed.map(|executed| (team, executed.position)).map_err(ApiError::from_execute)
    }
}

fn own_team(user: UserId) -> TeamId {
    TeamId::derived(&[b"own team", user.0.as_bytes()])
}

/// The claim that only the first account gets.
fn owner_claim() -> StreamId {
    StreamId::global(Kind::Claim, ClaimId::derived(&[b"instance-owner"]))
}
