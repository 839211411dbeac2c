//! Publishing and erasing.

use super::{
    ApiError, Failure, Nats,
    streams::{EV, RAW, RES},
};
use crate::{
    LogError,
    execute::{Append, Appended},
};
use async_nats::jetstream::{
    self,
    context::{PublishAckFuture, PublishErrorKind},
    message::PublishMessage,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use std::error::Error;
use tokio::time::{Instant, timeout_at};

/// Messages erased at a time.
const ERASING: usize = 8;
/// An erasure that a stale replica hid messages from is repeated this often.
const ERASE_ROUNDS: u32 = 5;
/// The expectation was wrong; the second code is of servers that apply it before the message is proposed.
const CONFLICTS: [u64; 2] = [10071, 10164];
/// A cluster has a message of the same id in hand and will soon know what becomes of it.
const IN_PROCESS: u64 = 10158;
/// There is no such message.
const GONE: [u64; 2] = [10037, 10043];

/// A message on its way.
#[derive(Clone)]
pub(crate) struct Outgoing {
    stream: &'static str,
    pub subject: String,
    pub id: String,
    pub payload: Bytes,
    more: Option<(&'static str, String)>,
    expected: Option<u64>,
}

/// Published, not yet acknowledged.
pub(crate) struct Pending {
    message: Outgoing,
    ack: Result<PublishAckFuture, Failure>,
    /// The connection that it was sent on: on a newer one no acknowledgement comes.
    generation: u64,
}

enum Published {
    At { n: u64, duplicate: bool },
    Conflict,
}

impl Outgoing {
    pub fn chunk(subject: &str, id: String, payload: Bytes) -> Self {
        Self { stream: RES, subject: subject.to_owned(), id, payload, more: None, expected: None }
    }

    /// A message of the bucket of documents. It replaces none: an upload has a name of its own.
    pub fn raw(subject: String, id: String, payload: Bytes) -> Self {
        Self { stream: RAW, subject, id, payload, more: None, expected: None }
    }

    fn message(&self) -> PublishMessage {
        let mut message =
            PublishMessage::build().payload(self.payload.clone()).message_id(&self.id).expected_stream(self.stream);
        if let Some((name, value)) = &self.more {
            message = message.header(*name, value.as_str());
        }
        match self.expected {
            Some(expected) => message.expected_last_subject_sequence(expected),
            None => message,
        }
    }
}

impl Nats {
    pub async fn append(&self, append: &Append, until: Instant) -> Result<Appended, LogError> {
        let message = Outgoing {
            stream: EV,
            subject: append.subject.clone(),
            id: append.id.clone(),
            payload: append.payload.clone(),
            more: Some(("Ev-Types", append.types.clone())),
            expected: Some(append.expected),
        };
        Ok(match self.publish(&message, until).await? {
            Published::At { duplicate: true, .. } => Appended::Duplicate,
            Published::At { n, .. } => Appended::At(n),
            Published::Conflict => Appended::Conflict,
        })
    }

    /// Until its outcome is known: the same bytes and id again after each unknown one.
    async fn publish(&self, message: &Outgoing, until: Instant) -> Result<Published, LogError> {
        self.retry(until, || async { outcome(self.send(message).await?.await, message) }).await
    }

    async fn send(&self, message: &Outgoing) -> Result<PublishAckFuture, Failure> {
        let sent = self.context.send_publish(message.subject.clone(), message.message()).await;
        sent.map_err(|error| failure(&error, message))
    }

    /// Sends it; the order of calls is the order in the log, as long as none has to be repeated.
    /// Without a connection the client takes in only so many.
    pub async fn begin(&self, message: Outgoing, until: Instant) -> Result<Pending, LogError> {
        let generation = self.link.borrow().generation;
        let full = |_| LogError::Unavailable("too much is waiting to be sent".to_owned());
        let ack = timeout_at(until, self.send(&message)).await.map_err(full)?;
        Ok(Pending { message, ack, generation })
    }

    /// Its sequence, once it is acknowledged.
    pub async fn finish(&self, pending: Pending, until: Instant) -> Result<u64, LogError> {
        let Pending { message, ack, generation } = pending;
        let mut link = self.link.clone();
        let first = match ack {
            Ok(ack) => tokio::select! {
                biased;
                acked = async { ack.await } => outcome(acked, &message),
                _ = link.wait_for(|now| now.generation != generation) => Err(Failure::Unknown(String::new())),
            },
            Err(failure) => Err(failure),
        };
        let published = match first {
            Ok(published) => published,
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Unknown(_)) => self.publish(&message, until).await?,
        };
        match published {
            Published::At { n, .. } => Ok(n),
            Published::Conflict => Err(LogError::Refused("a conflict where nothing was expected".to_owned())),
        }
    }

    /// Erases every message of a subject in `first..=last`, bytes included. What isn't there is fine. `deadline` is that
    /// of a request which begins now.
    async fn erase(
        &self,
        stream: &'static str,
        subject: &str,
        (first, last): (u64, u64),
        deadline: impl Fn() -> Instant,
    ) -> Result<(), LogError> {
        for _ in 0..ERASE_ROUNDS {
            let messages = self.range(stream, subject, (first, last), &deadline).await?;
            stream::iter(messages)
                .map(|message| self.erase_one(stream, message.n, deadline()))
                .buffer_unordered(ERASING)
                .try_collect::<Vec<()>>()
                .await?;
            // Any replica may have listed them; the leader knows.
            let left = self.retry(deadline(), || self.last_message(stream, subject)).await?;
            if left.is_none_or(|left| left.n < first || left.n > last) {
                return Ok(());
            }
        }
        Err(LogError::Unavailable(format!("messages of {subject} stay visible after they were erased")))
    }

    async fn erase_one(&self, stream: &str, n: u64, until: Instant) -> Result<(), LogError> {
        let body = json!({ "seq": n, "no_erase": false });
        self.retry(until, || async {
            match self.api::<Value>(&format!("STREAM.MSG.DELETE.{stream}"), &body).await? {
                Ok(_) => Ok(()),
                Err(error) if GONE.contains(&error.err_code) || error.description.contains("not found") => Ok(()),
                Err(error) => Err(ApiError::failure(error)),
            }
        })
        .await
    }

    pub async fn erase_chunks(
        &self,
        subject: &str,
        range: (u64, u64),
        deadline: impl Fn() -> Instant,
    ) -> Result<(), LogError> {
        self.erase(RES, subject, range, deadline).await
    }

    pub async fn erase_raw(&self, subject: &str, deadline: impl Fn() -> Instant) -> Result<(), LogError> {
        self.erase(RAW, subject, (1, u64::MAX), deadline).await
    }
}

type Ack = Result<jetstream::publish::PublishAck, jetstream::context::PublishError>;

fn outcome(ack: Ack, message: &Outgoing) -> Result<Published, Failure> {
    match ack {
        // Some servers once acknowledged a duplicate with sequence 0: that says nothing.
        Ok(ack) if ack.sequence == 0 => Err(Failure::Unknown("acknowledged without a sequence".to_owned())),
        Ok(ack) => Ok(Published::At { n: ack.sequence, duplicate: ack.duplicate }),
        Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(Published::Conflict),
        Err(error) if api_error(&error).is_some_and(|api| CONFLICTS.contains(&api.error_code().0)) => {
            Ok(Published::Conflict)
        }
        Err(error) => Err(failure(&error, message)),
    }
}

fn api_error(error: &jetstream::context::PublishError) -> Option<&jetstream::Error> {
    error.source()?.downcast_ref()
}

fn failure(error: &jetstream::context::PublishError, message: &Outgoing) -> Failure {
    if error.kind() == PublishErrorKind::MaxPayloadExceeded {
        return Failure::Final(LogError::TooLarge { bytes: message.payload.len() });
    }
    match api_error(error) {
        Some(api) if api.error_code() == jetstream::ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => {
            Failure::Final(LogError::TooLarge { bytes: message.payload.len() })
        }
        Some(api) if api.code() < 500 && api.error_code().0 != IN_PROCESS => {
            Failure::Final(LogError::Refused(api.to_string()))
        }
        _ => Failure::Unknown(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jetstream::context::PublishError;
    use serde_json::from_value;

    fn refused(code: u16, err_code: u64) -> Result<Published, Failure> {
        let api: jetstream::Error = from_value(json!({ "code": code, "err_code": err_code })).expect("an error");
        let message = Outgoing::chunk("res.x", "id".to_owned(), Bytes::new());
        outcome(Err(PublishError::with_source(PublishErrorKind::Other, api)), &message)
    }

    #[test]
    fn each_answer_of_the_server_is_a_conflict_unknown_or_final() {
        for err_code in CONFLICTS {
            assert!(matches!(refused(400, err_code), Ok(Published::Conflict)));
        }
        // Not now: in process, no quorum, full.
        for (code, err_code) in [(409, IN_PROCESS), (503, 10008), (503, 10077)] {
            assert!(matches!(refused(code, err_code), Err(Failure::Unknown(_))), "{err_code}");
        }
        assert!(matches!(refused(400, 10054), Err(Failure::Final(LogError::TooLarge { .. }))));
        assert!(matches!(refused(400, 10060), Err(Failure::Final(LogError::Refused(_)))));
    }

    #[test]
    fn an_acknowledgement_without_a_sequence_says_nothing() {
        let ack = from_value(json!({ "stream": "EV", "seq": 0, "duplicate": true })).expect("an ack");
        let message = Outgoing::chunk("res.x", "id".to_owned(), Bytes::new());
        assert!(matches!(outcome(Ok(ack), &message), Err(Failure::Unknown(_))));
    }
}
