//! What happens, as it happens: one tail of the log per process, fanned out to the sockets of each team.
//!
//! Messages are taken from the log, so two servers on one NATS say the same in the same order. A client that comes back
//! with its last position is served what it missed from the log first, then joins the tail; positions make the seam exact.

mod message;

pub use message::Message;

use scaledtest_domain::{Position, TeamId};
use scaledtest_eventlog::{EventLog, Follow, Follower, LogError, Recorded};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::{broadcast, watch},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

/// Messages that a slow socket may be behind before it is told to resume.
const QUEUE: usize = 1024;
/// Commits taken from the log at once.
const BATCH: usize = 500;
/// Silence of this long before the end is an error.
const SILENCE: Duration = Duration::from_secs(30);
/// How often the tail asks whether the log is still the one that it follows: another process may begin an epoch.
const LOOK: Duration = Duration::from_secs(5);
/// How often a socket checks that its client is there and may still watch.
const CHECK: Duration = Duration::from_secs(20);

/// What a socket hears of the tail.
#[derive(Debug, Clone)]
pub enum News {
    /// A commit.
    Message(Arc<Message>),
    /// The log was rewound or began a new epoch, and the tail started anew: what came between was not told. Whoever hears
    /// this has to resume.
    Restarted,
}

/// The process's tail of the log.
#[derive(Clone)]
pub struct Live {
    log: EventLog,
    sender: broadcast::Sender<News>,
    /// Whether the tail has found its first start.
    standing: watch::Sender<bool>,
    check: Duration,
}

impl Live {
    /// A tail that isn't running yet; see [`Live::run`].
    pub fn new(log: EventLog) -> Self {
        Self { log, sender: broadcast::Sender::new(QUEUE), standing: watch::Sender::new(false), check: CHECK }
    }

    /// The same, but sockets check their clients this often (20 s otherwise).
    #[must_use]
    pub fn checking_every(mut self, check: Duration) -> Self {
        self.check = check;
        self
    }

    /// How often a socket checks its client.
    pub(crate) fn check(&self) -> Duration {
        self.check
    }

    /// Everything from now on, of all teams; the receiver picks its own. Waits until the tail runs, so that nothing lies
    /// between the log's end as read after this and the first news.
    pub async fn subscribe(&self) -> broadcast::Receiver<News> {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.standing.subscribe().wait_for(|standing| *standing).await;
        self.sender.subscribe()
    }

    /// Follows the log from its end until cancelled. Trouble with the log is waited out: nothing is skipped.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.tail()).await;
    }

    async fn tail(&self) -> Infallible {
        loop {
            let start = self.start().await;
            let follower = self.log.follow(start.n, Follow::All);
            // Whoever subscribed before must come back; whoever subscribes later reads the log up to here by itself.
            if self.standing.send_replace(true) {
                let _ = self.sender.send(News::Restarted);
            }
            let reason = self.follow(start, follower).await;
            tracing::warn!(reason, "the live tail starts anew; all sockets resume");
        }
    }

    async fn start(&self) -> Position {
        loop {
            match self.log.last().await {
                Ok(last) => return last,
                Err(error) => {
                    tracing::warn!(%error, "the live tail waits for the log");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Tells every commit after `start` until the log is another one; returns why.
    async fn follow(&self, start: Position, mut follower: Follower) -> String {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let another = |epoch| format!("the log is in epoch {epoch}, not {} any more", start.epoch);
        loop {
            tokio::select! {
                batch = follower.next(BATCH) => match batch {
                    Ok(_) if self.log.epoch() != start.epoch => return another(self.log.epoch()),
                    Ok(batch) => batch.iter().for_each(|recorded| self.publish(start.epoch, recorded)),
                    Err(LogError::Rewound(reason)) => return reason,
                    Err(error) => {
                        tracing::warn!(%error, "the live tail lost the log for a moment");
                        tokio::time::sleep(Duration::from_millis(500)).await;
                    }
                },
                _ = look.tick() => match self.log.last().await {
                    Ok(last) if last.epoch != start.epoch => return another(last.epoch),
                    Ok(last) if last.n < follower.after() => return format!("the log ends at {}", last.n),
                    // An unreachable log is the follower's to tell.
                    Ok(_) | Err(_) => {}
                },
            }
        }
    }

    fn publish(&self, epoch: u64, recorded: &Recorded) {
        if let Some(message) = Message::of(epoch, recorded) {
            // No receiver is no trouble: nobody looks.
            let _ = self.sender.send(News::Message(Arc::new(message)));
        }
    }

    /// What a team has done after `after`, up to now.
    pub fn missed(&self, team: TeamId, after: Position) -> Missed {
        let follower = self.log.follow(after.n, Follow::Team(team));
        Missed { log: self.log.clone(), team, epoch: after.epoch, follower, until: None }
    }
}

/// Reads what a client missed, in order and in bounded batches.
pub struct Missed {
    log: EventLog,
    team: TeamId,
    epoch: u64,
    follower: Follower,
    /// The team's last commit when reading began.
    until: Option<u64>,
}

impl Missed {
    /// The next messages; `None` when the client is level.
    ///
    /// # Errors
    /// When the log cannot be read; [`LogError::Rewound`] when it is in another epoch.
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
        if self.log.epoch() != self.epoch {
            return Err(LogError::Rewound(format!("epoch {} is over", self.epoch)));
        }
        Ok(Some(batch.iter().filter_map(|recorded| Message::of(self.epoch, recorded)).collect()))
    }
}
