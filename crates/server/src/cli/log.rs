//! `scaledtest log`: looking after the log itself.

use super::stores::{self, Addresses, Stores};
use crate::config::ServerArgs;
use anyhow::bail;
use clap::{Args, Subcommand};
use scaledtest_domain::{
    Event, Position, ReportId, TeamId,
    events::report::{Event as ReportEvent, Ingested},
    report::decode_chunk,
};
use scaledtest_eventlog::{ChunkError, EventLog, Verified};
use std::{
    collections::HashMap,
    io::{self, Write},
    time::Duration,
};

/// Messages looked at together.
const BATCH: usize = 500;
/// How long the read models may take to catch up before they are compared.
const CATCH_UP: Duration = Duration::from_secs(60);

/// Looks after the log
#[derive(Debug, Subcommand)]
pub enum Log {
    /// Reads the whole log: every commit decodes and follows from the one before, every report's results are there and are
    /// what was acknowledged, and the read models hold as many
    Verify(Verify),
}

/// What to verify.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    server: ServerArgs,
}

impl Log {
    /// Does it.
    ///
    /// # Errors
    /// When something is wrong with the log, after everything was looked at; or when it cannot be read.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self::Verify(verify) = self;
        let config = verify.server.config()?;
        let stores = stores::open(&Addresses::find(&config)?, &config).await?;
        let found = Findings::gather(&stores.log).await?;
        found.compare(&stores).await
    }
}

/// A report as the log has it.
struct Live {
    team: TeamId,
    report: Box<Ingested>,
}

/// What the log holds, and what is wrong with it.
#[derive(Default)]
struct Findings {
    commits: u64,
    last: u64,
    live: HashMap<ReportId, Live>,
    faults: Vec<String>,
}

impl Findings {
    async fn gather(log: &EventLog) -> anyhow::Result<Self> {
        let mut found = Self::default();
        let mut verifier = log.verify().await?;
        found.last = verifier.until();
        loop {
            let batch = verifier.next(BATCH).await?;
            if batch.is_empty() {
                break;
            }
            for verified in batch {
                found.take(verified);
            }
        }
        found.check_bodies(log).await?;
        Ok(found)
    }

    fn take(&mut self, verified: Verified) {
        self.commits += 1;
        if let Some(fault) = verified.fault {
            self.faults.push(format!("message {}: {fault}", verified.n));
        }
        let Some(recorded) = verified.recorded else { return };
        for event in recorded.commit.decode_events().unwrap_or_default() {
            match event {
                Event::Report(ReportEvent::Ingested(report)) => {
                    let Some(team) = recorded.commit.team else {
                        self.faults.push(format!("message {}: a report without a team", verified.n));
                        continue;
                    };
                    self.live.insert(report.report, Live { team, report });
                }
                Event::Report(ReportEvent::Deleted(deleted)) => {
                    self.live.remove(&deleted.report);
                }
                _ => {}
            }
        }
    }

    /// Every report's chunks are there, have the hash that was acknowledged, and hold as many results as were counted.
    async fn check_bodies(&mut self, log: &EventLog) -> anyhow::Result<()> {
        let mut faults = Vec::new();
        for (id, Live { team, report }) in &self.live {
            match log.read_chunks(*team, *id, report.upload, &report.chunks).await {
                Ok(chunks) => {
                    let results: Result<usize, _> =
                        chunks.iter().map(|chunk| decode_chunk(chunk).map(|results| results.len())).sum();
                    match results {
                        Ok(results) if results as u64 == report.counts.tests => {}
                        Ok(results) => {
                            faults.push(format!("report {id}: {results} results, {} were counted", report.counts.tests))
                        }
                        Err(error) => faults.push(format!("report {id}: {error}")),
                    }
                }
                Err(ChunkError::Log(error)) => return Err(error.into()),
                Err(error) => faults.push(format!("report {id}: {error}")),
            }
        }
        self.faults.append(&mut faults);
        Ok(())
    }

    /// The read models hold the same reports, with as many results.
    async fn compare(mut self, stores: &Stores) -> anyhow::Result<()> {
        let positions = scaledtest_projections::Positions::new(stores.db.clone());
        let position = Position { epoch: stores.log.epoch(), n: self.last };
        if positions.wait(&["reports"], position, CATCH_UP).await {
            self.compare_rows(stores).await?;
        } else {
            self.faults
                .push("the projection reports has not caught up with the log; its counts were not compared".to_owned());
        }
        let mut out = io::stdout().lock();
        for fault in &self.faults {
            writeln!(out, "{fault}")?;
        }
        let results: u64 = self.live.values().map(|live| live.report.counts.tests).sum();
        writeln!(
            out,
            "{} commits, {} reports, {results} results, {} faults",
            self.commits,
            self.live.len(),
            self.faults.len()
        )?;
        if !self.faults.is_empty() {
            bail!("the log and the read models are not as they should be");
        }
        Ok(())
    }

    async fn compare_rows(&mut self, stores: &Stores) -> anyhow::Result<()> {
        // Reports that came while we looked are not in our list.
        let rows: Vec<(uuid::Uuid, i64)> = sqlx::query_as(
            "select report.id, (select count(*) from reports.result \
             where result.report_no = report.no and result.class = report.class and result.month = report.month) \
             from reports.report where report.no <= $1",
        )
        .bind(i64::try_from(self.last)?)
        .fetch_all(&stores.db)
        .await?;
        let rows: HashMap<ReportId, u64> =
            rows.into_iter().map(|(id, count)| (ReportId(id), count.unsigned_abs())).collect();
        for (id, live) in &self.live {
            match rows.get(id) {
                Some(count) if *count == live.report.counts.tests => {}
                Some(count) => self.faults.push(format!(
                    "report {id}: the read model has {count} results, the log {}",
                    live.report.counts.tests
                )),
                None => self.faults.push(format!("report {id} is in the log but not in the read model")),
            }
        }
        for id in rows.keys().filter(|id| !self.live.contains_key(id)) {
            self.faults.push(format!("report {id} is in the read model but not in the log"));
        }
        Ok(())
    }
}
