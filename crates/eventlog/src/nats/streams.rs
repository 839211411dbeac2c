//! The streams: how they must be, how they are.

use super::{ApiError, Failure, Nats, NatsOptions};
use crate::LogError;
use async_nats::{
    ServerInfo,
    jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use scaledtest_domain::Position;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::HashMap, fmt::Debug, sync::atomic::Ordering, time::Duration};
use tokio::time::Instant;

/// The commits.
pub(crate) const EV: &str = "EV";
/// The chunks of report results.
pub(crate) const RES: &str = "RES";
/// The original documents: the object store bucket `raw`.
pub(crate) const RAW: &str = "OBJ_raw";

/// The oldest server that has what is used: batched direct get came with it.
const OLDEST_SERVER: (u32, u32) = (2, 11);
/// Version of how commits stand in `EV`.
const SCHEMA: u32 = 1;
/// A message is at most this large (bytes, with headers), as the server's default `max_payload`.
const MAX_MESSAGE: i32 = 1024 * 1024;
const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);

/// "Stream not found".
const NOT_FOUND: u16 = 404;

#[derive(Deserialize)]
struct Info {
    config: Value,
    state: State,
}

#[derive(Deserialize)]
struct State {
    last_seq: u64,
    #[serde(default)]
    bytes: u64,
}

pub(super) fn check_server(server: &ServerInfo) -> Result<(), LogError> {
    check_version(&server.version)?;
    if server.jetstream {
        return Ok(());
    }
    Err(LogError::Configuration("the NATS server runs without JetStream: start it with `jetstream` enabled".to_owned()))
}

fn check_version(version: &str) -> Result<(), LogError> {
    let (major, minor) = OLDEST_SERVER;
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(found), Some(found_minor)) if (found, found_minor) >= OLDEST_SERVER => Ok(()),
        _ => Err(LogError::Configuration(format!(
            "the NATS server has version {version}, but at least {major}.{minor} is needed"
        ))),
    }
}

fn definitions(options: &NatsOptions) -> [Config; 3] {
    let base = Config {
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_messages: -1,
        max_bytes: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        allow_direct: true,
        num_replicas: options.replicas,
        ..Config::default()
    };
    let log = Config { max_message_size: MAX_MESSAGE, duplicate_window: DUPLICATE_WINDOW, ..base.clone() };
    let metadata = [("epoch", "1".to_owned()), ("schema", SCHEMA.to_string())];
    [
        Config {
            name: EV.to_owned(),
            description: Some("ScaledTest: commits. The truth; never edit.".to_owned()),
            subjects: vec!["ev.>".to_owned()],
            metadata: HashMap::from(metadata.map(|(key, value)| (key.to_owned(), value))),
            ..log.clone()
        },
        Config {
            name: RES.to_owned(),
            description: Some("ScaledTest: report results, named by commits.".to_owned()),
            subjects: vec!["res.>".to_owned()],
            ..log
        },
        Config {
            name: RAW.to_owned(),
            description: Some("ScaledTest: original documents.".to_owned()),
            subjects: vec!["$O.raw.C.>".to_owned(), "$O.raw.M.>".to_owned()],
            max_age: options.raw_retention,
            max_message_size: -1,
            duplicate_window: Duration::from_secs(120).min(options.raw_retention),
            allow_rollup: true,
            ..base
        },
    ]
}

/// One sentence for each thing that is not as it must be.
fn drift(found: &Config, expected: &Config) -> Vec<String> {
    let mut drift = Vec::new();
    macro_rules! compare {
        ($($field:ident $(as $name:literal)?),* $(,)?) => {$(
            let name = [$($name,)? stringify!($field)][0];
            differs(&mut drift, &expected.name, name, &found.$field, &expected.$field);
        )*};
    }
    compare!(
        subjects,
        storage,
        retention,
        discard,
        discard_new_per_subject,
        max_age,
        max_messages as "max_msgs",
        max_messages_per_subject as "max_msgs_per_subject",
        max_message_size as "max_msg_size",
        duplicate_window,
        allow_direct,
        allow_rollup as "allow_rollup_hdrs",
        allow_message_ttl as "allow_msg_ttl",
        deny_delete,
        deny_purge,
        no_ack,
        sealed,
        mirror,
        sources,
        subject_transform,
        num_replicas,
    );
    let asynchronous = found.persist_mode.is_some_and(|mode| mode != Default::default());
    differs(&mut drift, &expected.name, "persist_mode async", &asynchronous, &false);
    drift
}

fn differs<T: PartialEq + Debug>(drift: &mut Vec<String>, stream: &str, field: &str, found: &T, expected: &T) {
    if found != expected {
        drift.push(format!("stream {stream} has {field} {found:?}, but {expected:?} is needed"));
    }
}

fn epoch_of(config: &Value) -> Result<u64, LogError> {
    let metadata = |key: &str| config.pointer(&format!("/metadata/{key}")).and_then(Value::as_str);
    let schema = metadata("schema").and_then(|schema| schema.parse::<u32>().ok());
    if schema != Some(SCHEMA) {
        let found = metadata("schema").unwrap_or("none");
        return Err(LogError::Configuration(format!(
            "stream {EV} has metadata schema {found}, but {SCHEMA} is needed: it was made by another version"
        )));
    }
    metadata("epoch").and_then(|epoch| epoch.parse().ok()).filter(|epoch| *epoch > 0).ok_or_else(|| {
        let found = metadata("epoch").unwrap_or("none");
        LogError::Configuration(format!("stream {EV} has metadata epoch {found}, but a number from 1 is needed"))
    })
}

