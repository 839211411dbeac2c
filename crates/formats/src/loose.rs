//! Reading JSON without insisting on types: any value may stand anywhere.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{borrow::Cow, fmt};

/// A value of any type. Lists and objects are only told apart: what is in them has been passed over.
#[derive(Debug)]
pub(crate) enum Loose<'de> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'de, str>),
    List,
    Object,
}

/// A number, also one written as text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Numeric {
    Int(i64),
    Float(f64),
}

impl Loose<'_> {
    pub(crate) fn numeric(&self) -> Option<Numeric> {
        match self {
            Self::Number(number) => number.as_i64().map(Numeric::Int).or_else(|| number.as_f64().map(Numeric::Float)),
            Self::Text(text) => {
                let text = text.trim();
                let float = || text.parse().ok().filter(|float: &f64| float.is_finite()).map(Numeric::Float);
                text.parse().ok().map(Numeric::Int).or_else(float)
            }
            _ => None,
        }
    }
}

impl<'v> From<&'v Value> for Loose<'v> {
    fn from(value: &'v Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(text.as_str().into()),
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
        }
    }
}

impl Numeric {
    /// Rounded; `None` beyond what a double holds exactly.
    pub(crate) fn rounded(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            #[allow(clippy::cast_possible_truncation, reason = "the bound was checked")]
            Self::Float(value) => (value.abs() < 9e15).then_some(value.round() as i64),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "only its size is asked for")]
    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// What to do with a value. Lists and objects that a handler doesn't care for are passed over.
pub(crate) trait Handler<'de>: Sized {
    type Out;

    fn scalar(self, value: Loose<'de>) -> Self::Out;

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Out, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.scalar(Loose::List))
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Out, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.scalar(Loose::Object))
    }
}

/// Gives whatever comes to a handler.
pub(crate) struct Any<H>(pub(crate) H);

impl<'de, H: Handler<'de>> DeserializeSeed<'de> for Any<H> {
    type Value = H::Out;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<H::Out, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, H: Handler<'de>> Visitor<'de> for Any<H> {
    type Value = H::Out;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<H::Out, E> {
        Ok(self.0.scalar(Loose::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<H::Out, E> {
        Ok(self.0.scalar(Loose::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<H::Out, E> {
        Ok(self.0.scalar(Loose::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<H::Out, E> {
        Ok(self.0.scalar(Loose::Number(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<H::Out, E> {
        Ok(self.0.scalar(Number::from_f64(value).map_or(Loose::Null, Loose::Number)))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<H::Out, E> {
        Ok(self.0.scalar(Loose::Text(Cow::Borrowed(value))))
    }

    fn visit_str<E>(self, value: &str) -> Result<H::Out, E> {
        Ok(self.0.scalar(Loose::Text(Cow::Owned(value.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<H::Out, A::Error> {
        self.0.list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<H::Out, A::Error> {
        self.0.object(object)
    }
}

struct Plain;

impl<'de> Handler<'de> for Plain {
    type Out = Loose<'de>;

    fn scalar(self, value: Loose<'de>) -> Loose<'de> {
        value
    }
}

impl<'de> Deserialize<'de> for Loose<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(Plain))
    }
}

/// Takes the NUL characters out, which no database keeps. Only an owned text can hold one: it was written with an escape.
pub(crate) fn without_nul<'t>(text: Cow<'t, str>, nul: &mut bool) -> Cow<'t, str> {
    match text {
        Cow::Owned(owned) if memchr::memchr(0, owned.as_bytes()).is_some() => {
            *nul = true;
            Cow::Owned(owned.replace('\0', ""))
        }
        other => other,
    }
}

/// How much JSON a value may still take, and what was odd in it.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    pub(crate) left: usize,
    /// It took more: what was built is not all of it.
    pub(crate) over: bool,
    pub(crate) nul: bool,
    pub(crate) duplicate: bool,
}

impl Budget {
    pub(crate) fn new(left: usize) -> Self {
        Self { left, ..Self::default() }
    }

    fn take(&mut self, bytes: usize) -> bool {
        self.over |= self.left < bytes;
        self.left = self.left.saturating_sub(bytes);
        !self.over
    }
}

/// Builds a [`Value`] within a [`Budget`]; what exceeds it is passed over.
pub(crate) struct Build<'b>(pub(crate) &'b mut Budget);

impl<'de> Handler<'de> for Build<'_> {
    type Out = Value;

    fn scalar(self, value: Loose<'de>) -> Value {
        let size = if let Loose::Text(text) = &value { text.len() + 3 } else { 8 };
        if !self.0.take(size) {
            return Value::Null;
        }
        match value {
            Loose::Bool(value) => Value::Bool(value),
            Loose::Number(number) => Value::Number(number),
            Loose::Text(text) => Value::String(without_nul(text, &mut self.0.nul).into_owned()),
            Loose::Null | Loose::List | Loose::Object => Value::Null,
        }
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while self.0.take(1) {
            match list.next_element_seed(Any(Build(self.0)))? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(values))
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while self.0.take(1) {
            let Some(Text(key)) = object.next_key()? else { return Ok(Value::Object(values)) };
            self.0.take(key.len() + 3);
            let value = object.next_value_seed(Any(Build(self.0)))?;
            if !self.0.over {
                let key = without_nul(key, &mut self.0.nul).into_owned();
                self.0.duplicate |= values.insert(key, value).is_some();
            }
        }
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object(values))
    }
}

/// An object's key, borrowed where it holds no escape.
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl<'de> Visitor<'de> for Key {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(value.to_owned())))
            }
        }
        deserializer.deserialize_str(Key)
    }
}

/// True if `text`, itself at depth `base` of its document, nests deeper than `max`.
pub(crate) fn too_deep(text: &str, base: usize, max: usize) -> bool {
    // `[` and `{` differ in one bit. Almost nothing holds enough of them to be worth a closer look.
    let open = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(byte | 0x20 == b'{')).sum::<u8>();
    let opened: usize = text.as_bytes().chunks(255).map(|chunk| usize::from(open(chunk))).sum();
    base + opened > max && base + nesting(text) > max
}

fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
