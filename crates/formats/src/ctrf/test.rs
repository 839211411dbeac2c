//! One entry of `results.tests`.

use super::{
    MAX_EXTRA,
    fields::{Ctx, Each, FromMap, LinesOf, MAX_NAME, MAX_WORD, OneOrMany, Words},
    parts::{self, Attempts},
    shorten,
};
use crate::{
    loose::{Any, Loose},
    notes::Code,
};
use scaledtest_domain::{
    identity::{self, Parts, normalise_suite},
    report::{Attachment, Attempt, Status, Step, TestResult, Variant},
};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::{borrow::Cow, fmt};

/// Levels of suites.
const MAX_SUITES: usize = 64;
/// Tags.
const MAX_TAGS: usize = 100;

macro_rules! fields {
    ($($name:ident $word:literal,)*) => {
        /// A field of a test that means something to us.
        #[derive(Clone, Copy)]
        enum Field { $($name),* }

        impl Field {
            fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }

            fn word(self) -> &'static str { match self { $(Self::$name => $word),* } }
        }
    };
}

// The most frequent ones first.
fields! {
    Name "name",
    Status "status",
    Duration "duration",
    Suite "suite",
    FilePath "filePath",
    Start "start",
    Stop "stop",
    Retries "retries",
    RawStatus "rawStatus",
    Flaky "flaky",
    Tags "tags",
    Stdout "stdout",
    Stderr "stderr",
    Steps "steps",
    Attachments "attachments",
    Message "message",
    Trace "trace",
    Line "line",
    Snippet "snippet",
    RetryAttempts "retryAttempts",
    Browser "browser",
    Device "device",
    TestId "testId",
    Screenshot "screenshot",
    Retry "retry",
}

/// Fields of the format that are kept by their names.
const KEPT: &[&str] = &["extra", "parameters", "type", "labels", "id", "executionId", "threadId", "ai", "insights"];

enum Key<'de> {
    Known(Field),
    Other(Cow<'de, str>),
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Key<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, word: &'de str) -> Result<Key<'de>, E> {
                Ok(Field::from_word(word).map_or(Key::Other(Cow::Borrowed(word)), Key::Known))
            }

            fn visit_str<E>(self, word: &str) -> Result<Key<'de>, E> {
                Ok(Field::from_word(word).map_or_else(|| Key::Other(Cow::Owned(word.to_owned())), Key::Known))
            }
        }
        deserializer.deserialize_str(Keys)
    }
}

/// What was written, before the rules that need several fields.
#[derive(Default)]
struct Draft<'de> {
    name: Option<Cow<'de, str>>,
    status: Option<(Status, Option<String>)>,
    raw_status: Option<String>,
    duration: Option<i64>,
    start: Option<i64>,
    stop: Option<i64>,
    suite: Option<OneOrMany<'de>>,
    file_path: Option<String>,
    line: Option<u32>,
    retries: Option<u32>,
    retry: Option<u32>,
    flaky: Option<bool>,
    test_id: Option<Cow<'de, str>>,
    browser: Option<String>,
    device: Option<String>,
    tags: Vec<String>,
    message: Option<String>,
    trace: Option<String>,
    snippet: Option<String>,
    stdout: Option<String>,
    stderr: Option<String>,
    attempts: Attempts,
    steps: Vec<Step>,
    attachments: Vec<Attachment>,
    screenshot: Option<Attachment>,
    extra: Map<String, Value>,
}

impl FromMap for TestResult {
    fn from_map<'de, A: MapAccess<'de>>(ctx: &mut Ctx<'_>, mut map: A) -> Result<Self, A::Error> {
        let mut draft = Draft::default();
        let mut seen = 0_u32;
        while let Some(key) = map.next_key()? {
            match key {
                Key::Known(field) => {
                    let bit = 1 << field as u32;
                    if seen & bit != 0 {
                        ctx.note(Code::DuplicateKey, field.word(), "");
                    }
                    seen |= bit;
                    draft.read(ctx, field, &mut map)?;
                }
                Key::Other(name) => {
                    let known = KEPT.contains(&&*name);
                    ctx.keep(name, known, &mut map, &mut draft.extra)?;
                }
            }
        }
        Ok(draft.finish(ctx))
    }
}

