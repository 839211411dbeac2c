//! The envelope: one commit = one command's events = one message in the log.

use crate::{CommandId, CommitId, Event, Kind, PublisherId, StreamId, TeamId, TokenId, UserId, compress, decompress};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

/// Who did it. Ids only: names and addresses never enter the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "lowercase")]
pub enum Actor {
    /// A signed-in person.
    User(UserId),
    /// An API token, on behalf of its creator.
    Token(TokenId),
    /// A CI workflow that the team trusts.
    Publisher(PublisherId),
    /// The system itself.
    System,
}

/// The first 16 bytes of a SHA-256, written as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash16(pub [u8; 16]);

impl Hash16 {
    /// Hashes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(&Sha256::digest(bytes))
    }

    /// Cuts a SHA-256 digest.
    pub fn from_digest(digest: &[u8]) -> Self {
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        Self(hash)
    }
}

impl fmt::Display for Hash16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Hash16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash16 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash16 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let number = u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// An event as it stands in the log: name, hand-chosen version, data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RawEvent {
    /// Wire name, past tense: `report.ingested`.
    pub t: String,
    /// Version of the shape of `d`.
    pub v: u32,
    /// The data.
    pub d: serde_json::Value,
}

/// What one command wrote to one aggregate: 1..n events, atomically.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// Version of this envelope.
    pub v: u32,
    /// Its id.
    pub commit: CommitId,
    /// The command that caused it; the same command never causes two.
    pub cmd: CommandId,
    /// Hash of the normalised request, where a repeated key with another request must be told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub req: Option<Hash16>,
    /// The team of the aggregate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// The kind of the aggregate.
    pub kind: Kind,
    /// The id of the aggregate.
    pub id: Uuid,
    /// How many events the aggregate had before this commit: gap-free, so a hole is seen.
    pub version: u64,
    /// Hash of the aggregate's previous commit (its JSON, before compression).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Hash16>,
    /// When it was decided. Business logic and projections use this time, never the log's.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub actor: Actor,
    /// What it belongs to (a request id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corr: Option<Uuid>,
    /// The commit whose event made a reactor issue the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<CommitId>,
    /// What happened.
    pub events: Vec<RawEvent>,
}

/// A message of the log that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or not this envelope.
    #[error("not a commit: {0}")]
    Json(#[from] serde_json::Error),
    /// zstd refused it, or it inflates to more than a commit may hold.
    #[error("cannot decompress: {0}")]
    Compression(String),
    /// An event this program doesn't know: it was written by a newer one.
    #[error("unknown event {name} v{version}: written by a newer version of this program")]
    UnknownEvent {
        /// Wire name.
        name: String,
        /// Version on the wire.
        version: u32,
    },
    /// A known event whose data doesn't fit.
    #[error("event {name} v{version}: {source}")]
    Event {
        /// Wire name.
        name: String,
        /// Version on the wire.
        version: u32,
        /// What serde says.
        source: serde_json::Error,
    },
    /// An envelope version from the future.
    #[error("commit envelope v{0} is newer than this program")]
    Envelope(u32),
}

/// The envelope version that we write.
const ENVELOPE: u32 = 1;
/// Payloads above this many bytes are compressed.
const COMPRESS_OVER: usize = 1024;
/// No commit inflates to more than this (bytes).
const MAX_COMMIT: usize = 16 * 1024 * 1024;
/// How a zstd frame starts; JSON never does.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

impl Commit {
    /// The aggregate that it belongs to.
    pub fn stream(&self) -> StreamId {
        StreamId { team: self.team, kind: self.kind, id: self.id }
    }

    /// The version that the aggregate has after it.
    pub fn next_version(&self) -> u64 {
        self.version + self.events.len() as u64
    }

    /// The message: JSON, zstd-compressed over 1 KiB; and the hash that the next commit names as `prev`.
    ///
    /// # Errors
    /// When serialising fails, which a well-formed commit cannot make happen.
    pub fn encode(&self) -> Result<(Vec<u8>, Hash16), DecodeError> {
        let json = serde_json::to_vec(self)?;
        let hash = Hash16::of(&json);
        if json.len() <= COMPRESS_OVER {
            return Ok((json, hash));
        }
        Ok((compress(&json)?, hash))
    }

    /// Reads a message back, with the hash of its JSON.
    ///
    /// # Errors
    /// When it is not a commit of an envelope version that we know.
    pub fn decode(payload: &[u8]) -> Result<(Self, Hash16), DecodeError> {
        let inflated;
        let json = if payload.starts_with(&ZSTD_MAGIC) {
            inflated = decompress(payload, MAX_COMMIT)?;
            inflated.as_slice()
        } else {
            payload
        };
        let commit: Self = serde_json::from_slice(json)?;
        if commit.v > ENVELOPE {
            return Err(DecodeError::Envelope(commit.v));
        }
        Ok((commit, Hash16::of(json)))
    }

    /// Its events, in the newest shape of each.
    ///
    /// # Errors
    /// When an event is unknown or malformed.
    pub fn decode_events(&self) -> Result<Vec<Event>, DecodeError> {
        self.events.iter().map(|raw| Event::decode(self.kind, raw)).collect()
    }

    /// The envelope version to write into [`Commit::v`].
    pub const fn envelope_version() -> u32 {
        ENVELOPE
    }
}
