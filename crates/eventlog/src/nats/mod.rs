//! The log on NATS JetStream.

mod follow;
mod read;
mod streams;
mod write;

pub(crate) use follow::Source;
pub(crate) use streams::{EV, RAW, RES};
pub(crate) use write::{Outgoing, Pending};

use crate::LogError;
use async_nats::{ConnectOptions, Event, ServerAddr, jetstream};
use scaledtest_domain::Position;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// How to sign in.
#[derive(Clone)]
pub struct Credentials {
    /// User.
    pub user: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, ...)", self.user)
    }
}

/// Where the log is and how it is to be.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// `nats://host:port`, or several separated by commas.
    pub url: String,
    /// How to sign in, unless the URL says it.
    pub credentials: Option<Credentials>,
    /// Copies of each stream: 1, or 3 on a cluster.
    pub replicas: usize,
    /// How long original documents are kept.
    pub raw_retention: Duration,
    /// What the server calls this connection in its logs.
    pub name: String,
    /// How long to try before [`EventLog::connect`](crate::EventLog::connect) fails.
    pub connect_timeout: Duration,
    /// First tokens of the subjects that answers come on, where the account's permissions ask for one.
    pub inbox_prefix: Option<String>,
}

impl NatsOptions {
    /// A single node, no credentials, documents kept for 30 days, 10 s to connect.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: None,
            replicas: 1,
            raw_retention: Duration::from_secs(30 * 24 * 3600),
            name: "scaledtest".to_owned(),
            connect_timeout: Duration::from_secs(10),
            inbox_prefix: None,
        }
    }
}

/// One request waits this long for its answer before it is sent again.
const ATTEMPT: Duration = Duration::from_secs(3);
/// Unacknowledged messages of the whole process; each writer has its own, smaller window.
const IN_FLIGHT: usize = 4096;

/// The state of the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Link {
    connected: bool,
    /// Counts the connections: what was in flight on an older one may be lost.
    pub generation: u64,
}

pub(crate) struct Nats {
    client: async_nats::Client,
    context: jetstream::Context,
    link: watch::Receiver<Link>,
    epoch: AtomicU64,
}

/// Why an attempt failed.
#[derive(Debug)]
enum Failure {
    /// Try again.
    Unknown(String),
    /// The same would fail again.
    Final(LogError),
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Final(error)
    }
}

/// An error of the JetStream API.
#[derive(Debug, serde::Deserialize)]
struct ApiError {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

impl ApiError {
    fn failure(self) -> Failure {
        let text = format!("{} (code {}, {})", self.description, self.code, self.err_code);
        if self.code >= 500 { Failure::Unknown(text) } else { Failure::Final(LogError::Refused(text)) }
    }
}

impl Nats {
    pub async fn connect(options: NatsOptions) -> Result<Arc<Self>, LogError> {
        let until = Instant::now() + options.connect_timeout;
        let (client, link) = open(&options, until).await?;
        streams::check_server(&client.server_info())?;
        let context =
            jetstream::ContextBuilder::new().timeout(ATTEMPT).max_ack_inflight(IN_FLIGHT).build(client.clone());
        let nats = Self { client, context, link, epoch: AtomicU64::new(0) };
        nats.prepare_streams(&options, until).await?;
        let nats = Arc::new(nats);
        tokio::spawn(watch_epoch(Arc::downgrade(&nats), nats.link.clone()));
        Ok(nats)
    }

    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub fn connected(&self) -> bool {
        self.link.borrow().connected
    }

