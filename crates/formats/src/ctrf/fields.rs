//! Reading one field of a test, whatever its type, and noting what was odd.

use super::words;
use crate::{
    cut::{self, Lines},
    loose::{Any, Budget, Build, Handler, Loose, without_nul},
    notes::{Code, Notes},
};
use scaledtest_domain::{ProjectId, report::Status};
use serde::de::{MapAccess, SeqAccess};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Bytes of a name, a path and the like.
pub(super) const MAX_NAME: usize = 4096;
/// Bytes of what is shorter still: a browser, a tag, a media type.
pub(super) const MAX_WORD: usize = 256;
/// A thousand years; longer durations would overflow sums.
pub(super) const MAX_DURATION: i64 = 31_557_600_000_000;

/// Where we are in the document, and what the test at hand may still take.
pub(super) struct Ctx<'n> {
    pub(super) notes: &'n mut Notes,
    pub(super) project: ProjectId,
    pub(super) os: Option<&'n str>,
    /// The tool writes suites as `outer.inner`.
    pub(super) dots: bool,
    /// Of the test.
    pub(super) index: u64,
    /// Inside the test: `.retryAttempts[]`; empty in the test itself.
    pub(super) place: &'static str,
    /// The outermost index in `place`.
    pub(super) nested: usize,
    /// Bytes of additional data.
    pub(super) extra_left: usize,
    /// Attachments, those of attempts included.
    pub(super) attachments_left: usize,
}

