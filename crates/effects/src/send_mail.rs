//! Sends the mail that is queued in `auth.mail`. The only user of an SMTP client.
//!
//! A row says whom to write and about what; the letter is written when it is sent, by whoever implements [`Renderer`], so
//! that no row holds a secret. A row is claimed for two minutes and its attempt is counted before anything is sent: two
//! processes never send the same mail at once, and a process that dies in between has used up one attempt. A mail that the
//! server has taken, and whose row could not be written after that, is sent again with the same `Message-ID`.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{BoxFuture, join_all};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use scaledtest_domain::Clock;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgPool, Row};
use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often a process looks for mail that another has queued, or that is due again.
const EVERY: Duration = Duration::from_secs(5);
/// Longest conversation with the SMTP server.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a row belongs to whoever claimed it: longer than writing and sending can take.
const CLAIM: TimeDelta = TimeDelta::minutes(2);
/// Mails that a process sends at once.
const AT_ONCE: i64 = 4;
/// The first pause; each further one is twice as long.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// A mail is given up after so many attempts: a good hour.
const ATTEMPTS: i32 = 8;
/// How long a conversation may go on after the process was told to stop.
const FINISH: Duration = Duration::from_secs(5);
/// Longest error that is kept, characters.
const MAX_ERROR: usize = 500;

/// An SMTP server.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// Certificates (PEM) that are trusted beside the system's; none when absent.
    pub ca_file: Option<PathBuf>,
    /// User and password there.
    pub login: Option<(String, SecretString)>,
    /// Whom mail comes from.
    pub from: String,
}

/// How the connection to the SMTP server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Where the server offers it; a password is sent in the clear to this very machine only.
    Opportunistic,
    /// From STARTTLS on, or not at all.
    Starttls,
    /// From the first byte.
    Tls,
    /// Never.
    None,
}

/// A row of `auth.mail`.
#[derive(Debug, Clone)]
pub struct Queued {
    /// Which.
    pub id: Uuid,
    /// To whom.
    pub recipient: String,
    /// What kind of letter.
    pub template: String,
    /// What it is about.
    pub subject_id: Uuid,
    /// What else the letter needs to say.
    pub params: serde_json::Value,
    /// Attempts, this one included.
    attempts: i32,
}

/// What is sent. It holds links: `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Letter {
    /// To whom.
    pub to: String,
    /// One line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Letter(..)")
    }
}

/// What went wrong while a letter was written; it is tried again.
pub type RenderError = Box<dyn std::error::Error + Send + Sync>;

/// Writes letters.
pub trait Renderer: Send + Sync {
    /// The letter of a row; `None` if there is nothing to say any more: the row is removed then.
    fn render<'a>(&'a self, mail: &'a Queued) -> BoxFuture<'a, Result<Option<Letter>, RenderError>>;
}

/// The settings are no SMTP server.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Whom mail comes from.
    #[error("ST_SMTP_FROM is no address: write ScaledTest <tests@example.com>")]
    From,
    /// The certificates to trust.
    #[error("ST_SMTP_CA_FILE must hold certificates in PEM: {0}")]
    Ca(String),
    /// The name that its certificate must have.
    #[error("no encrypted connection to ST_SMTP_HOST can be prepared: {0}")]
    Tls(lettre::transport::smtp::Error),
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Mails that the server took.
    pub sent: u32,
    /// Mails to be tried again.
    pub postponed: u32,
    /// Mails that were given up.
    pub failed: u32,
    /// Mails that had become pointless.
    pub dropped: u32,
}

enum Outcome {
    Sent,
    Dropped,
    Again(String),
    Refused(String),
}

/// Sends mail.
pub struct Mailer {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    renderer: Arc<dyn Renderer>,
}

