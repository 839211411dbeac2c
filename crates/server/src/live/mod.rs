//! What happens, as it happens: one tail of the log per process, fanned out to the sockets of each team.
//!
//! Messages are taken from the log, so two servers on one NATS say the same in the same order. A client that comes back
//! with its last position is served what it missed from the log first, then joins the tail; positions make the seam exact.

mod message;

pub use message::Message;

use scaledtest_domain::TeamId;
use scaledtest_eventlog::{EventLog, Follow, Follower, LogError, Recorded};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Messages that a slow socket may be behind before it is told to resume.
const QUEUE: usize = 1024;
/// Commits taken from the log at once.
const BATCH: usize = 500;
/// Silence of this long before the end is an error.
const SILENCE: Duration = Duration::from_secs(30);

/// The process's tail of the log.
#[derive(Clone)]
pub struct Live {
    log: EventLog,
    sender: broadcast::Sender<Arc<Message>>,
}

impl Live {
    /// A tail that isn't running yet; see [`Live::run`].
    pub fn new(log: EventLog) -> Self {
        Self { log, sender: broadcast::Sender::new(QUEUE) }
    }

    /// Every message from now on, of all teams; the receiver picks its own.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Message>> {
        self.sender.subscribe()
    }

    /// Follows the log from its end until cancelled. Trouble with the log is waited out: nothing is skipped.
    pub async fn run(self, stop: CancellationToken) {
        let Some(start) = self.start(&stop).await else { return };
        let mut follower = self.log.follow(start, Follow::All);
        while let Some(batch) = stop.run_until_cancelled(next(&mut follower)).await {
            for recorded in batch {
                self.publish(&recorded);
            }
        }
    }

    async fn start(&self, stop: &CancellationToken) -> Option<u64> {
        loop {
            match stop.run_until_cancelled(self.log.last()).await? {
                Ok(last) => return Some(last.n),
                Err(error) => {
                    tracing::warn!(%error, "the live tail waits for the log");
                    stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await?;
                }
            }
        }
    }

    fn publish(&self, recorded: &Recorded) {
        if let Some(message) = Message::of(self.log.epoch(), recorded) {
            // No receiver is no trouble: nobody looks.
            let _ = self.sender.send(Arc::new(message));
        }
    }

    /// What a team has done after `after`, up to now.
    pub fn missed(&self, team: TeamId, after: u64) -> Missed {
        Missed { log: self.log.clone(), team, follower: self.log.follow(after, Follow::Team(team)), until: None }
    }
}

/// Reads what a client missed, in order and in bounded batches.
pub struct Missed {
    log: EventLog,
    team: TeamId,
    follower: Follower,
    /// The team's last commit when reading began.
    until: Option<u64>,
}

impl Missed {
    /// The next messages; `None` when the client is level.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Message>>, LogError> {
        let until = match self.until {
            Some(until) => until,
            None => *self.until.insert(self.log.last_matching(Follow::Team(self.team)).await?),
        };
        if self.follower.after() >= until {
            return Ok(None);
        }
        let silence = |_| LogError::Unavailable("the log ends before its last message".to_owned());
        let batch = tokio::time::timeout(SILENCE, self.follower.next(BATCH)).await.map_err(silence)??;
        Ok(Some(batch.iter().filter_map(|recorded| Message::of(self.log.epoch(), recorded)).collect()))
    }
}

/// The next commits; a log that cannot be read is asked again, with a pause.
async fn next(follower: &mut Follower) -> Vec<Recorded> {
    loop {
        match follower.next(BATCH).await {
            Ok(batch) => return batch,
            Err(error) => {
                tracing::warn!(%error, "the live tail lost the log for a moment");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}
