use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A place in the log: the epoch, and the stream sequence within it. Written `<epoch>-<n>`; opaque to clients.
///
/// A new epoch begins when the log was found rewound (an older copy of the store was put back): positions of an
/// older epoch say nothing about the new one, and count as passed once the read models are rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Counts the histories of this log, from 1.
    pub epoch: u64,
    /// The stream sequence of a commit, from 1; 0 is "before everything".
    pub n: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.n)
    }
}

/// The text is not `<epoch>-<n>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a position is written <epoch>-<number>, as an earlier answer gave it")]
pub struct PositionError;

impl FromStr for Position {
    type Err = PositionError;
    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (epoch, n) = text.split_once('-').ok_or(PositionError)?;
        Ok(Self { epoch: epoch.parse().map_err(|_| PositionError)?, n: n.parse().map_err(|_| PositionError)? })
    }
}

impl Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
