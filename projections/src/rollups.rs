//! Reads roll-ups: what histories need of reports whose results were dropped.

use crate::history::{Digest, DigestedReport};
use crate::session::Failure;
use scaledtest_domain::{Event, Kind, RollupId, StreamId, TeamId, UploadId, events::rollup};
use scaledtest_eventlog::{ChunkError, EventLog, LogError};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::Mutex;

/// Roll-ups that are kept at hand: reports come in the order of the log, so that each is mostly read once.
const KEPT: usize = 2;
/// How often a roll-up that is rewritten while it is read is read again.
const TRIES: usize = 3;

/// Why a roll-up cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// What the log says.
    #[error(transparent)]
    Log(#[from] LogError),
    /// It is missing, or damaged.
    #[error("{0}")]
    Broken(String),
}

/// The newest state of a roll-up, by what it says itself; none if there is none, or not any more.
///
/// # Errors
/// What the log says.
pub async fn sealed(log: &EventLog, team: TeamId, rollup: RollupId) -> Result<Option<rollup::Sealed>, LogError> {
    let Some(last) = log.load(&StreamId::of(team, Kind::Rollup, rollup)).await?.pop() else { return Ok(None) };
    let events = last.commit.decode_events().map_err(|source| LogError::Decode { n: last.n, source })?;
    Ok(events.into_iter().rev().find_map(|event| match event {
        Event::Rollup(rollup::Event::Sealed(sealed)) => Some(sealed),
        _ => None,
    }))
}

/// The content of a roll-up.
///
/// # Errors
/// See [`RollupError`].
pub async fn read(log: &EventLog, team: TeamId, rollup: RollupId) -> Result<(rollup::Sealed, Digest), RollupError> {
    let mut failure = RollupError::Broken("there is none".to_owned());
    for _ in 0..TRIES {
        let Some(sealed) = sealed(log, team, rollup).await? else { break };
        match log.read_chunks(team, rollup.0.into(), sealed.upload, &sealed.chunks).await {
            Ok(pieces) => {
                let decoded = tokio::task::spawn_blocking(move || Digest::decode(&pieces)).await;
                let decoded = decoded.map_err(|error| RollupError::Broken(error.to_string()))?;
                let digest = decoded.map_err(|error| RollupError::Broken(error.to_string()))?;
                return Ok((sealed, digest));
            }
            Err(ChunkError::Log(error)) => return Err(error.into()),
            // A report of it may just have been deleted.
            Err(error) => failure = RollupError::Broken(error.to_string()),
        }
    }
    Err(failure)
}

/// The newest roll-ups that were read.
#[derive(Default)]
pub(crate) struct Rollups {
    kept: Mutex<VecDeque<(RollupId, Arc<Digest>)>>,
}

impl Rollups {
    /// What an upload said; the inner error is for good.
    pub async fn report(
        &self,
        log: &EventLog,
        team: TeamId,
        rollup: RollupId,
        upload: UploadId,
    ) -> Result<Result<DigestedReport, String>, Failure> {
        let missing = || "the report isn't in it".to_owned();
        // One at a time: the reports that are read together are mostly in the same.
        let mut kept = self.kept.lock().await;
        if let Some((_, digest)) = kept.iter().find(|(id, _)| *id == rollup) {
            let digest = Arc::clone(digest);
            drop(kept);
            return Ok(digest.report(upload).ok_or_else(missing));
        }
        let digest = match read(log, team, rollup).await {
            Ok((_, digest)) => Arc::new(digest),
            Err(RollupError::Log(error @ (LogError::Unavailable(_) | LogError::Rewound(_)))) => {
                return Err(error.into());
            }
            Err(error) => return Ok(Err(error.to_string())),
        };
        kept.push_back((rollup, Arc::clone(&digest)));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        drop(kept);
        Ok(digest.report(upload).ok_or_else(missing))
    }
}