impl<'de> Draft<'de> {
    fn read<A: MapAccess<'de>>(&mut self, ctx: &mut Ctx<'_>, field: Field, map: &mut A) -> Result<(), A::Error> {
        let word = field.word();
        match field {
            Field::Name => self.name = name(ctx, map.next_value()?),
            Field::Status => self.status = ctx.status(map.next_value()?),
            Field::Duration => self.duration = ctx.duration(&map.next_value()?),
            Field::Suite => {
                let words = Words { ctx, field: word, max: MAX_SUITES, max_word: MAX_NAME };
                self.suite = Some(map.next_value_seed(Any(words))?);
            }
            Field::FilePath => self.file_path = ctx.short(word, map.next_value()?, MAX_NAME),
            Field::Start => self.start = ctx.time(word, &map.next_value()?),
            Field::Stop => self.stop = ctx.time(word, &map.next_value()?),
            Field::Retries => self.retries = ctx.int(word, &map.next_value()?),
            Field::Retry => self.retry = ctx.int(word, &map.next_value()?),
            Field::RawStatus => self.raw_status = ctx.short(word, map.next_value()?, MAX_WORD),
            Field::Flaky => self.flaky = ctx.flag(word, &map.next_value()?),
            Field::Tags => self.tags = tags(ctx, map)?,
            Field::Stdout => self.stdout = map.next_value_seed(Any(LinesOf(ctx, word)))?,
            Field::Stderr => self.stderr = map.next_value_seed(Any(LinesOf(ctx, word)))?,
            Field::Steps => self.steps = parts::steps(ctx, map)?,
            Field::Attachments => {
                ctx.attachments_left += self.attachments.len();
                self.attachments = parts::attachments(ctx, map, ".attachments[]")?;
            }
            Field::Message => self.message = ctx.long(word, map.next_value()?),
            Field::Trace => self.trace = ctx.long(word, map.next_value()?),
            Field::Line => self.line = ctx.int(word, &map.next_value()?),
            Field::Snippet => self.snippet = ctx.long(word, map.next_value()?),
            Field::RetryAttempts => self.attempts = attempts(ctx, map)?,
            Field::Browser => self.browser = ctx.short(word, map.next_value()?, MAX_WORD),
            Field::Device => self.device = ctx.short(word, map.next_value()?, MAX_WORD),
            Field::TestId => self.test_id = ctx.text(word, map.next_value()?),
            Field::Screenshot => self.screenshot = parts::screenshot(ctx, map.next_value()?),
        }
        Ok(())
    }

    fn finish(self, ctx: &mut Ctx<'_>) -> TestResult {
        let name = self.name.unwrap_or_else(|| {
            ctx.note(Code::NameMissing, "name", "");
            format!("(unnamed #{})", ctx.index + 1).into()
        });
        let suite = suite(ctx, self.suite, &name);
        let identity = Parts {
            explicit: self.test_id.as_deref(),
            suite: &suite,
            name: &name,
            file_path: self.file_path.as_deref(),
        };
        let test_id = identity::test_id(ctx.project, identity);
        let (status, word) = self.status.unwrap_or_else(|| {
            ctx.note(Code::StatusMissing, "status", "");
            (Status::Other, None)
        });
        let stop = self.stop.filter(|stop| self.start.is_none_or(|start| *stop >= start));
        if stop != self.stop {
            ctx.note(Code::StopBeforeStart, "stop", "");
        }
        let span = self.start.zip(stop).map(|(start, stop)| stop - start);
        if self.attempts.cut() {
            ctx.note(Code::TooManyAttempts, "retryAttempts", "");
        }
        let retries = self.retries.or(self.retry);
        let flaky = status == Status::Passed && flaky(&self.attempts, retries, self.flaky);
        let mut attachments = self.attachments;
        attachments.extend(self.screenshot);
        let mut result = TestResult {
            test_id,
            name: ctx.fit("name", name, MAX_NAME),
            suite,
            file_path: self.file_path,
            line: self.line,
            status,
            raw_status: self.raw_status.or(word).filter(|word| word != status.as_str()),
            duration_ms: self.duration.or(span).unwrap_or(0),
            start_ms: self.start,
            stop_ms: stop,
            retries: retries.unwrap_or(0).max(self.attempts.listed),
            flaky,
            reported_flaky: self.flaky,
            variant: Variant { browser: self.browser, device: self.device, os: ctx.os.map(str::to_owned) },
            tags: self.tags,
            message: self.message,
            trace: self.trace,
            snippet: self.snippet,
            stdout: self.stdout,
            stderr: self.stderr,
            attempts: self.attempts.into_vec(),
            steps: self.steps,
            attachments,
            extra: self.extra,
        };
        if shorten::fit(&mut result, MAX_EXTRA - ctx.extra_left) {
            ctx.note(Code::ResultShortened, "", "");
        }
        result
    }
}

/// Whether a test that passed had failed before. What the reporter says counts only if nothing else tells.
fn flaky(attempts: &Attempts, retries: Option<u32>, reported: Option<bool>) -> bool {
    match (attempts.listed, retries) {
        (1.., _) => attempts.failed,
        (0, Some(retries)) => retries > 0,
        (0, None) => reported == Some(true),
    }
}

/// Whitespace alone is no name.
fn name<'de>(ctx: &mut Ctx<'_>, value: Loose<'de>) -> Option<Cow<'de, str>> {
    ctx.text("name", value).filter(|name| !name.trim().is_empty())
}

fn suite(ctx: &mut Ctx<'_>, written: Option<OneOrMany<'_>>, name: &str) -> Vec<String> {
    let parts = match written {
        None => return Vec::new(),
        Some(OneOrMany::Many(parts)) => parts,
        Some(OneOrMany::One(text)) => {
            let split = |text: &str| -> Vec<String> {
                if ctx.dots { text.split('.').map(str::to_owned).collect() } else { vec![text.to_owned()] }
            };
            let mut parts: Vec<String> = text.split(" > ").flat_map(split).take(MAX_SUITES + 1).collect();
            if parts.len() > MAX_SUITES {
                ctx.note(Code::ListCut, "suite", "");
                parts.truncate(MAX_SUITES);
            }
            parts.into_iter().map(|part| ctx.fit("suite", part.into(), MAX_NAME)).collect()
        }
    };
    normalise_suite(parts, name)
}

fn tags<'de, A: MapAccess<'de>>(ctx: &mut Ctx<'_>, map: &mut A) -> Result<Vec<String>, A::Error> {
    let tags = map.next_value_seed(Any(Words { ctx, field: "tags", max: MAX_TAGS, max_word: MAX_WORD }))?;
    Ok(match tags {
        OneOrMany::One(tag) => vec![ctx.fit("tags", tag, MAX_WORD)],
        OneOrMany::Many(tags) => tags,
    })
}

fn attempts<'de, A: MapAccess<'de>>(ctx: &mut Ctx<'_>, map: &mut A) -> Result<Attempts, A::Error> {
    let mut attempts = Attempts::default();
    let take = |_: &mut Ctx<'_>, index, attempt: Attempt| attempts.push(attempt, index);
    map.next_value_seed(Any(Each::new(ctx, "retryAttempts", ".retryAttempts[]", take)))?;
    Ok(attempts)
}
