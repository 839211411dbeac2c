//! What every request handler can reach.

use crate::{
    accounts::{
        issuers::Issuers, jwt::Keys, passwords::Passwords, publishers, sealed::Seal, tokens::TokenCache, usage::Usage,
    },
    config::Config,
    http::error::ApiError,
    ingest,
    live::Live,
    rate_limit::RateLimits,
    remembered::Remembered,
    secrets::Secrets,
};
use metrics_exporter_prometheus::PrometheusHandle;
use scaledtest_domain::{Clock, ProjectId, TeamId};
use scaledtest_effects::Nudges;
use scaledtest_eventlog::EventLog;
use scaledtest_projections::{Fresh, Positions, history::queries::Recent};
use sqlx::PgPool;
use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Uploads that are unpacked and parsed at once; each keeps a core busy, and a second one if it is alone.
const PARSERS: usize = 4;
/// Uploads that are received at once.
const BODIES: usize = 64;
/// How long an upload waits for its turn.
const UPLOAD_TURN: Duration = Duration::from_secs(30);
/// Projects remembered as existing, per process.
const KNOWN_PROJECTS: usize = 10_000;

/// The process's state, shared by all requests.
pub struct App {
    /// The settings.
    pub config: Config,
    /// The database.
    pub db: PgPool,
    /// The log.
    pub log: EventLog,
    /// Where the projections stand.
    pub positions: Positions,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The keys.
    pub secrets: Arc<Secrets>,
    /// Renders `/metrics`; none where no recorder could be installed.
    pub metrics: Option<PrometheusHandle>,
    /// Where rows are prepared for the projector of this process, if it has one.
    pub fresh: Option<Fresh>,
    /// What verdicts read again and again.
    pub recent: Recent,
    /// Tells the worker of this process, if it has one, that there is mail.
    pub mail_nudge: Arc<Notify>,
    /// Tells the reconcilers of this process, if it has any, that there is something to do.
    pub nudges: Nudges,
    /// The process's tail of the log.
    pub live: Live,
    /// Turns at sending a report.
    pub bodies: Turns,
    /// Turns at unpacking and parsing.
    pub uploads: Turns,
    /// Projects that need not be created any more.
    pub known_projects: KnownProjects,
    /// What teams have chosen for their uploads.
    pub(crate) upload_settings: Remembered<TeamId, ingest::Settings>,
    /// Cancelled when the server shuts down: long-lived answers end then.
    pub closing: CancellationToken,
    /// Signs and checks access tokens.
    pub(crate) keys: Keys,
    /// Hashes passwords, a few at a time.
    pub(crate) passwords: Passwords,
    /// API tokens seen in the last second.
    pub(crate) token_cache: TokenCache,
    /// Writes and checks the tokens of CI workflows.
    pub(crate) upload_tokens: publishers::Tokens,
    /// Binds a sign-in elsewhere to the browser that began it.
    pub(crate) tickets: Seal,
    /// Issuers elsewhere, and their keys.
    pub(crate) issuers: Issuers,
    /// Last uses of API tokens, on their way to the database.
    pub(crate) usage: Usage,
    /// Calls per minute.
    pub(crate) rate_limits: RateLimits,
    /// A turn at changing who owns the instance.
    pub(crate) instance_roles: tokio::sync::Mutex<()>,
}

/// How handlers hold it.
pub type AppState = Arc<App>;

