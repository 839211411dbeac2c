//! Diagnostics, counted by kind and place so that a million odd tests make one line.

use crate::cut::head;
use scaledtest_domain::report::Diagnostic;

/// Different diagnostics of one report, at most; the last one counts what was left out.
const MAX: usize = 100;

macro_rules! codes {
    ($($name:ident $word:literal $sentence:literal,)*) => {
        /// What was odd.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($name),* }

        impl Code {
            fn word(self) -> &'static str { match self { $(Self::$name => $word),* } }
            fn sentence(self) -> &'static str { match self { $(Self::$name => $sentence),* } }
        }
    };
}

codes! {
    WrongType "wrong_type" "The field is of another type than expected and was left out",
    UnknownField "unknown_field" "The field is not part of the format; it is kept under `extra`",
    UnknownLeftOut "unknown_field_left_out" "The field is not part of the format and was left out",
    NoObject "no_object" "The field should be an object; it is kept as it is, but nothing was read from it",
    DuplicateKey "duplicate_key" "The key is there more than once; the last value counts",
    ExtraTooLarge "extra_too_large" "With this field the additional data would exceed 64 KiB; it was left out",
    EnvironmentTooLarge "environment_too_large" "The environment is over 64 KiB and was left out",
    TextCut "text_cut" "The text is over 64 KiB; its head and its tail are kept",
    NameCut "name_cut" "The text is too long for its field; its head is kept",
    TooLong "too_long" "The value is too long for its field and was left out",
    ListCut "list_cut" "The list is too long; its head is kept",
    ResultShortened "result_shortened" "The texts of a result are over 512 KiB together; the oldest attempts were shortened first",
    TooManyAttempts "too_many_attempts" "More than 20 attempts; the first 10 and the last 10 are kept",
    NameMissing "name_missing" "A test has no name; it is called after its place in the report",
    StatusMissing "status_missing" "There is no status; it was read as `other`",
    StatusMapped "status_mapped" "The status is a synonym and was mapped to one of the five words",
    StatusUnknown "status_unknown" "The status is not known and was read as `other`",
    NegativeDuration "negative_duration" "The duration is negative and was read as 0",
    OutOfRange "out_of_range" "The number is outside what the field can hold and was left out",
    Seconds "seconds_not_milliseconds" "The time looks like seconds and was read as such, not as milliseconds",
    StopBeforeStart "stop_before_start" "The end lies before the start and was left out",
    InlineScreenshot "inline_screenshot" "The picture itself stays in the original document; the result only mentions it",
    SummaryMissing "summary_missing" "The report has no summary; it was computed from the tests",
    SummaryMismatch "summary_mismatch" "The summary disagrees with the tests; the numbers counted from the tests are used",
    Partial "partial_report" "The summary counts more tests than the report lists: a filtered report",
    NotANumber "not_a_number" "NaN, Infinity or a number beyond all bounds was read as null",
    ControlCharacters "control_characters" "Raw control characters, which JSON forbids, were read as if escaped",
    NulRemoved "nul_removed" "NUL characters were removed",
    InvalidUtf8 "invalid_utf8" "Bytes that are not UTF-8 were replaced by U+FFFD",
    LoneSurrogate "lone_surrogate" "Halves of surrogate pairs were replaced by U+FFFD",
}

#[derive(Debug, Clone)]
struct Entry {
    code: Code,
    place: &'static str,
    field: Box<str>,
    shown: Diagnostic,
}

impl Entry {
    fn is(&self, code: Code, place: &'static str, field: &str) -> bool {
        self.code == code && self.place == place && *self.field == *field
    }
}

/// The diagnostics of one report.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    entries: Vec<Entry>,
    left_out: u64,
    /// What was counted since [`Notes::begin`].
    touched: Vec<Option<usize>>,
}

impl Notes {
    /// From here on [`Notes::rollback`] takes back.
    pub(crate) fn begin(&mut self) {
        self.touched.clear();
    }

    /// Forgets what was noted since [`Notes::begin`]: the same piece is going to be read again.
    pub(crate) fn rollback(&mut self) {
        while let Some(index) = self.touched.pop() {
            let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) else {
                self.left_out = self.left_out.saturating_sub(1);
                continue;
            };
            entry.shown.count -= 1;
            if entry.shown.count == 0 {
                self.entries.pop();
            }
        }
    }

    /// Notes one thing. `place` and `field` say where in general, `path` where exactly (asked for the first time only).
    pub(crate) fn add(
        &mut self,
        code: Code,
        place: &'static str,
        field: &str,
        detail: &str,
        path: impl FnOnce() -> String,
    ) {
        if let Some(index) = self.entries.iter().position(|entry| entry.is(code, place, field)) {
            self.entries[index].shown.count += 1;
            self.touched.push(Some(index));
            return;
        }
        if self.entries.len() >= MAX - 1 {
            self.left_out += 1;
            self.touched.push(None);
            return;
        }
        self.touched.push(Some(self.entries.len()));
        let sentence = code.sentence();
        let message =
            if detail.is_empty() { format!("{sentence}.") } else { format!("{sentence}: `{}`.", head(detail, 80)) };
        // Both quote the document, and no database keeps NUL.
        let path = head(&path(), 512).replace('\0', "");
        let message = message.replace('\0', "");
        let shown = Diagnostic { path, code: code.word().to_owned(), message, count: 1 };
        self.entries.push(Entry { code, place, field: field.into(), shown });
    }

    /// Adds what a later part has noted. Of more than are kept of a part, which ones count as left out depends on the parts.
    pub(crate) fn append(&mut self, other: Self) {
        self.left_out += other.left_out;
        for entry in other.entries {
            if let Some(same) = self.entries.iter_mut().find(|own| own.is(entry.code, entry.place, &entry.field)) {
                same.shown.count += entry.shown.count;
            } else if self.entries.len() < MAX - 1 {
                self.entries.push(entry);
            } else {
                self.left_out += entry.shown.count;
            }
        }
    }

    /// Notes something about the document as a whole.
    pub(crate) fn document(&mut self, code: Code, times: u64) {
        for _ in 0..times.min(1) {
            self.add(code, "$", "", "", || "$".to_owned());
        }
        if let (Some(Some(index)), true) = (self.touched.last(), times > 1) {
            self.entries[*index].shown.count += times - 1;
        }
    }

    /// In the order of first appearance.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let left_out = (self.left_out > 0).then(|| Diagnostic {
            path: "$".to_owned(),
            code: "diagnostics_left_out".to_owned(),
            message: "There were more different diagnostics than are kept.".to_owned(),
            count: self.left_out,
        });
        self.entries.into_iter().map(|entry| entry.shown).chain(left_out).collect()
    }
}
