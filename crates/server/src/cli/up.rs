//! `scaledtest up`: the whole product in one process.

use super::{
    logging,
    serve::{self, Parts, Role},
    stores::{self, Addresses},
};
use crate::config::{Config, Durability, ServerArgs};
use clap::Args;
use scaledtest_managed::{self as managed, Children, Embedded, Overrides};
use std::io::Write;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Starts everything: api, projector and effects, and (unless ST_DATABASE_URL and ST_NATS_URL are set) a PostgreSQL and a
/// NATS of its own, which it stops with itself.
#[derive(Debug, Args)]
pub struct Up {
    /// Open the dashboard in a browser
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Up {
    /// Serves until SIGTERM or SIGINT, then drains and stops the children.
    ///
    /// # Errors
    /// When something cannot start.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut config = self.server.config()?;
        logging::start(&config)?;
        let stop = serve::stop_on_signal()?;
        let listener = serve::listen(config.port).await?;
        let port = listener.local_addr()?.port();
        if config.port != port {
            config.base_url = format!("http://localhost:{port}");
            config.port = port;
        }
        let children = Children { postgres: config.database_url.is_none(), nats: config.nats_url.is_none() };
        let overrides =
            Overrides { nats_server: config.nats_server.clone(), postgres_bin: config.postgres_bin.clone() };
        let dir = stores::data_dir(&config)?;
        let start = Embedded::start(&dir, &overrides, durability(config.durability), children);
        let Some(embedded) = stop.run_until_cancelled(start).await.transpose()? else { return Ok(()) };
        config.data_dir = Some(embedded.data_dir().path().to_owned());
        let served = Box::pin(self.serve(config, &embedded, listener, stop)).await;
        embedded.shutdown().await;
        served
    }

    async fn serve(
        &self,
        config: Config,
        embedded: &Embedded,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let secrets = self.server.secrets(config.data_dir.as_deref())?;
        let addresses = Addresses::of(&config, embedded.database_url(), embedded.nats_url())?;
        let stores = match stop.run_until_cancelled(stores::open(&addresses, &config)).await {
            None => return Ok(()),
            Some(stores) => stores?,
        };
        self.greet(&config)?;
        Box::pin(serve::run(Parts { config, secrets, stores, roles: &Role::ALL, listener: Some(listener) }, stop)).await
    }

    fn greet(&self, config: &Config) -> anyhow::Result<()> {
        let mut out = std::io::stdout();
        writeln!(out, "\n  ScaledTest is at {}\n  Stop it with Ctrl-C.\n", config.base_url)?;
        out.flush()?;
        if self.open
            && let Err(error) = std::process::Command::new("xdg-open").arg(&config.base_url).spawn()
        {
            tracing::warn!(%error, "cannot open a browser");
        }
        Ok(())
    }
}

fn durability(durability: Durability) -> managed::Durability {
    match durability {
        Durability::Standard => managed::Durability::Standard,
        Durability::Strict => managed::Durability::Strict,
        Durability::Relaxed => managed::Durability::Relaxed,
    }
}
