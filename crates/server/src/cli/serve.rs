//! `scaledtest serve`: one or more roles against given servers; and what `up` shares with it.

use super::{
    logging,
    stores::{self, Addresses, Stores},
};
use crate::{
    app::{App, AppState},
    config::{Config, ServerArgs, system_clock},
    http,
    mail::{self, Letters},
    secrets::Secrets,
};
use anyhow::Context;
use clap::{Args, ValueEnum};
use scaledtest_effects::{Nudges, send_mail::Mailer};
use scaledtest_projections::{self as projections, Fresh, Positions, Runner, Setup};
use sqlx::PgPool;
use std::{future::IntoFuture, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, signal::unix::SignalKind, sync::Notify};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long open requests may take to end once the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs roles of the server. Several processes may have the same role: projectors stand by for each other.
#[derive(Debug, Args)]
pub struct Serve {
    /// What this process does
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Role::Api, Role::Projector, Role::Effects])]
    roles: Vec<Role>,
    #[command(flatten)]
    server: ServerArgs,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Answers HTTP and WebSocket.
    Api,
    /// Fills the read models.
    Projector,
    /// Does what has to happen in the world.
    Effects,
}

impl Role {
    /// Every role: what `up` runs.
    pub const ALL: [Role; 3] = [Self::Api, Self::Projector, Self::Effects];
}

impl Serve {
    /// Serves until SIGTERM or SIGINT, then drains.
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn run(self) -> anyhow::Result<()> {
        let config = self.server.config()?;
        logging::start(&config)?;
        let addresses = Addresses::of(&config, None, None)
            .context("serve needs both servers' addresses; `scaledtest up` starts its own servers")?;
        let secrets = self.server.secrets(config.data_dir.as_deref())?;
        let stop = stop_on_signal()?;
        let listener = if self.roles.contains(&Role::Api) { Some(listen(config.port).await?) } else { None };
        let stores = stop.run_until_cancelled(stores::open(&addresses, &config)).await;
        let Some(stores) = stores.transpose()? else { return Ok(()) };
        Box::pin(run(Parts { config, secrets, stores, roles: &self.roles, listener }, stop)).await
    }
}

/// What a server is made of.
pub struct Parts<'a> {
    /// The settings.
    pub config: Config,
    /// The keys.
    pub secrets: Secrets,
    /// The database and the log.
    pub stores: Stores,
    /// What this process does.
    pub roles: &'a [Role],
    /// Where it listens, if it does.
    pub listener: Option<TcpListener>,
}

/// Runs the roles until `stop`, then drains: no new requests, open ones end, projections finish their batch.
///
/// # Errors
/// When the HTTP server fails.
pub async fn run(parts: Parts<'_>, stop: CancellationToken) -> anyhow::Result<()> {
    let Parts { config, secrets, stores, roles, listener } = parts;
    let Stores { db, log } = stores;
    if roles.contains(&Role::Api) {
        let noticed = stop.run_until_cancelled(Box::pin(projections::notice_rewind(&db, &log))).await;
        let Some(noticed) = noticed else { return Ok(()) };
        noticed.context("cannot compare the read models with the log")?;
    }
    let positions = Positions::new(db.clone());
    let tasks = TaskTracker::new();
    let background = CancellationToken::new();
    tasks.spawn(positions.clone().listen(log.clone(), background.clone()));
    let fresh = Fresh::default();
    let runner = roles.contains(&Role::Projector).then(|| {
        Runner::start(Setup {
            pool: db.clone(),
            log: log.clone(),
            positions: positions.clone(),
            fresh: fresh.clone(),
            projections: projections::all(),
        })
    });
    let (secrets, mail_nudge, nudges) = (Arc::new(secrets), Arc::<Notify>::default(), Nudges::default());
    if roles.contains(&Role::Effects) {
        let stop = background.clone();
        tasks.spawn(scaledtest_effects::run(log.clone(), db.clone(), system_clock(), nudges.clone(), stop));
        if let Some(mailer) = mailer(&config, &secrets, &db)? {
            tasks.spawn(mailer.run(Arc::clone(&mail_nudge), background.clone()));
        }
    }
    let served = match listener {
        Some(listener) => {
            let mut app = App::new(config, secrets, db, log, positions, system_clock());
            app.fresh = runner.is_some().then_some(fresh);
            app.mail_nudge = mail_nudge;
            app.nudges = nudges;
            let app: AppState = Arc::new(app);
            std::fs::create_dir_all(app.spool_dir()).context("cannot make the directory for uploads")?;
            app.background(&tasks);
            tasks.spawn(app.live.clone().run(background.clone()));
            serve(app, listener, &stop).await
        }
        None => {
            stop.cancelled().await;
            Ok(())
        }
    };
    background.cancel();
    if let Some(runner) = runner
        && tokio::time::timeout(DRAIN, runner.stop()).await.is_err()
    {
        // A batch that is cut off is rolled back, and applied at the next start.
        tracing::warn!("a projection did not finish its batch in time");
    }
    tasks.close();
    if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!("background work did not end in time");
    }
    served
}

/// Who sends mail, if it is sent.
fn mailer(config: &Config, secrets: &Arc<Secrets>, db: &PgPool) -> anyhow::Result<Option<Mailer>> {
    let Some(settings) = &config.mail else { return Ok(None) };
    let letters = Letters {
        db: db.clone(),
        secrets: Arc::clone(secrets),
        base_url: config.base_url.clone(),
        clock: system_clock(),
    };
    Ok(Some(Mailer::new(db.clone(), system_clock(), &mail::smtp(settings), Arc::new(letters))?))
}

async fn serve(app: AppState, listener: TcpListener, stop: &CancellationToken) -> anyhow::Result<()> {
    let router = http::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let closing = app.closing.clone();
    let graceful = {
        let stop = stop.clone();
        async move {
            stop.cancelled().await;
            // Open sockets would hold the drain up: they are told to come back.
            closing.cancel();
        }
    };
    let server = axum::serve(listener, router).with_graceful_shutdown(graceful).into_future();
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = server => served.context("the HTTP server failed"),
        () = overdue => {
            tracing::warn!("some requests did not end in time and were cut off");
            Ok(())
        }
    }
}

/// Listens on all interfaces.
///
/// # Errors
/// When the port is taken, with a sentence that says what to do.
pub async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let any = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 0], port));
    let listener = match TcpListener::bind(any).await {
        // No IPv6 here.
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => TcpListener::bind(("0.0.0.0", port)).await,
        other => other,
    };
    listener.with_context(|| format!("cannot listen on port {port}; give another with --port"))
}

/// Cancelled by the first SIGTERM or SIGINT; a second one ends the process at once.
///
/// # Errors
/// When the handlers cannot be set.
pub fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = tokio::signal::unix::signal(SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(SignalKind::interrupt())?;
    let told = stop.clone();
    tokio::spawn(async move {
        for status in [None, Some(130)] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if let Some(status) = status {
                std::process::exit(status);
            }
            told.cancel();
        }
    });
    Ok(stop)
}
