//! A real nats-server with JetStream for each caller, which can be killed and started again.

use std::path::{Path, PathBuf};

use scaledtest_managed::{Binaries, Durability, Nats as Server, NatsSettings, Overrides};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::PATIENCE;
use crate::place::TestDir;

/// A nats-server in a temporary directory, gone when dropped.
pub struct Nats {
    server: Option<Server>,
    settings: NatsSettings,
    url: String,
    credential: (String, String),
    store: PathBuf,
    _dir: TestDir,
}

/// Starts one with the embedded default's durability.
///
/// # Panics
/// When nats-server is not there or not ready within a minute, with a sentence that says why.
pub async fn nats() -> Nats {
    nats_with(Durability::Standard).await
}

/// Starts one with the given durability. Panics as [`nats`] does.
pub async fn nats_with(durability: Durability) -> Nats {
    let started = async {
        let dir = TestDir::new()?;
        let mut settings = NatsSettings { dir: dir.path().join("nats"), durability, port: None };
        let server = Server::start(program().await?, settings.clone()).await?;
        settings.port = Some(server.port());
        let (url, store) = (server.url_with_credential(), server.store_dir().to_owned());
        let credential = (server.user().to_owned(), server.password().to_owned());
        anyhow::Ok(Nats { server: Some(server), settings, url, credential, store, _dir: dir })
    };
    within(started).await
}

impl Nats {
    /// With the credential; the same after a restart. (async-nats by itself does not sign in with what a URL says, see
    /// [`Self::credential`].)
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// User and password; the same after a restart.
    pub fn credential(&self) -> (String, String) {
        self.credential.clone()
    }

    /// The same after a restart.
    pub fn port(&self) -> u16 {
        self.settings.port.unwrap_or_default()
    }

    /// Where JetStream keeps its files.
    pub fn store_dir(&self) -> &Path {
        &self.store
    }

    /// `kill -9`. It stays down until [`Self::restart`].
    pub async fn kill9(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill().await;
        }
    }

    /// Stops it properly. It stays down until [`Self::restart`].
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown().await;
        }
    }

    /// Starts it again (stops it first if it runs), on the same port and files. Panics as [`nats`] does.
    pub async fn restart(&mut self) {
        self.stop().await;
        let settings = self.settings.clone();
        self.server = Some(within(async { Ok(Server::start(program().await?, settings).await?) }).await);
    }
}

async fn program() -> anyhow::Result<&'static Path> {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    Ok(FOUND.get_or_try_init(async || Binaries::find_nats_server(&Overrides::default())).await?)
}

async fn within<T>(work: impl Future<Output = anyhow::Result<T>>) -> T {
    match timeout(PATIENCE, work).await {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => panic!("nats-server for a test: {error:#}"),
        Err(_) => panic!("nats-server for a test: no answer within {} s", PATIENCE.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream;

    use super::*;

    async fn connect(nats: &Nats) -> Result<async_nats::Client, async_nats::ConnectError> {
        let (user, password) = nats.credential();
        async_nats::ConnectOptions::with_user_and_password(user, password).connect(nats.url()).await
    }

    #[tokio::test]
    async fn what_was_acknowledged_survives_a_kill_and_clients_find_it_again() {
        let mut nats = nats().await;
        let jetstream = jetstream::new(connect(&nats).await.unwrap());
        let config =
            jetstream::stream::Config { name: "S".to_owned(), subjects: vec!["s".to_owned()], ..Default::default() };
        jetstream.create_stream(config).await.unwrap();
        jetstream.publish("s", "one".into()).await.unwrap().await.unwrap();

        nats.kill9().await;
        assert!(connect(&nats).await.is_err());
        nats.restart().await;

        let stream = jetstream::new(connect(&nats).await.unwrap()).get_stream("S").await.unwrap();
        assert_eq!(stream.get_info().await.unwrap().state.messages, 1);
    }

    #[tokio::test]
    async fn without_the_credential_nobody_gets_in() {
        let nats = nats().await;
        assert!(async_nats::connect(format!("nats://127.0.0.1:{}", nats.port())).await.is_err());
        assert!(connect(&nats).await.is_ok());
    }
}