    /// Repeats an attempt that changes nothing when repeated, until it succeeds, fails for good, or time is up.
    async fn retry<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        until: Instant,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, LogError> {
        let mut pause = Duration::from_millis(10);
        loop {
            let mut link = self.link.clone();
            let generation = link.borrow_and_update().generation;
            let limit = until.min(Instant::now() + ATTEMPT);
            let failed = tokio::select! {
                biased;
                done = tokio::time::timeout_at(limit, attempt()) => match done {
                    Ok(Ok(value)) => return Ok(value),
                    Ok(Err(Failure::Final(error))) => return Err(error),
                    Ok(Err(Failure::Unknown(why))) => why,
                    Err(_) => "no answer in time".to_owned(),
                },
                // What was sent on the old connection may have got lost: don't wait for its answer.
                _ = link.wait_for(|now| now.generation != generation) => "the connection was lost".to_owned(),
            };
            if Instant::now() >= until {
                return Err(LogError::Unavailable(failed));
            }
            tracing::debug!(reason = failed, "asking the log again");
            tokio::time::sleep_until(until.min(Instant::now() + pause)).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    /// A request to the JetStream API; the answer, or the API's error.
    async fn api<T: DeserializeOwned>(&self, subject: &str, body: &Value) -> Result<Result<T, ApiError>, Failure> {
        let unknown = |error: &dyn fmt::Display| Failure::Unknown(error.to_string());
        let request = async_nats::Request::new().payload(body.to_string().into()).timeout(Some(ATTEMPT));
        let answer =
            self.client.send_request(format!("$JS.API.{subject}"), request).await.map_err(|error| unknown(&error))?;
        let mut value: Value = serde_json::from_slice(&answer.payload).map_err(|error| unknown(&error))?;
        if let Some(error) = value.get_mut("error").map(Value::take) {
            return serde_json::from_value(error).map(Err).map_err(|error| unknown(&error));
        }
        serde_json::from_value(value).map(Ok).map_err(|error| unknown(&error))
    }

    pub async fn announce(&self, projection: &str, position: Position) {
        let subject = format!("proj.pos.{projection}");
        if let Err(error) = self.client.publish(subject, position.to_string().into()).await {
            tracing::debug!(%error, "an announcement was not sent");
        }
    }

    pub async fn announcements(
        &self,
    ) -> Result<futures_util::stream::BoxStream<'static, (String, Position)>, LogError> {
        use futures_util::StreamExt;
        let subscription =
            self.client.subscribe("proj.pos.*").await.map_err(|error| LogError::Unavailable(error.to_string()))?;
        Ok(subscription
            .filter_map(|message| async move {
                let projection = message.subject.strip_prefix("proj.pos.")?.to_owned();
                let position = std::str::from_utf8(&message.payload).ok()?.parse().ok()?;
                Some((projection, position))
            })
            .boxed())
    }
}

/// After a reconnect the log may be in another epoch. Ends with the connection.
async fn watch_epoch(nats: Weak<Nats>, mut link: watch::Receiver<Link>) {
    while link.changed().await.is_ok() {
        let connected = link.borrow_and_update().connected;
        let Some(nats) = nats.upgrade() else { return };
        if connected && let Err(error) = nats.last(Instant::now() + Duration::from_secs(10)).await {
            tracing::warn!(%error, "the epoch could not be read after a reconnect");
        }
    }
}

/// Connects, patiently: the server may be starting.
async fn open(options: &NatsOptions, until: Instant) -> Result<(async_nats::Client, watch::Receiver<Link>), LogError> {
    let (state, mut link) = watch::channel(Link::default());
    let state = Arc::new(state);
    let servers = servers(&options.url)?;
    let credentials = options.credentials.clone().or_else(|| credentials(&servers));
    loop {
        match connect_options(options, credentials.as_ref(), &state).connect(&servers[..]).await {
            Ok(client) => {
                // The event comes from another task; only hints depend on it. What was waited for is no news to those
                // who get a clone of this receiver: only a reconnect is.
                let _ = tokio::time::timeout_at(until, link.wait_for(|link| link.connected)).await;
                return Ok((client, link));
            }
            Err(error) if matches!(error.kind(), async_nats::ConnectErrorKind::AuthorizationViolation) => {
                return Err(LogError::Configuration(format!("NATS refuses the credentials: {error}")));
            }
            Err(error) if Instant::now() >= until => {
                return Err(LogError::Unavailable(format!("NATS cannot be reached: {error}")));
            }
            Err(error) => tracing::debug!(%error, "NATS cannot be reached yet"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn servers(urls: &str) -> Result<Vec<ServerAddr>, LogError> {
    // The text may hold a password, so it is not repeated.
    let unreadable = |error| LogError::Configuration(format!("the NATS URL cannot be read: {error}"));
    urls.split(',').map(|url| url.trim().parse().map_err(unreadable)).collect()
}

/// Those in the URL, which the client by itself does not look at.
fn credentials(servers: &[ServerAddr]) -> Option<Credentials> {
    let text = |encoded: &str| percent_decode(encoded);
    servers.iter().find_map(|server| {
        Some(Credentials { user: text(server.username()?), password: text(server.password().unwrap_or_default()) })
    })
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(digits.unwrap_or(b'%'));
        rest = if digits.is_some() { &after[2..] } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

fn connect_options(
    options: &NatsOptions,
    credentials: Option<&Credentials>,
    state: &Arc<watch::Sender<Link>>,
) -> ConnectOptions {
    let state = Arc::clone(state);
    let mut connect = ConnectOptions::new()
        .name(&options.name)
        .connection_timeout(Duration::from_secs(5))
        .request_timeout(Some(Duration::from_secs(10)))
        .reconnect_delay_callback(|attempts| Duration::from_millis((attempts as u64 * 50).min(1000)))
        .event_callback(move |event| {
            note(&state, &event);
            std::future::ready(())
        });
    if let Some(prefix) = &options.inbox_prefix {
        connect = connect.custom_inbox_prefix(prefix);
    }
    match credentials {
        Some(credentials) => connect.user_and_password(credentials.user.clone(), credentials.password.clone()),
        None => connect,
    }
}

fn note(state: &watch::Sender<Link>, event: &Event) {
    match event {
        Event::Connected => {
            state.send_modify(|link| *link = Link { connected: true, generation: link.generation + 1 });
            tracing::debug!("connected to NATS");
        }
        Event::Disconnected | Event::Closed => {
            state.send_modify(|link| link.connected = false);
            tracing::warn!(%event, "the connection to NATS is lost");
        }
        other => tracing::warn!(event = %other, "NATS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_from_the_url() {
        let servers = servers("nats://one:4222, nats://api:p%40ss%25%2@two:4222").expect("servers");
        let found = credentials(&servers).expect("credentials");
        assert_eq!((found.user.as_str(), found.password.as_str()), ("api", "p@ss%%2"));
        assert!(credentials(&servers[..1]).is_none());
    }

    #[test]
    fn a_url_that_cannot_be_read_is_not_repeated() {
        let error = servers("nats://api:secret@:::").expect_err("none").to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
