//! Encrypted conversations: who is trusted, and what is never said in the clear.

use super::{Post, round};
use chrono::TimeDelta;
use scaledtest_effects::send_mail::{Encryption, Mailer, Round, Smtp};
use scaledtest_testkit::{Smtp as Server, SmtpTls, TestDir};
use std::{path::PathBuf, sync::Arc};

async fn post(tls: SmtpTls) -> Post {
    Post::with(Server::start_with(tls).await).await
}

impl Post {
    /// With a login, and trusting the system's certificates and those of the file.
    fn smtp(&self, encryption: Encryption, ca_file: Option<PathBuf>) -> Smtp {
        Smtp {
            host: "127.0.0.1".to_owned(),
            port: self.server.port,
            encryption,
            ca_file,
            login: Some(("ada".to_owned(), "secret".to_owned().into())),
            from: "ScaledTest <tests@example.com>".to_owned(),
        }
    }
}

fn certificate(post: &Post, dir: &TestDir) -> Option<PathBuf> {
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, &post.server.certificate).unwrap();
    Some(path)
}

/// One mail is not sent but kept for later, and the server heard neither of it nor of the password.
async fn is_postponed_in_silence(post: &Post, smtp: &Smtp, why: &str) {
    let id = post.queue("greeting", "ada@example.org").await;
    assert_eq!(round(&post.mailer_with(smtp)).await, Round { postponed: 1, ..Round::default() });
    let (state, _, error) = post.row(id).await.unwrap();
    let error = error.unwrap();
    assert!(state == "queued" && error.to_lowercase().contains(why), "{error}");
    let heard = post.server.heard();
    assert!(!heard.iter().any(|command| command == "AUTH" || command == "MAIL"), "{heard:?}");
}

#[tokio::test]
async fn without_an_offer_nothing_is_sent_where_encryption_is_demanded() {
    let post = post(SmtpTls::Never).await;
    is_postponed_in_silence(&post, &post.smtp(Encryption::Starttls, None), "starttls").await;
    assert!(post.server.heard().contains(&"EHLO".to_owned()));
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_ends_the_conversation_before_it_begins() {
    for (tls, encryption) in [
        (SmtpTls::Offered, Encryption::Starttls),
        (SmtpTls::Always, Encryption::Tls),
        (SmtpTls::Offered, Encryption::Opportunistic),
    ] {
        let post = post(tls).await;
        is_postponed_in_silence(&post, &post.smtp(encryption, None), "certificate").await;
    }
}

#[tokio::test]
async fn a_trusted_server_gets_login_and_mail_encrypted() {
    let dir = TestDir::new().unwrap();
    for (tls, encryption, heard) in [
        (SmtpTls::Offered, Encryption::Starttls, "EHLO STARTTLS EHLO AUTH MAIL RCPT DATA"),
        (SmtpTls::Offered, Encryption::Opportunistic, "EHLO STARTTLS EHLO AUTH MAIL RCPT DATA"),
        (SmtpTls::Always, Encryption::Tls, "EHLO AUTH MAIL RCPT DATA"),
    ] {
        let post = post(tls).await;
        let smtp = post.smtp(encryption, certificate(&post, &dir));
        post.queue("greeting", "ada@example.org").await;
        assert_eq!(round(&post.mailer_with(&smtp)).await, Round { sent: 1, ..Round::default() });
        assert_eq!(post.server.delivered().len(), 1);
        let said = post.server.heard();
        let said: Vec<_> =
            said.iter().map(String::as_str).filter(|command| !["NOOP", "QUIT"].contains(command)).collect();
        assert_eq!(said.join(" "), heard);
    }
}

#[tokio::test]
async fn a_login_that_is_refused_is_no_reason_to_give_a_mail_up() {
    let post = post(SmtpTls::Never).await;
    let mailer = post.mailer_with(&post.smtp(Encryption::None, None));
    let id = post.queue("greeting", "ada@example.org").await;
    post.server.refuse_logins("535 5.7.8 the password has expired");
    assert_eq!(round(&mailer).await, Round { postponed: 1, ..Round::default() });
    let (state, _, error) = post.row(id).await.unwrap();
    assert!(state == "queued" && error.unwrap().contains("535"));
    post.server.refuse_logins("235 2.7.0 welcome");
    post.clock.advance(TimeDelta::minutes(1));
    assert_eq!(round(&mailer).await, Round { sent: 1, ..Round::default() });
}

#[tokio::test]
async fn a_file_without_certificates_is_named() {
    let (post, dir) = (post(SmtpTls::Always).await, TestDir::new().unwrap());
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for path in [empty, dir.path().join("nowhere.pem")] {
        let smtp = post.smtp(Encryption::Tls, Some(path));
        let made = Mailer::new(post.pool().clone(), Arc::new(post.clock.clone()), &smtp, Arc::new(super::Plain));
        assert!(made.err().unwrap().to_string().contains("ST_SMTP_CA_FILE"));
    }
}
