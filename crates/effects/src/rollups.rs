//! Writes roll-ups: what histories need of reports, before their results are dropped, and again when one of them is deleted.

use chrono::{DateTime, Utc};
use scaledtest_commands::{
    Report, Rollup, report,
    rollup::{Command, Reject},
};
use scaledtest_domain::{
    CommandId, Kind, ProjectId, ReportId, RollupId, StreamId, TeamId, UploadId,
    events::{
        report::Chunks,
        rollup::{Rolled, Sealed},
    },
    report::decode_chunk,
    retention::Part,
};
use scaledtest_eventlog::{ChunkError, CommandMeta, EventLog, ExecuteError, LogError};
use scaledtest_projections::{
    history::{DIGEST_RESULTS, Digest},
    rollups,
};

/// Reports in a roll-up, at most: the commit that names them is one message.
const MOST_REPORTS: usize = 1_000;
/// How often a roll-up that others change at the same time is written again.
const TRIES: usize = 5;

/// Why a roll-up was not written.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// What the log says.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What it says of a command.
    #[error("{0}")]
    Command(String),
    /// A roll-up cannot be read or written.
    #[error("roll-up {rollup}: {what}")]
    Broken {
        /// Which.
        rollup: RollupId,
        /// Why.
        what: String,
    },
}

/// The reports of a project in a part.
pub(crate) struct Batch {
    pub team: TeamId,
    pub project: ProjectId,
    pub part: Part,
}

impl Batch {
    /// Seals these reports, in the order of the log: writes what histories need of them, then says of each where that is. What
    /// an earlier try has written is not written again. One that cannot be read is left out.
    pub async fn seal(&self, log: &EventLog, reports: &[ReportId], now: DateTime<Utc>) -> Result<(), RollupError> {
        let mut left = reports.to_vec();
        for k in 0_u32.. {
            if left.is_empty() {
                break;
            }
            let rollup = RollupId::derived(&[self.project.0.as_bytes(), &self.part.0.to_be_bytes(), &k.to_be_bytes()]);
            let stream = StreamId::of(self.team, Kind::Rollup, rollup);
            let mut state = log.state::<Rollup>(&stream).await?;
            if !state.existed {
                self.write(log, rollup, &mut left, now).await?;
                state = log.state::<Rollup>(&stream).await?;
            }
            let Some(sealed) = state.sealed else { continue };
            for rolled in sealed.reports.iter().filter(|rolled| reports.contains(&rolled.report)) {
                self.mark(log, *rolled, rollup, now).await?;
                left.retain(|one| *one != rolled.report);
            }
        }
        Ok(())
    }

    /// Writes the first of these reports into a new roll-up, as many as fit; takes away those that need none.
    async fn write(
        &self,
        log: &EventLog,
        rollup: RollupId,
        left: &mut Vec<ReportId>,
        now: DateTime<Utc>,
    ) -> Result<(), RollupError> {
        let (mut digest, mut skipped) = (Digest::default(), Vec::new());
        for report in left.iter().copied() {
            if digest.results() >= DIGEST_RESULTS || digest.reports().len() >= MOST_REPORTS {
                break;
            }
            if !self.add(log, report, &mut digest).await? {
                skipped.push(report);
            }
        }
        left.retain(|report| !skipped.contains(report));
        if digest.reports().is_empty() {
            return Ok(());
        }
        let (upload, chunks) = store(log, self.team, rollup, &digest).await?;
        let reports = digest.reports();
        let sealed = Sealed { rollup, project: self.project, part: self.part, reports, upload, chunks };
        settle(log, self.team, rollup, upload, Command::Seal(sealed), now).await.map(drop)
    }

    /// False if the report is not there any more, is sealed, or cannot be read: then its results stay.
    async fn add(&self, log: &EventLog, report: ReportId, digest: &mut Digest) -> Result<bool, RollupError> {
        let state = log.state::<Report>(&StreamId::of(self.team, Kind::Report, report)).await?;
        let Some(live) = state.live.filter(|live| live.rollup.is_none()) else { return Ok(false) };
        let chunks = match log.read_chunks(self.team, report, live.upload, &live.chunks).await {
            Ok(chunks) => chunks,
            Err(ChunkError::Log(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%report, %error, "a report cannot be rolled up; its results stay");
                return Ok(false);
            }
        };
        let mut results = Vec::new();
        for chunk in chunks {
            match decode_chunk(&chunk) {
                Ok(more) => results.extend(more),
                Err(error) => {
                    tracing::warn!(%report, %error, "a report cannot be rolled up; its results stay");
                    return Ok(false);
                }
            }
        }
        digest.add(Rolled { report, upload: live.upload }, &results);
        Ok(true)
    }