impl Ctx<'_> {
    pub(super) fn note(&mut self, code: Code, field: &str, detail: &str) {
        let (index, place, nested) = (self.index, self.place, self.nested);
        self.notes.add(code, place, field, detail, || {
            let place = place.replacen("[]", &format!("[{nested}]"), 1);
            let dot = if field.is_empty() { "" } else { "." };
            format!("results.tests[{index}]{place}{dot}{field}")
        });
    }

    /// A text without NUL characters; nothing if it is null or empty.
    pub(super) fn text<'de>(&mut self, field: &str, value: Loose<'de>) -> Option<Cow<'de, str>> {
        match value {
            Loose::Text(text) => Some(self.clean(field, text)).filter(|text| !text.is_empty()),
            Loose::Null => None,
            _ => {
                self.note(Code::WrongType, field, "");
                None
            }
        }
    }

    fn clean<'de>(&mut self, field: &str, text: Cow<'de, str>) -> Cow<'de, str> {
        let mut nul = false;
        let text = without_nul(text, &mut nul);
        if nul {
            self.note(Code::NulRemoved, field, "");
        }
        text
    }

    /// A long text: head and tail are kept.
    pub(super) fn long(&mut self, field: &str, value: Loose<'_>) -> Option<String> {
        let (text, was_cut) = cut::bounded(self.text(field, value)?);
        if was_cut {
            self.note(Code::TextCut, field, "");
        }
        Some(text)
    }

    /// A short text: the head is kept.
    pub(super) fn short(&mut self, field: &str, value: Loose<'_>, max: usize) -> Option<String> {
        let text = self.text(field, value)?;
        Some(self.fit(field, text, max))
    }

    pub(super) fn fit(&mut self, field: &str, text: Cow<'_, str>, max: usize) -> String {
        if text.len() <= max {
            return text.into_owned();
        }
        self.note(Code::NameCut, field, "");
        cut::head(&text, max).to_owned()
    }

    /// A whole number from 0 to what a database's integer holds.
    pub(super) fn int(&mut self, field: &str, value: &Loose<'_>) -> Option<u32> {
        if let Loose::Null = value {
            return None;
        }
        let Some(number) = value.numeric() else {
            self.note(Code::WrongType, field, "");
            return None;
        };
        let fits = |value: &i64| (0..=i64::from(i32::MAX)).contains(value);
        let int = number.rounded().filter(fits).and_then(|value| u32::try_from(value).ok());
        if int.is_none() {
            self.note(Code::OutOfRange, field, "");
        }
        int
    }

    pub(super) fn duration(&mut self, value: &Loose<'_>) -> Option<i64> {
        if let Loose::Null = value {
            return None;
        }
        let Some(number) = value.numeric() else {
            self.note(Code::WrongType, "duration", "");
            return None;
        };
        if number.float() < 0.0 {
            self.note(Code::NegativeDuration, "duration", "");
            return Some(0);
        }
        let duration = number.rounded().filter(|duration| *duration <= MAX_DURATION);
        if duration.is_none() {
            self.note(Code::OutOfRange, "duration", "");
        }
        duration
    }

    pub(super) fn time(&mut self, field: &str, value: &Loose<'_>) -> Option<i64> {
        let (ms, odd) = match words::time(value) {
            words::Time::At(ms) => return Some(ms),
            words::Time::Unknown => return None,
            words::Time::Seconds(ms) => (Some(ms), Code::Seconds),
            words::Time::OutOfRange => (None, Code::OutOfRange),
            words::Time::Unreadable => (None, Code::WrongType),
        };
        self.note(odd, field, "");
        ms
    }

    pub(super) fn flag(&mut self, field: &str, value: &Loose<'_>) -> Option<bool> {
        match value {
            Loose::Bool(value) => Some(*value),
            Loose::Null => None,
            _ => {
                self.note(Code::WrongType, field, "");
                None
            }
        }
    }

    /// The status, and the word that was written if it is another one.
    pub(super) fn status(&mut self, value: Loose<'_>) -> Option<(Status, Option<String>)> {
        let word = match value {
            Loose::Null => return None,
            Loose::Text(word) => self.clean("status", word),
            Loose::Number(number) => number.to_string().into(),
            Loose::Bool(value) => value.to_string().into(),
            Loose::List | Loose::Object => {
                self.note(Code::StatusUnknown, "status", "");
                return Some((Status::Other, None));
            }
        };
        if let Some(status) = Status::from_word(&word) {
            return Some((status, None));
        }
        let status = words::synonym(&word);
        let code = if status.is_some() { Code::StatusMapped } else { Code::StatusUnknown };
        self.note(code, "status", &word);
        let word = cut::head(&word, MAX_WORD).to_owned();
        Some((status.unwrap_or(Status::Other), Some(word).filter(|word| !word.is_empty())))
    }

    /// Keeps a field by its name among the additional data, if there is room.
    pub(super) fn keep<'de, A: MapAccess<'de>>(
        &mut self,
        name: Cow<'de, str>,
        known: bool,
        map: &mut A,
        extra: &mut Map<String, Value>,
    ) -> Result<(), A::Error> {
        let mut budget = Budget::new(self.extra_left.saturating_sub(name.len()));
        let value = map.next_value_seed(Any(Build(&mut budget)))?;
        let name = self.clean("", name);
        for (odd, code) in [
            (budget.nul, Code::NulRemoved),
            (budget.duplicate || extra.contains_key(&*name), Code::DuplicateKey),
            (budget.over, Code::ExtraTooLarge),
            (!known && !value.is_null(), Code::UnknownField),
        ] {
            if odd {
                self.note(code, &name, "");
            }
        }
        if budget.over || value.is_null() {
            extra.remove(&*name);
        } else {
            self.extra_left = budget.left;
            extra.insert(name.into_owned(), value);
        }
        Ok(())
    }
}

