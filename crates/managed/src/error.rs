//! What can go wrong with a managed child, each as a sentence that says what to do.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Why PostgreSQL or nats-server could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ManagedError {
    /// A program was not found, or only one that is too old. The text names what was looked at and what to do.
    #[error("{0}")]
    NotFound(String),
    /// Another process has the data directory.
    #[error(
        "the data directory {} is in use by another server{}; stop that one or choose another with --data-dir",
        dir.display(),
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Locked {
        /// The directory asked for.
        dir: PathBuf,
        /// The process that has it, if it wrote its number down.
        pid: Option<u32>,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, e.g. "create".
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A child did not start, did not become ready or did not stop. The text quotes the end of its log.
    #[error("{name} {reason}")]
    Child {
        /// `PostgreSQL` or `nats-server`.
        name: &'static str,
        /// What happened.
        reason: String,
    },
    /// Something about this machine or directory does not allow it. The text says what.
    #[error("{0}")]
    Refused(String),
}

/// Names the file in an I/O error.
pub(crate) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, ManagedError>;
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, ManagedError> {
        self.map_err(|source| ManagedError::Io { action, path: path.to_owned(), source })
    }
}

pub(crate) fn child(name: &'static str, reason: impl Display) -> ManagedError {
    ManagedError::Child { name, reason: reason.to_string() }
}