    async fn mark(
        &self,
        log: &EventLog,
        Rolled { report, upload }: Rolled,
        rollup: RollupId,
        now: DateTime<Utc>,
    ) -> Result<(), RollupError> {
        let stream = StreamId::of(self.team, Kind::Report, report);
        let command = report::Command::Seal { report, upload, rollup };
        let id = CommandId::derived(&[report.0.as_bytes(), upload.0.as_bytes(), rollup.0.as_bytes()]);
        match log.execute::<Report>(stream, command, &CommandMeta::of_system(id, now)).await {
            // Refused: deleted, or replaced by another upload.
            Ok(_) | Err(ExecuteError::Rejected(_)) => Ok(()),
            Err(ExecuteError::Log(error)) => Err(error.into()),
            Err(error) => Err(RollupError::Command(error.to_string())),
        }
    }
}

/// Takes those reports out of a roll-up that are not there any more.
///
/// # Errors
/// See [`RollupError`].
pub(crate) async fn forget(
    log: &EventLog,
    team: TeamId,
    rollup: RollupId,
    now: DateTime<Utc>,
) -> Result<(), RollupError> {
    let broken = |what: String| RollupError::Broken { rollup, what };
    for _ in 0..TRIES {
        if rollups::sealed(log, team, rollup).await?.is_none() {
            return Ok(());
        }
        let (old, digest) = match rollups::read(log, team, rollup).await {
            Ok(read) => read,
            Err(rollups::RollupError::Log(error)) => return Err(error.into()),
            Err(error) => return Err(broken(error.to_string())),
        };
        let all = digest.reports();
        let mut reports = Vec::new();
        for rolled in all.iter().copied() {
            let state = log.state::<Report>(&StreamId::of(team, Kind::Report, rolled.report)).await?;
            if state.live.is_some_and(|live| live.upload == rolled.upload) {
                reports.push(rolled);
            }
        }
        if reports.len() == all.len() {
            return Ok(());
        }
        let from = old.upload;
        let (upload, command) = if reports.is_empty() {
            (from, Command::Erase { rollup, from })
        } else {
            let (upload, chunks) = store(log, team, rollup, &digest.with_only(&reports)).await?;
            (upload, Command::Rewrite { from, sealed: Sealed { reports, upload, chunks, ..old.clone() } })
        };
        if settle(log, team, rollup, upload, command, now).await? {
            log.erase_chunks(team, rollup.0.into(), from, &old.chunks).await?;
            return Ok(());
        }
    }
    Err(broken("others change it at the same time".to_owned()))
}

async fn store(
    log: &EventLog,
    team: TeamId,
    rollup: RollupId,
    digest: &Digest,
) -> Result<(UploadId, Chunks), RollupError> {
    let upload = UploadId::new();
    let mut writer = log.chunk_writer(team, rollup.0.into(), upload);
    let pieces = digest.encode().map_err(|error| RollupError::Broken { rollup, what: error.to_string() })?;
    for piece in pieces {
        writer.push(piece).await?;
    }
    Ok((upload, writer.finish().await?))
}

/// Commits what was stored; false, and it is erased again, if somebody else was faster.
async fn settle(
    log: &EventLog,
    team: TeamId,
    rollup: RollupId,
    upload: UploadId,
    command: Command,
    now: DateTime<Utc>,
) -> Result<bool, RollupError> {
    let is_erase = matches!(command, Command::Erase { .. });
    let meta = CommandMeta::of_system(CommandId::new(), now);
    match log.execute::<Rollup>(StreamId::of(team, Kind::Rollup, rollup), command, &meta).await {
        Ok(_) => Ok(true),
        Err(ExecuteError::Rejected(Reject::Changed)) => {
            if !is_erase {
                log.erase_upload(team, rollup.0.into(), upload).await?;
            }
            Ok(false)
        }
        Err(ExecuteError::Log(error)) => Err(error.into()),
        Err(error) => Err(RollupError::Command(error.to_string())),
    }
}