/// A text, or a list of lines.
pub(super) struct LinesOf<'c, 'n>(pub(super) &'c mut Ctx<'n>, pub(super) &'static str);

impl<'de> Handler<'de> for LinesOf<'_, '_> {
    type Out = Option<String>;

    fn scalar(self, value: Loose<'de>) -> Option<String> {
        self.0.long(self.1, value)
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<String>, A::Error> {
        let mut lines = Lines::default();
        while let Some(value) = list.next_element::<Loose<'de>>()? {
            match value {
                Loose::Text(line) => lines.push(&self.0.clean(self.1, line)),
                Loose::Number(number) => lines.push(&number.to_string()),
                Loose::Null => {}
                _ => self.0.note(Code::WrongType, self.1, ""),
            }
        }
        let Some((text, was_cut)) = lines.finish() else { return Ok(None) };
        if was_cut {
            self.0.note(Code::TextCut, self.1, "");
        }
        Ok(Some(text))
    }
}

/// A list of short texts, or a single one; at most `max`.
pub(super) struct Words<'c, 'n> {
    pub(super) ctx: &'c mut Ctx<'n>,
    pub(super) field: &'static str,
    pub(super) max: usize,
    pub(super) max_word: usize,
}

/// What [`Words`] found.
#[derive(Debug)]
pub(super) enum OneOrMany<'de> {
    One(Cow<'de, str>),
    Many(Vec<String>),
}

impl<'de> Handler<'de> for Words<'_, '_> {
    type Out = OneOrMany<'de>;

    fn scalar(self, value: Loose<'de>) -> OneOrMany<'de> {
        self.ctx.text(self.field, value).map_or(OneOrMany::Many(Vec::new()), OneOrMany::One)
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany<'de>, A::Error> {
        let mut words = Vec::new();
        while let Some(value) = list.next_element::<Loose<'de>>()? {
            let value = if let Loose::Number(number) = value { Loose::Text(number.to_string().into()) } else { value };
            let word = self.ctx.short(self.field, value, self.max_word);
            match word {
                Some(word) if words.len() < self.max => words.push(word),
                Some(_) => self.ctx.note(Code::ListCut, self.field, ""),
                None => {}
            }
        }
        Ok(OneOrMany::Many(words))
    }
}

/// Something that is written as an object.
pub(super) trait FromMap: Sized {
    fn from_map<'de, A: MapAccess<'de>>(ctx: &mut Ctx<'_>, map: A) -> Result<Self, A::Error>;
}

/// One object; anything else is left out.
pub(super) struct One<'c, 'n, T>(pub(super) &'c mut Ctx<'n>, std::marker::PhantomData<T>);

impl<'c, 'n, T> One<'c, 'n, T> {
    pub(super) fn new(ctx: &'c mut Ctx<'n>) -> Self {
        Self(ctx, std::marker::PhantomData)
    }
}

impl<'de, T: FromMap> Handler<'de> for One<'_, '_, T> {
    type Out = Option<T>;

    fn scalar(self, _value: Loose<'de>) -> Option<T> {
        self.0.note(Code::WrongType, "", "");
        None
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Option<T>, A::Error> {
        T::from_map(self.0, object).map(Some)
    }
}

/// A list of objects, each given to `take` as it comes.
pub(super) struct Each<'c, 'n, T, F: FnMut(&mut Ctx<'n>, usize, T)> {
    ctx: &'c mut Ctx<'n>,
    field: &'static str,
    place: &'static str,
    take: F,
    of: std::marker::PhantomData<T>,
}

impl<'c, 'n, T, F: FnMut(&mut Ctx<'n>, usize, T)> Each<'c, 'n, T, F> {
    /// `place` is where the objects are, for notes.
    pub(super) fn new(ctx: &'c mut Ctx<'n>, field: &'static str, place: &'static str, take: F) -> Self {
        Self { ctx, field, place, take, of: std::marker::PhantomData }
    }
}

impl<'de, 'n, T: FromMap, F: FnMut(&mut Ctx<'n>, usize, T)> Handler<'de> for Each<'_, 'n, T, F> {
    type Out = ();

    fn scalar(self, value: Loose<'de>) {
        if !matches!(value, Loose::Null) {
            self.ctx.note(Code::WrongType, self.field, "");
        }
    }

    fn list<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let (place, nested) = (self.ctx.place, self.ctx.nested);
        self.ctx.place = self.place;
        let mut index = 0;
        loop {
            if place.is_empty() {
                self.ctx.nested = index;
            }
            let Some(item) = list.next_element_seed(Any(One::<T>::new(self.ctx)))? else { break };
            if let Some(item) = item {
                (self.take)(self.ctx, index, item);
            }
            index += 1;
        }
        (self.ctx.place, self.ctx.nested) = (place, nested);
        Ok(())
    }
}
