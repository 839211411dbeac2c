//! What is inside a test: attempts, steps, attachments, the picture.

use super::fields::{Ctx, Each, FromMap, LinesOf, MAX_NAME, MAX_WORD};
use crate::{
    loose::{Any, Loose, Text},
    notes::Code,
};
use scaledtest_domain::report::{Attachment, Attempt, MAX_ATTEMPTS, Status, Step};
use serde::de::{IgnoredAny, MapAccess};
use serde_json::{Map, Value};
use std::collections::VecDeque;

/// Steps of a test, at most.
pub(super) const MAX_STEPS: usize = 500;
/// Attachments of a test and its attempts, at most.
pub(super) const MAX_ATTACHMENTS: usize = 100;
/// Bytes of a step's name.
const MAX_STEP_NAME: usize = 2048;

/// The first and the last attempts.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    first: Vec<Attempt>,
    last: VecDeque<Attempt>,
    /// How many were listed.
    pub(super) listed: u32,
    /// One of them failed, kept or not.
    pub(super) failed: bool,
}

impl Attempts {
    pub(super) fn push(&mut self, mut attempt: Attempt, index: usize) {
        if attempt.attempt == 0 {
            attempt.attempt = u32::try_from(index + 1).unwrap_or(u32::MAX).min(i32::MAX as u32);
        }
        self.listed = self.listed.saturating_add(1);
        self.failed |= attempt.status == Status::Failed;
        if self.first.len() < MAX_ATTEMPTS / 2 {
            return self.first.push(attempt);
        }
        self.last.push_back(attempt);
        if self.last.len() > MAX_ATTEMPTS - MAX_ATTEMPTS / 2 {
            self.last.pop_front();
        }
    }

    /// True if there were more than are kept.
    pub(super) fn cut(&self) -> bool {
        self.listed as usize > self.first.len() + self.last.len()
    }

    pub(super) fn into_vec(mut self) -> Vec<Attempt> {
        self.first.extend(self.last);
        self.first
    }
}

impl FromMap for Attempt {
    fn from_map<'de, A: MapAccess<'de>>(ctx: &mut Ctx<'_>, mut map: A) -> Result<Self, A::Error> {
        let mut read = Self {
            attempt: 0,
            status: Status::Other,
            duration_ms: None,
            start_ms: None,
            message: None,
            trace: None,
            line: None,
            snippet: None,
            stdout: None,
            stderr: None,
            attachments: Vec::new(),
        };
        let (mut status, mut stop) = (None, None);
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "attempt" => read.attempt = ctx.int("attempt", &map.next_value()?).unwrap_or(0),
                "status" => status = ctx.status(map.next_value()?),
                "duration" => read.duration_ms = ctx.duration(&map.next_value()?),
                "start" => read.start_ms = ctx.time("start", &map.next_value()?),
                "stop" => stop = ctx.time("stop", &map.next_value()?),
                "message" => read.message = ctx.long("message", map.next_value()?),
                "trace" => read.trace = ctx.long("trace", map.next_value()?),
                "line" => read.line = ctx.int("line", &map.next_value()?),
                "snippet" => read.snippet = ctx.long("snippet", map.next_value()?),
                "stdout" => read.stdout = map.next_value_seed(Any(LinesOf(ctx, "stdout")))?,
                "stderr" => read.stderr = map.next_value_seed(Any(LinesOf(ctx, "stderr")))?,
                "attachments" => {
                    read.attachments = attachments(ctx, &mut map, ".retryAttempts[].attachments[]")?;
                }
                // Part of the format, without a place in ours: they stay in the original document.
                "attemptId" | "rawStatus" | "extra" => drop(map.next_value::<IgnoredAny>()?),
                other => {
                    map.next_value::<IgnoredAny>()?;
                    ctx.note(Code::UnknownLeftOut, other, "");
                }
            }
        }
        match status {
            Some((status, _)) => read.status = status,
            None => ctx.note(Code::StatusMissing, "status", ""),
        }
        if let (None, Some(start), Some(stop)) = (read.duration_ms, read.start_ms, stop) {
            read.duration_ms = Some((stop - start).max(0));
        }
        Ok(read)
    }
}