impl Mailer {
    /// Talks to nobody yet.
    ///
    /// # Errors
    /// When the settings cannot work.
    pub fn new(
        pool: PgPool,
        clock: Arc<dyn Clock>,
        smtp: &Smtp,
        renderer: Arc<dyn Renderer>,
    ) -> Result<Self, MailError> {
        let from = smtp.from.parse().map_err(|_| MailError::From)?;
        let parameters = || parameters(smtp);
        let tls = match smtp.encryption {
            Encryption::Opportunistic if smtp.login.is_none() || is_here(&smtp.host) => {
                Tls::Opportunistic(parameters()?)
            }
            Encryption::Opportunistic | Encryption::Starttls => Tls::Required(parameters()?),
            Encryption::Tls => Tls::Wrapper(parameters()?),
            Encryption::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
            .port(smtp.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((user, password)) = &smtp.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { pool, clock, transport: builder.build(), from, renderer })
    }

    /// Sends until `stop`: when `nudge` says that there is something, and every few seconds.
    pub async fn run(self, nudge: Arc<Notify>, stop: CancellationToken) {
        loop {
            let overdue = async {
                stop.cancelled().await;
                tokio::time::sleep(FINISH).await;
            };
            tokio::select! {
                done = self.round(&stop) => if let Err(error) = done {
                    tracing::warn!(%error, "mail will be sent later");
                },
                () = overdue => return,
            }
            let wait = async {
                tokio::select! {
                    () = nudge.notified() => {}
                    () = tokio::time::sleep(EVERY) => {}
                }
            };
            if stop.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    }

    /// Sends everything that is due, a few at a time; begins no further ones after `stop`.
    ///
    /// # Errors
    /// What the database says; what was not sent is due again soon.
    pub async fn round(&self, stop: &CancellationToken) -> Result<Round, sqlx::Error> {
        let mut round = Round::default();
        loop {
            if stop.is_cancelled() {
                return Ok(round);
            }
            let claimed = self.claim().await?;
            if claimed.is_empty() {
                return Ok(round);
            }
            let outcomes = join_all(claimed.iter().map(|mail| Box::pin(self.attempt(mail)))).await;
            for (mail, outcome) in claimed.iter().zip(outcomes) {
                self.record(mail, outcome, &mut round).await?;
            }
        }
    }

    async fn claim(&self) -> Result<Vec<Queued>, sqlx::Error> {
        let now = self.clock.now();
        let rows = sqlx::query(
            "update auth.mail set attempts = attempts + 1, next_at = $2
             where id in (select id from auth.mail where state = 'queued' and next_at <= $1
                          order by next_at limit $3 for update skip locked)
             returning id, recipient, template, subject_id, params, attempts",
        )
        .bind(now)
        .bind(now + CLAIM)
        .bind(AT_ONCE)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Queued {
                    id: row.try_get("id")?,
                    recipient: row.try_get("recipient")?,
                    template: row.try_get("template")?,
                    subject_id: row.try_get("subject_id")?,
                    params: row.try_get("params")?,
                    attempts: row.try_get("attempts")?,
                })
            })
            .collect()
    }

    async fn attempt(&self, mail: &Queued) -> Outcome {
        // Only a process that died each time has left it at that.
        if mail.attempts > ATTEMPTS {
            return Outcome::Refused("every attempt was cut off".to_owned());
        }
        let work = async {
            match self.renderer.render(mail).await {
                Ok(Some(letter)) => self.send(mail, letter).await,
                Ok(None) => Outcome::Dropped,
                Err(error) => Outcome::Again(format!("the letter cannot be written: {error}")),
            }
        };
        let timely = tokio::time::timeout(TIMEOUT, work).await;
        timely.unwrap_or_else(|_| Outcome::Again("the conversation with the SMTP server took too long".to_owned()))
    }

    async fn send(&self, mail: &Queued, letter: Letter) -> Outcome {
        let Ok(to) = letter.to.parse() else { return Outcome::Refused("no address to send to".to_owned()) };
        let host = self.from.email.domain();
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .message_id(Some(format!("<{}@{host}>", mail.id)))
            .multipart(MultiPart::alternative_plain_html(letter.text, letter.html));
        let message = match message {
            Ok(message) => message,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        match self.transport.send(message).await {
            Ok(_) => Outcome::Sent,
            Err(error) if error.is_permanent() && !is_about_us(&error) => Outcome::Refused(describe(&error)),
            Err(error) => Outcome::Again(describe(&error)),
        }
    }

    async fn record(&self, mail: &Queued, outcome: Outcome, round: &mut Round) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        match outcome {
            Outcome::Sent => {
                round.sent += 1;
                self.finish(mail, "sent", None, Some(now)).await
            }
            Outcome::Dropped => {
                round.dropped += 1;
                let gone = sqlx::query("delete from auth.mail where id = $1").bind(mail.id);
                gone.execute(&self.pool).await.map(drop)
            }
            Outcome::Again(error) if mail.attempts < ATTEMPTS => {
                round.postponed += 1;
                // The error may name the recipient, so it stays in the row.
                tracing::info!(mail = %mail.id, attempts = mail.attempts, "a mail was not sent; it will be tried again");
                self.postpone(mail, &error, now).await
            }
            Outcome::Again(error) | Outcome::Refused(error) => {
                round.failed += 1;
                tracing::warn!(mail = %mail.id, template = %mail.template, "a mail cannot be sent; why is in auth.mail");
                self.finish(mail, "failed", Some(&error), None).await
            }
        }
    }

    /// Unless somebody else has claimed it since.
    async fn finish(
        &self,
        mail: &Queued,
        state: &str,
        error: Option<&str>,
        sent_at: Option<DateTime<Utc>>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("update auth.mail set state = $3, error = $4, sent_at = $5 where id = $1 and attempts = $2")
            .bind(mail.id)
            .bind(mail.attempts)
            .bind(state)
            .bind(error.map(kept))
            .bind(sent_at)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn postpone(&self, mail: &Queued, error: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let doublings = u32::try_from(mail.attempts - 1).unwrap_or(0);
        let pause = PAUSE * 2_i32.saturating_pow(doublings);
        sqlx::query("update auth.mail set next_at = $3, error = $4 where id = $1 and attempts = $2")
            .bind(mail.id)
            .bind(mail.attempts)
            .bind(now + pause)
            .bind(kept(error))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn parameters(smtp: &Smtp) -> Result<TlsParameters, MailError> {
    let mut builder = TlsParameters::builder(smtp.host.clone());
    if let Some(path) = &smtp.ca_file {
        let pem = std::fs::read_to_string(path).map_err(|error| MailError::Ca(error.to_string()))?;
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(MailError::Ca("there is none in it".to_owned()));
        }
        let trusted = Certificate::from_pem(pem.as_bytes()).map_err(|error| MailError::Ca(error.to_string()))?;
        builder = builder.add_root_certificate(trusted);
    }
    builder.build().map_err(MailError::Tls)
}

/// Whether the server refuses us, not this mail: a wrong or expired password, or that we must encrypt or log in first. Once
/// that is put right, the mail can go.
fn is_about_us(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
}

/// Whether a host is this machine, by its name.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// With what the server said, or the system.
fn describe(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let error_text = error.to_string();
        if !text.contains(&error_text) {
            text = format!("{text}: {error_text}");
        }
        cause = error.source();
    }
    text
}

/// As Postgres keeps it, and not too long.
fn kept(error: &str) -> String {
    error.chars().filter(|c| *c != '\0').take(MAX_ERROR).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_here() {
        for (host, here) in [("localhost", true), ("127.0.0.1", true), ("::1", true), ("mail.example.com", false)] {
            assert_eq!(is_here(host), here, "{host}");
        }
    }
}