impl Nats {
    pub(super) async fn prepare_streams(&self, options: &NatsOptions, until: Instant) -> Result<(), LogError> {
        for expected in definitions(options) {
            let config = self.retry(until, || self.ensure(&expected)).await?;
            if expected.name == EV {
                self.epoch.store(epoch_of(&config)?, Ordering::Release);
            }
        }
        Ok(())
    }

    /// Makes the stream if it is missing, else compares it. Returns its configuration.
    async fn ensure(&self, expected: &Config) -> Result<Value, Failure> {
        let name = &expected.name;
        let info = match self.api::<Info>(&format!("STREAM.INFO.{name}"), &json!({})).await? {
            Ok(info) => info,
            Err(ApiError { code: NOT_FOUND, .. }) => {
                let body = serde_json::to_value(expected).map_err(|error| Failure::Unknown(error.to_string()))?;
                let made = self.api::<Info>(&format!("STREAM.CREATE.{name}"), &body).await?;
                tracing::info!(stream = name, "made a stream of the log");
                made.map_err(ApiError::failure)?
            }
            Err(error) => return Err(error.failure()),
        };
        let mut found: Config = serde_json::from_value(info.config.clone())
            .map_err(|error| LogError::Configuration(format!("stream {name} cannot be understood: {error}")))?;
        if name == RAW && found.max_age != expected.max_age {
            return self.keep_for(expected, info.config).await;
        }
        found.name.clone_from(name);
        let drift = drift(&found, expected);
        if drift.is_empty() { Ok(info.config) } else { Err(LogError::Configuration(drift.join("; ")).into()) }
    }

    /// How long documents are kept is a setting, so the bucket follows it; everything else of it is compared next time round.
    async fn keep_for(&self, expected: &Config, mut config: Value) -> Result<Value, Failure> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        config["max_age"] = json!(nanos(expected.max_age));
        config["duplicate_window"] = json!(nanos(expected.duplicate_window));
        let updated = self.api::<Info>(&format!("STREAM.UPDATE.{}", expected.name), &config).await?;
        updated.map_err(ApiError::failure)?;
        Err(Failure::Unknown("the retention of documents was just changed".to_owned()))
    }

    async fn info(&self) -> Result<(Value, Position), Failure> {
        let info = self.api::<Info>(&format!("STREAM.INFO.{EV}"), &json!({})).await?.map_err(ApiError::failure)?;
        let epoch = epoch_of(&info.config)?;
        self.epoch.store(epoch, Ordering::Release);
        Ok((info.config, Position { epoch, n: info.state.last_seq }))
    }

    pub async fn last(&self, until: Instant) -> Result<Position, LogError> {
        self.retry(until, || self.info()).await.map(|(_, position)| position)
    }

    /// Bytes that a stream takes.
    pub async fn stream_bytes(&self, stream: &str, until: Instant) -> Result<u64, LogError> {
        let subject = format!("STREAM.INFO.{stream}");
        let info = self
            .retry(until, || async { self.api::<Info>(&subject, &json!({})).await?.map_err(ApiError::failure) })
            .await?;
        Ok(info.state.bytes)
    }

    pub async fn begin_epoch(&self, at_least: u64, until: Instant) -> Result<u64, LogError> {
        let (_, before) = self.retry(until, || self.info()).await?;
        let next = before.epoch.max(at_least) + 1;
        // Another process may write the metadata at the same time: look again until the new epoch stands.
        self.retry(until, || async move {
            let (mut config, now) = self.info().await?;
            if now.epoch >= next {
                return Ok(now.epoch);
            }
            config["metadata"]["epoch"] = json!(next.to_string());
            let updated = self.api::<Info>(&format!("STREAM.UPDATE.{EV}"), &config).await?;
            updated.map_err(ApiError::failure)?;
            let (_, now) = self.info().await?;
            if now.epoch >= next {
                Ok(now.epoch)
            } else {
                Err(Failure::Unknown("the epoch was overwritten".to_owned()))
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_older_than_2_11_is_refused_with_both_versions() {
        for version in ["2.11.0", "2.15.1", "2.12.0-beta.1", "v2.11.3", "3.0.0"] {
            check_version(version).expect(version);
        }
        let error = check_version("2.9.10").unwrap_err().to_string();
        assert_eq!(error, "the NATS server has version 2.9.10, but at least 2.11 is needed");
        for version in ["2.10.29", "1.4.1", "", "unknown"] {
            check_version(version).expect_err(version);
        }
    }

    #[test]
    fn each_drifted_field_is_named_with_what_was_found_and_expected() {
        let [ev, ..] = definitions(&NatsOptions::new(""));
        assert_eq!(drift(&ev, &ev), Vec::<String>::new());
        let found = Config { discard: DiscardPolicy::Old, max_messages: 5, ..ev.clone() };
        assert_eq!(
            drift(&found, &ev),
            ["stream EV has discard Old, but New is needed", "stream EV has max_msgs 5, but -1 is needed"]
        );
    }

    #[test]
    fn an_epoch_must_be_a_number_from_1() {
        let config = |epoch: &str| json!({"metadata": {"epoch": epoch, "schema": "1"}});
        assert_eq!(epoch_of(&config("7")).expect("epoch"), 7);
        for epoch in ["0", "", "x"] {
            epoch_of(&config(epoch)).expect_err(epoch);
        }
        epoch_of(&json!({"metadata": {"epoch": "1", "schema": "2"}})).expect_err("another schema");
    }
}
