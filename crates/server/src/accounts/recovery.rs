//! New passwords and proven addresses.

use super::{
    Client, admission, attempts,
    audit::{self, Action},
    email::Email,
    links::{self, Purpose},
    oauth::identities,
    sessions, users,
    users::User,
};
use crate::{
    app::App,
    http::error::ApiError,
    mail::{self, NewMail, Template},
};
use chrono::{DateTime, Utc};
use scaledtest_domain::{ErrorKind, InstanceRole, UserId};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

/// Sets another password, for whoever knows the present one; every other session ends.
///
/// # Errors
/// 401 `invalid_current_password`; 429 `too_many_attempts`, as at sign-in; 503 when the database is away.
pub async fn change_password(
    app: &App,
    user: UserId,
    session: Option<Uuid>,
    current: SecretString,
    new: SecretString,
) -> Result<(), ApiError> {
    let wrong = || ApiError::unauthenticated("invalid_current_password", "invalid current password");
    let user = users::by_id(app, user).await?.ok_or_else(wrong)?;
    attempts::begin(app, &user.email).await?;
    let hash = user.password_hash;
    if !app.passwords.verify(current, Some(hash.clone())).await? {
        return Err(wrong());
    }
    attempts::succeeded(app, &user.email).await?;
    let user = user.id;
    let fresh = app.passwords.hash(new).await?;
    let mut tx = app.db.begin().await?;
    // Unless somebody else has changed it meanwhile: then `current` is it no more.
    let changed =
        sqlx::query("update auth.users set password_hash = $3, updated_at = $4 where id = $1 and password_hash = $2")
            .bind(user.0)
            .bind(hash)
            .bind(fresh)
            .bind(app.clock.now())
            .execute(&mut *tx)
            .await?;
    if changed.rows_affected() == 0 {
        return Err(wrong());
    }
    sessions::end_all_in(&mut tx, user, session).await?;
    links::forget(&mut tx, user, Purpose::ResetPassword).await?;
    tx.commit().await?;
    Ok(())
}

/// Queues a mail with a link to set a new password. Nothing here, neither the answer nor its time, depends on whether
/// there is such an account: that shows when the mail is written.
///
/// # Errors
/// What the database says.
pub async fn request_reset(app: &App, email: &Email, client: &Client) -> Result<(), ApiError> {
    let user = users::by_email(app, email.as_str()).await?.map(|user| user.id);
    let mail = NewMail {
        recipient: email.as_str(),
        template: Template::ResetPassword,
        subject: Uuid::now_v7(),
        params: json!({}),
    };
    if mail::queue_limited(app, &mail).await? {
        let email = user.is_none().then_some(email.as_str());
        audit::note(app, Action::PasswordResetRequested, user, email, client).await;
    }
    Ok(())
}

/// Sets a new password by a link; every session ends, every other such link is useless, and identities that were linked
/// before the address was proven are gone: they may be those of whoever made the account before its owner came.
///
/// # Errors
/// 410 `reset_expired` for a link that is unknown, used or too old.
pub async fn reset_password(app: &App, token: &str, new: SecretString, client: &Client) -> Result<(), ApiError> {
    let expired = || {
        let message = "this link is used or too old; ask for another one";
        ApiError::new(ErrorKind::Gone, "reset_expired", message)
    };
    // Nobody makes us hash with a link that they made up.
    if !links::is_good(app, token, Purpose::ResetPassword).await? {
        return Err(expired());
    }
    let hash = app.passwords.hash(new).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let found = links::redeem(&mut tx, token, Purpose::ResetPassword, now).await?;
    let (user, email) = found.ok_or_else(expired)?;
    sqlx::query("update auth.users set password_hash = $2, updated_at = $3 where id = $1")
        .bind(user.0)
        .bind(hash)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    sessions::end_all_in(&mut tx, user, None).await?;
    // After the sessions: what one of them is linking right now is seen.
    identities::forget_unproven(&mut tx, user).await?;
    links::forget(&mut tx, user, Purpose::ResetPassword).await?;
    tx.commit().await?;
    // Whoever reads the mail is no guesser.
    attempts::succeeded(app, &email).await?;
    audit::note(app, Action::PasswordReset, Some(user), None, client).await;
    Ok(())
}

/// What an administrator is given for somebody who cannot sign in.
pub struct HandedReset {
    /// The page with the link: to be handed to the person.
    pub url: String,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
    /// Whether the person gets a link by mail, too.
    pub mailed: bool,
}

/// Ends somebody's sessions and makes a link with which they set a new password. The present one stays until then.
///
/// # Errors
/// What the database says.
pub async fn hand_reset(app: &App, user: &User) -> Result<HandedReset, ApiError> {
    sessions::end_all(app, user.id, None).await?;
    let link = links::make(&app.db, &app.secrets, user, Purpose::ResetPassword, app.clock.now()).await?;
    let mail = NewMail {
        recipient: &user.email,
        template: Template::ResetPassword,
        subject: Uuid::now_v7(),
        params: json!({}),
    };
    let mailed = app.config.mail.is_some() && mail::queue_limited(app, &mail).await?;
    let url = links::url(&app.config.base_url, Purpose::ResetPassword, &link.token);
    Ok(HandedReset { url, expires_at: link.expires_at, mailed })
}

/// Proves an address by a link.
///
/// # Errors
/// 410 `verification_expired` for a link that is unknown, used or too old.
pub async fn verify_email(app: &App, token: &str, client: &Client) -> Result<(), ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let found = links::redeem(&mut tx, token, Purpose::VerifyEmail, now).await?;
    let expired = || {
        let message = "this link is used or too old; ask for another one in your settings";
        ApiError::new(ErrorKind::Gone, "verification_expired", message)
    };
    let (user, email) = found.ok_or_else(expired)?;
    sqlx::query(
        "update auth.users set email_verified_at = coalesce(email_verified_at, $3), updated_at = $3
         where id = $1 and email = $2",
    )
    .bind(user.0)
    .bind(email)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    links::forget(&mut tx, user, Purpose::VerifyEmail).await?;
    tx.commit().await?;
    audit::note(app, Action::EmailVerified, Some(user), None, client).await;
    Ok(())
}

/// As [`admission::check_proven`], and whoever is refused is mailed another link.
pub(crate) async fn insist_on_proof(app: &App, user: &User, role: InstanceRole) -> Result<(), ApiError> {
    let proven = admission::check_proven(app, user, role);
    if proven.is_err() {
        queue_verification(app, user).await;
    }
    proven
}

/// Queues a mail with a link that proves the address, where mail is sent at all and the address is not proven. That it
/// cannot is logged and no reason to refuse anything: the mail can be asked for again.
pub async fn queue_verification(app: &App, user: &User) {
    if app.config.mail.is_none() || user.email_verified {
        return;
    }
    let mail =
        NewMail { recipient: &user.email, template: Template::VerifyEmail, subject: user.id.0, params: json!({}) };
    if let Err(error) = mail::queue_limited(app, &mail).await {
        tracing::warn!(user = %user.id, %error, "no mail to verify an address was queued");
    }
}
