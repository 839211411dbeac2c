//! The columns of a list, from the document: so they are the same for every export, whatever the entries hold.

use super::{
    csv,
    lists::{LISTS, List},
};
use crate::http::openapi::openapi_json;
use serde_json::Value;
use std::{collections::HashMap, sync::OnceLock};

/// Objects inside objects that are taken apart; what is deeper is written as JSON.
const DEEPEST: usize = 4;

/// A column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Names of fields, from the outside in; joined by dots they are the heading.
    path: Vec<String>,
}

impl Column {
    fn heading(&self) -> String {
        csv::text(&self.path.join("."))
    }

    fn cell(&self, entry: &Value) -> String {
        let value = self.path.iter().try_fold(entry, |value, name| value.get(name));
        let is_suite = self.path.last().is_some_and(|name| name == "suite");
        csv::value(value, if is_suite { " > " } else { "; " })
    }
}

/// Writes the headings.
pub(super) fn headings(columns: &[Column]) -> String {
    columns.iter().map(Column::heading).collect::<Vec<_>>().join(",") + csv::END
}

/// Writes one entry.
pub(super) fn line(columns: &[Column], entry: &Value) -> String {
    columns.iter().map(|column| column.cell(entry)).collect::<Vec<_>>().join(",") + csv::END
}

/// The columns of a list: first what its entries always have, as they are declared, then the rest by name.
pub(super) fn of(list: &List) -> &'static [Column] {
    static ALL: OnceLock<HashMap<&'static str, Vec<Column>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let document: Value = serde_json::from_str(openapi_json()).unwrap_or_default();
        LISTS.iter().map(|list| (list.path, read(&document, list))).collect()
    });
    all.get(list.path).map_or(&[], Vec::as_slice)
}

fn read(document: &Value, list: &List) -> Vec<Column> {
    let answer = &document["paths"][list.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    let entry = &resolved(document, answer)["properties"][list.field]["items"];
    let mut columns = Vec::new();
    walk(document, entry, &[], &mut columns);
    columns
}

fn walk(document: &Value, schema: &Value, path: &[String], columns: &mut Vec<Column>) {
    let schema = resolved(document, schema);
    if let Some(parts) = schema["allOf"].as_array() {
        // What is referred to is shared with others: the entry's own fields are named first.
        let (shared, own): (Vec<&Value>, Vec<_>) = parts.iter().partition(|part| part.get("$ref").is_some());
        own.into_iter().chain(shared).for_each(|part| walk(document, part, path, columns));
        return;
    }
    // A reference that may be null.
    if let Some(choices) = schema["oneOf"].as_array() {
        let mut choices = choices.iter().filter(|choice| choice["type"] != "null");
        if let (Some(only), None) = (choices.next(), choices.next()) {
            return walk(document, only, path, columns);
        }
    }
    match schema["properties"].as_object().filter(|_| path.len() < DEEPEST) {
        Some(properties) => {
            let required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let others = properties.keys().map(String::as_str).filter(|name| !required.contains(name));
            for name in required.iter().copied().chain(others) {
                let path: Vec<String> = path.iter().cloned().chain([name.to_owned()]).collect();
                walk(document, &properties[name], &path, columns);
            }
        }
        None => {
            let column = Column { path: path.to_vec() };
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
    }
}

fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(&Value::Null),
        None => schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::export::lists;

    fn headings_of(path: &str) -> String {
        headings(of(lists::find(path).unwrap()))
    }

    #[test]
    fn columns_are_the_fields_of_the_entries_flattened() {
        assert_eq!(
            headings_of("/api/v1/runs/{id}/results"),
            "id,report_id,test_id,name,suite,status,duration_ms,retries,flaky,tags,browser,device,file_path,line,message,os,\
             raw_status\r\n"
        );
        let tests = headings_of("/api/v1/tests");
        assert!(tests.starts_with("id,name,suite,tags,owners,project.id,project.name,file_path,"), "{tests}");
        let runs = headings_of("/api/v1/runs");
        assert!(runs.contains("summary.passed,") && runs.contains(",commit"), "{runs}");
    }

    #[test]
    fn every_list_has_columns() {
        for list in LISTS {
            let columns = of(list);
            assert!(columns.len() > 1 && columns.iter().all(|column| !column.path.is_empty()), "{}", list.path);
        }
    }
}
