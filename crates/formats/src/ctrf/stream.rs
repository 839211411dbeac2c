//! The second pass: the tests, one by one.

use super::{
    MAX_EXTRA,
    envelope::{self, Totals},
    fields::{Ctx, One},
    parts::MAX_ATTACHMENTS,
};
use crate::{
    Envelope, Outcome, clean,
    error::{FormatError, ReadError, UNREADABLE},
    loose::Any,
};
use scaledtest_domain::{ProjectId, report::TestResult};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// Reads the list of tests `text`, which the first pass has found to be one (or empty, if there are none).
pub(crate) fn read_tests<E>(
    text: &str,
    envelope: &Envelope,
    project: ProjectId,
    sink: impl FnMut(TestResult) -> Result<(), E>,
) -> Result<Outcome, ReadError<E>> {
    let mut notes = envelope.notes.clone();
    let tool = envelope.meta.tool.name.to_ascii_lowercase();
    let mut reader = Reader {
        ctx: Ctx {
            notes: &mut notes,
            project,
            os: envelope.os.as_deref(),
            dots: tool.contains("webdriverio") || tool.contains("wdio"),
            index: 0,
            place: "",
            nested: 0,
            extra_left: 0,
            attachments_left: 0,
        },
        totals: Totals::default(),
        sink,
        stopped: None,
    };
    if !text.is_empty() {
        reader.read_all(text)?;
    }
    let totals = reader.totals;
    Ok(envelope::complete(envelope, notes, &totals))
}

struct Reader<'n, E, S> {
    ctx: Ctx<'n>,
    totals: Totals,
    sink: S,
    stopped: Option<ReadError<E>>,
}

impl<E, S: FnMut(TestResult) -> Result<(), E>> Reader<'_, E, S> {
    fn read_all(&mut self, text: &str) -> Result<(), ReadError<E>> {
        let mut json = serde_json::Deserializer::from_str(text);
        if json.deserialize_seq(Quick(self)).is_ok() {
            return Ok(());
        }
        if let Some(stopped) = self.stopped.take() {
            return Err(stopped);
        }
        // One test holds what only a full reading finds (half a surrogate pair, 1e999): read that one again, cleaned.
        self.ctx.notes.rollback();
        let mut json = serde_json::Deserializer::from_str(text);
        let read = json.deserialize_seq(Careful { done: self.ctx.index, reader: self });
        match (self.stopped.take(), read) {
            (Some(stopped), _) => Err(stopped),
            (None, Ok(())) => Ok(()),
            (None, Err(error)) => Err(FormatError::new(UNREADABLE, format!("A test cannot be read: {error}.")).into()),
        }
    }

    /// Readies the context for the next test.
    fn begin(&mut self) {
        self.ctx.notes.begin();
        self.ctx.place = "";
        self.ctx.nested = 0;
        self.ctx.extra_left = MAX_EXTRA;
        self.ctx.attachments_left = MAX_ATTACHMENTS;
    }

    fn take<F: Error>(&mut self, result: TestResult) -> Result<(), F> {
        let earliest = |one: Option<i64>, other: Option<i64>| one.into_iter().chain(other).min();
        self.totals.counts.add(&result);
        self.totals.first_start = earliest(self.totals.first_start, result.start_ms);
        self.totals.last_stop = self.totals.last_stop.max(result.stop_ms);
        self.totals.duration_ms = self.totals.duration_ms.saturating_add(result.duration_ms);
        self.ctx.index += 1;
        (self.sink)(result).map_err(|error| {
            self.stopped = Some(ReadError::Sink(error));
            F::custom("stopped")
        })
    }

    /// Reads the test at hand from its own text, cleaned if need be.
    fn read_one(&mut self, raw: &str) -> Result<(), serde_json::Error> {
        let result = match self.parse(raw) {
            Ok(result) => result,
            Err(error) => {
                self.ctx.notes.rollback();
                let Some(cleaned) = clean::clean(raw, 0) else { return Err(error) };
                let result = self.parse(&cleaned.text)?;
                cleaned.note(self.ctx.notes);
                result
            }
        };
        result.map_or(Ok(()), |result| self.take(result))
    }

    fn parse(&mut self, raw: &str) -> Result<Option<TestResult>, serde_json::Error> {
        self.begin();
        let mut json = serde_json::Deserializer::from_str(raw);
        Any(One::<TestResult>::new(&mut self.ctx)).deserialize(&mut json)
    }
}

struct Quick<'r, 'n, E, S>(&'r mut Reader<'n, E, S>);

impl<'de, E, S: FnMut(TestResult) -> Result<(), E>> Visitor<'de> for Quick<'_, '_, E, S> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the list of tests")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            self.0.begin();
            match list.next_element_seed(Any(One::<TestResult>::new(&mut self.0.ctx)))? {
                Some(Some(result)) => self.0.take(result)?,
                // The first pass lets only objects through.
                Some(None) => self.0.ctx.index += 1,
                None => return Ok(()),
            }
        }
    }
}

/// As [`Quick`], but a test that cannot be read does not end it; the first `done` tests are passed over.
struct Careful<'r, 'n, E, S> {
    reader: &'r mut Reader<'n, E, S>,
    done: u64,
}

impl<'de, E, S: FnMut(TestResult) -> Result<(), E>> Visitor<'de> for Careful<'_, '_, E, S> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the list of tests")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(raw) = list.next_element::<&'de RawValue>()? {
            index += 1;
            if index > self.done {
                self.reader.read_one(raw.get()).map_err(A::Error::custom)?;
            }
        }
        Ok(())
    }
}
