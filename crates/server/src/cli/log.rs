//! `scaledtest log`: looking after the log itself.

use super::stores::{self, Stores};
use crate::config::ServerArgs;
use anyhow::bail;
use clap::{Args, Subcommand};
use scaledtest_commands::report::Report;
use scaledtest_domain::{
    Event, Kind, Position, ReportId, RollupId, StreamId, TeamId, UploadId,
    events::report::{Chunks, Event as ReportEvent},
    report::decode_chunk,
};
use scaledtest_eventlog::{ChunkError, EventLog, LogError, Verified};
use scaledtest_projections::{
    reports::queries::{ReportCount, count_reports},
    rollups,
};
use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
    time::Duration,
};

/// Rows of reports looked at together.
const ROWS: u32 = 1_000;
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
        let stores = stores::find(&verify.server).await?;
        let found = Findings::gather(&stores).await?;
        found.conclude(&mut io::stdout().lock())
    }
}

/// A report as the log has it.
#[derive(Clone, Copy)]
struct Live {
    team: TeamId,
    upload: UploadId,
    chunks: Chunks,
    results: u64,
    /// Where what histories need of it stands, once it is rolled up.
    rollup: Option<RollupId>,
}

/// What the log holds, and what is wrong with it.
#[derive(Default)]
struct Findings {
    commits: u64,
    last: u64,
    live: HashMap<ReportId, Live>,
    faults: Vec<String>,
    /// Faults unless the report was deleted while we looked.
    suspects: Vec<(ReportId, String)>,
}

impl Findings {
    async fn gather(stores: &Stores) -> anyhow::Result<Self> {
        let (mut found, log) = (Self::default(), &stores.log);
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
        found.compare(stores).await?;
        found.settle_suspects(log).await?;
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
                    let (upload, chunks, results) = (report.upload, report.chunks, report.counts.tests);
                    self.live.insert(report.report, Live { team, upload, chunks, results, rollup: None });
                }
                Event::Report(ReportEvent::Sealed(sealed)) => {
                    if let Some(live) = self.live.get_mut(&sealed.report).filter(|live| live.upload == sealed.upload) {
                        live.rollup = Some(sealed.rollup);
                    }
                }
                Event::Report(ReportEvent::Deleted(deleted)) => {
                    self.live.remove(&deleted.report);
                }
                _ => {}
            }
        }
    }

    /// Every report's chunks are there, have the hash that was acknowledged, and hold as many results as were counted. Of one
    /// that was rolled up they may be gone: then the roll-up holds as many.
    async fn check_bodies(&mut self, log: &EventLog) -> anyhow::Result<()> {
        let mut rolled_up: BTreeMap<(TeamId, RollupId), Vec<ReportId>> = BTreeMap::new();
        for (id, live) in &self.live {
            let fault = match log.read_chunks(live.team, *id, live.upload, &live.chunks).await {
                Ok(chunks) => {
                    let results: Result<usize, _> =
                        chunks.iter().map(|chunk| decode_chunk(chunk).map(|results| results.len())).sum();
                    match results {
                        Ok(results) if results as u64 == live.results => continue,
                        Ok(results) => format!("{results} results, {} were counted", live.results),
                        Err(error) => error.to_string(),
                    }
                }
                Err(ChunkError::Log(error)) => return Err(error.into()),
                Err(error) => match live.rollup {
                    Some(rollup) => {
                        rolled_up.entry((live.team, rollup)).or_default().push(*id);
                        continue;
                    }
                    None => error.to_string(),
                },
            };
            self.suspects.push((*id, format!("report {id}: {fault}")));
        }
        for ((team, rollup), reports) in rolled_up {
            self.check_rollup(log, team, rollup, reports).await?;
        }
        Ok(())
    }

    async fn check_rollup(
        &mut self,
        log: &EventLog,
        team: TeamId,
        rollup: RollupId,
        reports: Vec<ReportId>,
    ) -> anyhow::Result<()> {
        let digest = match rollups::read(log, team, rollup).await {
            Ok((_, digest)) => Ok(digest),
            Err(rollups::RollupError::Log(error)) => return Err(error.into()),
            Err(error) => Err(error.to_string()),
        };
        for report in reports {
            let Some(live) = self.live.get(&report) else { continue };
            let fault = match &digest {
                Ok(digest) if digest.results_of(live.upload) == Some(live.results) => continue,
                Ok(digest) => format!("{:?} results, {} were counted", digest.results_of(live.upload), live.results),
                Err(error) => error.clone(),
            };
            self.suspects.push((report, format!("report {report}: roll-up {rollup}: {fault}")));
        }
        Ok(())
    }

    /// The read models hold the same reports, with as many results.
    async fn compare(&mut self, stores: &Stores) -> anyhow::Result<()> {
        let positions = scaledtest_projections::Positions::new(stores.db.clone());
        let position = Position { epoch: stores.log.epoch(), n: self.last };
        if positions.wait(&["reports"], position, CATCH_UP).await {
            return self.compare_rows(stores).await;
        }
        self.faults
            .push("the projection reports has not caught up with the log; its counts were not compared".to_owned());
        Ok(())
    }

    /// Looks again at what may be missing only because its report was deleted meanwhile.
    async fn settle_suspects(&mut self, log: &EventLog) -> anyhow::Result<()> {
        for (id, fault) in std::mem::take(&mut self.suspects) {
            let Some(live) = self.live.get(&id).copied() else { continue };
            if is_live(log, id, &live).await? {
                self.faults.push(fault);
            } else {
                self.live.remove(&id);
            }
        }
        Ok(())
    }

    /// Says what was found; fails if anything is wrong.
    fn conclude(&self, out: &mut impl Write) -> anyhow::Result<()> {
        for fault in &self.faults {
            writeln!(out, "{fault}")?;
        }
        let results: u64 = self.live.values().map(|live| live.results).sum();
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
        let last = i64::try_from(self.last)?;
        let (mut rows, mut after) = (HashMap::new(), 0);
        while after < last {
            let page = count_reports(&stores.db, after, ROWS).await?;
            let Some(newest) = page.last() else { break };
            after = newest.no;
            rows.extend(page.into_iter().filter(|row| row.no <= last).map(|row| (row.id, row)));
        }
        for (id, live) in &self.live {
            match rows.get(id) {
                // Its results were dropped when their time was over.
                Some(row) if row.dropped || row.results.unsigned_abs() == live.results => {}
                Some(ReportCount { results, .. }) => self
                    .faults
                    .push(format!("report {id}: the read model has {results} results, the log {}", live.results)),
                None => self.suspects.push((*id, format!("report {id} is in the log but not in the read model"))),
            }
        }
        for id in rows.keys().filter(|id| !self.live.contains_key(id)) {
            self.faults.push(format!("report {id} is in the read model but not in the log"));
        }
        Ok(())
    }
}