impl App {
    /// Puts the parts together. Start [`App::background`] beside the router.
    pub fn new(
        config: Config,
        secrets: impl Into<Arc<Secrets>>,
        db: PgPool,
        log: EventLog,
        positions: Positions,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let secrets = secrets.into();
        Self {
            keys: Keys::new(&secrets, config.jwt_access_duration),
            passwords: Passwords::default(),
            token_cache: TokenCache::default(),
            upload_tokens: publishers::Tokens::new(&secrets),
            tickets: Seal::new(&secrets, "oauth-state"),
            issuers: Issuers::default(),
            usage: Usage::default(),
            rate_limits: RateLimits::default(),
            instance_roles: tokio::sync::Mutex::default(),
            live: Live::new(log.clone()),
            bodies: Turns::new(BODIES, UPLOAD_TURN),
            uploads: Turns::new(PARSERS, UPLOAD_TURN),
            known_projects: KnownProjects::new(log.clone()),
            upload_settings: Remembered::default(),
            metrics: crate::metrics::install(),
            fresh: None,
            recent: Recent::default(),
            mail_nudge: Arc::default(),
            nudges: Nudges::default(),
            closing: CancellationToken::new(),
            config,
            db,
            log,
            positions,
            clock,
            secrets,
        }
    }

    /// How many password hashes this process has computed: an answer that costs none tells something by its time.
    pub fn password_hashes(&self) -> u64 {
        self.passwords.computed()
    }

    /// Where uploads are spooled; made by whoever starts the server.
    pub fn spool_dir(&self) -> PathBuf {
        self.config.data_dir.as_ref().map_or_else(std::env::temp_dir, |dir| dir.join("spool"))
    }

    /// Starts the account chores (sweep of interrupted registrations, last uses of tokens) until [`App::closing`].
    pub fn background(self: &Arc<Self>, tracker: &TaskTracker) {
        let stop = &self.closing;
        tracker.spawn(crate::accounts::sweep::run(Arc::clone(self), stop.clone()));
        tracker.spawn(crate::accounts::usage::run(Arc::clone(self), stop.clone()));
        if let Some(metrics) = self.metrics.clone() {
            let stop = stop.clone();
            tracker.spawn(async move {
                while stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(5))).await.is_some() {
                    metrics.run_upkeep();
                }
            });
        }
    }
}

/// A bounded number of turns at something heavy.
#[derive(Debug, Clone)]
pub struct Turns {
    semaphore: Arc<Semaphore>,
    count: usize,
    patience: Duration,
}

impl Turns {
    /// `count` at once; a waiting one gives up after `patience`.
    pub fn new(count: usize, patience: Duration) -> Self {
        Self { semaphore: Arc::new(Semaphore::new(count)), count, patience }
    }

    /// Waits for a turn, which lasts until the permit is dropped.
    ///
    /// # Errors
    /// 503 `busy` when none comes up in time.
    pub async fn acquire(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.semaphore).acquire_owned()).await;
        match turn {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(ApiError::unavailable("busy", "too much to do at the moment; retry in a few seconds")
                .with_retry_after(5)),
        }
    }

    /// Whether nobody else has a turn, to be asked by one who has.
    pub fn is_quiet(&self) -> bool {
        self.semaphore.available_permits() + 1 >= self.count
    }
}

/// Projects that this process has seen in the log, as it is now: in another epoch they may be missing.
pub struct KnownProjects {
    log: EventLog,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    epoch: u64,
    projects: HashSet<ProjectId>,
}

impl KnownProjects {
    /// None yet.
    pub fn new(log: EventLog) -> Self {
        Self { log, seen: Mutex::default() }
    }

    /// Whether it was seen in this epoch.
    pub fn contains(&self, project: ProjectId) -> bool {
        self.seen().projects.contains(&project)
    }

    /// Remembers it.
    pub fn insert(&self, project: ProjectId) {
        let mut seen = self.seen();
        if seen.projects.len() >= KNOWN_PROJECTS {
            seen.projects.clear();
        }
        seen.projects.insert(project);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.log.epoch();
        if seen.epoch != epoch {
            *seen = Seen { epoch, projects: HashSet::new() };
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn projects_of_an_older_epoch_are_not_known_in_a_new_one() {
        let log = EventLog::in_memory();
        let (known, project) = (KnownProjects::new(log.clone()), ProjectId::derived(&[b"p"]));
        known.insert(project);
        assert!(known.contains(project));
        log.begin_epoch(0).await.unwrap();
        assert!(!known.contains(project));
        known.insert(project);
        assert!(known.contains(project));
    }
}
