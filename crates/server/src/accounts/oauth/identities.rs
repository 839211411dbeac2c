//! Which account a person of a provider has here.

use super::{Profile, Provider, teams};
use crate::{
    accounts::{
        Client,
        admission::{self, Way},
        audit::{self, Action, Circumstances},
        digest,
        email::Email,
        registration, users,
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
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
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
    let rows: Vec<(String, Option<String>, DateTime<Utc>)> = sqlx::query_as(
        "select provider, name, linked_at from auth.identities where user_id = $1 order by linked_at, provider, subject",
    )
    .bind(user.0)
    .fetch_all(&app.db)
    .await?;
    Ok(rows.into_iter().map(|(provider, name, linked_at)| Identity { provider, name, linked_at }).collect())
}

/// Whose session a refresh token is of, without using it up.
///
/// # Errors
/// What the database says.
pub async fn holder(app: &App, refresh_token: &str) -> Result<Option<UserId>, ApiError> {
    let user: Option<Uuid> =
        sqlx::query_scalar("select user_id from auth.sessions where token_hash = $1 and expires_at > $2")
            .bind(digest(refresh_token).as_slice())
            .bind(app.clock.now())
            .fetch_optional(&app.db)
            .await?;
    Ok(user.map(UserId))
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
        let joined = teams::join(app, found.user.id, profile, correlation).await;
        found.position = found.position.max(joined);
        let circumstances = circumstances(found.user.id, profile.provider);
        audit::note_with(app, Action::SignedIn, circumstances, client).await;
        return Ok(found);
    }
    Err(ApiError::unavailable("oauth_failed", "others sign in with the same identity right now; try again"))
}

/// Lets an identity sign in somebody who is signed in already: they have proven both.
pub(crate) async fn link(
    app: &App,
    user: UserId,
    profile: &Profile,
    correlation: Uuid,
    client: &Client,
) -> Result<Option<Position>, ApiError> {
    not_disabled(app, user).await?;
    match known(app, profile).await? {
        Some(holder) if holder != user => return Err(taken()),
        Some(_) => {}
        None => {
            if !insert(&mut *app.db.acquire().await?, app, profile, user).await?
                && known(app, profile).await? != Some(user)
            {
                return Err(taken());
            }
            audit::note_with(app, Action::IdentityLinked, circumstances(user, profile.provider), client).await;
        }
    }
    Ok(teams::join(app, user, profile, correlation).await)
}

fn taken() -> ApiError {
    let message = "there is an account already: sign in with its password, then link this identity";
    ApiError::new(ErrorKind::Conflict, "oauth_account_exists", message)
}

fn circumstances(user: UserId, provider: Provider) -> Circumstances {
    Circumstances { user: Some(user), detail: Some(json!({"provider": provider.as_str()})), ..Circumstances::default() }
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
    if let Some(user) = known(app, profile).await? {
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
    audit::note_with(app, action.0, circumstances(action.1, profile.provider), client).await;
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

async fn known(app: &App, profile: &Profile) -> Result<Option<UserId>, ApiError> {
    let user: Option<Uuid> =
        sqlx::query_scalar("select user_id from auth.identities where provider = $1 and subject = $2")
            .bind(profile.provider.as_str())
            .bind(&profile.subject)
            .fetch_optional(&app.db)
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
        "insert into auth.identities (provider, subject, user_id, name, linked_at)
         values ($1, $2, $3, $4, $5) on conflict do nothing",
    )
    .bind(profile.provider.as_str())
    .bind(&profile.subject)
    .bind(user.0)
    .bind(profile.name.as_deref().map(clean).filter(|name| !name.is_empty()))
    .bind(app.clock.now())
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
