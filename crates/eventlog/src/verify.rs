//! Reads the whole log and says what is wrong with it.

use crate::{EventLog, Follow, Follower, LogError, Recorded, log::link};
use scaledtest_domain::{Hash16, StreamId};
use std::{collections::HashMap, time::Duration};

/// A message of the log, looked at.
#[derive(Debug)]
pub struct Verified {
    /// Its sequence.
    pub n: u64,
    /// The commit, if it can be read.
    pub recorded: Option<Recorded>,
    /// What is wrong: it cannot be read, has an event that cannot, or does not follow from the aggregate's history.
    pub fault: Option<String>,
}

/// Goes through every commit up to what was the last when it began.
pub struct Verifier {
    log: EventLog,
    follower: Follower,
    until: u64,
    /// Of each aggregate: its version, and the hash of its last commit.
    heads: HashMap<StreamId, (u64, Option<Hash16>)>,
}

/// Silence of this long before the end is an error.
const SILENCE: Duration = Duration::from_secs(30);

impl EventLog {
    /// Begins to verify the log.
    ///
    /// # Errors
    /// [`LogError::Unavailable`].
    pub async fn verify(&self) -> Result<Verifier, LogError> {
        let until = self.last().await?.n;
        Ok(Verifier { log: self.clone(), follower: self.follow(0, Follow::All), until, heads: HashMap::new() })
    }
}

impl Verifier {
    /// The last sequence that will be looked at.
    pub fn until(&self) -> u64 {
        self.until
    }

    /// The next messages, at most `max`; empty at the end. Remembers a few dozen bytes for each aggregate.
    ///
    /// # Errors
    /// When the log cannot be read; a commit that is wrong is no error here.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Verified>, LogError> {
        if self.follower.after() >= self.until {
            return Ok(Vec::new());
        }
        let silence = |_| LogError::Unavailable(format!("the log ends before message {}", self.until));
        let next = tokio::time::timeout(SILENCE, self.follower.next(max)).await.map_err(silence)?;
        match next {
            Ok(mut batch) => {
                batch.retain(|next| next.n <= self.until);
                Ok(batch.into_iter().map(|next| self.look(next)).collect())
            }
            Err(LogError::Decode { n, source }) => {
                self.follower = self.log.follow(n, Follow::All);
                Ok(vec![Verified { n, recorded: None, fault: Some(source.to_string()) }])
            }
            Err(error) => Err(error),
        }
    }

    fn look(&mut self, recorded: Recorded) -> Verified {
        let commit = &recorded.commit;
        let stream = commit.stream();
        let (version, prev) = self.heads.get(&stream).copied().unwrap_or_default();
        let fault = link(&stream, &recorded, version, prev)
            .err()
            .or_else(|| commit.decode_events().err().map(|error| error.to_string()));
        self.heads.insert(stream, (commit.next_version(), Some(recorded.hash)));
        Verified { n: recorded.n, recorded: Some(recorded), fault }
    }
}
