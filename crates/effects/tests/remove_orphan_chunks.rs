//! What the janitor takes away, and what it leaves, in memory and on a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of tests are tests")]

use chrono::{DateTime, TimeDelta, Utc};
use scaledtest_commands::report::{Command, Report};
use scaledtest_domain::{
    Actor, CommandId, Kind, ProjectId, ReportId, RunId, StreamId, TeamId, UploadId,
    events::report::{Chunks, Ingested},
};
use scaledtest_effects::{GRACE, Janitor, Removed, remove_orphan_chunks};
use scaledtest_eventlog::{ChunkError, CommandMeta, EventLog, NatsOptions};
use serde_json::json;

struct Upload {
    team: TeamId,
    report: ReportId,
    upload: UploadId,
    chunks: Chunks,
}

impl Upload {
    async fn write(log: &EventLog, team: TeamId, report: ReportId) -> Self {
        let upload = UploadId::new();
        let mut writer = log.chunk_writer(team, report, upload);
        for chunk in 0..3_u8 {
            writer.push(vec![chunk; 100]).await.unwrap();
        }
        log.put_raw(team, report, upload, b"document".as_slice().into()).await.unwrap();
        Self { team, report, upload, chunks: writer.finish().await.unwrap() }
    }

    async fn commit(&self, log: &EventLog) {
        let ingested: Ingested = serde_json::from_value(json!({
            "report": self.report, "project": ProjectId::new(), "run": RunId::new(), "upload": self.upload, "chunks": self.chunks,
            "body": {"hash": self.chunks.hash, "bytes": 8, "media_type": "application/json"},
            "meta": {"format": "ctrf", "tool": {"name": "t"}, "start_ms": 0, "stop_ms": 0, "duration_ms": 0},
            "counts": {"tests": 0, "passed": 0, "failed": 0, "skipped": 0, "pending": 0, "other": 0},
            "run_at": now(), "created_at": now()
        }))
        .unwrap();
        self.execute(log, Command::Ingest(Box::new(ingested))).await;
    }

    async fn execute(&self, log: &EventLog, command: Command) {
        let meta = CommandMeta {
            command: CommandId::new(),
            request: None,
            actor: Actor::System,
            at: now(),
            correlation: None,
            causation: None,
        };
        log.execute::<Report>(StreamId::of(self.team, Kind::Report, self.report), command, &meta).await.unwrap();
    }

    fn began(&self) -> DateTime<Utc> {
        let (seconds, _) = self.upload.0.get_timestamp().unwrap().to_unix();
        DateTime::from_timestamp(i64::try_from(seconds).unwrap(), 0).unwrap()
    }

    /// Whether its chunks and its document are both there; panics when only one is.
    async fn is_there(&self, log: &EventLog) -> bool {
        let chunks = match log.read_chunks(self.team, self.report, self.upload, &self.chunks).await {
            Ok(_) => true,
            Err(ChunkError::Missing { found: 0, .. }) => false,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(log.get_raw(self.team, self.report, self.upload).await.unwrap().is_some(), chunks);
        chunks
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(4_000_000_000, 0).unwrap()
}

async fn takes_away_what_no_report_is_made_of(log: EventLog) {
    let team = TeamId::new();
    let live = Upload::write(&log, team, ReportId::new()).await;
    live.commit(&log).await;
    let lost_the_race = Upload::write(&log, team, live.report).await;
    let broke_off = Upload::write(&log, team, ReportId::new()).await;
    let deleted = Upload::write(&log, team, ReportId::new()).await;
    deleted.commit(&log).await;
    deleted.execute(&log, Command::Delete { report: deleted.report }).await;

    // Ids carry the real time of their making, which is long before the time that the janitor is told.
    let removed = remove_orphan_chunks(&log, now(), GRACE).await.unwrap();
    assert_eq!(removed, Removed { uploads: 3, seen: 4 });
    assert!(live.is_there(&log).await);
    for orphan in [&lost_the_race, &broke_off, &deleted] {
        assert!(!orphan.is_there(&log).await);
    }
    assert_eq!(remove_orphan_chunks(&log, now(), GRACE).await.unwrap(), Removed { uploads: 0, seen: 1 });
}

async fn leaves_an_upload_that_may_still_be_going_on(log: EventLog) {
    let upload = Upload::write(&log, TeamId::new(), ReportId::new()).await;
    let began = upload.began();
    let removed = remove_orphan_chunks(&log, began + GRACE - TimeDelta::seconds(1), GRACE).await.unwrap();
    assert_eq!(removed, Removed::default());
    assert!(upload.is_there(&log).await);
}

#[tokio::test]
async fn in_memory_it_takes_away_what_no_report_is_made_of() {
    takes_away_what_no_report_is_made_of(EventLog::in_memory()).await;
}

#[tokio::test]
async fn on_a_server_it_takes_away_what_no_report_is_made_of() {
    let nats = scaledtest_testkit::nats().await;
    takes_away_what_no_report_is_made_of(EventLog::connect(NatsOptions::new(nats.url())).await.unwrap()).await;
}

#[tokio::test]
async fn an_upload_that_may_still_be_going_on_is_left_alone() {
    leaves_an_upload_that_may_still_be_going_on(EventLog::in_memory()).await;
}

#[tokio::test]
async fn later_rounds_look_only_at_what_is_younger_and_once_a_day_at_everything() {
    let (log, mut janitor) = (EventLog::in_memory(), Janitor::default());
    let upload = Upload::write(&log, TeamId::new(), ReportId::new()).await;
    let live = Upload::write(&log, TeamId::new(), ReportId::new()).await;
    live.commit(&log).await;
    let due = live.began() + GRACE + TimeDelta::seconds(2);
    let mut round = async |now, uploads, seen| {
        assert_eq!(janitor.round(&log, now, GRACE).await.unwrap(), Removed { uploads, seen }, "{now}");
    };
    round(upload.began() + GRACE - TimeDelta::seconds(1), 0, 0).await;
    round(due, 1, 2).await;
    assert!(!upload.is_there(&log).await && live.is_there(&log).await);
    // Its deletion breaks off before anything is erased.
    live.execute(&log, Command::Delete { report: live.report }).await;
    round(due + TimeDelta::minutes(10), 0, 0).await;
    round(due + TimeDelta::days(1), 1, 1).await;
    assert!(!live.is_there(&log).await);
}
