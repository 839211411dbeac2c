//! What the measurements are compared with: the raw database and the raw log, in the same run, on the same servers.

use crate::generate;
use anyhow::Context;
use bytes::Bytes;
use scaledtest_domain::{ProjectId, report::TestResult, retention::Part};
use scaledtest_formats as formats;
use scaledtest_projections::{
    Projection,
    copy::{Rows, copy_rows},
    reports::{
        Reports, ensure_partitions,
        rows::{Place, case_id, copy_results, write_result},
    },
};
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Rows in one transaction.
const ROWS: usize = 5_000;

/// Binary COPY of `rows` result rows, 5,000 a transaction, already encoded, into the product's own table with its indexes.
/// Rows per second.
pub async fn copy(database_url: &str, rows: usize) -> anyhow::Result<f64> {
    let mut conn = PgConnection::connect(database_url).await?;
    let setup = "drop schema if exists bench cascade; create schema bench; set search_path = bench";
    sqlx::raw_sql(setup).execute(&mut conn).await?;
    sqlx::raw_sql(Reports.ddl()).execute(&mut conn).await?;
    sqlx::raw_sql(Reports.indexes()).execute(&mut conn).await?;
    let part = Part::FIRST;
    ensure_partitions(&mut conn, &[part]).await?;

    let results = results(ROWS)?;
    let mut spent = Duration::ZERO;
    let transactions = rows.div_ceil(ROWS);
    for transaction in 0..transactions {
        let mut encoded = Rows::default();
        for (index, result) in results.iter().enumerate() {
            // As ten reports of 500 would be.
            let report_no = i64::try_from(transaction * 10 + index / 500)?;
            let idx = i32::try_from(index % 500)?;
            write_result(&mut encoded, Place { report_no, part }, idx, case_id(result), result)?;
        }
        let started = Instant::now();
        let mut tx = conn.begin().await?;
        copy_rows(&mut tx, &copy_results("result"), encoded.as_slice()).await?;
        tx.commit().await?;
        spent += started.elapsed();
    }
    sqlx::raw_sql("drop schema bench cascade").execute(&mut conn).await?;
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    Ok((transactions * ROWS) as f64 / spent.as_secs_f64())
}

/// Results as the product makes them from generated reports.
fn results(count: usize) -> anyhow::Result<Vec<TestResult>> {
    let document = generate::report(count, 1);
    let (document, envelope) = formats::open(&document, formats::Limits::default())?;
    let mut results = Vec::with_capacity(count);
    let kept = document.read_tests(&envelope, ProjectId::derived(&[b"bench"]), |result| {
        results.push(result);
        Ok::<(), std::convert::Infallible>(())
    });
    kept.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(results)
}

/// Where they are put, as the product does it: documents, results, commits.
const STREAMS: [&str; 3] = ["bench_documents", "bench_results", "bench_commits"];

/// The messages of one upload.
pub struct Messages {
    /// The document: its only piece, and what the bucket knows of it.
    pub document: [Bytes; 2],
    /// The results.
    pub chunks: Vec<Bytes>,
    /// The commit that names them.
    pub commit: Bytes,
}

/// A bare client that publishes messages like those of one upload: its parts, then the commit.
pub struct Bare {
    jetstream: async_nats::jetstream::Context,
    rounds: usize,
}

impl Bare {
    /// Connects, and makes streams of its own.
    pub async fn connect(nats_url: &str) -> anyhow::Result<Self> {
        let address: async_nats::ServerAddr = nats_url.parse()?;
        let (user, password) = (address.username().context("a user")?, address.password().context("a password")?);
        let options = async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
        let jetstream = async_nats::jetstream::new(options.connect(nats_url).await?);
        for name in STREAMS {
            let stream = async_nats::jetstream::stream::Config {
                name: name.to_owned(),
                subjects: vec![format!("{name}.*")],
                ..Default::default()
            };
            jetstream.create_stream(stream).await?;
        }
        Ok(Self { jetstream, rounds: 0 })
    }

    /// The messages that hold an upload's document, which is a small one and the newest in the log.
    pub async fn document(&self, upload: Uuid) -> anyhow::Result<[Bytes; 2]> {
        let bucket = self.jetstream.get_stream("OBJ_raw").await?;
        let piece = bucket.get_last_raw_message_by_subject(&format!("$O.raw.C.{}", upload.simple())).await?;
        let info = bucket.get_last_raw_message_by_subject("$O.raw.M.>").await?;
        let pieces = serde_json::from_slice::<serde_json::Value>(&info.payload)?["chunks"].as_u64();
        anyhow::ensure!(pieces == Some(1), "the document is in {pieces:?} pieces");
        Ok([piece.payload, info.payload])
    }

    /// How long it takes until the last message is acknowledged.
    pub async fn publish(&mut self, messages: &Messages) -> anyhow::Result<Duration> {
        self.rounds += 1;
        let started = Instant::now();
        let [documents, results, commits] = STREAMS.map(|name| format!("{name}.{}", self.rounds));
        let mut acks = Vec::with_capacity(2 + messages.chunks.len());
        for part in &messages.document {
            acks.push(self.jetstream.publish(documents.clone(), part.clone()).await?);
        }
        for chunk in &messages.chunks {
            acks.push(self.jetstream.publish(results.clone(), chunk.clone()).await?);
        }
        for ack in acks {
            ack.await?;
        }
        self.jetstream.publish(commits, messages.commit.clone()).await?.await?;
        Ok(started.elapsed())
    }

    /// Takes its streams away.
    pub async fn close(self) -> anyhow::Result<()> {
        for name in STREAMS {
            self.jetstream.delete_stream(name).await?;
        }
        Ok(())
    }
}
