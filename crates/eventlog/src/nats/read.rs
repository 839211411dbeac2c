//! Reading single messages and ranges of a subject.

use super::{
    Failure, Nats,
    streams::{EV, RAW, RES},
};
use crate::{LogError, log::Stored};
use async_nats::{
    HeaderMap, Message,
    jetstream::{
        message::StreamMessage,
        stream::{LastRawMessageErrorKind, Stream},
    },
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Messages and bytes of one batched direct get, at most.
const BATCH: u32 = 512;
const BATCH_BYTES: u32 = 8 * 1024 * 1024;

/// How a batched direct get ends: `204 EOB`, or `404` if there was nothing at all.
const END_OF_BATCH: u16 = 204;
const NOTHING: u16 = 404;

/// One answer of a batched direct get.
struct Batch {
    messages: Vec<Stored>,
    /// More are there.
    more: bool,
}

impl Nats {
    async fn handle(&self, stream: &str) -> Result<Stream<()>, Failure> {
        let unknown = |error: &dyn std::fmt::Display| Failure::Unknown(error.to_string());
        self.context.get_stream_no_info(stream).await.map_err(|error| unknown(&error))
    }

    /// Asks the leader.
    pub async fn commit_at(&self, n: u64, until: Instant) -> Result<Option<Stored>, LogError> {
        self.retry(until, || async move { found(self.handle(EV).await?.get_raw_message(n).await) }).await
    }

    /// Asks the leader.
    pub async fn last_of(&self, subject: &str, until: Instant) -> Result<u64, LogError> {
        let last = self.retry(until, || self.last_message(EV, subject)).await?;
        Ok(last.map_or(0, |message| message.n))
    }

    pub(super) async fn last_message(&self, stream: &str, subject: &str) -> Result<Option<Stored>, Failure> {
        found(self.handle(stream).await?.get_last_raw_message_by_subject(subject).await)
    }

    pub async fn load(&self, subject: &str, until: Instant) -> Result<Vec<Stored>, LogError> {
        self.range(EV, subject, (1, u64::MAX), || until).await
    }

    /// Every message of a subject with a sequence in `first..=last`, ascending. Any replica may answer. `deadline` is that
    /// of a request which begins now.
    pub async fn range(
        &self,
        stream: &str,
        subject: &str,
        (first, last): (u64, u64),
        deadline: impl Fn() -> Instant,
    ) -> Result<Vec<Stored>, LogError> {
        let mut messages = Vec::new();
        let mut next = first.max(1);
        while next <= last {
            let request = json!({ "seq": next, "next_by_subj": subject, "batch": BATCH, "max_bytes": BATCH_BYTES });
            let mut batch = self.retry(deadline(), || self.batch(stream, &request)).await?;
            let Some(end) = batch.messages.last().map(|message| message.n) else { break };
            batch.messages.retain(|message| message.n <= last);
            messages.append(&mut batch.messages);
            if !batch.more {
                break;
            }
            next = end + 1;
        }
        Ok(messages)
    }

    async fn batch(&self, stream: &str, request: &Value) -> Result<Batch, Failure> {
        let unknown = |error: &dyn std::fmt::Display| Failure::Unknown(error.to_string());
        let inbox = self.client.new_inbox();
        let mut answers = self.client.subscribe(inbox.clone()).await.map_err(|error| unknown(&error))?;
        self.client
            .publish_with_reply(format!("$JS.API.DIRECT.GET.{stream}"), inbox, request.to_string().into())
            .await
            .map_err(|error| unknown(&error))?;
        let mut messages: Vec<Stored> = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer.status.map(|status| status.as_u16()) {
                None => {
                    let stored = stored(answer)?;
                    if messages.last().is_some_and(|last| last.n >= stored.n) {
                        return Err(Failure::Unknown("messages came out of order".to_owned()));
                    }
                    messages.push(stored);
                }
                Some(END_OF_BATCH) => {
                    let pending = answer.headers.as_ref().and_then(|headers| header(headers, "Nats-Num-Pending"));
                    let more = pending.map_or(messages.len() == BATCH as usize, |pending| pending != "0");
                    return Ok(Batch { messages, more });
                }
                Some(NOTHING) => return Ok(Batch { messages, more: false }),
                Some(status) => {
                    let why = answer.description.unwrap_or_default();
                    return Err(Failure::Unknown(format!("direct get of {stream}: {status} {why}")));
                }
            }
        }
        Err(Failure::Unknown("the subscription ended".to_owned()))
    }

    pub async fn chunks(
        &self,
        subject: &str,
        range: (u64, u64),
        deadline: impl Fn() -> Instant,
    ) -> Result<Vec<Stored>, LogError> {
        self.range(RES, subject, range, deadline).await
    }

    pub async fn first_chunk(&self, subject: &str, until: Instant) -> Result<Option<Stored>, LogError> {
        let request = json!({ "seq": 1, "next_by_subj": subject, "batch": 1 });
        let batch = self.retry(until, || self.batch(RES, &request)).await?;
        Ok(batch.messages.into_iter().next())
    }

    pub async fn raw_pieces(&self, subject: &str, deadline: impl Fn() -> Instant) -> Result<Vec<Stored>, LogError> {
        self.range(RAW, subject, (1, u64::MAX), deadline).await
    }

    /// The subjects of `RES`, a page as large as the server makes it (100,000); and where the next begins.
    pub async fn chunk_subjects(
        &self,
        offset: usize,
        until: Instant,
    ) -> Result<(Vec<String>, Option<usize>), LogError> {
        let body = json!({ "subjects_filter": "res.>", "offset": offset });
        let info: Value = self
            .retry(until, || async {
                self.api(&format!("STREAM.INFO.{RES}"), &body).await?.map_err(super::ApiError::failure)
            })
            .await?;
        let subjects: Vec<String> = info
            .pointer("/state/subjects")
            .and_then(Value::as_object)
            .map(|subjects| subjects.keys().cloned().collect())
            .unwrap_or_default();
        let total = info.get("total").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok());
        let next = offset + subjects.len();
        let more = !subjects.is_empty() && next < total.unwrap_or(next);
        Ok((subjects, more.then_some(next)))
    }

    /// The newest message of a subject in the bucket of documents.
    pub async fn last_raw(&self, subject: &str, until: Instant) -> Result<Option<Stored>, LogError> {
        self.retry(until, || self.last_message(RAW, subject)).await
    }
}

