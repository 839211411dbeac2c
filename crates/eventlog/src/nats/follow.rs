//! A pull consumer that is thrown away on any doubt.

use super::{Link, Nats, streams::EV};
use crate::{LogError, log::Stored};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::unconstrained};

/// What one pull asks for.
const MESSAGES: usize = 128;
const BYTES: usize = 8 * 1024 * 1024;
const EXPIRES: Duration = Duration::from_secs(5);
/// Silence of twice this long is a doubt.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// The server forgets a consumer that nobody pulls from after this long.
const INACTIVE: Duration = Duration::from_secs(60);

/// One consumer, from its creation to its first doubt.
pub(crate) struct Source {
    messages: pull::Stream,
    link: watch::Receiver<Link>,
    generation: u64,
    /// Consumer sequence of the last message taken: without a gap, or something got lost on the way.
    taken: u64,
    name: String,
    nats: Arc<Nats>,
}

/// Why a source is of no use any more.
pub(crate) struct Doubt(pub String);

impl Source {
    pub async fn open(nats: &Arc<Nats>, after: u64, filter: String) -> Result<Self, LogError> {
        let mut link = nats.link.clone();
        let generation = link.borrow_and_update().generation;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            ack_policy: AckPolicy::None,
            filter_subject: filter,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let unavailable = |error: &dyn std::fmt::Display| LogError::Unavailable(error.to_string());
        let consumer = nats.context.create_consumer_on_stream(config, EV).await.map_err(|error| unavailable(&error))?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(MESSAGES)
            .max_bytes_per_batch(BYTES)
            .expires(EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|error| unavailable(&error))?;
        let name = consumer.cached_info().name.clone();
        Ok(Self { messages, link, generation, taken: 0, name, nats: Arc::clone(nats) })
    }

    /// Waits for a message; then takes what has arrived besides, up to `max`. Losing the future loses no message: there
    /// is no wait between the first message and the return.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Stored>, Doubt> {
        let generation = self.generation;
        let first = tokio::select! {
            biased;
            first = self.messages.next() => first,
            _ = self.link.wait_for(|link| link.generation != generation) => {
                return Err(Doubt("the connection is a new one".to_owned()));
            }
        };
        let mut batch = vec![self.take(first)?];
        while batch.len() < max {
            // Outside of the scheduler's budget, which would end a batch after some hundred polls.
            let Some(next) = unconstrained(self.messages.next()).now_or_never() else { break };
            match self.take(next) {
                Ok(stored) => batch.push(stored),
                // What is wrong will be wrong at the next call, too.
                Err(_) => break,
            }
        }
        Ok(batch)
    }

    fn take(
        &mut self,
        next: Option<Result<async_nats::jetstream::Message, pull::MessagesError>>,
    ) -> Result<Stored, Doubt> {
        let message =
            next.ok_or_else(|| Doubt("the consumer ended".to_owned()))?.map_err(|error| Doubt(error.to_string()))?;
        let info = message.info().map_err(|error| Doubt(error.to_string()))?;
        if info.consumer_sequence != self.taken + 1 {
            // Never goes on: each message that follows fails here as well.
            return Err(Doubt(format!("message {} of the consumer came after {}", info.consumer_sequence, self.taken)));
        }
        self.taken = info.consumer_sequence;
        Ok(Stored {
            n: info.stream_sequence,
            subject: message.subject.to_string(),
            id: String::new(),
            at: info.published,
            payload: Bytes::clone(&message.payload),
        })
    }
}

impl Drop for Source {
    /// Tells the server, which otherwise keeps the consumer for a minute.
    fn drop(&mut self) {
        let (nats, name) = (Arc::clone(&self.nats), std::mem::take(&mut self.name));
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && nats.connected()
        {
            runtime.spawn(async move {
                let _ = nats.client.publish(format!("$JS.API.CONSUMER.DELETE.{EV}.{name}"), Bytes::new()).await;
            });
        }
    }
}
