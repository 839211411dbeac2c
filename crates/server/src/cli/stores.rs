//! Opens the database and the log: those that the settings name, or those that a running server in the data directory has.

use crate::config::{Config, ServerArgs};
use anyhow::Context;
use scaledtest_eventlog::{Credentials, EventLog, NatsOptions};
use scaledtest_managed::{DataDir, Running};
use scaledtest_projections as projections;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::time::{Duration, Instant};

/// Connections to the database of one process.
const CONNECTIONS: u32 = 20;
/// A request waits this long for a connection before it is answered with 503.
const ACQUIRE: Duration = Duration::from_secs(5);
/// How long the start waits for servers that are starting too.
const START: Duration = Duration::from_secs(60);

/// Where the two servers are.
#[derive(Clone)]
pub struct Addresses {
    /// `postgres://...`
    pub database: String,
    /// `nats://...`
    pub nats: String,
    /// How to sign in at NATS, unless the URL says it.
    pub credentials: Option<Credentials>,
}

impl Addresses {
    /// Those that the settings name, else the children's.
    ///
    /// # Errors
    /// When one is neither named nor a child.
    pub fn of(config: &Config, database: Option<String>, nats: Option<String>) -> anyhow::Result<Self> {
        let password = config.nats_password.as_ref().map(|password| password.expose_secret().to_owned());
        let credentials =
            config.nats_user.clone().map(|user| Credentials { user, password: password.unwrap_or_default() });
        let named = |url: &Option<SecretString>| url.as_ref().map(|url| url.expose_secret().to_owned());
        Ok(Self {
            database: named(&config.database_url).or(database).context("ST_DATABASE_URL is not set")?,
            credentials: config.nats_url.as_ref().and(credentials),
            nats: named(&config.nats_url).or(nats).context("ST_NATS_URL is not set")?,
        })
    }

    /// Those that the settings name, else those of the server that runs in the data directory.
    ///
    /// # Errors
    /// When neither is to be found, with a sentence that says what to give.
    pub fn find(config: &Config) -> anyhow::Result<Self> {
        if config.database_url.is_some() && config.nats_url.is_some() {
            return Self::of(config, None, None);
        }
        let dir = data_dir(config)?;
        let running = Running::read(dir.path())?.with_context(|| {
            format!(
                "no server runs in {}: start one with `scaledtest up`, or give --data-dir, or set ST_DATABASE_URL and ST_NATS_URL",
                dir.path().display()
            )
        })?;
        Self::of(config, running.database_url, running.nats_url)
    }
}

/// The data directory that the settings name, else the usual one.
///
/// # Errors
/// When there is no place for one.
pub fn data_dir(config: &Config) -> anyhow::Result<DataDir> {
    match &config.data_dir {
        Some(dir) => Ok(DataDir::new(dir)),
        None => Ok(DataDir::default_place()?),
    }
}

/// The database and the log.
pub struct Stores {
    /// The database, migrated.
    pub db: PgPool,
    /// The log, its streams checked.
    pub log: EventLog,
}

/// Opens those of a subcommand: see [`Addresses::find`] and [`open`].
///
/// # Errors
/// As they do; also when the settings are wrong.
pub async fn find(server: &ServerArgs) -> anyhow::Result<Stores> {
    let config = server.config()?;
    open(&Addresses::find(&config)?, &config).await
}

/// Connects to both, waiting a while for servers that are starting too, and brings the tables up to date.
///
/// # Errors
/// A sentence for the operator.
pub async fn open(addresses: &Addresses, config: &Config) -> anyhow::Result<Stores> {
    let options = NatsOptions {
        credentials: addresses.credentials.clone(),
        replicas: config.nats_replicas,
        raw_retention: config.raw_retention,
        connect_timeout: START,
        ..NatsOptions::new(&addresses.nats)
    };
    let (log, db) = tokio::join!(Box::pin(EventLog::connect(options)), database(&addresses.database));
    let (log, db) = (log.context("cannot use NATS")?, db?);
    projections::migrate(&db).await.context("cannot migrate the database")?;
    Ok(Stores { db, log })
}

async fn database(url: &str) -> anyhow::Result<PgPool> {
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        // What is asked for is mostly in memory, and on no spinning disk: with PostgreSQL's own guess it reads whole tables to
        // find a fifth of them.
        .after_connect(|conn, _| {
            Box::pin(async move { sqlx::raw_sql("set random_page_cost = 1.1").execute(conn).await.map(drop) })
        })
        .connect_lazy(url)
        .context("ST_DATABASE_URL")?;
    let until = Instant::now() + START;
    loop {
        let version: Result<i32, _> =
            sqlx::query_scalar("select current_setting('server_version_num')::int").fetch_one(&pool).await;
        match version {
            Ok(version) if version < 150_000 => {
                anyhow::bail!("PostgreSQL {} is too old: this program needs 15 or newer", version / 10_000)
            }
            Ok(_) => return Ok(pool),
            Err(error) if Instant::now() >= until => return Err(error).context("cannot reach PostgreSQL"),
            Err(error) => {
                tracing::debug!(%error, "waiting for PostgreSQL");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