impl FromMap for Step {
    fn from_map<'de, A: MapAccess<'de>>(ctx: &mut Ctx<'_>, mut map: A) -> Result<Self, A::Error> {
        let (mut name, mut status, mut extra) = (None, None, Map::new());
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "name" => name = ctx.short("name", map.next_value()?, MAX_STEP_NAME),
                "status" => status = ctx.status(map.next_value()?),
                known => {
                    let known = known == "extra";
                    ctx.keep(key, known, &mut map, &mut extra)?;
                }
            }
        }
        let (status, word) = status.unwrap_or((Status::Other, None));
        let mut extra = flattened(extra);
        if let Some(word) = word {
            extra.entry("status").or_insert(Value::String(word));
        }
        Ok(Self { name: name.unwrap_or_default(), status, extra })
    }
}

impl FromMap for Attachment {
    fn from_map<'de, A: MapAccess<'de>>(ctx: &mut Ctx<'_>, mut map: A) -> Result<Self, A::Error> {
        let (mut name, mut content_type, mut path, mut extra) = (None, None, None, Map::new());
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "name" => name = ctx.short("name", map.next_value()?, MAX_NAME),
                "contentType" => content_type = ctx.short("contentType", map.next_value()?, MAX_WORD),
                "path" => path = ctx.short("path", map.next_value()?, MAX_NAME),
                known => {
                    let known = matches!(known, "attachmentId" | "extra");
                    ctx.keep(key, known, &mut map, &mut extra)?;
                }
            }
        }
        let path = path.unwrap_or_default();
        Ok(Self {
            name: name.unwrap_or_else(|| path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned()),
            content_type: content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
            path,
            extra: flattened(extra),
        })
    }
}

/// What stands in `extra` moves one level up, unless something of that name is there.
fn flattened(mut fields: Map<String, Value>) -> Map<String, Value> {
    match fields.remove("extra") {
        Some(Value::Object(inner)) => {
            for (name, value) in inner {
                fields.entry(name).or_insert(value);
            }
        }
        Some(other) => {
            fields.insert("extra".to_owned(), other);
        }
        None => {}
    }
    fields
}

pub(super) fn steps<'de, A: MapAccess<'de>>(ctx: &mut Ctx<'_>, map: &mut A) -> Result<Vec<Step>, A::Error> {
    let mut steps = Vec::new();
    let take = |ctx: &mut Ctx<'_>, _, step: Step| {
        if steps.len() < MAX_STEPS { steps.push(step) } else { ctx.note(Code::ListCut, "", "") }
    };
    map.next_value_seed(Any(Each::new(ctx, "steps", ".steps[]", take)))?;
    Ok(steps)
}

pub(super) fn attachments<'de, A: MapAccess<'de>>(
    ctx: &mut Ctx<'_>,
    map: &mut A,
    place: &'static str,
) -> Result<Vec<Attachment>, A::Error> {
    let mut attachments = Vec::new();
    let take = |ctx: &mut Ctx<'_>, _, attachment: Attachment| match ctx.attachments_left.checked_sub(1) {
        Some(left) => {
            ctx.attachments_left = left;
            attachments.push(attachment);
        }
        None => ctx.note(Code::ListCut, "", ""),
    };
    map.next_value_seed(Any(Each::new(ctx, "attachments", place, take)))?;
    Ok(attachments)
}

/// The picture that is part of the report: only mentioned.
pub(super) fn screenshot(ctx: &mut Ctx<'_>, value: Loose<'_>) -> Option<Attachment> {
    let picture = ctx.text("screenshot", value)?;
    ctx.note(Code::InlineScreenshot, "screenshot", "");
    Some(Attachment {
        name: "screenshot".to_owned(),
        content_type: picture_type(&picture).to_owned(),
        path: "inline:screenshot".to_owned(),
        extra: Map::new(),
    })
}

/// The media type of a picture in base64, by the first bytes.
fn picture_type(base64: &str) -> &'static str {
    let types = [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("PHN2Z", "image/svg+xml"),
        ("Qk", "image/bmp"),
    ];
    let start = match base64.strip_prefix("data:") {
        Some(uri) => uri.split_once(',').map_or("", |(_, data)| data),
        None => base64,
    };
    types.iter().find(|(magic, _)| start.starts_with(magic)).map_or("application/octet-stream", |(_, kind)| kind)
}