/// Whether the log's newest word is that a report is made of this upload. A history that cannot be read is no excuse.
async fn is_live(log: &EventLog, id: ReportId, live: &Live) -> anyhow::Result<bool> {
    match log.state::<Report>(&StreamId::of(live.team, Kind::Report, id)).await {
        Ok(state) => Ok(state.live.is_some_and(|newest| newest.upload == live.upload)),
        Err(LogError::Decode { .. } | LogError::Broken { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;
    use scaledtest_commands::report::Command;
    use scaledtest_domain::{Actor, CommandId, ProjectId, RunId, report::encode_chunk};
    use scaledtest_eventlog::CommandMeta;
    use scaledtest_projections::{self as projections, Positions, Runner, Setup};
    use serde_json::json;

    async fn execute(log: &EventLog, team: TeamId, report: ReportId, command: Command) {
        let (actor, at) = (Actor::System, Utc::now());
        let meta =
            CommandMeta { command: CommandId::new(), request: None, actor, at, correlation: None, causation: None };
        log.execute::<Report>(StreamId::of(team, Kind::Report, report), command, &meta).await.unwrap();
    }

    /// A report of two results.
    async fn upload(log: &EventLog, team: TeamId) -> (ReportId, UploadId, Chunks) {
        let (report, upload) = (ReportId::new(), UploadId::new());
        let result = |name| json!({"test_id": scaledtest_domain::TestId::derived(&[b"a"]), "name": name, "status": "passed", "duration_ms": 1});
        let results: Vec<_> =
            ["a", "b"].into_iter().map(|name| serde_json::from_value(result(name)).unwrap()).collect();
        let mut writer = log.chunk_writer(team, report, upload);
        writer.push(encode_chunk(&results).unwrap()).await.unwrap();
        let chunks = writer.finish().await.unwrap();
        let ingested = json!({
            "report": report, "project": ProjectId::new(), "run": RunId::new(), "upload": upload, "chunks": chunks,
            "body": {"hash": chunks.hash, "bytes": 8, "media_type": "application/json"},
            "meta": {"format": "ctrf", "tool": {"name": "t"}, "start_ms": 0, "stop_ms": 0, "duration_ms": 0},
            "counts": {"tests": 2, "passed": 2, "failed": 0, "skipped": 0, "pending": 0, "other": 0},
            "run_at": Utc::now(), "created_at": Utc::now()
        });
        execute(log, team, report, Command::Ingest(serde_json::from_value(ingested).unwrap())).await;
        (report, upload, chunks)
    }

    fn said(found: &Findings) -> (String, bool) {
        let mut out = Vec::new();
        let is_well = found.conclude(&mut out).is_ok();
        (String::from_utf8(out).unwrap(), is_well)
    }

    #[tokio::test]
    async fn a_fault_is_named_and_fails_and_a_report_deleted_meanwhile_is_none() {
        let database = scaledtest_testkit::database().await;
        projections::migrate(&database.pool).await.unwrap();
        let stores = Stores { db: database.pool.clone(), log: EventLog::in_memory() };
        let (log, team) = (&stores.log, TeamId::new());
        let positions = Positions::new(stores.db.clone());
        let runner = Runner::start(Setup {
            pool: stores.db.clone(),
            log: log.clone(),
            positions: positions.clone(),
            fresh: projections::Fresh::default(),
            projections: projections::all(),
        });
        let (first, ..) = upload(log, team).await;
        let (second, of_second, chunks) = upload(log, team).await;
        let mut well = Findings::gather(&stores).await.unwrap();
        assert_eq!(said(&well), ("2 commits, 2 reports, 4 results, 0 faults\n".to_owned(), true));

        // As it looks when the second is deleted after its commit was read.
        execute(log, team, second, Command::Delete { report: second }).await;
        log.erase_chunks(team, second, of_second, &chunks).await.unwrap();
        assert!(positions.wait(&["reports"], log.last().await.unwrap(), CATCH_UP).await);
        well.check_bodies(log).await.unwrap();
        well.compare_rows(&stores).await.unwrap();
        assert_eq!(well.suspects.len(), 2);
        well.settle_suspects(log).await.unwrap();
        assert_eq!(said(&well), ("2 commits, 1 reports, 2 results, 0 faults\n".to_owned(), true));

        sqlx::query("delete from reports.result where idx = 0").execute(&stores.db).await.unwrap();
        let (out, is_well) = said(&Findings::gather(&stores).await.unwrap());
        assert!(out.contains(&format!("report {first}: the read model has 1 results, the log 2\n")), "{out}");
        assert!(out.ends_with(" 1 faults\n") && !is_well);
        runner.stop().await;
    }
}
