//! Mail over a real conversation: what is delivered, what is tried again, and what never is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of tests are tests")]

mod encryption;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use scaledtest_domain::Clock;
use scaledtest_effects::send_mail::{Encryption, Letter, Mailer, Queued, RenderError, Renderer, Round, Smtp};
use scaledtest_testkit::{Database, FakeClock, Smtp as Server};
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Says what the row says.
struct Plain;

impl Renderer for Plain {
    fn render<'a>(&'a self, mail: &'a Queued) -> BoxFuture<'a, Result<Option<Letter>, RenderError>> {
        Box::pin(async move {
            let text = match mail.template.as_str() {
                "pointless" => return Ok(None),
                "broken" => return Err("no ink".into()),
                template => format!(
                    "{template} for you: a line that is far longer than the seventy-six characters of old\n.\nend"
                ),
            };
            let html = format!("<p>{text} \u{fc}</p>");
            Ok(Some(Letter { to: mail.recipient.clone(), subject: "Hello".to_owned(), text, html }))
        })
    }
}

struct Post {
    database: Database,
    clock: FakeClock,
    server: Server,
}

impl Post {
    async fn new() -> Self {
        Self::with(Server::start().await).await
    }

    async fn with(server: Server) -> Self {
        scaledtest_testkit::install_crypto();
        let database = scaledtest_testkit::database().await;
        scaledtest_projections::migrate(&database.pool).await.unwrap();
        Self { database, clock: FakeClock::default(), server }
    }

    fn mailer_at(&self, port: u16) -> Mailer {
        let smtp = Smtp {
            host: "127.0.0.1".to_owned(),
            port,
            encryption: Encryption::Opportunistic,
            ca_file: None,
            login: None,
            from: "ScaledTest <tests@example.com>".to_owned(),
        };
        self.mailer_with(&smtp)
    }

    fn mailer_with(&self, smtp: &Smtp) -> Mailer {
        Mailer::new(self.pool().clone(), Arc::new(self.clock.clone()), smtp, Arc::new(Plain)).unwrap()
    }

    fn mailer(&self) -> Mailer {
        self.mailer_at(self.server.port)
    }

    fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    async fn queue(&self, template: &str, to: &str) -> Uuid {
        let id = Uuid::now_v7();
        sqlx::query(
            "insert into auth.mail (id, recipient, template, subject_id, params, next_at, created_at)
             values ($1, $2, $3, $1, '{}', $4, $4)",
        )
        .bind(id)
        .bind(to)
        .bind(template)
        .bind(self.clock.now())
        .execute(self.pool())
        .await
        .unwrap();
        id
    }

    async fn row(&self, id: Uuid) -> Option<(String, i32, Option<String>)> {
        sqlx::query_as("select state, attempts, error from auth.mail where id = $1")
            .bind(id)
            .fetch_optional(self.pool())
            .await
            .unwrap()
    }
}

