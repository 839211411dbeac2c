use scaledtest_domain::{DecodeError, ErrorKind, Reject, StreamId};

/// What can go wrong between us and the log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// No answer in time. Of a write it means *unknown*: it may be in the log; the same command again is safe.
    #[error("the log does not answer: {0}")]
    Unavailable(String),
    /// The server said no and will say no again.
    #[error("the log refused: {0}")]
    Refused(String),
    /// The message is larger than the log takes.
    #[error("a message of {bytes} bytes is larger than the log takes")]
    TooLarge {
        /// Size of the payload.
        bytes: usize,
    },
    /// The server or a stream is not set up as this program needs it. The text names what was found and expected.
    #[error("{0}")]
    Configuration(String),
    /// A message of the log cannot be read.
    #[error("message {n} of the log cannot be read: {source}")]
    Decode {
        /// Its sequence.
        n: u64,
        /// Why.
        source: DecodeError,
    },
    /// A commit cannot be written.
    #[error("the commit cannot be written: {0}")]
    Encode(DecodeError),
    /// The commits of an aggregate don't follow from each other: history is missing or was changed.
    #[error("the history of {} is broken at message {n}: {reason}", .stream.subject())]
    Broken {
        /// The aggregate.
        stream: StreamId,
        /// The first message that doesn't fit.
        n: u64,
        /// What doesn't fit.
        reason: String,
    },
    /// What is stored is not what was stored.
    #[error("{0} was changed where it is stored")]
    Corrupt(String),
    /// The log is not the one that was read before: an older copy was put back, or a new epoch began.
    #[error("the log was rewound: {0}")]
    Rewound(String),
}

impl LogError {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable(_) | Self::Rewound(_) => ErrorKind::Unavailable,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            _ => ErrorKind::Internal,
        }
    }

    /// Whether waiting may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<R> {
    /// The decider refused, looking at the newest state.
    #[error(transparent)]
    Rejected(R),
    /// The command id was used before, for another request.
    #[error("this idempotency key was used before, with another request")]
    KeyReused,
    /// Others wrote to the same aggregate each time we tried.
    #[error("too many changes of the same thing at once; try again")]
    Conflict,
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl<R: Reject> ExecuteError<R> {
    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Rejected(reject) => reject.kind(),
            Self::KeyReused => ErrorKind::KeyReused,
            Self::Conflict => ErrorKind::Conflict,
            Self::Log(error) => error.kind(),
        }
    }
}

/// Why chunks could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// Some are not in the log. Legal exactly when a tombstone or a retention event covers them.
    #[error("{found} of {expected} chunks are in the log")]
    Missing {
        /// How many are there.
        found: u32,
        /// How many the commit names.
        expected: u32,
    },
    /// They are not what the commit says.
    #[error("the chunks' hash is not the one that the commit names")]
    Corrupt,
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
}
