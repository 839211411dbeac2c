//! Both children together, in one data directory.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::binaries::{Binaries, Overrides};
use crate::data_dir::{DataDir, LockedDataDir, write_private};
use crate::error::{At, ManagedError};
use crate::nats::{Durability, Nats, NatsSettings};
use crate::postgres::{Postgres, PostgresSettings};
use crate::sys;

/// Which children to run; the other one is somewhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Children {
    /// PostgreSQL.
    pub postgres: bool,
    /// nats-server.
    pub nats: bool,
}

impl Children {
    /// Both.
    pub const BOTH: Self = Self { postgres: true, nats: true };
}

/// The running children and the data directory that they are in. Dropping it asks them to stop and does not wait.
pub struct Embedded {
    postgres: Option<Postgres>,
    nats: Option<Nats>,
    // Last, so that nobody else takes the directory while the children are asked to stop.
    dir: LockedDataDir,
}

/// How another process of the same user finds the children: `running.json` in the data directory.
#[derive(Clone, Serialize, Deserialize)]
pub struct Running {
    /// The server.
    pub pid: u32,
    /// PostgreSQL, password included, if it is a child.
    pub database_url: Option<String>,
    /// nats-server, credential included, if it is a child.
    pub nats_url: Option<String>,
}

impl Embedded {
    /// Takes the data directory, starts the children side by side and waits until both can be used.
    pub async fn start(
        dir: &DataDir,
        overrides: &Overrides,
        durability: Durability,
        children: Children,
    ) -> Result<Self, ManagedError> {
        let dir = dir.lock()?;
        let postgres = async {
            if !children.postgres {
                return Ok(None);
            }
            let programs = Binaries::find_postgres(overrides)?;
            let settings = PostgresSettings { dir: dir.path().to_owned(), settings: Vec::new(), volatile: false };
            Postgres::start(&programs, settings).await.map(Some)
        };
        let nats = async {
            if !children.nats {
                return Ok(None);
            }
            let program = Binaries::find_nats_server(overrides)?;
            let settings = NatsSettings { dir: dir.path().join("nats"), durability, port: None };
            Nats::start(&program, settings).await.map(Some)
        };
        let (postgres, nats) = tokio::try_join!(postgres, nats)?;
        let embedded = Self { postgres, nats, dir };
        let running = Running {
            pid: std::process::id(),
            database_url: embedded.postgres.as_ref().map(Postgres::url),
            nats_url: embedded.nats.as_ref().map(Nats::url_with_credential),
        };
        running.write(embedded.dir.path())?;
        Ok(embedded)
    }

    /// The child, if it is one.
    pub fn postgres(&self) -> Option<&Postgres> {
        self.postgres.as_ref()
    }

    /// The child, if it is one.
    pub fn nats(&self) -> Option<&Nats> {
        self.nats.as_ref()
    }

    /// Where to connect to the PostgreSQL child, password included.
    pub fn database_url(&self) -> Option<String> {
        self.postgres.as_ref().map(Postgres::url)
    }

    /// Where to connect to the nats-server child, credential included. See [`Nats`] for the parts.
    pub fn nats_url(&self) -> Option<String> {
        self.nats.as_ref().map(Nats::url_with_credential)
    }

    /// The directory of the data.
    pub fn data_dir(&self) -> &DataDir {
        self.dir.dir()
    }

    /// Stops both and gives the data directory back once they are gone. For when nothing uses them any more.
    pub async fn shutdown(self) {
        let postgres = async {
            if let Some(postgres) = &self.postgres {
                postgres.shutdown().await;
            }
        };
        let nats = async {
            if let Some(nats) = &self.nats {
                nats.shutdown().await;
            }
        };
        tokio::join!(postgres, nats);
        let _ = fs::remove_file(Running::file(self.dir.path()));
    }
}

impl Running {
    /// What runs in this data directory now; `None` when nothing does.
    pub fn read(dir: &Path) -> Result<Option<Self>, ManagedError> {
        let file = Self::file(dir);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).at("read", &file),
        };
        let running: Self = serde_json::from_str(&text).map_err(std::io::Error::from).at("read", &file)?;
        // One that was killed leaves its file.
        Ok(Some(running).filter(|running| sys::exists(running.pid)))
    }

    fn write(&self, dir: &Path) -> Result<(), ManagedError> {
        let file = Self::file(dir);
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::from).at("write", &file)?;
        write_private(&file, &text)
    }

    fn file(dir: &Path) -> std::path::PathBuf {
        dir.join("running.json")
    }
}
