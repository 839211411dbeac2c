//! What the measurements are compared with: the raw database and the raw log, in the same run, on the same servers.

use crate::generate;
use anyhow::Context;
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

/// A bare client that publishes messages like those of one upload: chunks, then the commit that names them.
pub struct Bare {
    jetstream: async_nats::jetstream::Context,
    rounds: usize,
}

impl Bare {
    /// Connects, and makes a stream of its own.
    pub async fn connect(nats_url: &str) -> anyhow::Result<Self> {
        let address: async_nats::ServerAddr = nats_url.parse()?;
        let (user, password) = (address.username().context("a user")?, address.password().context("a password")?);
        let options = async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
        let jetstream = async_nats::jetstream::new(options.connect(nats_url).await?);
        let stream = async_nats::jetstream::stream::Config {
            name: "BENCH".to_owned(),
            subjects: vec!["bench.>".to_owned()],
            ..Default::default()
        };
        jetstream.create_stream(stream).await?;
        Ok(Self { jetstream, rounds: 0 })
    }

    /// How long it takes until the last message is acknowledged.
    pub async fn publish(&mut self, chunks: &[Vec<u8>], commit: &[u8]) -> anyhow::Result<Duration> {
        self.rounds += 1;
        let started = Instant::now();
        let mut acks = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            acks.push(self.jetstream.publish(format!("bench.res.{}", self.rounds), chunk.clone().into()).await?);
        }
        for ack in acks {
            ack.await?;
        }
        let commit = commit.to_vec().into();
        self.jetstream.publish(format!("bench.ev.{}", self.rounds), commit).await?.await?;
        Ok(started.elapsed())
    }

    /// Takes its stream away.
    pub async fn close(self) -> anyhow::Result<()> {
        self.jetstream.delete_stream("BENCH").await?;
        Ok(())
    }
}