type Lookup = Result<StreamMessage, async_nats::error::Error<LastRawMessageErrorKind>>;

fn found(lookup: Lookup) -> Result<Option<Stored>, Failure> {
    match lookup {
        Ok(message) => Ok(Some(Stored {
            n: message.sequence,
            subject: message.subject.to_string(),
            id: header(&message.headers, "Nats-Msg-Id").unwrap_or_default().to_owned(),
            payload: message.payload,
            at: message.time,
        })),
        Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
        Err(error) => match error.kind() {
            LastRawMessageErrorKind::JetStream(api) if api.code() < 500 => {
                Err(Failure::Final(LogError::Refused(api.to_string())))
            }
            _ => Err(Failure::Unknown(error.to_string())),
        },
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(async_nats::HeaderValue::as_str)
}

/// A message of a direct get: the stored one, with where and when it was stored in its headers.
fn stored(message: Message) -> Result<Stored, Failure> {
    let unreadable = || Failure::Unknown("a direct get answered without the headers that belong to it".to_owned());
    let headers = message.headers.ok_or_else(unreadable)?;
    let text = |name| header(&headers, name).ok_or_else(unreadable);
    let at = DateTime::parse_from_rfc3339(text("Nats-Time-Stamp")?).map_err(|_| unreadable())?;
    Ok(Stored {
        n: text("Nats-Sequence")?.parse().map_err(|_| unreadable())?,
        subject: text("Nats-Subject")?.to_owned(),
        id: header(&headers, "Nats-Msg-Id").unwrap_or_default().to_owned(),
        payload: Bytes::clone(&message.payload),
        at: at.with_timezone(&Utc),
    })
}

#[cfg(test)]
mod tests {
    use crate::{EventLog, NatsOptions, log::Backend};
    use scaledtest_domain::{ReportId, TeamId, UploadId};
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };
    use tokio::time::Instant;

    #[tokio::test]
    async fn each_page_of_a_range_has_its_own_deadline() {
        let server = scaledtest_testkit::nats().await;
        let log = EventLog::connect(NatsOptions::new(server.url())).await.expect("connected");
        let mut writer = log.chunk_writer(TeamId::new(), ReportId::new(), UploadId::new());
        for _ in 0..super::BATCH * 2 + 1 {
            writer.push(b"x".to_vec()).await.expect("pushed");
        }
        let chunks = writer.finish().await.expect("durable");
        let Backend::Nats(nats) = &log.backend else { return };
        let asked = AtomicU32::new(0);
        let deadline = || {
            asked.fetch_add(1, Ordering::Relaxed);
            Instant::now() + Duration::from_secs(10)
        };
        let (subjects, _) = nats.chunk_subjects(0, deadline()).await.expect("listed");
        asked.store(0, Ordering::Relaxed);
        let found = nats.chunks(&subjects[0], (chunks.first, chunks.last), deadline).await.expect("read");
        assert_eq!((found.len() as u32, asked.into_inner()), (chunks.count, 3));
    }
}
