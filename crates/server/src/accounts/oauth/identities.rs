//! Which account a person of a provider has here.

use super::{Profile, teams};
use crate::{
    accounts::{
        Client,
        admission::{self, Way},
        audit::{self, Action, Circumstances},
        email::Email,
        recovery, registration, sessions, users,
        users::User,
    },
    app::App,
    http::error::ApiError,
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{ErrorKind, Position, UserId};
use scaledtest_projections::access::queries as access;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

/// Longest name that is taken over, characters.
const MAX_NAME: usize = 255;
/// How often a lost race is run again.
const TRIES: usize = 3;

/// Somebody who signed in elsewhere, and has an account here.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub user: User,
    /// Where the log has what this changed.
    pub position: Option<Position>,
}

/// An account elsewhere that signs somebody in.
#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Identity {
    /// Which.
    pub id: Uuid,
    /// Where.
    pub provider: String,
    /// What they are called there.
    pub name: Option<String>,
    /// Since when.
    pub linked_at: DateTime<Utc>,
}

/// Somebody's identities, the oldest first.
///
/// # Errors
/// What the database says.
pub async fn of(app: &App, user: UserId) -> Result<Vec<Identity>, ApiError> {
    let identities = sqlx::query_as(
        "select id, provider, name, linked_at from auth.identities where user_id = $1
         order by linked_at, provider, subject",
    )
    .bind(user.0)
    .fetch_all(&app.db)
    .await?;
    Ok(identities)
}

/// Takes one of somebody's identities away: it signs nobody in from now on. Sessions go on.
///
/// # Errors
/// 404 `identity_not_found`; 409 `last_way_in` if nothing else would let them in.
pub async fn unlink(app: &App, user: UserId, identity: Uuid, client: &Client) -> Result<(), ApiError> {
    let mut tx = app.db.begin().await?;
    // Locked, so that of two at once the second sees what the first has left.
    let has_password = "select password_hash <> '' from auth.users where id = $1 for no key update";
    let has_password: Option<bool> = sqlx::query_scalar(has_password).bind(user.0).fetch_optional(&mut *tx).await?;
    let removed: Option<String> =
        sqlx::query_scalar("delete from auth.identities where id = $1 and user_id = $2 returning provider")
            .bind(identity)
            .bind(user.0)
            .fetch_optional(&mut *tx)
            .await?;
    let provider = removed.ok_or_else(|| ApiError::not_found("identity_not_found", "linked account not found"))?;
    let others = "select exists (select from auth.identities where user_id = $1)";
    let others: bool = sqlx::query_scalar(others).bind(user.0).fetch_one(&mut *tx).await?;
    if !others && has_password != Some(true) {
        let message = "this is the only way in to your account: set a password, or link another account first";
        return Err(ApiError::new(ErrorKind::Conflict, "last_way_in", message));
    }
    tx.commit().await?;
    audit::note_with(app, Action::IdentityUnlinked, circumstances(user, &provider), client).await;
    Ok(())
}

