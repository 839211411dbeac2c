//! The second pass: the tests, one by one.

use super::{
    MAX_EXTRA,
    fields::{Ctx, One},
    parts::MAX_ATTACHMENTS,
};
use crate::{
    Envelope, clean,
    error::{FormatError, ReadError, UNREADABLE},
    loose::Any,
    notes::Notes,
};
use scaledtest_domain::{
    ProjectId,
    report::{Counts, TestResult},
};
use serde::de::{DeserializeSeed, Error};

/// What some of the tests together say of the run.
#[derive(Debug, Default)]
pub struct Tally {
    pub(super) counts: Counts,
    pub(super) first_start: Option<i64>,
    pub(super) last_stop: Option<i64>,
    pub(super) duration_ms: i64,
    pub(super) notes: Notes,
}

impl Tally {
    /// Adds what the tests that follow say.
    pub fn append(&mut self, later: Self) {
        self.counts += later.counts;
        self.first_start = earliest(self.first_start, later.first_start);
        self.last_stop = self.last_stop.max(later.last_stop);
        self.duration_ms = self.duration_ms.saturating_add(later.duration_ms);
        self.notes.append(later.notes);
    }

    fn add(&mut self, result: &TestResult) {
        self.counts.add(result);
        self.first_start = earliest(self.first_start, result.start_ms);
        self.last_stop = self.last_stop.max(result.stop_ms);
        self.duration_ms = self.duration_ms.saturating_add(result.duration_ms);
    }
}

fn earliest(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// Reads tests, which the first pass has found to be objects, the first of them number `first` of the document.
pub(crate) fn read<'t, E>(
    tests: impl Iterator<Item = &'t [u8]>,
    first: usize,
    (envelope, project): (&Envelope, ProjectId),
    mut sink: impl FnMut(TestResult) -> Result<(), E>,
) -> Result<Tally, ReadError<E>> {
    let mut tally = Tally::default();
    let mut notes = Notes::default();
    let tool = envelope.meta.tool.name.to_ascii_lowercase();
    let mut ctx = Ctx {
        notes: &mut notes,
        project,
        os: envelope.os.as_deref(),
        dots: tool.contains("webdriverio") || tool.contains("wdio"),
        index: 0,
        place: "",
        nested: 0,
        extra_left: 0,
        attachments_left: 0,
    };
    for (index, test) in (first as u64..).zip(tests) {
        ctx.index = index;
        let result = read_one(&mut ctx, test)
            .map_err(|error| FormatError::new(UNREADABLE, format!("A test cannot be read: {error}.")))?;
        // The first pass lets only objects through.
        let Some(result) = result else { continue };
        tally.add(&result);
        sink(result).map_err(ReadError::Sink)?;
    }
    tally.notes = notes;
    Ok(tally)
}

/// A test may hold what only a full reading finds (half a surrogate pair, 1e999): then it is cleaned and read again.
fn read_one(ctx: &mut Ctx<'_>, test: &[u8]) -> Result<Option<TestResult>, serde_json::Error> {
    let text = std::str::from_utf8(test).map_err(serde_json::Error::custom)?;
    parse(ctx, text).or_else(|error| {
        ctx.notes.rollback();
        let Some(cleaned) = clean::clean(text, 0) else { return Err(error) };
        let result = parse(ctx, &cleaned.text)?;
        cleaned.note(ctx.notes);
        Ok(result)
    })
}

fn parse(ctx: &mut Ctx<'_>, text: &str) -> Result<Option<TestResult>, serde_json::Error> {
    ctx.notes.begin();
    ctx.place = "";
    ctx.nested = 0;
    ctx.extra_left = MAX_EXTRA;
    ctx.attachments_left = MAX_ATTACHMENTS;
    Any(One::<TestResult>::new(ctx)).deserialize(&mut serde_json::Deserializer::from_str(text))
}
