//! New accounts: a pending row, then the log, then the row is active.
//!
//! Every step may be repeated: ids and command ids follow from the account's id, so whoever finds the row pending (the
//! same person trying again, the sweep) carries on where the first try stopped.

use super::{email::Email, users, users::User};
use crate::{app::App, http::error::ApiError};
use chrono::{DateTime, Utc};
use scaledtest_commands::{Claim, Team, User as UserDecider, claim, team, user};
use scaledtest_domain::{
    Actor, ClaimId, CommandId, Decider, ErrorKind, InstanceRole, Kind, Position, StreamId, TeamId, UserId,
};
use scaledtest_eventlog::{CommandMeta, ExecuteError, Executed};
use secrecy::SecretString;
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
        Some(known) => resumable(app, known, password).await?,
        None => {
            let hash = app.passwords.hash(password.clone()).await?;
            match insert(app, email, display_name, hash).await? {
                Some(user) => user,
                // Somebody was faster with the same address.
                None => match users::by_email(app, email.as_str()).await? {
                    Some(known) => resumable(app, known, password).await?,
                    None => return Err(taken()),
                },
            }
        }
    };
    finish(app, user, Some(correlation)).await
}

fn taken() -> ApiError {
    ApiError::new(ErrorKind::Conflict, "email_taken", "email already registered")
}

/// An interrupted registration goes on for whoever knows its password; all else is taken.
async fn resumable(app: &App, known: User, password: SecretString) -> Result<User, ApiError> {
    if !known.active && app.passwords.verify(password, Some(known.password_hash.clone())).await? {
        return Ok(known);
    }
    Err(taken())
}

async fn insert(app: &App, email: &Email, display_name: &str, hash: String) -> Result<Option<User>, ApiError> {
    let id = UserId::new();
    let inserted = sqlx::query(
        "insert into auth.users (id, email, display_name, password_hash, state, created_at)
         values ($1, $2, $3, $4, 'pending', $5) on conflict do nothing",
    )
    .bind(id.0)
    .bind(email.as_str())
    .bind(display_name)
    .bind(&hash)
    .bind(app.clock.now())
    .execute(&app.db)
    .await?;
    let user = User {
        id,
        email: email.as_str().to_owned(),
        display_name: display_name.to_owned(),
        password_hash: hash,
        active: false,
    };
    Ok((inserted.rows_affected() == 1).then_some(user))
}

/// Brings a pending account into the log and makes its row active; what is there already is left as it is.
///
/// # Errors
/// 503 when log or database are away.
pub async fn finish(app: &App, user: User, correlation: Option<Uuid>) -> Result<Registered, ApiError> {
    let log = Steps { app, user: user.id, at: app.clock.now(), correlation };
    let instance_role = log.instance_role().await?;
    let registered = log.register(instance_role).await?;
    let (team, created) = log.own_team().await?;
    sqlx::query("update auth.users set state = 'active' where id = $1").bind(user.id.0).execute(&app.db).await?;
    let position = registered.max(created);
    Ok(Registered { user: User { active: true, ..user }, instance_role, team, position })
}

/// Removes a pending account that the log knows nothing of; finishes any other. For rows whose request is long over.
///
/// # Errors
/// 503 when log or database are away.
pub async fn settle(app: &App, user: User) -> Result<(), ApiError> {
    let known = !app.log.load(&StreamId::global(Kind::User, user.id)).await?.is_empty();
    if known {
        finish(app, user, None).await?;
        return Ok(());
    }
    let log = Steps { app, user: user.id, at: app.clock.now(), correlation: None };
    log.release().await?;
    sqlx::query("delete from auth.users where id = $1 and state = 'pending'").bind(user.id.0).execute(&app.db).await?;
    Ok(())
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

    /// The first account takes the claim on owning the instance; everybody else finds it taken.
    async fn instance_role(&self) -> Result<InstanceRole, ApiError> {
        let take = claim::Command::Take { holder: self.user.0, content: None };
        // A new id each time: the same one would be answered with its first success even after a release.
        match self.execute::<Claim>(owner_claim(), take, CommandId::new()).await {
            Ok(_) => Ok(InstanceRole::Owner),
            Err(ExecuteError::Rejected(claim::Reject::Held { .. })) => Ok(InstanceRole::Member),
            Err(error) => Err(ApiError::from_execute(error)),
        }
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
        let team = TeamId::derived(&[b"own team", self.user.0.as_bytes()]);
        let stream = StreamId::of(team, Kind::Team, team);
        let command = team::Command::Create { team, name: TEAM_NAME.to_owned(), owner: self.user };
        let executed = self.execute::<Team>(stream, command, self.command("team")).await;
        executed.map(|executed| (team, executed.position)).map_err(ApiError::from_execute)
    }
}

/// The claim that only the first account gets.
fn owner_claim() -> StreamId {
    StreamId::global(Kind::Claim, ClaimId::derived(&[b"instance-owner"]))
}