/// Takes away what was linked to an account before its address was proven: by whom, nobody knows.
pub(crate) async fn forget_unproven(conn: &mut PgConnection, user: UserId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from auth.identities using auth.users as account
         where account.id = $1 and user_id = account.id
           and (account.email_verified_at is null or linked_at < account.email_verified_at)",
    )
    .bind(user.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// The account of a person who signed in elsewhere, made if need be.
pub(crate) async fn sign_in(
    app: &App,
    profile: &Profile,
    correlation: Uuid,
    client: &Client,
) -> Result<SignedIn, ApiError> {
    for _ in 0..TRIES {
        let Some(mut found) = find_or_make(app, profile, correlation, client).await? else { continue };
        not_disabled(app, found.user.id).await?;
        let role = users::instance_role(app, found.user.id).await?;
        recovery::insist_on_proof(app, &found.user, role).await?;
        let joined = teams::join(app, found.user.id, profile, correlation).await;
        found.position = found.position.max(joined);
        let circumstances = circumstances(found.user.id, profile.provider.as_str());
        audit::note_with(app, Action::SignedIn, circumstances, client).await;
        return Ok(found);
    }
    Err(ApiError::unavailable("oauth_failed", "others sign in with the same identity right now; try again"))
}

/// Lets an identity sign in somebody who is signed in already: they have proven both. Only while the session lives that
/// began it: whoever ended it may have ended it for this.
pub(crate) async fn link(
    app: &App,
    session: Uuid,
    profile: &Profile,
    correlation: Uuid,
    client: &Client,
) -> Result<Option<Position>, ApiError> {
    let mut tx = app.db.begin().await?;
    let over = || ApiError::unauthenticated("session_over", "the session that this was begun in is over");
    let user = sessions::holder_in(&mut tx, session, app.clock.now()).await?.ok_or_else(over)?;
    let is_new = known(&mut tx, profile).await?.is_none() && insert(&mut tx, app, profile, user).await?;
    if known(&mut tx, profile).await? != Some(user) {
        return Err(taken());
    }
    tx.commit().await?;
    if is_new {
        let circumstances = circumstances(user, profile.provider.as_str());
        audit::note_with(app, Action::IdentityLinked, circumstances, client).await;
    }
    Ok(teams::join(app, user, profile, correlation).await)
}

fn taken() -> ApiError {
    let message = "there is an account already: sign in with its password, then link this identity";
    ApiError::new(ErrorKind::Conflict, "oauth_account_exists", message)
}

fn circumstances(user: UserId, provider: &str) -> Circumstances {
    Circumstances { user: Some(user), detail: Some(json!({"provider": provider})), ..Circumstances::default() }
}

async fn not_disabled(app: &App, user: UserId) -> Result<(), ApiError> {
    if access::account(&app.db, user).await?.is_some_and(|account| account.is_disabled) {
        return Err(ApiError::forbidden("account_disabled", "this account is switched off"));
    }
    Ok(())
}

/// `None` if somebody else was faster: then the next look shows another picture.
async fn find_or_make(
    app: &App,
    profile: &Profile,
    correlation: Uuid,
    client: &Client,
) -> Result<Option<SignedIn>, ApiError> {
    if let Some(user) = known(&mut *app.db.acquire().await?, profile).await? {
        let Some(user) = users::by_id(app, user).await? else { return Ok(None) };
        return present(app, user, correlation).await.map(Some);
    }
    let Some(email) = &profile.email else {
        let message = "the provider has not verified your e-mail address: verify it there first";
        return Err(ApiError::forbidden("oauth_email_unverified", message));
    };
    let action = match users::by_email(app, email.as_str()).await? {
        Some(user) => match adopt(app, profile, &user).await? {
            Some(true) => (Action::IdentityLinked, user.id),
            Some(false) => return Err(taken()),
            None => return Ok(None),
        },
        None => {
            admission::admit(app, email, Way::Uninvited).await?;
            match make(app, profile, email).await? {
                Some(user) => (Action::Registered, user),
                None => return Ok(None),
            }
        }
    };
    audit::note_with(app, action.0, circumstances(action.1, profile.provider.as_str()), client).await;
    let Some(user) = users::by_id(app, action.1).await? else { return Ok(None) };
    present(app, user, correlation).await.map(Some)
}

/// An account that a crash interrupted goes on: its person has proven who they are.
async fn present(app: &App, user: User, correlation: Uuid) -> Result<SignedIn, ApiError> {
    if user.active {
        return Ok(SignedIn { user, position: None });
    }
    let registered = registration::finish(app, user, Some(correlation)).await?;
    Ok(SignedIn { user: registered.user, position: Some(registered.position) })
}

async fn known(conn: &mut PgConnection, profile: &Profile) -> Result<Option<UserId>, sqlx::Error> {
    let user: Option<Uuid> = sqlx::query_scalar(
        "select user_id from auth.identities where provider = $1 and subject = $2 and issuer in ($3, '')
         order by issuer desc limit 1",
    )
    .bind(profile.provider.as_str())
    .bind(&profile.subject)
    .bind(&profile.issuer)
    .fetch_optional(conn)
    .await?;
    Ok(user.map(UserId))
}

/// Links an account of the same address. One with a password and an address that nobody has proven may have been made by
/// somebody else, for its owner to fall into: `Some(false)`. `None` if somebody was faster.
async fn adopt(app: &App, profile: &Profile, user: &User) -> Result<Option<bool>, ApiError> {
    let mut tx = app.db.begin().await?;
    // Locked, so that it is still so when the identity is written.
    let safe = sqlx::query_scalar(
        "select email_verified_at is not null or password_hash = '' from auth.users
         where id = $1 and lower(email) = lower($2) for update",
    )
    .bind(user.id.0)
    .bind(&user.email)
    .fetch_optional(&mut *tx)
    .await?;
    match safe {
        None => return Ok(None),
        Some(false) => return Ok(Some(false)),
        Some(true) => {}
    }
    sqlx::query("update auth.users set email_verified_at = coalesce(email_verified_at, $2) where id = $1")
        .bind(user.id.0)
        .bind(app.clock.now())
        .execute(&mut *tx)
        .await?;
    if !insert(&mut tx, app, profile, user.id).await? {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(true))
}

/// The rows of a new account: pending until the log has it. `None` if somebody was faster.
async fn make(app: &App, profile: &Profile, email: &Email) -> Result<Option<UserId>, ApiError> {
    let id = UserId::new();
    let mut tx = app.db.begin().await?;
    let inserted = sqlx::query(
        "insert into auth.users
            (id, email, display_name, password_hash, state, email_verified_at, created_at, updated_at)
         values ($1, $2, $3, '', 'pending', $4, $4, $4) on conflict do nothing",
    )
    .bind(id.0)
    .bind(email.as_str())
    .bind(shown_name(profile, email))
    .bind(app.clock.now())
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 0 || !insert(&mut tx, app, profile, id).await? {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(id))
}

/// False if the identity is somebody's already.
async fn insert(conn: &mut PgConnection, app: &App, profile: &Profile, user: UserId) -> Result<bool, ApiError> {
    let inserted = sqlx::query(
        "insert into auth.identities (provider, subject, user_id, name, linked_at, issuer)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(profile.provider.as_str())
    .bind(&profile.subject)
    .bind(user.0)
    .bind(profile.name.as_deref().map(clean).filter(|name| !name.is_empty()))
    .bind(app.clock.now())
    .bind(&profile.issuer)
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// A name that can be kept and shown.
fn clean(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    plain.trim().to_owned()
}

fn shown_name(profile: &Profile, email: &Email) -> String {
    let name = profile.name.as_deref().map(clean).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| email.as_str().split('@').next().unwrap_or_default().to_owned())
}