async fn round(mailer: &Mailer) -> Round {
    mailer.round(&CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn a_mail_is_delivered_as_text_and_html_from_and_to_the_right_people() {
    let post = Post::new().await;
    let id = post.queue("greeting", "ada@example.org").await;
    assert_eq!(round(&post.mailer()).await, Round { sent: 1, ..Round::default() });
    assert_eq!(round(&post.mailer()).await, Round::default(), "once is enough");
    let delivered = post.server.delivered();
    assert_eq!(delivered.len(), 1);
    let mail = &delivered[0];
    assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("tests@example.com", &["ada@example.org".to_owned()][..]));
    assert_eq!(mail.header("From").unwrap(), "ScaledTest <tests@example.com>");
    assert_eq!(mail.header("Subject").unwrap(), "Hello");
    assert_eq!(mail.header("Message-ID").unwrap(), format!("<{id}@example.com>"));
    assert!(mail.header("Content-Type").unwrap().starts_with("multipart/alternative"));
    assert!(mail.part("text/plain").unwrap().ends_with("seventy-six characters of old\n.\nend"));
    assert!(mail.part("text/html").unwrap().contains("end \u{fc}</p>"));
    assert_eq!(post.row(id).await, Some(("sent".to_owned(), 1, None)));
}

#[tokio::test]
async fn a_temporary_refusal_is_tried_again_after_a_growing_pause() {
    let post = Post::new().await;
    let id = post.queue("greeting", "ada@example.org").await;
    let mailer = post.mailer();
    for (attempt, pause) in [(1, 30), (2, 60), (3, 120)] {
        post.server.refuse_next("451 4.3.0 try again later");
        assert_eq!(round(&mailer).await, Round { postponed: 1, ..Round::default() });
        let (state, attempts, error) = post.row(id).await.unwrap();
        assert_eq!((state.as_str(), attempts), ("queued", attempt));
        assert!(error.unwrap().contains("451"), "the answer is kept");
        post.clock.advance(TimeDelta::seconds(pause - 1));
        assert_eq!(round(&mailer).await, Round::default(), "not before {pause} s");
        post.clock.advance(TimeDelta::seconds(1));
    }
    assert_eq!(round(&mailer).await.sent, 1);
    assert_eq!(post.server.delivered().len(), 1);
}

#[tokio::test]
async fn a_final_refusal_is_final() {
    let post = Post::new().await;
    let id = post.queue("greeting", "nobody@example.org").await;
    post.server.refuse_next("550 5.1.1 no such user");
    let mailer = post.mailer();
    assert_eq!(round(&mailer).await, Round { failed: 1, ..Round::default() });
    let (state, attempts, error) = post.row(id).await.unwrap();
    assert_eq!((state.as_str(), attempts), ("failed", 1));
    assert!(error.unwrap().contains("550"));
    post.clock.advance(TimeDelta::days(1));
    assert_eq!(round(&mailer).await, Round::default());
    assert!(post.server.delivered().is_empty());
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again_and_given_up_after_eight_attempts() {
    let post = Post::new().await;
    let id = post.queue("greeting", "ada@example.org").await;
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let away = post.mailer_at(nobody);
    for attempt in 1..=7 {
        assert_eq!(round(&away).await.postponed, 1, "attempt {attempt}");
        post.clock.advance(TimeDelta::hours(2));
    }
    let spared = post.queue("greeting", "bob@example.org").await;
    assert_eq!(round(&away).await, Round { failed: 1, postponed: 1, ..Round::default() });
    assert_eq!(post.row(id).await.unwrap().0, "failed");
    post.clock.advance(TimeDelta::hours(2));
    assert_eq!(round(&post.mailer()).await.sent, 1, "once the server is back");
    assert_eq!(post.row(spared).await.unwrap().0, "sent");
}

#[tokio::test]
async fn two_workers_send_every_mail_once() {
    let post = Post::new().await;
    for n in 0..40 {
        post.queue("greeting", &format!("person{n}@example.org")).await;
    }
    let (one, other) = (post.mailer(), post.mailer());
    let (one, other) = tokio::join!(round(&one), round(&other));
    assert_eq!(one.sent + other.sent, 40);
    let mut to: Vec<_> = post.server.delivered().into_iter().flat_map(|mail| mail.to).collect();
    to.sort();
    to.dedup();
    assert_eq!((to.len(), post.server.delivered().len()), (40, 40));
}

#[tokio::test]
async fn what_a_dead_process_had_claimed_is_sent_by_another_two_minutes_later_but_not_for_ever() {
    let post = Post::new().await;
    let id = post.queue("greeting", "ada@example.org").await;
    let claimed = |attempts: i32| {
        sqlx::query("update auth.mail set attempts = $1, next_at = next_at + interval '2 minutes'").bind(attempts)
    };
    claimed(1).execute(post.pool()).await.unwrap();
    let mailer = post.mailer();
    assert_eq!(round(&mailer).await, Round::default());
    post.clock.advance(TimeDelta::minutes(2));
    assert_eq!(round(&mailer).await.sent, 1);

    let poison = post.queue("greeting", "eve@example.org").await;
    sqlx::query("update auth.mail set attempts = 8 where id = $1").bind(poison).execute(post.pool()).await.unwrap();
    assert_eq!(round(&mailer).await.failed, 1);
    assert_eq!(post.row(id).await.unwrap().0, "sent");
    assert_eq!(post.row(poison).await.unwrap().2.as_deref(), Some("every attempt was cut off"));
}

#[tokio::test]
async fn what_became_pointless_is_dropped_and_what_cannot_be_written_is_tried_again() {
    let post = Post::new().await;
    let (pointless, broken) =
        (post.queue("pointless", "a@example.org").await, post.queue("broken", "b@example.org").await);
    let injected = post.queue("greeting", "a@example.org\r\nRCPT TO:<eve@example.org>").await;
    let done = round(&post.mailer()).await;
    assert_eq!(done, Round { dropped: 1, postponed: 1, failed: 1, sent: 0 });
    assert_eq!(post.row(pointless).await, None);
    assert_eq!(post.row(broken).await.unwrap().0, "queued");
    assert_eq!(post.row(injected).await.unwrap().0, "failed");
    assert!(post.server.delivered().is_empty());
}

#[tokio::test]
async fn a_worker_sends_what_is_queued_until_it_is_stopped() {
    let post = Post::new().await;
    let (nudge, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let worker = tokio::spawn(post.mailer().run(Arc::clone(&nudge), stop.clone()));
    post.queue("greeting", "ada@example.org").await;
    nudge.notify_one();
    post.server.wait(1).await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), worker).await.unwrap().unwrap();
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let post = Post::new().await;
    let smtp = Smtp {
        host: "127.0.0.1".to_owned(),
        port: 25,
        encryption: Encryption::None,
        ca_file: None,
        login: None,
        from: "nobody".to_owned(),
    };
    let made = Mailer::new(post.pool().clone(), Arc::new(post.clock.clone()), &smtp, Arc::new(Plain));
    assert!(made.err().unwrap().to_string().contains("ST_SMTP_FROM"));
}
