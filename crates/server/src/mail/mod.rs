//! Mail on its way out: rows of `auth.mail`, written together with what they are about and sent by
//! [`scaledtest_effects::send_mail`]. No row holds a link: [`render`] makes it when the mail is sent.

mod letters;
mod render;

pub use render::Letters;

use crate::{
    app::App,
    config::{Mail, MailEncryption},
    http::error::ApiError,
};
use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_domain::ErrorKind;
use scaledtest_effects::send_mail::{Encryption, Smtp};
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// Mails of a kind that an address gets in an hour, when anybody may ask for them.
const PER_HOUR: i64 = 3;
/// Invitations that an address is sent in an hour, by all teams together.
const INVITATIONS_PER_HOUR: i64 = 10;
/// Mails that wait at most; past this, nothing is queued that anybody may ask for.
const WAITING: i64 = 10_000;
/// How long it is known what became of a mail.
const KEPT: TimeDelta = TimeDelta::days(30);

/// The kinds of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// Into a team; about an invitation.
    Invitation,
    /// To set a new password; about the address alone, for nobody knows yet whether there is an account.
    ResetPassword,
    /// To prove an address; about an account.
    VerifyEmail,
}

impl Template {
    const ALL: [Self; 3] = [Self::Invitation, Self::ResetPassword, Self::VerifyEmail];

    fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::ResetPassword => "reset_password",
            Self::VerifyEmail => "verify_email",
        }
    }
}

/// A mail to be queued.
#[derive(Debug)]
pub struct NewMail<'a> {
    /// To whom.
    pub recipient: &'a str,
    /// What kind of letter.
    pub template: Template,
    /// What it is about.
    pub subject: Uuid,
    /// What else it says. No secrets.
    pub params: Value,
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not yet sent.
    Queued,
    /// The mail server has it.
    Sent,
    /// It was given up.
    Failed,
}

/// The server of the settings, as the worker takes it.
pub fn smtp(mail: &Mail) -> Smtp {
    Smtp {
        host: mail.host.clone(),
        port: mail.port,
        encryption: match mail.encryption {
            MailEncryption::Opportunistic => Encryption::Opportunistic,
            MailEncryption::Starttls => Encryption::Starttls,
            MailEncryption::Tls => Encryption::Tls,
            MailEncryption::None => Encryption::None,
        },
        ca_file: mail.ca_file.clone(),
        login: mail.login.clone(),
        from: mail.from.clone(),
    }
}

/// Refuses what needs mail where there is none.
///
/// # Errors
/// 503 `mail_not_configured`.
pub fn require(app: &App) -> Result<(), ApiError> {
    if app.config.mail.is_some() {
        return Ok(());
    }
    Err(ApiError::unavailable("mail_not_configured", "this server sends no mail; ask an administrator"))
}

/// Queues a mail together with what else the transaction does; nudge the worker after it.
///
/// # Errors
/// What the database says.
pub(crate) async fn queue(conn: &mut PgConnection, mail: &NewMail<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into auth.mail (id, recipient, template, subject_id, params, next_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(Uuid::now_v7())
    .bind(mail.recipient)
    .bind(mail.template.as_str())
    .bind(mail.subject)
    .bind(&mail.params)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Queues a mail that anybody may ask for, unless the address had its share of them or too much waits; whether it did.
///
/// # Errors
/// What the database says.
pub(crate) async fn queue_limited(app: &App, mail: &NewMail<'_>) -> Result<bool, sqlx::Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    // Who asks at the same time for the same address waits, so that each counts the other.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('mail ' || lower($1), 0))")
        .bind(mail.recipient)
        .execute(&mut *tx)
        .await?;
    let fits: bool = sqlx::query_scalar(
        "select (select count(*) from auth.mail
                 where lower(recipient) = lower($1) and template = $2 and created_at > $3) < $4
            and (select count(*) from auth.mail where state = 'queued') < $5",
    )
    .bind(mail.recipient)
    .bind(mail.template.as_str())
    .bind(now - TimeDelta::hours(1))
    .bind(PER_HOUR)
    .bind(WAITING)
    .fetch_one(&mut *tx)
    .await?;
    if fits {
        queue(&mut tx, mail, now).await?;
    }
    tx.commit().await?;
    if fits {
        app.mail_nudge.notify_one();
    }
    Ok(fits)
}

/// Refuses to write to an address once more that has had a lot of such mail lately, and to anybody while too much waits.
///
/// # Errors
/// 429 `rate_limited`; 503 `mail_busy`.
pub(crate) async fn spare(app: &App, recipient: &str, template: Template) -> Result<(), ApiError> {
    if app.config.mail.is_none() {
        return Ok(());
    }
    let waiting: i64 =
        sqlx::query_scalar("select count(*) from auth.mail where state = 'queued'").fetch_one(&app.db).await?;
    if waiting >= WAITING {
        let message = "too much mail is waiting to be sent; try again in a few minutes";
        return Err(ApiError::unavailable("mail_busy", message).with_retry_after(300));
    }
    if app.config.disable_rate_limit {
        return Ok(());
    }
    let sent: i64 = sqlx::query_scalar(
        "select count(*) from auth.mail where lower(recipient) = lower($1) and template = $2 and created_at > $3",
    )
    .bind(recipient)
    .bind(template.as_str())
    .bind(app.clock.now() - TimeDelta::hours(1))
    .fetch_one(&app.db)
    .await?;
    if sent < INVITATIONS_PER_HOUR {
        return Ok(());
    }
    let message = "this address has been sent enough invitations for now; try again in an hour";
    Err(ApiError::new(ErrorKind::RateLimited, "rate_limited", message).with_retry_after(3600))
}

/// What became of the newest mail about each of these.
///
/// # Errors
/// What the database says.
pub(crate) async fn states(app: &App, subjects: Vec<Uuid>) -> Result<HashMap<Uuid, State>, sqlx::Error> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "select distinct on (subject_id) subject_id, state from auth.mail where subject_id = any($1)
         order by subject_id, created_at desc, id desc",
    )
    .bind(subjects)
    .fetch_all(&app.db)
    .await?;
    let state = |word: &str| match word {
        "sent" => State::Sent,
        "failed" => State::Failed,
        _ => State::Queued,
    };
    Ok(rows.into_iter().map(|(subject, word)| (subject, state(&word))).collect())
}

/// Forgets what became of old mails, and whom they went to.
///
/// # Errors
/// What the database says.
pub(crate) async fn purge(app: &App) -> Result<(), sqlx::Error> {
    let old = app.clock.now() - KEPT;
    sqlx::query("delete from auth.mail where created_at <= $1 and state <> 'queued'")
        .bind(old)
        .execute(&app.db)
        .await?;
    Ok(())
}
