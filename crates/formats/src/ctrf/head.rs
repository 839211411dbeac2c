//! The first pass: everything but the tests, which are only passed over and checked; where they stand is kept.

use super::MAX_EXTRA;
use crate::{
    Limits,
    error::{FormatError, TOO_DEEP, TOO_MANY_TESTS, WRONG_TYPE},
    loose::{Any, Budget, Build, Handler, Loose, Text, too_deep},
    notes::{Code, Notes},
};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess};
use serde_json::{Map, Value, value::RawValue};
use std::ops::Range;

/// Fields of the root, or of `results`: more unknown ones than this are left out.
const MAX_FIELDS: usize = 100;
/// Fields that are never left out.
const KNOWN: &[&str] =
    &["tool", "summary", "environment", "reportFormat", "specVersion", "reportId", "runId", "timestamp", "extra"];

/// Why the first pass stopped.
pub(super) enum Stop {
    /// It is JSON, but no report.
    Refused(FormatError),
    /// It is no JSON; cleaning may help.
    Syntax(serde_json::Error),
}

/// The document without its tests. The last of repeated keys counts.
#[derive(Default)]
pub(super) struct Head {
    limits: Limits,
    /// Where the text begins.
    base: usize,
    /// The root's keys, some of them: they tell other formats.
    pub(super) keys: Vec<String>,
    pub(super) root: Map<String, Value>,
    pub(super) results: Option<Results>,
    pub(super) notes: Notes,
    refused: Option<FormatError>,
}

/// `results`.
#[derive(Default)]
pub(super) struct Results {
    pub(super) fields: Map<String, Value>,
    pub(super) environment_over: bool,
    /// Where each of them stands in the text.
    tests: Option<Vec<Range<usize>>>,
}

impl Head {
    pub(super) fn read(text: &str, limits: Limits) -> Result<Self, Stop> {
        let mut head = Self { limits, base: text.as_ptr() as usize, ..Self::default() };
        let mut json = serde_json::Deserializer::from_str(text);
        let read = Any(Root(&mut head)).deserialize(&mut json).and_then(|()| json.end());
        match (head.refused.take(), read) {
            (Some(error), _) => Err(Stop::Refused(error)),
            (None, Err(error)) => Err(Stop::Syntax(error)),
            (None, Ok(())) => Ok(head),
        }
    }

    /// Where each test stands in the text that was read; none if there is no list of them.
    pub(super) fn take_tests(&mut self) -> Option<Vec<Range<usize>>> {
        self.results.as_mut().and_then(|results| results.tests.take())
    }

    fn refuse<E: Error>(&mut self, error: FormatError) -> E {
        self.refused = Some(error);
        E::custom("refused")
    }

    fn check_depth<E: Error>(&mut self, raw: &RawValue, base: usize, path: impl FnOnce() -> String) -> Result<(), E> {
        if !too_deep(raw.get(), base, self.limits.max_depth) {
            return Ok(());
        }
        let message = format!("The document is nested deeper than {} levels.", self.limits.max_depth);
        Err(self.refuse(FormatError::at(TOO_DEEP, path(), message)))
    }

    /// Reads one field as a value, bounded. False if it was too large and is incomplete.
    fn value<E: Error>(
        &mut self,
        raw: &RawValue,
        base: usize,
        place: &'static str,
        key: &str,
    ) -> Result<(Value, bool), E> {
        let path = || if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
        self.check_depth(raw, base, path)?;
        let mut budget = Budget::new(MAX_EXTRA);
        let mut json = serde_json::Deserializer::from_str(raw.get());
        let value = Any(Build(&mut budget)).deserialize(&mut json).map_err(E::custom)?;
        for (odd, code) in [(budget.nul, Code::NulRemoved), (budget.duplicate, Code::DuplicateKey)] {
            if odd {
                self.notes.add(code, place, key, "", path);
            }
        }
        Ok((value, !budget.over))
    }
}

struct Root<'h>(&'h mut Head);

