//! Cells of CSV as RFC 4180 has them.

use serde_json::Value;

/// What ends a line.
pub const END: &str = "\r\n";

/// A text. What a spreadsheet would take for a formula gets an apostrophe before it, as OWASP advises against CSV injection.
pub fn text(text: &str) -> String {
    let formula = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if formula.is_empty() && !text.contains(['"', ',', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{formula}{}\"", text.replace('"', "\"\""))
}

/// Any value: numbers as they are, texts of a list joined by `between`, what has a shape of its own as JSON.
pub(super) fn value(value: Option<&Value>, between: &str) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(word)) => text(word),
        Some(number @ (Value::Number(_) | Value::Bool(_))) => number.to_string(),
        Some(Value::Array(values)) => {
            let words: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
            text(&words.map_or_else(|| Value::Array(values.clone()).to_string(), |words| words.join(between)))
        }
        Some(object) => text(&object.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_quoted_where_they_must_be_and_are_never_formulas() {
        for (written, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("@x", "\"'@x\""),
            ("\t=1", "\"'\t=1\""),
            ("", ""),
        ] {
            assert_eq!(text(written), expected);
        }
    }

    #[test]
    fn values_keep_their_numbers_and_lists_their_order() {
        for (written, expected) in [
            (json!(null), ""),
            (json!(-1.5), "-1.5"),
            (json!(true), "true"),
            (json!(["b", "a"]), "b; a"),
            (json!(["=b"]), "\"'=b\""),
            (json!([]), ""),
            (json!([1, 2]), "\"[1,2]\""),
            (json!({"a": 1}), "\"{\"\"a\"\":1}\""),
        ] {
            assert_eq!(value(Some(&written), "; "), expected, "{written}");
        }
        assert_eq!(value(None, "; "), "");
    }
}
