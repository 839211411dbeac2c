//! A server that sends mail to one that keeps it; and mails that prove an address.

use crate::support::{PASSWORD, TestApp, config};
use scaledtest_effects::send_mail::{Mailer, Round};
use scaledtest_server::{
    accounts::sweep::sweep,
    config::{Config, Mail, MailEncryption},
    mail::{self, Letters},
};
use scaledtest_testkit::{Delivered, Smtp};
use serde_json::json;
use std::{ops::Deref, sync::Arc};
use tokio_util::sync::CancellationToken;

/// A server, its mail server, and the worker in between, which sends when it is told to.
pub struct Mailing {
    server: TestApp,
    pub smtp: Smtp,
    mailer: Mailer,
}

impl Deref for Mailing {
    type Target = TestApp;
    fn deref(&self) -> &TestApp {
        &self.server
    }
}

impl Mailing {
    pub async fn start() -> Self {
        Self::start_with(config()).await
    }

    pub async fn start_with(config: Config) -> Self {
        let smtp = Smtp::start().await;
        let settings = Mail {
            host: "127.0.0.1".to_owned(),
            port: smtp.port,
            encryption: MailEncryption::Opportunistic,
            ca_file: None,
            login: None,
            from: "ScaledTest <tests@example.com>".to_owned(),
        };
        let server = TestApp::start_with(Config { mail: Some(settings.clone()), ..config }).await;
        let (app, clock) = (&server.app, Arc::new(server.clock.clone()));
        let letters = Letters {
            db: app.db.clone(),
            secrets: Arc::clone(&app.secrets),
            base_url: app.config.base_url.clone(),
            clock: clock.clone(),
        };
        let mailer = Mailer::new(app.db.clone(), clock, &mail::smtp(&settings), Arc::new(letters)).unwrap();
        Self { server, smtp, mailer }
    }

    /// Sends what is due.
    pub async fn round(&self) -> Round {
        self.mailer.round(&CancellationToken::new()).await.unwrap()
    }

    /// Sends what is due and returns what came to an address, round by round.
    pub async fn mails_to(&self, address: &str) -> Vec<Delivered> {
        self.round().await;
        self.smtp.delivered().into_iter().filter(|mail| mail.to == [address]).collect()
    }

    /// What the link to a page ends with, in a mail of the newest round that has one.
    pub async fn token(&self, address: &str, page: &str) -> String {
        let mails = self.mails_to(address).await;
        let start = format!("http://localhost:8080/{page}/");
        let links = mails.iter().rev().find_map(|mail| mail.link(&start));
        links.unwrap().strip_prefix(&start).unwrap().to_owned()
    }
}

#[tokio::test]
async fn who_registers_is_mailed_a_link_that_proves_the_address_once() {
    let server = Mailing::start().await;
    let ada = server.register("ada@example.com").await;
    let me = server.get(&ada.token, "/api/v1/auth/me").await.expect(200);
    assert_eq!((&me["email_verified"], &me["has_password"]), (&json!(false), &json!(true)));
    let mails = server.mails_to("ada@example.com").await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].header("Subject").unwrap(), "Confirm your address for ScaledTest");
    let token = server.token("ada@example.com", "verify-email").await;
    assert_eq!(token.len(), 64);
    assert!(
        mails[0].part("text/html").unwrap().contains(&format!("href=\"http://localhost:8080/verify-email/{token}\""))
    );
    let proven = server.post("", "/api/v1/auth/verify-email", json!({"token": token})).await.expect(200);
    assert_eq!(proven["message"], "email verified");
    assert_eq!(server.get(&ada.token, "/api/v1/auth/me").await.expect(200)["email_verified"], true);
    server.post("", "/auth/verify-email", json!({"token": token})).await.refused(410, "verification_expired");
    server.post("", "/auth/verify-email", json!({})).await.refused(400, "invalid_request");
    server.post(&ada.token, "/api/v1/auth/resend-verification", json!({})).await.refused(409, "already_verified");
    assert_eq!(server.audited().await, ["registered", "email_verified"]);
}

#[tokio::test]
async fn a_link_that_proves_an_address_is_good_for_a_day_and_can_be_had_again() {
    let server = Mailing::start().await;
    let ada = server.register("ada@example.com").await;
    let old = server.token("ada@example.com", "verify-email").await;
    server.advance(24 * 3600);
    server.post("", "/auth/verify-email", json!({"token": old})).await.refused(410, "verification_expired");
    let (token, _) = server.sign_in("ada@example.com").await;
    for _ in 0..5 {
        server.post(&token, "/api/v1/auth/resend-verification", json!({})).await.expect(202);
    }
    assert_eq!(server.mails_to("ada@example.com").await.len(), 1 + 3, "three an hour, and no word about it");
    let token = server.token("ada@example.com", "verify-email").await;
    server.post("", "/auth/verify-email", json!({"token": token})).await.expect(200);
    server.get(&ada.token, "/api/v1/auth/me").await.refused(401, "token_expired");
}

#[tokio::test]
async fn a_link_of_one_kind_is_no_link_of_another() {
    let server = Mailing::start().await;
    server.register("ada@example.com").await;
    let token = server.token("ada@example.com", "verify-email").await;
    let reset = json!({"token": token, "password": "another password"});
    server.post("", "/auth/reset-password", reset).await.refused(410, "reset_expired");
    server.post("", "/auth/verify-email", json!({"token": token})).await.expect(200);
}

#[tokio::test]
async fn without_a_mail_server_nothing_is_promised() {
    let server = TestApp::start().await;
    let ada = server.register("ada@example.com").await;
    let forgot = json!({"email": "ada@example.com"});
    server.post("", "/auth/forgot-password", forgot).await.refused(503, "mail_not_configured");
    server.post(&ada.token, "/api/v1/auth/resend-verification", json!({})).await.refused(503, "mail_not_configured");
    let queued: i64 = sqlx::query_scalar("select count(*) from auth.mail").fetch_one(&server.app.db).await.unwrap();
    assert_eq!(queued, 0);
}

#[tokio::test]
async fn no_row_holds_a_secret_and_old_ones_are_forgotten() {
    let server = Mailing::start().await;
    server.register("ada@example.com").await;
    server.post("", "/auth/forgot-password", json!({"email": "ada@example.com"})).await.expect(202);
    let tokens = [
        server.token("ada@example.com", "verify-email").await,
        server.token("ada@example.com", "reset-password").await,
    ];
    let rows: Vec<String> = sqlx::query_scalar(
        "select row_to_json(mail)::text from auth.mail union all select row_to_json(links)::text from auth.links",
    )
    .fetch_all(&server.app.db)
    .await
    .unwrap();
    assert_eq!(rows.len(), 4);
    assert!(!rows.iter().any(|row| tokens.iter().any(|token| row.contains(token))));
    server.advance(31 * 86_400);
    sweep(&server.app).await.unwrap();
    let left: i64 = sqlx::query_scalar("select (select count(*) from auth.mail) + (select count(*) from auth.links)")
        .fetch_one(&server.app.db)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn nobody_writes_to_an_account_that_is_switched_off() {
    let server = Mailing::start().await;
    let eve = server.register("eve@example.com").await;
    server.round().await;
    server.disable(eve.user).await;
    server.post("", "/auth/forgot-password", json!({"email": "eve@example.com"})).await.expect(202);
    assert_eq!(server.round().await, Round { dropped: 1, ..Round::default() });
    server
        .post("", "/auth/login", json!({"email": "eve@example.com", "password": PASSWORD}))
        .await
        .refused(403, "account_disabled");
}