impl<'de> Handler<'de> for Root<'_> {
    type Out = ();

    fn scalar(self, _value: Loose<'de>) {
        let message = "A CTRF report is a JSON object with `results`; this document is something else.";
        self.0.refused = Some(FormatError::at(WRONG_TYPE, "$", message));
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let head = self.0;
        while let Some(Text(key)) = object.next_key()? {
            if key == "results" {
                if head.results.is_some() {
                    head.notes.add(Code::DuplicateKey, "", "results", "", || "results".to_owned());
                }
                object.next_value_seed(Any(ResultsOf(head)))?;
                continue;
            }
            if head.keys.len() < 64 {
                head.keys.push(crate::cut::head(&key, 64).to_owned());
            }
            let (value, complete) = head.value(object.next_value()?, 1, "", &key)?;
            keep(head, "", &key, value, complete, |head| Some(&mut head.root));
        }
        Ok(())
    }
}

/// Puts a field where it belongs, unless it was too large.
fn keep(
    head: &mut Head,
    place: &'static str,
    key: &str,
    value: Value,
    complete: bool,
    fields: impl FnOnce(&mut Head) -> Option<&mut Map<String, Value>>,
) {
    let path = || if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    if !complete && !matches!(key, "tool" | "summary") {
        head.notes.add(Code::ExtraTooLarge, place, key, "", path);
        return;
    }
    let known = KNOWN.contains(&key);
    let Some(fields) = fields(head).filter(|fields| known || fields.len() < MAX_FIELDS) else {
        head.notes.add(Code::UnknownLeftOut, place, "", "", path);
        return;
    };
    let previous = fields.insert(key.replace('\0', ""), value);
    if previous.is_some() {
        head.notes.add(Code::DuplicateKey, place, key, "", path);
    }
}

struct ResultsOf<'h>(&'h mut Head);

impl<'de> Handler<'de> for ResultsOf<'_> {
    type Out = ();

    fn scalar(self, value: Loose<'de>) {
        self.0.results = None;
        if !matches!(value, Loose::Null) {
            self.0.refused = Some(FormatError::at(WRONG_TYPE, "results", "`results` must be an object."));
        }
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let head = self.0;
        head.results = Some(Results::default());
        while let Some(Text(key)) = object.next_key()? {
            if key == "tests" {
                let tests = object.next_value_seed(Any(TestsOf(head)))?;
                let before = head.results.as_mut().and_then(|results| std::mem::replace(&mut results.tests, tests));
                if before.is_some() {
                    head.notes.add(Code::DuplicateKey, "results", "tests", "", || "results.tests".to_owned());
                }
                continue;
            }
            let (value, complete) = head.value(object.next_value()?, 2, "results", &key)?;
            if let (false, "environment", Some(results)) = (complete, &*key, &mut head.results) {
                results.environment_over = true;
            }
            let complete = complete || key == "environment";
            keep(head, "results", &key, value, complete, |head| Some(&mut head.results.as_mut()?.fields));
        }
        Ok(())
    }
}

struct TestsOf<'h>(&'h mut Head);

impl<'de> Handler<'de> for TestsOf<'_> {
    type Out = Option<Vec<Range<usize>>>;

    fn scalar(self, value: Loose<'de>) -> Self::Out {
        if !matches!(value, Loose::Null) {
            let message = "`results.tests` must be an array.";
            self.0.refused = Some(FormatError::at(WRONG_TYPE, "results.tests", message));
        }
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Out, A::Error> {
        let head = self.0;
        let mut tests = Vec::new();
        while let Some(raw) = list.next_element::<&'de RawValue>()? {
            let index = tests.len();
            if !raw.get().starts_with('{') {
                let path = format!("results.tests[{index}]");
                let message = format!("Entry {index} of `results.tests` is not an object.");
                return Err(head.refuse(FormatError::at(WRONG_TYPE, path, message)));
            }
            head.check_depth(raw, 3, || format!("results.tests[{index}]"))?;
            // It is a piece of the text.
            let start = raw.get().as_ptr() as usize - head.base;
            tests.push(start..start + raw.get().len());
            if tests.len() as u64 > head.limits.max_tests {
                let message = format!("The report lists more than {} tests.", head.limits.max_tests);
                return Err(head.refuse(FormatError::at(TOO_MANY_TESTS, "results.tests", message)));
            }
        }
        Ok(Some(tests))
    }
}
